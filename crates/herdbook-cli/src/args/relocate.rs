//! Arguments of `relocate`.

use std::path::PathBuf;

use clap::Args as ClapArgs;

#[derive(Debug, ClapArgs)]
pub(crate) struct RelocateArgs {
    /// Former folder of files that were moved, as the records name it [default: the former folder of the database, and
    /// the folders in the recorded paths of missing files]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) from: Vec<PathBuf>,
    /// Present folder of the files [default: the folder of the database]. Repeat `--from` and `--to` in pairs for
    /// several folders
    #[arg(long, value_name = "FOLDER")]
    pub(crate) to: Vec<PathBuf>,
    /// Turn a copy into a store of its own; the original stays in use
    #[arg(long)]
    pub(crate) copy: bool,
    /// Show what would change, without changing anything
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Relocate even if files are missing or altered; requires `--reason`
    #[arg(long, requires = "reason")]
    pub(crate) force: bool,
    /// Reason for `--force`, recorded in the history (at most 2,000 characters)
    #[arg(long, value_name = "TEXT", requires = "force")]
    pub(crate) reason: Option<String>,
}
