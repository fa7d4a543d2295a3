//! Every check of this repository: what can fail fast comes first.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use crate::postgres::Postgres;
use crate::python::Python;
use crate::server::Server;
use crate::tools::{DENY, MACHETE, NEXTEST, Tool};
use crate::wheel::{self, Beside};
use crate::workspace::Workspace;
use crate::{circles, program, session, snapshots};

/// Which checks to run.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Run this check only; may be repeated
    #[arg(long, value_name = "CHECK")]
    only: Vec<String>,
    /// Leave out the checks that need torch, several gigabytes to download: for daily work
    #[arg(long)]
    without_torch: bool,
    /// List the checks, run none
    #[arg(long)]
    list: bool,
}

struct Check {
    name: &'static str,
    about: &'static str,
    run: fn(&Workspace) -> anyhow::Result<()>,
}

const CHECKS: [Check; 17] = [
    Check {
        name: "fmt",
        about: "the code is formatted",
        run: |workspace| program::to_end(&mut workspace.cargo("fmt --all --check")),
    },
    Check {
        name: "snapshots",
        about: "no snapshot waits to be looked at",
        run: snapshots::check_none_left,
    },
    Check {
        name: "circles",
        about: "inside a crate, imports between modules point one way",
        run: circles::check_none,
    },
    Check {
        name: "workflows",
        about: "the GitHub workflows are valid (actionlint)",
        run: workflows,
    },
    Check {
        name: "unused",
        about: "every dependency is used (cargo-machete)",
        run: |workspace| with_tool(&MACHETE, &["crates", "xtask"], workspace),
    },
    Check {
        name: "clippy",
        about: "no lint speaks up, in tests and benches neither",
        run: |workspace| {
            let arguments = "clippy --workspace --all-targets --locked -- -D warnings";
            program::to_end(&mut workspace.cargo(arguments))
        },
    },
    Check {
        name: "doc",
        about: "the documentation builds without a warning",
        run: |workspace| {
            let mut command = workspace.cargo("doc --workspace --no-deps --locked");
            program::to_end(command.env("RUSTDOCFLAGS", "-Dwarnings"))
        },
    },
    Check {
        name: "test",
        about: "unit and integration tests (cargo-nextest), and examples in the documentation",
        run: |workspace| {
            let arguments = ["nextest", "run", "--workspace", "--locked"];
            with_tool(&NEXTEST, &arguments, workspace)?;
            program::to_end(&mut workspace.cargo("test --doc --workspace --locked --quiet"))?;
            snapshots::check_none_left(workspace)
        },
    },
    Check {
        name: "deny",
        about: "licenses, sources and repeated versions of dependencies (cargo-deny)",
        run: |workspace| {
            let arguments = ["--locked", "check", "bans", "licenses", "sources"];
            with_tool(&DENY, &arguments, workspace)
        },
    },
    Check {
        name: "build",
        about: "the command line builds as it is shipped",
        run: |workspace| workspace.release_binary().map(drop),
    },
    Check {
        name: "readme",
        about: "the README's session works as shown",
        run: session::check_readme,
    },
    Check {
        name: "conformance",
        about: "the real MLflow, real processes, real signals (pytest)",
        run: mlflow,
    },
    Check {
        name: "postgres",
        about: "the same suites over a real PostgreSQL server (cargo-nextest, pytest)",
        run: postgres,
    },
    Check {
        name: "server",
        about: "the store's suite over a stock `mlflow server` (cargo-nextest)",
        run: server,
    },
    Check {
        name: "python",
        about: "the Python package: its wheel beside the real MLflow and Gymnasium, and its types (pytest, mypy)",
        run: |workspace| wheel::check(workspace, Beside::Mlflow),
    },
    Check {
        name: "python-sb3",
        about: "the Python package beside the real stable-baselines3 (pytest, mypy, torch)",
        run: |workspace| wheel::check(workspace, Beside::Torch),
    },
    Check {
        name: "sb3",
        about: "models go to the real stable-baselines3, 2.9, 2.7 and 2.3, and come back (pytest, torch)",
        run: stable_baselines3,
    },
];

