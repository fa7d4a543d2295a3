//! `cargo xtask test`: every check of this repository, the fastest first.

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
    /// Run only this check; may be repeated
    #[arg(long, value_name = "CHECK")]
    only: Vec<String>,
    /// Leave out the checks that need torch, a download of several gigabytes
    #[arg(long)]
    without_torch: bool,
    /// List the checks without running them
    #[arg(long)]
    list: bool,
}

struct Check {
    name: &'static str,
    about: &'static str,
    run: fn(&Workspace) -> anyhow::Result<()>,
}

const CHECKS: [Check; 18] = [
    Check {
        name: "fmt",
        about: "the code is formatted",
        run: |workspace| program::to_end(&mut workspace.cargo("fmt --all --check")),
    },
    Check {
        name: "snapshots",
        about: "no changed snapshot waits for a review",
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
        about: "no lint warns, tests and benches included",
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
        about: "the command line builds with the release profile",
        run: |workspace| workspace.release_binary().map(drop),
    },
    Check {
        name: "readme",
        about: "the session in README.md works as shown",
        run: session::check_readme,
    },
    Check {
        name: "conformance",
        about: "the binary beside the real MLflow: races, kills, signals (pytest)",
        run: mlflow,
    },
    Check {
        name: "postgres",
        about: "the same suites on a real PostgreSQL server (cargo-nextest, pytest)",
        run: postgres,
    },
    Check {
        name: "server",
        about: "the store's suite on a stock `mlflow server` (cargo-nextest)",
        run: server,
    },
    Check {
        name: "served",
        about: "`herdbook serve` answers MLflow's client as a stock `mlflow server` does (pytest)",
        run: served,
    },
    Check {
        name: "python",
        about: "the wheel beside the real MLflow and Gymnasium, and its types (pytest, mypy)",
        run: |workspace| wheel::check(workspace, Beside::Mlflow),
    },
    Check {
        name: "python-sb3",
        about: "the wheel beside the real stable-baselines3 (pytest, mypy, torch)",
        run: |workspace| wheel::check(workspace, Beside::Torch),
    },
    Check {
        name: "sb3",
        about: "models are exchanged with stable-baselines3 2.9, 2.7 and 2.3 (pytest, torch)",
        run: stable_baselines3,
    },
];

/// The checks that need torch, a download of several gigabytes.
const TORCH: [&str; 2] = ["python-sb3", "sb3"];
const SB3: &str = "conformance/sb3";
/// The packages of the newest supported stable-baselines3.
pub(crate) const STABLE_BASELINES3: &str = "conformance/sb3/requirements.txt";
const POSTGRES: &str = "conformance/postgres";
const SERVED: &str = "conformance/served";
/// The environment variable that gives the suites the server's URI.
const SERVER: &str = "HERDBOOK_TEST_POSTGRES";
/// The tests of the conformance suite that work with any store, because they look at no files.
const OVER_ANY_STORE: [&str; 5] = [
    "conformance/test_enhancing.py",
    "conformance/test_promoting.py",
    "conformance/test_race.py",
    "conformance/test_kill.py",
    "conformance/test_foreign_changes.py",
];

/// Runs the tests of two files at a time: a test mostly waits for one process or server, and CI has two cores.
const TWO_AT_A_TIME: [&str; 4] = ["--numprocesses", "2", "--dist", "loadfile"];

/// Runs the selected checks in order, and stops at the first that fails.
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
    println!(
        "\nall checks passed{}",
        if args.without_torch { ", except those left out" } else { "" }
    );
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
        bail!("unknown check `{unknown}`: the checks are {}", names.join(", "));
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

/// Runs the conformance suite with the real MLflow.
fn mlflow(workspace: &Workspace) -> anyhow::Result<()> {
    let python = Python::ready(workspace, "conformance/requirements.txt")?;
    let mut options =
        vec!["conformance", "--ignore", SB3, "--ignore", POSTGRES, "--ignore", SERVED];
    options.extend(TWO_AT_A_TIME);
    program::to_end(&mut pytest(workspace, &python, &options)?)
}

/// Runs the tests that kill processes, with the given number of kills.
pub(crate) fn kills(workspace: &Workspace, kills: u32) -> anyhow::Result<()> {
    let python = Python::ready(workspace, "conformance/requirements.txt")?;
    let mut tests = pytest(workspace, &python, &["conformance/test_kill.py", "-s"])?;
    program::to_end(tests.env("HERDBOOK_KILLS", kills.to_string()))
}

/// Lets other programs change a register at random, in SQLite and in PostgreSQL.
pub(crate) fn foreign_changes(
    workspace: &Workspace,
    changes: u32,
    pages: u32,
) -> anyhow::Result<()> {
    const TESTS: [&str; 2] = ["conformance/test_foreign_changes.py", "-s"];
    let python = Python::ready(workspace, "conformance/requirements.txt")?;
    let mut on_sqlite = pytest(workspace, &python, &TESTS)?;
    on_sqlite.env("HERDBOOK_CHANGES", changes.to_string());
    program::to_end(on_sqlite.env("HERDBOOK_PAGES", pages.to_string()))?;
    let server = Postgres::start(workspace)?;
    let mut on_postgres = pytest(workspace, &python, &TESTS)?;
    on_postgres.env("HERDBOOK_CHANGES", changes.div_ceil(5).to_string());
    program::to_end(on_postgres.env(SERVER, &server.uri))
}

