//! The cargo tools that the checks need. An installed tool of a suitable version is used, else one is built into the cache.

use std::path::PathBuf;
use std::process::Command;

use crate::workspace::Workspace;
use crate::{cache, program};

/// A program that `cargo install` can build.
pub(crate) struct Tool {
    name: &'static str,
    /// The version to install. An installed tool must have the same major and minor version, and at least this patch.
    version: [u32; 3],
}

/// Runs tests.
pub(crate) const NEXTEST: Tool = Tool { name: "cargo-nextest", version: [0, 9, 143] };
/// Checks licenses, sources and duplicates of dependencies.
pub(crate) const DENY: Tool = Tool { name: "cargo-deny", version: [0, 20, 2] };
/// Finds unused dependencies.
pub(crate) const MACHETE: Tool = Tool { name: "cargo-machete", version: [0, 9, 2] };

impl Tool {
    /// The path of the program; installs it if necessary.
    pub(crate) fn program(&self, workspace: &Workspace) -> anyhow::Result<PathBuf> {
        let installed = program::output(Command::new(self.name).arg("--version"));
        if installed.is_ok_and(|text| version_in(&text).is_some_and(|found| self.fits(found))) {
            return Ok(self.name.into());
        }
        let [major, minor, patch] = self.version;
        let key = format!("{}-{major}.{minor}.{patch}", self.name);
        let folder = cache::entry(&key, |folder| self.install(workspace, folder))?;
        Ok(folder.join("bin").join(self.name))
    }

    fn fits(&self, found: [u32; 3]) -> bool {
        found[..2] == self.version[..2] && found[2] >= self.version[2]
    }

    fn install(&self, workspace: &Workspace, folder: &std::path::Path) -> anyhow::Result<()> {
        let [major, minor, patch] = self.version;
        let mut command = workspace.cargo("install --locked --quiet");
        command
            .args(["--version", &format!("{major}.{minor}.{patch}"), self.name])
            .arg("--root")
            .arg(folder)
            // Without optimisation a tool builds in half the time and is still fast enough.
            .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0")
            .env("CARGO_PROFILE_RELEASE_LTO", "off")
            .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
            .env("CARGO_PROFILE_RELEASE_DEBUG", "0");
        program::to_end(&mut command)
    }
}

/// The first version like `1.2.3` in the output of `--version`.
fn version_in(text: &str) -> Option<[u32; 3]> {
    text.split_whitespace().find_map(|word| {
        let parts: Vec<u32> = word.split('.').map(str::parse).collect::<Result<_, _>>().ok()?;
        parts.try_into().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_is_found_among_other_words() {
        let text = "cargo-nextest 0.9.143 (60fa45f63 2026-08-04)\nrelease: 0.9.143\n";
        assert_eq!(version_in(text), Some([0, 9, 143]));
        assert_eq!(version_in("cargo-nextest unknown"), None);
    }

    #[test]
    fn older_or_incompatible_tools_of_the_machine_are_not_used() {
        assert!(NEXTEST.fits([0, 9, 143]));
        assert!(NEXTEST.fits([0, 9, 200]));
        assert!(!NEXTEST.fits([0, 9, 142]));
        assert!(!NEXTEST.fits([0, 10, 143]));
    }
}
