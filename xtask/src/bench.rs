//! `cargo xtask bench`: builds what is measured as it is shipped, and starts the bench that measures it.

use std::path::PathBuf;

use crate::postgres::Postgres;
use crate::python::Python;
use crate::server::Server;
use crate::workspace::Workspace;
use crate::{cache, checks, program, wheel};

/// What to measure.
#[derive(clap::Subcommand)]
pub(crate) enum Bench {
    /// Training speed, whole-process times of the command line, and (asked for) its clean build
    Train {
        /// Also time a clean release build; takes minutes
        #[arg(long)]
        build: bool,
    },
    /// How often a model passes for better than chance where there is nothing to find, and where there is
    Evidence,
    /// The records at 100,000 runs, in SQLite beside MLflow's own store on the same file and in PostgreSQL, and
    /// promotions a second
    Store {
        /// Also at 1,000,000 runs; needs 20 GB in the cache folder, and ten minutes to generate them
        #[arg(long)]
        million: bool,
    },
    /// Kills, power losses and errors of the disk at 10,000 points and more, and `kill -9` of real processes
    Faults {
        /// Points of each kind
        #[arg(long, default_value_t = 10_000)]
        points: u32,
        /// Real processes to kill in each test
        #[arg(long, default_value_t = 1_000)]
        kills: u32,
    },
    /// Speed and learning curves beside the real stable-baselines3; takes most of an hour, and torch
    Sb3 {
        /// Keep the curves of stable-baselines3 in this file, and take from it those that are there
        #[arg(long, value_name = "FILE")]
        curves: Option<PathBuf>,
    },
    /// Broken and hostile model files, made from real ones, for a while
    Fuzz {
        /// How long
        #[arg(long, value_name = "N", default_value_t = 60)]
        seconds: u64,
        /// Which files are made
        #[arg(long, value_name = "N", default_value_t = 0)]
        seed: u64,
    },
    /// Calls and times of commands over a stock `mlflow server` with registers of several sizes
    Remote {
        /// Numbers of versions, separated by commas
        #[arg(long, value_name = "N,…", default_value = "10,1000,5000")]
        versions: String,
    },
    /// Environment steps a second from Python, beside the same environment in numpy (needs torch)
    Python,
    /// Each way of enhancing against `continued`, at what it is for
    Enhancements,
}

impl Bench {
    pub(crate) fn run(&self, workspace: &Workspace) -> anyhow::Result<()> {
        // An optimised program of its own: this one is a debug build.
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
                // Not as it is shipped: overflow checks and assertions find what would go unnoticed.
                let mut bench =
                    workspace.cargo("bench --quiet --profile dev --package xtask --bench fuzz --");
                bench.args(["--seconds", &seconds.to_string(), "--seed", &seed.to_string()]);
                program::to_end(&mut bench)
            }
            Self::Remote { versions } => {
                let python = Python::ready(workspace, "conformance/requirements.txt")?;
                let server = Server::start(&python)?;
                let mut test = workspace.cargo(
                    "test --release --quiet --package herdbook-remote --features server-suite \
                     --test server calls -- --nocapture",
                );
                test.env("HERDBOOK_REMOTE_SIZES", versions);
                test.env("HERDBOOK_TEST_SERVER", server.uri());
                program::to_end(test.env("HERDBOOK_TEST_SERVER_DATABASE", server.database()))
            }
            Self::Python => wheel::bench(workspace),
            Self::Evidence => program::to_end(&mut bench("evidence")),
            Self::Enhancements => program::to_end(&mut bench("enhancements")),
        }
    }
}

/// The tests of the suite, with many more points; each prints what it tried and what it found.
fn faults(workspace: &Workspace, points: u32, kills: u32) -> anyhow::Result<()> {
    let tests = "test --release --package herdbook-store --test it faults -- --nocapture";
    program::to_end(workspace.cargo(tests).env("HERDBOOK_FAULT_POINTS", points.to_string()))?;
    checks::kills(workspace, kills)
}
