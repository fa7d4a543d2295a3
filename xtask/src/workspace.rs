//! Where things are in this checkout, and how its own cargo is called.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use crate::program;

/// This checkout.
pub(crate) struct Workspace {
    /// The folder of the workspace's `Cargo.toml`.
    pub(crate) root: PathBuf,
    target: PathBuf,
}

impl Workspace {
    pub(crate) fn of_this_checkout() -> anyhow::Result<Self> {
        // Read when run, not when built: checkouts may share a target folder.
        let manifest = std::env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = manifest.parent().context("xtask has no folder above it")?;
        // This program lies in `<target>/<profile>/`, wherever the target folder was put.
        let program = std::env::current_exe().context("cannot tell where xtask was built")?;
        let target = program.parent().and_then(Path::parent);
        Ok(Self {
            root: root.to_owned(),
            target: target.context("xtask was not built by cargo")?.to_owned(),
        })
    }

    /// Where cargo builds.
    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// A call of the cargo that runs this program, in the root folder.
    pub(crate) fn cargo(&self, arguments: &str) -> Command {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = self.command(cargo);
        command.args(arguments.split(' '));
        command
    }

    /// A call of some program, in the root folder.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root);
        command
    }

    /// Builds the command line as it is shipped, and answers where it is.
    pub(crate) fn release_binary(&self) -> anyhow::Result<PathBuf> {
        program::to_end(&mut self.cargo("build --release --package herdbook-cli"))?;
        let binary = self.target.join("release").join("herdbook");
        anyhow::ensure!(binary.is_file(), "the release build left no `{}`", binary.display());
        Ok(binary)
    }
}
