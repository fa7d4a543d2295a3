//! Raw flags of the import of a whole store.

use std::path::PathBuf;

use clap::Args as ClapArgs;
use herdbook_domain::import::Zone;

#[derive(Debug, ClapArgs)]
pub(crate) struct ImportArgs {
    /// The store to import: `sqlite:///old.db`, the path of a database or of an `mlruns` folder, or the
    /// address of an MLflow server (http, https)
    #[arg(value_name = "URI")]
    pub(crate) source: String,
    /// The zone of the times in its tags: a place such as Europe/Berlin, UTC, or a distance such as
    /// +02:00 [default: this machine's zone]
    #[arg(long, value_name = "ZONE", allow_hyphen_values = true)]
    pub(crate) timezone: Option<Zone>,
    /// The folder that holds its artifacts (`<experiment>/<run>/artifacts`), if they are not where it says
    #[arg(long, value_name = "FOLDER")]
    pub(crate) artifacts: Option<PathBuf>,
    /// Read and audit everything, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}
