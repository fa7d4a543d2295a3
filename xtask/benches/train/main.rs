//! `cargo xtask bench train`: speed of the trainer and the command line, with the limits set for them.
//!
//! It prints figures and enforces none of them, because they depend on the machine.

#![expect(clippy::print_stdout, reason = "figures are for the terminal")]

mod clean_build;
mod figure;
mod live;
mod peak;
mod processes;
mod records;
mod running;
mod steps;

use std::path::PathBuf;

use anyhow::Context;

fn main() -> anyhow::Result<()> {
    let binary = std::env::var_os("HERDBOOK_BIN")
        .map(PathBuf::from)
        .context("start it as `cargo xtask bench train`, which builds `herdbook` and names it")?;
    steps::measure()?;
    live::measure()?;
    running::measure()?;
    processes::measure(&binary)?;
    if std::env::args().any(|argument| argument == "--build") {
        clean_build::measure()?;
    }
    Ok(())
}