/// Runs the suites of the store and of the command line on PostgreSQL.
fn postgres(workspace: &Workspace) -> anyhow::Result<()> {
    let python = Python::ready(workspace, "conformance/requirements.txt")?;
    let server = Postgres::start(workspace)?;
    let mut suite = workspace.command(NEXTEST.program(workspace)?);
    suite.args([
        "nextest",
        "run",
        "--locked",
        "--package",
        "herdbook-store",
        "--package",
        "herdbook-mlflow",
    ]);
    suite.args(["--features", "postgres-suite", "--test", "postgres"]);
    program::to_end(suite.env(SERVER, &server.uri))?;
    let mut options = vec![POSTGRES];
    options.extend(OVER_ANY_STORE);
    options.extend(TWO_AT_A_TIME);
    // This test makes a store in a folder of its own.
    options.extend(["--deselect", "conformance/test_kill.py::test_training_killed_in_an_empty_folder_leaves_a_store_that_works"]);
    let mut tests = pytest(workspace, &python, &options)?;
    tests.env("HERDBOOK_POSTGRES_PROGRAMS", &server.programs);
    program::to_end(tests.env(SERVER, &server.uri))
}

/// Runs the store's suite on an MLflow server. Each test empties the server first, so they run one after another.
fn server(workspace: &Workspace) -> anyhow::Result<()> {
    let python = Python::ready(workspace, "conformance/requirements.txt")?;
    let server = Server::start(&python)?;
    let mut suite = workspace.command(NEXTEST.program(workspace)?);
    suite.args(["nextest", "run", "--locked", "--package", "herdbook-remote"]);
    suite.args(["--features", "server-suite", "--test", "server", "--test-threads", "1"]);
    // This test changes the event log in the database; on a server the log is elsewhere.
    // Over REST, a version that was deleted for good looks like one that MLflow deleted.
    suite.args([
        "-E",
        "not test(verification_names_the_first_break) and not test(child_that_was_deleted_for_good)",
    ]);
    suite.env("HERDBOOK_TEST_SERVER", server.uri());
    program::to_end(suite.env("HERDBOOK_TEST_SERVER_DATABASE", server.database()))
}

/// The tests of the comparison that find no difference. The generated requests still find some; the README of the suite lists
/// them.
const WITHOUT_GENERATED_REQUESTS: [&str; 2] =
    ["-k", "client or artifacts or optuna or searching or usual_request"];

/// Compares `herdbook serve` with a stock `mlflow server`.
fn served(workspace: &Workspace) -> anyhow::Result<()> {
    let python = Python::ready(workspace, "conformance/requirements.txt")?;
    let layer = python.layer(workspace, "conformance/served/requirements.txt")?;
    let mut options = vec![SERVED];
    options.extend(WITHOUT_GENERATED_REQUESTS);
    program::to_end(pytest(workspace, &python, &options)?.env("PYTHONPATH", layer))
}

/// Runs a script of stable-baselines3 that logs to MLflow, on `herdbook serve` and on a stock server.
fn script_of_stable_baselines3(workspace: &Workspace, torch: &Python) -> anyhow::Result<()> {
    let python = Python::ready(workspace, "conformance/requirements.txt")?;
    let mut script = pytest(workspace, &python, &[SERVED, "-k", "script_of_stable_baselines3"])?;
    program::to_end(script.env("HERDBOOK_TORCH_PACKAGES", torch.packages()?))
}

/// Runs the same tests with the newest stable-baselines3 and with two older ones (for NumPy 2 and NumPy 1), all on one
/// torch.
fn stable_baselines3(workspace: &Workspace) -> anyhow::Result<()> {
    let python = Python::ready(workspace, STABLE_BASELINES3)?;
    program::to_end(&mut pytest(workspace, &python, &[SB3])?)?;
    for version in ["2.7", "2.3"] {
        println!("-- stable-baselines3 {version}");
        let requirements = format!("{SB3}/requirements-{version}.txt");
        let layer = python.layer(workspace, &requirements)?;
        program::to_end(pytest(workspace, &python, &[SB3])?.env("PYTHONPATH", layer))?;
    }
    script_of_stable_baselines3(workspace, &python)
}

/// A pytest command that tests the release binary.
fn pytest(workspace: &Workspace, python: &Python, options: &[&str]) -> anyhow::Result<Command> {
    let mut pytest = workspace.command(python.programs().join("python"));
    pytest
        .args(["-m", "pytest"])
        .args(options)
        .env("HERDBOOK_BIN", workspace.release_binary()?)
        // Leave nothing behind in the source tree.
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
    fn unknown_check_is_refused_with_a_list_of_all() {
        let error = chosen(&["tests".to_owned()]).err().unwrap().to_string();
        assert!(error.starts_with("unknown check `tests`: the checks are fmt,"), "{error}");
    }
}
