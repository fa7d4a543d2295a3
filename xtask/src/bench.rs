//! `cargo xtask bench`: builds what is measured as it is shipped, and starts the bench that measures it.

use crate::program;
use crate::workspace::Workspace;

/// What to measure.
#[derive(clap::Subcommand)]
pub(crate) enum Bench {
    /// Training speed, whole-process times of the command line, and (asked for) its clean build
    Train {
        /// Also time a clean release build; takes minutes
        #[arg(long)]
        build: bool,
    },
    /// How often a model passes for better than chance where there is nothing to find, and where there is
    Evidence,
    /// Each way of enhancing against `continued`, at what it is for
    Enhancements,
}

impl Bench {
    pub(crate) fn run(&self, workspace: &Workspace) -> anyhow::Result<()> {
        // An optimised program of its own: this one is a debug build.
        let bench =
            |name| workspace.cargo(&format!("bench --quiet --package xtask --bench {name} --"));
        match self {
            Self::Train { build } => {
                let mut bench = bench("train");
                bench.env("HERDBOOK_BIN", workspace.release_binary()?);
                if *build {
                    bench.arg("--build");
                }
                program::to_end(&mut bench)
            }
            Self::Evidence => program::to_end(&mut bench("evidence")),
            Self::Enhancements => program::to_end(&mut bench("enhancements")),
        }
    }
}
