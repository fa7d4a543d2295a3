//! Raw flags of `import`.

use std::path::PathBuf;

use clap::Args as ClapArgs;
use herdbook_domain::import::Zone;

#[derive(Debug, ClapArgs)]
pub(crate) struct ImportArgs {
    /// Store to import: `sqlite:///old.db`, the path of a database or of an `mlruns` folder, or the
    /// address of an MLflow server (http, https)
    #[arg(value_name = "URI")]
    pub(crate) source: String,
    /// Time zone of the times in its tags: a place such as Europe/Berlin, UTC, or an offset such as
    /// +02:00 [default: the time zone of this machine]
    #[arg(long, value_name = "ZONE", allow_hyphen_values = true)]
    pub(crate) timezone: Option<Zone>,
    /// Folder of its artifacts (`<experiment>/<run>/artifacts`), if they were moved since
    #[arg(long, value_name = "FOLDER")]
    pub(crate) artifacts: Option<PathBuf>,
    /// Read and audit everything, without changing anything
    #[arg(long)]
    pub(crate) dry_run: bool,
}
