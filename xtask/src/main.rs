//! `cargo xtask test` runs every check, `check` a quick selection, `bench` measures; they install the tools they need.
//!
//! This program is not shipped and contains no rules of the product. It starts other programs and checks how they end.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "progress and results are printed to the terminal"
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
mod shape;
mod snapshots;
mod source;
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
    /// Runs every check and stops at the first that fails
    Test(checks::Args),
    /// Checks format, imports, lints and unit tests of the packages that changed against `main`
    Check,
    /// Prints the size of crates, files and functions, and the ratio of tests to production code
    Shape,
    /// Prints measurements beside their limits, without enforcing them
    #[command(subcommand)]
    Bench(bench::Bench),
}

fn main() -> ExitCode {
    let task = Task::parse();
    match run(&task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The chain of causes, without a backtrace of xtask.
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
        Task::Shape => shape::print(&workspace),
        Task::Bench(bench) => bench.run(&workspace),
    }
}