/// The checks that need torch, several gigabytes with its libraries.
const TORCH: [&str; 2] = ["python-sb3", "sb3"];
const SB3: &str = "conformance/sb3";
/// The packages of the newest stable-baselines3.
pub(crate) const STABLE_BASELINES3: &str = "conformance/sb3/requirements.txt";
const POSTGRES: &str = "conformance/postgres";
/// Names the server to the suites.
const SERVER: &str = "HERDBOOK_TEST_POSTGRES";
/// Those tests of the conformance suite that know nothing of files.
const OVER_ANY_STORE: [&str; 4] = [
    "conformance/test_enhancing.py",
    "conformance/test_promoting.py",
    "conformance/test_race.py",
    "conformance/test_kill.py",
];

/// Runs the checks asked for, in order, and stops at the first that fails.
pub(crate) fn run(args: &Args, workspace: &Workspace) -> anyhow::Result<()> {
    let chosen = chosen(&args.only)?;
    if args.list {
        for check in chosen {
            println!("{:<12} {}", check.name, check.about);
        }
        return Ok(());
    }
    let mut times: Vec<(&str, Duration)> = Vec::new();
    for check in chosen {
        if args.without_torch && TORCH.contains(&check.name) {
            println!("== {}: LEFT OUT (--without-torch): {}", check.name, check.about);
            continue;
        }
        println!("== {}: {}", check.name, check.about);
        let begun = Instant::now();
        (check.run)(workspace).with_context(|| {
            format!(
                "the check `{name}` failed; `cargo xtask test --only {name}` runs it alone",
                name = check.name
            )
        })?;
        println!("== {}: ok in {:.1} s", check.name, begun.elapsed().as_secs_f64());
        times.push((check.name, begun.elapsed()));
    }
    println!("\nall checks passed{}", if args.without_torch { " but those left out" } else { "" });
    for (name, time) in &times {
        println!("{name:<12} {:>8.1} s", time.as_secs_f64());
    }
    let total: Duration = times.iter().map(|(_, time)| *time).sum();
    println!("{:<12} {:>8.1} s", "total", total.as_secs_f64());
    Ok(())
}

fn chosen(only: &[String]) -> anyhow::Result<Vec<&'static Check>> {
    if let Some(unknown) = only.iter().find(|name| !CHECKS.iter().any(|check| check.name == *name))
    {
        let names: Vec<&str> = CHECKS.iter().map(|check| check.name).collect();
        bail!("there is no check `{unknown}`: there are {}", names.join(", "));
    }
    Ok(CHECKS
        .iter()
        .filter(|check| only.is_empty() || only.iter().any(|name| name == check.name))
        .collect())
}

fn with_tool(tool: &Tool, arguments: &[&str], workspace: &Workspace) -> anyhow::Result<()> {
    let program = tool.program(workspace)?;
    program::to_end(workspace.command(program).args(arguments))
}

/// Lints the workflows, which nothing here can run.
fn workflows(workspace: &Workspace) -> anyhow::Result<()> {
    let python = Python::ready(workspace, "xtask/requirements-actionlint.txt")?;
    let mut actionlint = workspace.command(python.programs().join("actionlint"));
    // Without helpers that may or may not be installed, the result is the same on every machine.
    program::to_end(actionlint.args(["-shellcheck=", "-pyflakes="]))
}

/// The conformance suite with the real MLflow.
fn mlflow(workspace: &Workspace) -> anyhow::Result<()> {
    let python = Python::ready(workspace, "conformance/requirements.txt")?;
    let options = ["conformance", "--ignore", SB3, "--ignore", POSTGRES];
    program::to_end(&mut pytest(workspace, &python, &options)?)
}

/// The tests that kill processes, with as many kills as asked for.
pub(crate) fn kills(workspace: &Workspace, kills: u32) -> anyhow::Result<()> {
    let python = Python::ready(workspace, "conformance/requirements.txt")?;
    let mut tests = pytest(workspace, &python, &["conformance/test_kill.py", "-s"])?;
    program::to_end(tests.env("HERDBOOK_KILLS", kills.to_string()))
}

