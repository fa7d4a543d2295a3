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
}

impl Bench {
    pub(crate) fn run(&self, workspace: &Workspace) -> anyhow::Result<()> {
        let Self::Train { build } = self;
        let binary = workspace.release_binary()?;
        // An optimised program of its own: this one is a debug build.
        let mut bench = workspace.cargo("bench --quiet --package xtask --bench train --");
        bench.env("HERDBOOK_BIN", binary);
        if *build {
            bench.arg("--build");
        }
        program::to_end(&mut bench)
    }
}
