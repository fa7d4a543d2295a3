//! `cargo xtask bench store`: look-ups in a large store, compared with MLflow's own store on the same file.
//!
//! It prints figures and enforces none of them, because they depend on the machine.

#![expect(clippy::print_stdout, reason = "figures are for the terminal")]

#[path = "../train/figure.rs"]
mod figure;
mod generate;
mod mlflow;
mod postgres;
mod promotions;
mod queries;
#[path = "../shared/store.rs"]
mod shared;

use std::path::PathBuf;

use anyhow::Context;
use queries::Asked;

/// Runs in the larger store, which is compared with the smaller one.
const MILLION: usize = 1_000_000;
const N_RUNS: usize = 100_000;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    // `promotions` starts this program again as its worker processes.
    if let Some(at) = arguments.iter().position(|argument| argument == promotions::WORKER) {
        return promotions::work(&arguments[at + 1..]);
    }
    let of_environment = |name: &str| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .with_context(|| format!("start it as `cargo xtask bench store`, which sets `{name}`"))
    };
    let binary = of_environment("HERDBOOK_BIN")?;
    let python = of_environment("HERDBOOK_PYTHON")?;
    let cache = of_environment("HERDBOOK_BENCH_STORES")?;
    let uri = std::env::var("HERDBOOK_BENCH_POSTGRES").context("no PostgreSQL was started")?;
    promotions::measure()?;
    let folder = generate::store(&cache, N_RUNS)?;
    queries::measure(&Asked { folder: &folder, uri: None, limit: "0.2 ms" }, &binary, N_RUNS)?;
    mlflow::measure(&folder, &python)?;
    postgres::copy(&folder, &uri)?;
    let asked = Asked { folder: &folder, uri: Some(&uri), limit: "2 ms" };
    queries::measure(&asked, &binary, N_RUNS)?;
    if arguments.iter().any(|argument| argument == "--million") {
        let folder = generate::store(&cache, MILLION)?;
        let asked = Asked { folder: &folder, uri: None, limit: "twice that of 100,000" };
        queries::measure(&asked, &binary, MILLION)?;
    }
    Ok(())
}
