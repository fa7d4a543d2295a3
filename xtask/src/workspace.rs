//! Paths of this checkout, and commands that run in it.

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
        // Read at run time: two checkouts can share a target folder, and thereby this program.
        let manifest = std::env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = manifest.parent().context("the folder of xtask has no parent")?;
        // This program is in `<target>/<profile>/`, wherever the target folder is.
        let program = std::env::current_exe().context("cannot tell where xtask was built")?;
        let target = program.parent().and_then(Path::parent);
        Ok(Self {
            root: root.to_owned(),
            target: target.context("xtask is not in a target folder of cargo")?.to_owned(),
        })
    }

    /// The target folder.
    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// A cargo command in the root folder; the cargo that started this program.
    pub(crate) fn cargo(&self, arguments: &str) -> Command {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = self.command(cargo);
        command.args(arguments.split(' '));
        command
    }

    /// A command in the root folder.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root);
        command
    }

    /// Builds the command line with the release profile and returns its path.
    pub(crate) fn release_binary(&self) -> anyhow::Result<PathBuf> {
        program::to_end(&mut self.cargo("build --release --package herdbook-cli"))?;
        let binary = self.target.join("release").join("herdbook");
        anyhow::ensure!(binary.is_file(), "the release build left no `{}`", binary.display());
        Ok(binary)
    }
}
