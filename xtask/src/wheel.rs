//! Builds the wheel of the Python package, installs it into a new environment, and tests it there.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use crate::postgres::Postgres;
use crate::program;
use crate::python::Python;
use crate::server::Server;
use crate::workspace::Workspace;

/// Checks the types of the package and runs its tests on the installed wheel. With torch, only the tests that need
/// stable-baselines3 run.
pub(crate) fn check(workspace: &Workspace, beside: Beside) -> anyhow::Result<()> {
    let wheel = Wheel::installed(workspace, beside)?;
    let mut types = wheel.python(workspace);
    types.current_dir(workspace.root.join("python")).args(["-m", "mypy", "--cache-dir"]);
    // Not in the package's folder, where Python would import the sources instead of the wheel.
    let mut tests = wheel.python(workspace);
    tests.args(["-m", "pytest", "-c", "python/pyproject.toml", "-p", "no:cacheprovider"]);
    match beside {
        Beside::Mlflow => {
            // Without stable-baselines3, mypy takes its classes for `Any`.
            types.arg(workspace.target().join("mypy")).arg("--allow-subclassing-any");
            tests.args(["python/tests", "-m", "not sb3"]);
        }
        Beside::Torch => {
            types.arg(workspace.target().join("mypy-sb3"));
            tests.args(["python/tests", "-m", "sb3"]);
        }
    }
    program::to_end(&mut types)?;
    let _servers = match beside {
        Beside::Mlflow => Some(with_servers(workspace, &mut tests)?),
        Beside::Torch => None,
    };
    program::to_end(&mut tests)
}

/// Starts a PostgreSQL server and an MLflow server, tells the tests their addresses, and returns both: they stop on drop.
fn with_servers(workspace: &Workspace, tests: &mut Command) -> anyhow::Result<(Postgres, Server)> {
    let postgres = Postgres::start(workspace)?;
    let server = Server::start(&Python::ready(workspace, "conformance/requirements.txt")?)?;
    tests.env("HERDBOOK_TEST_POSTGRES", &postgres.uri).env("HERDBOOK_TEST_SERVER", server.uri());
    Ok((postgres, server))
}

/// Measures environment steps per second, compared with the same environment in NumPy.
pub(crate) fn bench(workspace: &Workspace) -> anyhow::Result<()> {
    let wheel = Wheel::installed(workspace, Beside::Torch)?;
    let mut bench = wheel.python(workspace);
    program::to_end(bench.args(["python/benches/env_speed.py", "testdata/eurusd_1h_2017.csv.gz"]))
}

/// The packages that are installed with the wheel.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Beside {
    /// MLflow, pandas, Arrow, Gymnasium.
    Mlflow,
    /// The same, and stable-baselines3 with torch.
    Torch,
}

/// A Python environment in a temporary folder with the wheel installed.
struct Wheel {
    environment: tempfile::TempDir,
}

impl Wheel {
    /// Builds the wheel and installs it into a new environment.
    fn installed(workspace: &Workspace, beside: Beside) -> anyhow::Result<Self> {
        let mlflow = Python::ready(workspace, "conformance/requirements.txt")?;
        let tools = mlflow.layer(workspace, "python/requirements.txt")?;
        let wheel = build(workspace, &mlflow, &tools)?;
        let mut packages = vec![tools, mlflow.packages()?];
        if beside == Beside::Torch {
            packages
                .push(Python::ready(workspace, "conformance/sb3/requirements.txt")?.packages()?);
        }
        let environment = tempfile::tempdir()?;
        let mut venv = Command::new(mlflow.program());
        program::to_end(venv.args(["-m", "venv", "--without-pip"]).arg(environment.path()))?;
        let made = Self { environment };
        let found = Python::packages_of(&made.program())?;
        let lines: Vec<String> = packages.iter().map(|path| path.display().to_string()).collect();
        std::fs::write(found.join("beside.pth"), lines.join("\n"))?;
        let mut pip = Command::new(mlflow.program());
        pip.args(["-m", "pip", "--quiet", "--disable-pip-version-check", "--python"])
            .arg(made.program())
            .args(["install", "--no-deps", "--no-index"])
            .arg(wheel);
        program::to_end(&mut pip)?;
        Ok(made)
    }

    /// The interpreter.
    fn program(&self) -> PathBuf {
        self.environment.path().join("bin").join("python")
    }

    /// A command that runs the interpreter in the root folder and leaves no files there.
    fn python(&self, workspace: &Workspace) -> Command {
        let mut python = workspace.command(self.program());
        python
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("MLFLOW_DISABLE_TELEMETRY", "true")
            .env_remove("MLFLOW_TRACKING_URI");
        python
    }
}

/// Builds the wheel with the release profile, which reuses what was compiled for the command line.
fn build(workspace: &Workspace, python: &Python, tools: &Path) -> anyhow::Result<PathBuf> {
    let folder = workspace.target().join("wheels");
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    let mut maturin = workspace.command(tools.join("bin").join("maturin"));
    maturin
        .args(["build", "--release", "--locked", "--quiet"])
        .current_dir(workspace.root.join("python"))
        .arg("--interpreter")
        .arg(python.program())
        .arg("--out")
        .arg(&folder)
        .env("CARGO_TARGET_DIR", workspace.target());
    program::to_end(&mut maturin)?;
    let entries = std::fs::read_dir(&folder)?.collect::<Result<Vec<_>, _>>()?;
    let mut wheels = entries.into_iter().map(|entry| entry.path());
    let wheel = wheels.next().context("maturin left no wheel")?;
    let bytes = std::fs::metadata(&wheel)?.len();
    println!("   {} ({:.1} MB)", wheel.display(), bytes as f64 / 1e6);
    Ok(wheel)
}
