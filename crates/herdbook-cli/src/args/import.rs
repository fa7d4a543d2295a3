//! Raw flags of `import` and `register`.

use std::path::PathBuf;

use clap::Args as ClapArgs;
use herdbook_domain::import::Zone;
use herdbook_domain::{RunPrefix, Timeframe};

use crate::args::family::DEFAULT_MODEL;

#[derive(Debug, ClapArgs)]
pub(crate) struct ImportArgs {
    /// Store to import: `sqlite:///old.db`, `postgresql://user@host/database`, the path of a database or of an `mlruns` folder, or the
    /// address of an MLflow server (http, https)
    #[arg(value_name = "URI")]
    pub(crate) source: String,
    /// Time zone of the times in the tags of that store: a place such as Europe/Berlin, UTC, or an offset such as
    /// +02:00 [default: the time zone of this machine]
    #[arg(long, value_name = "ZONE", allow_hyphen_values = true)]
    pub(crate) timezone: Option<Zone>,
    /// Folder that now holds the artifacts of that store (as `<experiment>/<run>/artifacts`), if they were moved
    #[arg(long, value_name = "FOLDER")]
    pub(crate) artifacts: Option<PathBuf>,
    /// Also register each finished run that stored `models/<timeframe>/model.zip` and has no version
    #[arg(long)]
    pub(crate) register_runs: bool,
    /// With `--register-runs`: registered model; its full name is `{timeframe}_{NAME}`
    #[arg(long, value_name = "NAME", default_value = DEFAULT_MODEL, requires = "register_runs")]
    pub(crate) model: String,
    /// Read and audit everything, without changing anything
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct RegisterArgs {
    /// Run that stored `models/<timeframe>/model.zip`
    #[arg(value_name = "RUN_ID", value_parser = RunPrefix::parse)]
    pub(crate) run_id: RunPrefix,
    /// Length of one bar [default: the run's tag `timeframe`, else the timeframe of its only model file]
    #[arg(long, short, value_name = "TIMEFRAME")]
    pub(crate) timeframe: Option<Timeframe>,
    /// Registered model; its full name is `{timeframe}_{NAME}`
    #[arg(long, value_name = "NAME", default_value = DEFAULT_MODEL)]
    pub(crate) model: String,
}
