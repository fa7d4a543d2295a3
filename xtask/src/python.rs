//! The Python environments with the real MLflow and the real stable-baselines3, every package pinned.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use crate::workspace::Workspace;
use crate::{cache, program};

/// Names under which an interpreter is looked for, the machine's own choice first.
const NAMES: [&str; 5] = ["python3", "python3.13", "python3.12", "python3.11", "python3.10"];
/// MLflow 3.17 needs the oldest; the pinned packages have binaries up to the newest.
const MINOR_VERSIONS: std::ops::RangeInclusive<u32> = 10..=13;

/// Prints the interpreter's minor version and a key that changes with the packages or the interpreter.
const PROBE: &str = "
import hashlib, sys
packages = open(sys.argv[1], 'rb').read()
key = hashlib.sha256(packages + sys.version.encode() + sys.base_prefix.encode())
print(sys.version_info.minor if sys.version_info.major == 3 else 0, key.hexdigest()[:16])
";

/// An environment that is ready for use.
pub(crate) struct Python {
    folder: PathBuf,
}

impl Python {
    /// The environment of a list of packages in this checkout; made when it is not there yet.
    pub(crate) fn ready(workspace: &Workspace, requirements: &str) -> anyhow::Result<Self> {
        let requirements = workspace.root.join(requirements);
        let interpreter = Interpreter::find(&requirements)?;
        let folder =
            cache::entry(&interpreter.key, |folder| interpreter.build(folder, &requirements))?;
        Ok(Self { folder })
    }

    /// A folder of packages that stand before the environment's own, for `PYTHONPATH`; made when it is not there yet.
    pub(crate) fn layer(
        &self,
        workspace: &Workspace,
        requirements: &str,
    ) -> anyhow::Result<PathBuf> {
        let requirements = workspace.root.join(requirements);
        let python = self.programs().join("python");
        let probe = program::output(Command::new(&python).args(["-c", PROBE]).arg(&requirements))?;
        let (minor, key) = probed(&probe).context("the interpreter does not answer")?;
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

    /// Its interpreter.
    pub(crate) fn program(&self) -> PathBuf {
        self.programs().join("python")
    }

    /// The folder of its packages.
    pub(crate) fn packages(&self) -> anyhow::Result<PathBuf> {
        Self::packages_of(&self.program())
    }

    /// The folder of an interpreter's packages.
    pub(crate) fn packages_of(interpreter: &Path) -> anyhow::Result<PathBuf> {
        let print = "import sysconfig; print(sysconfig.get_path('purelib'))";
        let path = program::output(Command::new(interpreter).args(["-c", print]))?;
        Ok(PathBuf::from(path.trim()))
    }

    /// The folder of its programs.
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
        // The list is whole: nothing may come in that is not pinned.
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
    fn answer_of_an_interpreter_is_read() {
        assert_eq!(probed("11 0a1b\n"), Some((11, "0a1b".to_owned())));
        assert_eq!(probed("pyenv: python3.11: command not found"), None);
    }
}
