//! Raw flags of the commands that show versions and their history.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args as ClapArgs;
use herdbook_domain::{RunPrefix, VersionNumber};

use crate::args::family::OptionalFamily;
use crate::args::number;
use crate::args::reference::Reference;

/// One model version, named in one of several ways.
#[derive(Debug, ClapArgs)]
pub(crate) struct ReferenceArgs {
    /// Version number, `champion`, `latest` or a run id [default: latest]
    #[arg(value_name = "MODEL", conflicts_with = "model_version")]
    pub(crate) reference: Option<Reference>,
    /// Version number
    #[arg(long, value_name = "N")]
    pub(crate) model_version: Option<VersionNumber>,
    #[command(flatten)]
    pub(crate) family: OptionalFamily,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ShowArgs {
    #[command(flatten)]
    pub(crate) which: ReferenceArgs,
    /// New HTML file to write a report with tables, pictures and history to, for readers without herdbook
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,
    /// Replace an existing file of `--report`; never a file of a store
    #[arg(long, requires = "report")]
    pub(crate) overwrite: bool,
}

#[derive(Debug, ClapArgs)]
#[command(
    mut_arg("timeframe", |arg| arg.help("Show only the trees of this timeframe; not needed together with a run id")),
    mut_arg("model", |arg| arg.help("Show only the trees that hold this registered model; its full name is \
        `{timeframe}_{NAME}` [default: all, or `trading_model` with MODEL]"))
)]
pub(crate) struct LineageArgs {
    /// Show only the tree of this model: a version number, `champion`, `latest` or a run id
    #[arg(value_name = "MODEL", conflicts_with = "model_version")]
    pub(crate) reference: Option<Reference>,
    /// Show only the tree of this version
    #[arg(long, value_name = "N")]
    pub(crate) model_version: Option<VersionNumber>,
    #[command(flatten)]
    pub(crate) family: OptionalFamily,
}

#[derive(Debug, ClapArgs)]
#[command(mut_arg("timeframe", |arg| arg.help("Show only one model, of this timeframe [default: all models]")))]
pub(crate) struct HistoryArgs {
    #[command(flatten)]
    pub(crate) family: OptionalFamily,
    /// Show only this version
    #[arg(long, value_name = "N", requires = "timeframe")]
    pub(crate) model_version: Option<VersionNumber>,
    /// Show only this run
    #[arg(long, value_name = "RUN_ID", value_parser = RunPrefix::parse, conflicts_with = "timeframe")]
    pub(crate) run: Option<RunPrefix>,
    /// Show only the newest N events
    #[arg(long, value_name = "N", value_parser = number::rows, conflicts_with = "export")]
    pub(crate) limit: Option<NonZeroUsize>,
    /// Write the whole history to a new file, one JSON object per line, and print its last hash
    #[arg(long, value_name = "FILE", conflicts_with_all = ["timeframe", "model_version", "run"])]
    pub(crate) export: Option<PathBuf>,
    /// With `--export`: replace the file if it exists
    #[arg(long, requires = "export")]
    pub(crate) overwrite: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct CompareArgs {
    /// First model: a version number, `champion`, `latest` or a run id
    #[arg(value_name = "A")]
    pub(crate) first: Reference,
    /// Second model, named in the same way
    #[arg(value_name = "B")]
    pub(crate) second: Reference,
    #[command(flatten)]
    pub(crate) family: OptionalFamily,
}
