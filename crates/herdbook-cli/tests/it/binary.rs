//! Runs the binary in a temporary folder.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

pub(crate) struct Folder {
    folder: TempDir,
    /// Holds what the commands remember of the store.
    state: TempDir,
}

pub(crate) struct Ran {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// Exit status, stdout and stderr, for a snapshot.
    pub(crate) fn shown(&self) -> String {
        format!("status {}\n{}{}", self.status, self.stdout, self.stderr)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| {
            panic!("{error}: {}{}", self.stdout, self.stderr);
        })
    }
}

impl Folder {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), state: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Runs `herdbook` with flags written as in a shell without quotes.
    pub(crate) fn run(&self, flags: &str) -> Ran {
        self.run_args(flags.split_whitespace())
    }

    pub(crate) fn run_args<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Ran {
        self.ran(self.command().args(args))
    }

    /// As [`Folder::run`], with environment variables.
    pub(crate) fn run_with(&self, flags: &str, variables: &[(&str, &str)]) -> Ran {
        self.ran(self.command().args(flags.split_whitespace()).envs(variables.iter().copied()))
    }

    /// As [`Folder::run`], with stdout going elsewhere.
    pub(crate) fn run_to(&self, flags: &str, stdout: Stdio) -> Ran {
        self.ran(self.command().args(flags.split_whitespace()).stdout(stdout))
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_herdbook"));
        command
            .current_dir(self.path())
            .env_remove("MLFLOW_TRACKING_URI")
            .env_remove("HERDBOOK_CONFIG")
            .env_remove("COLUMNS")
            .env_remove("NO_COLOR")
            .env_remove("CLICOLOR_FORCE")
            .env("HERDBOOK_ACTOR", "tester")
            .env("XDG_STATE_HOME", self.state.path())
            .stdin(Stdio::null());
        command
    }

    fn ran(&self, command: &mut Command) -> Ran {
        let output = command.output().unwrap();
        let text = |bytes: Vec<u8>| {
            let folder = self.path().display().to_string();
            String::from_utf8(bytes).unwrap().replace(&folder, "[folder]")
        };
        Ran {
            status: output.status.code().unwrap(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    pub(crate) fn done(&self, flags: &str) -> Ran {
        let ran = self.run(flags);
        assert_eq!(ran.status, 0, "{flags}: {}", ran.shown());
        ran
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path().join(name), content).unwrap();
    }
}