/// The suites of the store and of the command line over PostgreSQL.
fn postgres(workspace: &Workspace) -> anyhow::Result<()> {
    let python = Python::ready(workspace, "conformance/requirements.txt")?;
    let server = Postgres::start(workspace)?;
    let mut suite = workspace.command(NEXTEST.program(workspace)?);
    suite.args(["nextest", "run", "--locked", "--package", "herdbook-store"]);
    suite.args(["--features", "postgres-suite", "--test", "postgres"]);
    program::to_end(suite.env(SERVER, &server.uri))?;
    let mut options = vec![POSTGRES];
    options.extend(OVER_ANY_STORE);
    // It makes folders of its own.
    options.extend(["--deselect", "conformance/test_kill.py::test_training_killed_in_an_empty_folder_leaves_a_store_that_works"]);
    let mut tests = pytest(workspace, &python, &options)?;
    tests.env("HERDBOOK_POSTGRES_PROGRAMS", &server.programs);
    program::to_end(tests.env(SERVER, &server.uri))
}

/// The suite of the store over an MLflow server. Whether it is empty before a test, the test sees to: one after another.
fn server(workspace: &Workspace) -> anyhow::Result<()> {
    let python = Python::ready(workspace, "conformance/requirements.txt")?;
    let server = Server::start(&python)?;
    let mut suite = workspace.command(NEXTEST.program(workspace)?);
    suite.args(["nextest", "run", "--locked", "--package", "herdbook-store"]);
    suite.args(["--features", "server-suite", "--test", "server", "--test-threads", "1"]);
    // It rewrites the log in the database; a server has none there.
    suite.args(["-E", "not test(verification_names_the_first_break)"]);
    suite.env("HERDBOOK_TEST_SERVER", server.uri());
    program::to_end(suite.env("HERDBOOK_TEST_SERVER_DATABASE", server.database()))
}

/// The same tests with the newest stable-baselines3, and with two older ones (numpy 2 and numpy 1) on the same torch.
fn stable_baselines3(workspace: &Workspace) -> anyhow::Result<()> {
    let python = Python::ready(workspace, STABLE_BASELINES3)?;
    program::to_end(&mut pytest(workspace, &python, &[SB3])?)?;
    for version in ["2.7", "2.3"] {
        println!("-- stable-baselines3 {version}");
        let requirements = format!("{SB3}/requirements-{version}.txt");
        let layer = python.layer(workspace, &requirements)?;
        program::to_end(pytest(workspace, &python, &[SB3])?.env("PYTHONPATH", layer))?;
    }
    Ok(())
}

/// A call of pytest with the binary as it is shipped.
fn pytest(workspace: &Workspace, python: &Python, options: &[&str]) -> anyhow::Result<Command> {
    let mut pytest = workspace.command(python.programs().join("python"));
    pytest
        .args(["-m", "pytest"])
        .args(options)
        .env("HERDBOOK_BIN", workspace.release_binary()?)
        // Nothing is left behind in the source tree.
        .args(["-p", "no:cacheprovider"])
        .env("PYTHONDONTWRITEBYTECODE", "1");
    Ok(pytest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_choice_every_check_runs() {
        assert_eq!(chosen(&[]).unwrap().len(), CHECKS.len());
    }

    #[test]
    fn chosen_checks_keep_the_order_of_all() {
        let only = ["doc".to_owned(), "fmt".to_owned()];
        let names: Vec<&str> = chosen(&only).unwrap().iter().map(|c| c.name).collect();
        assert_eq!(names, ["fmt", "doc"]);
    }

    #[test]
    fn unknown_check_is_refused_with_those_there_are() {
        let error = chosen(&["tests".to_owned()]).err().unwrap().to_string();
        assert!(error.starts_with("there is no check `tests`: there are fmt,"), "{error}");
    }
}
