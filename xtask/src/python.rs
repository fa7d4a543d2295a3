//! Python environments with pinned packages: the real MLflow, stable-baselines3, and tools.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use crate::workspace::Workspace;
use crate::{cache, program};

/// Names of interpreters to try, the machine's default first.
const NAMES: [&str; 5] = ["python3", "python3.13", "python3.12", "python3.11", "python3.10"];
/// MLflow 3.17 needs at least the first; the pinned packages have wheels up to the last.
const MINOR_VERSIONS: std::ops::RangeInclusive<u32> = 10..=13;

/// Prints the interpreter's minor version, and a key that depends on the list of packages and the interpreter.
const PROBE: &str = "
import hashlib, sys
packages = open(sys.argv[1], 'rb').read()
key = hashlib.sha256(packages + sys.version.encode() + sys.base_prefix.encode())
print(sys.version_info.minor if sys.version_info.major == 3 else 0, key.hexdigest()[:16])
";

/// An installed environment.
pub(crate) struct Python {
    folder: PathBuf,
}

impl Python {
    /// Returns the environment for a requirements file of this checkout, and installs it if necessary.
    pub(crate) fn ready(workspace: &Workspace, requirements: &str) -> anyhow::Result<Self> {
        let requirements = workspace.root.join(requirements);
        let interpreter = Interpreter::find(&requirements)?;
        let folder =
            cache::entry(&interpreter.key, |folder| interpreter.build(folder, &requirements))?;
        Ok(Self { folder })
    }

    /// Returns a folder of packages for `PYTHONPATH`, which take precedence over those of the environment. Installs it if
    /// necessary.
    pub(crate) fn layer(
        &self,
        workspace: &Workspace,
        requirements: &str,
    ) -> anyhow::Result<PathBuf> {
        let requirements = workspace.root.join(requirements);
        let python = self.programs().join("python");
        let probe = program::output(Command::new(&python).args(["-c", PROBE]).arg(&requirements))?;
        let (minor, key) = probed(&probe).context("cannot tell the version of the interpreter")?;
        cache::entry(&format!("layer-3.{minor}-{key}"), |folder| {
            let mut pip = Command::new(&python);
            pip.args(["-m", "pip", "--quiet", "--disable-pip-version-check", "install"])
                .args(["--no-deps", "--only-binary", ":all:", "--target"])
                .arg(folder)
                .arg("--requirement")
                .arg(&requirements);
            program::to_end(&mut pip)
        })
    }

    /// The interpreter.
    pub(crate) fn program(&self) -> PathBuf {
        self.programs().join("python")
    }

    /// The folder of the installed packages.
    pub(crate) fn packages(&self) -> anyhow::Result<PathBuf> {
        Self::packages_of(&self.program())
    }

    /// The folder in which an interpreter looks for packages.
    pub(crate) fn packages_of(interpreter: &Path) -> anyhow::Result<PathBuf> {
        let print = "import sysconfig; print(sysconfig.get_path('purelib'))";
        let path = program::output(Command::new(interpreter).args(["-c", print]))?;
        Ok(PathBuf::from(path.trim()))
    }

    /// The folder of the installed programs.
    pub(crate) fn programs(&self) -> PathBuf {
        self.folder.join("bin")
    }
}

struct Interpreter {
    name: &'static str,
    key: String,
}

impl Interpreter {
    fn find(requirements: &Path) -> anyhow::Result<Self> {
        for name in NAMES {
            let probe = program::output(Command::new(name).args(["-c", PROBE]).arg(requirements));
            if let Some((minor, key)) = probe.ok().as_deref().and_then(probed)
                && MINOR_VERSIONS.contains(&minor)
            {
                let key = format!("python-3.{minor}-{key}");
                return Ok(Self { name, key });
            }
        }
        bail!(
            "no Python from 3.{} to 3.{} was found (tried {}): install one of them with its `venv` module, \
             on Debian and Ubuntu with `apt-get install python3-venv`",
            MINOR_VERSIONS.start(),
            MINOR_VERSIONS.end(),
            NAMES.join(", ")
        )
    }

    fn build(&self, folder: &Path, requirements: &Path) -> anyhow::Result<()> {
        let mut venv = Command::new(self.name);
        program::to_end(venv.args(["-m", "venv"]).arg(folder)).with_context(|| {
            format!(
                "`{}` cannot make an environment: install its `venv` module, \
                 on Debian and Ubuntu with `apt-get install python3-venv`",
                self.name
            )
        })?;
        let pip = |arguments: &str| {
            let mut command = Command::new(folder.join("bin/python"));
            command
                .args(["-m", "pip", "--quiet", "--disable-pip-version-check"])
                .args(arguments.split(' '));
            command
        };
        // The list is complete: packages that are not pinned may not be installed.
        program::to_end(
            pip("install --no-deps --only-binary :all: --requirement").arg(requirements),
        )?;
        program::to_end(&mut pip("check"))
    }
}

fn probed(text: &str) -> Option<(u32, String)> {
    let (minor, key) = text.trim().split_once(' ')?;
    Some((minor.parse().ok()?, key.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_of_the_probe_is_parsed() {
        assert_eq!(probed("11 0a1b\n"), Some((11, "0a1b".to_owned())));
        assert_eq!(probed("pyenv: python3.11: command not found"), None);
    }
}
