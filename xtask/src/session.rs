//! Runs the session shown in README.md in an empty folder; `transcript` describes its format.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};

use crate::python::Python;
use crate::transcript::{self, Exchange};
use crate::workspace::Workspace;

/// Runs the commands of the README in order and compares their output with the README. `herdbook` is the release binary;
/// `python` and `mlflow` come from the Python environment.
pub(crate) fn check_readme(workspace: &Workspace) -> anyhow::Result<()> {
    let readme = workspace.root.join("README.md");
    let text = std::fs::read_to_string(&readme)
        .with_context(|| format!("cannot read `{}`", readme.display()))?;
    let exchanges = transcript::exchanges(&text).context("in README.md")?;
    ensure!(
        !exchanges.is_empty(),
        "README.md shows no session: write one in a block fenced with ```console"
    );
    let binary = workspace.release_binary()?;
    let programs = [
        binary.parent().map(Path::to_owned),
        Some(Python::ready(workspace, "conformance/requirements.txt")?.programs()),
    ];
    let path = search_path(programs.into_iter().flatten())?;
    let folder = tempfile::tempdir()?;
    for exchange in &exchanges {
        println!("   $ {}", exchange.command);
        let answer = run_command(&exchange.command, folder.path(), &path)?;
        compare(exchange, &answer)?;
    }
    Ok(())
}

fn search_path(
    first: impl Iterator<Item = std::path::PathBuf>,
) -> anyhow::Result<std::ffi::OsString> {
    let inherited = std::env::var_os("PATH").unwrap_or_default();
    let all = first.chain(std::env::split_paths(&inherited).collect::<Vec<_>>());
    std::env::join_paths(all).context("a folder of `PATH` holds a colon")
}

/// Runs a command and returns its standard output and error, in one text.
fn run_command(command: &str, folder: &Path, path: &std::ffi::OsStr) -> anyhow::Result<String> {
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c"])
        .arg(format!("exec 2>&1\n{command}"))
        .current_dir(folder)
        .env("PATH", path)
        .env_remove("MLFLOW_TRACKING_URI")
        .env("MLFLOW_DISABLE_TELEMETRY", "true")
        .env("XDG_STATE_HOME", folder.join(".state"))
        .stdin(Stdio::null())
        .output()
        .context("cannot start `bash`")?;
    let answer = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(
        output.status.success(),
        "`{command}` of README.md failed with {}:\n{answer}",
        output.status
    );
    Ok(answer)
}

fn compare(exchange: &Exchange, answer: &str) -> anyhow::Result<()> {
    if let Some(line) = transcript::missing_line(&exchange.answer, answer) {
        anyhow::bail!(
            "README.md shows `{line}` in the output of `{}`, which was:\n{answer}",
            exchange.command
        );
    }
    Ok(())
}
