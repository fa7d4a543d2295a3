//! The README's session, typed into a fresh folder (see `transcript` for how it is written).

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};

use crate::python::Python;
use crate::transcript::{self, Exchange};
use crate::workspace::Workspace;

/// Types every command of the README, in order, and looks for the answers it shows. `herdbook` is the release
/// binary, `python` and `mlflow` are those of the environment.
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
        let answer = typed(&exchange.command, folder.path(), &path)?;
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

/// What a command prints on either stream.
fn typed(command: &str, folder: &Path, path: &std::ffi::OsStr) -> anyhow::Result<String> {
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c"])
        .arg(format!("exec 2>&1\n{command}"))
        .current_dir(folder)
        .env("PATH", path)
        .env_remove("MLFLOW_TRACKING_URI")
        .env("MLFLOW_DISABLE_TELEMETRY", "true")
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
            "README.md shows `{line}` in the answer to `{}`, which was:\n{answer}",
            exchange.command
        );
    }
    Ok(())
}
