//! `cargo xtask test` runs every check, `cargo xtask bench` prints every figure; both bring the tools they need.
//!
//! Nothing here ships, and nothing here knows a rule of the product: it starts programs and reads how they end.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "what a step does and how long it took is for the terminal"
)]

mod bench;
mod cache;
mod checks;
mod circles;
mod packages;
mod postgres;
mod program;
mod python;
mod quick;
mod server;
mod session;
mod snapshots;
mod tools;
mod transcript;
mod wheel;
mod workspace;

use std::process::ExitCode;

use clap::Parser;

use crate::workspace::Workspace;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Checks and benches of herdbook")]
enum Task {
    /// Runs every check, and stops at the first that fails
    Test(checks::Args),
    /// Checks format, imports, lints and unit tests of the packages that changed against `main`
    Check,
    /// Prints figures beside their limits; asserts none of them
    #[command(subcommand)]
    Bench(bench::Bench),
}

fn main() -> ExitCode {
    let task = Task::parse();
    match run(&task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The chain of causes; where in this program it arose is of no use to anyone.
            eprintln!("\nerror: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: &Task) -> anyhow::Result<()> {
    let workspace = Workspace::of_this_checkout()?;
    match task {
        Task::Test(args) => checks::run(args, &workspace),
        Task::Check => quick::check(&workspace),
        Task::Bench(bench) => bench.run(&workspace),
    }
}
