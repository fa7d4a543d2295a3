//! `cargo xtask bench`: builds the measured program with the release profile and starts the benchmark.

use std::path::PathBuf;

use crate::postgres::Postgres;
use crate::python::Python;
use crate::server::Server;
use crate::workspace::Workspace;
use crate::{cache, checks, program, wheel};

/// The benchmarks.
#[derive(clap::Subcommand)]
pub(crate) enum Bench {
    /// Training speed, process times of the command line and, with `--build`, its clean build
    Train {
        /// Also time a clean release build (takes minutes)
        #[arg(long)]
        build: bool,
    },
    /// How often a model is called better where it is not, and where it is; models without skill against a gate (half an
    /// hour)
    Evidence {
        /// Number of samples of simulated returns per setting; 0 leaves the simulations out
        #[arg(long, value_name = "N", default_value_t = 2_000)]
        samples: u64,
        /// Number of models without skill that attack a gate; 0 leaves the attack out
        #[arg(long, value_name = "N", default_value_t = 200)]
        models: u64,
        /// Number of pairs of simulated markets per correlation for the recognition of bars; 0 leaves it out
        #[arg(long, value_name = "N", default_value_t = 40)]
        pairs: u64,
        /// Number of trainings on markets without a signal; 0 leaves them out
        #[arg(long, value_name = "N", default_value_t = 200)]
        seeds: u64,
        /// Also compares each pair of the files of bars in this folder
        #[arg(long, value_name = "FOLDER")]
        files: Option<PathBuf>,
    },
    /// Look-ups among 100,000 runs in SQLite (with MLflow's own store on the same file for comparison) and PostgreSQL,
    /// and promotions per second
    Store {
        /// Also with 1,000,000 runs (20 GB in the cache folder, ten minutes to generate)
        #[arg(long)]
        million: bool,
    },
    /// Simulated kills, power losses and disk errors at 10,000 points each, and `kill -9` of real processes
    Faults {
        /// Number of points of each kind
        #[arg(long, default_value_t = 10_000)]
        points: u32,
        /// Number of processes to kill in each test
        #[arg(long, default_value_t = 1_000)]
        kills: u32,
    },
    /// Random changes of a register by other programs, through MLflow's client, SQL and files: the doctor must name every
    /// change of a recorded fact and no other
    Doctor {
        /// Number of changes in SQLite; a fifth of them in PostgreSQL
        #[arg(long, default_value_t = 1_000)]
        changes: u32,
        /// Number of pages of the SQLite file to overwrite
        #[arg(long, default_value_t = 60)]
        pages: u32,
    },
    /// Speed and learning curves compared with stable-baselines3 (most of an hour; downloads torch)
    Sb3 {
        /// Store the curves of stable-baselines3 in this file, and reuse those already in it
        #[arg(long, value_name = "FILE")]
        curves: Option<PathBuf>,
    },
    /// Reads model files that are broken at random
    Fuzz {
        /// Duration in seconds
        #[arg(long, value_name = "N", default_value_t = 60)]
        seconds: u64,
        /// Seed of the random changes
        #[arg(long, value_name = "N", default_value_t = 0)]
        seed: u64,
    },
    /// Calls and times of commands over a stock `mlflow server`, with registers of several sizes
    Remote {
        /// Numbers of versions, separated by commas
        #[arg(long, value_name = "N,…", default_value = "10,1000,5000")]
        versions: String,
    },
    /// Environment steps per second from Python, compared with the same environment in NumPy (downloads torch)
    Python,
    /// Each kind of enhancement against `continued`, on the case that it is meant for
    Enhancements,
}

impl Bench {
    pub(crate) fn run(&self, workspace: &Workspace) -> anyhow::Result<()> {
        // A benchmark is a separate, optimised program: xtask itself is a debug build.
        let bench =
            |name| workspace.cargo(&format!("bench --quiet --package xtask --bench {name} --"));
        match self {
            Self::Train { build } => {
                let mut bench = bench("train");
                bench.env("HERDBOOK_BIN", workspace.release_binary()?);
                if *build {
                    bench.arg("--build");
                }
                program::to_end(&mut bench)
            }
            Self::Store { million } => {
                let mut bench = bench("store");
                bench.env("HERDBOOK_BIN", workspace.release_binary()?);
                let python = Python::ready(workspace, "conformance/requirements.txt")?;
                bench.env("HERDBOOK_PYTHON", python.programs().join("python"));
                bench.env("HERDBOOK_BENCH_STORES", cache::root()?.join("bench-stores"));
                let server = Postgres::start(workspace)?;
                bench.env("HERDBOOK_BENCH_POSTGRES", server.database("bench")?);
                if *million {
                    bench.arg("--million");
                }
                program::to_end(&mut bench)
            }
            Self::Faults { points, kills } => faults(workspace, *points, *kills),
            Self::Doctor { changes, pages } => checks::foreign_changes(workspace, *changes, *pages),
            Self::Sb3 { curves } => {
                let python = Python::ready(workspace, checks::STABLE_BASELINES3)?;
                let mut bench = bench("sb3");
                bench.env("HERDBOOK_SB3_PYTHON", python.programs().join("python"));
                if let Some(curves) = curves {
                    bench.env("HERDBOOK_SB3_CURVES", std::path::absolute(curves)?);
                }
                program::to_end(&mut bench)
            }
            Self::Fuzz { seconds, seed } => {
                // The dev profile has overflow checks and debug assertions, which find more.
                let mut bench =
                    workspace.cargo("bench --quiet --profile dev --package xtask --bench fuzz --");
                bench.args(["--seconds", &seconds.to_string(), "--seed", &seed.to_string()]);
                program::to_end(&mut bench)
            }
            Self::Remote { versions } => {
                let python = Python::ready(workspace, "conformance/requirements.txt")?;
                let server = Server::start(&python)?;
                // Only this test: each one empties the server first.
                let mut test = workspace.cargo(
                    "test --release --quiet --package herdbook-remote --features server-suite \
                     --test server command_makes_as_many_calls -- --nocapture",
                );
                test.env("HERDBOOK_REMOTE_SIZES", versions);
                test.env("HERDBOOK_TEST_SERVER", server.uri());
                program::to_end(test.env("HERDBOOK_TEST_SERVER_DATABASE", server.database()))
            }
            Self::Python => wheel::bench(workspace),
            Self::Evidence { samples, models, pairs, seeds, files } => {
                let mut bench = bench("evidence");
                let numbers = [
                    ("--samples", samples),
                    ("--models", models),
                    ("--pairs", pairs),
                    ("--seeds", seeds),
                ];
                for (flag, number) in numbers {
                    bench.args([flag, &number.to_string()]);
                }
                if let Some(folder) = files {
                    bench.arg("--files").arg(folder);
                }
                program::to_end(&mut bench)
            }
            Self::Enhancements => program::to_end(&mut bench("enhancements")),
        }
    }
}

/// Runs the fault tests of the store with many more points than the test suite uses.
fn faults(workspace: &Workspace, points: u32, kills: u32) -> anyhow::Result<()> {
    let tests = "test --release --package herdbook-store --test it faults -- --nocapture";
    program::to_end(workspace.cargo(tests).env("HERDBOOK_FAULT_POINTS", points.to_string()))?;
    checks::kills(workspace, kills)
}
