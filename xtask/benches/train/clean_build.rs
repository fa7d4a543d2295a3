//! The time of a clean release build of the command line, in a separate target folder.

use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::ensure;

use crate::figure;

pub(crate) fn measure() -> anyhow::Result<()> {
    let cargo = |arguments: &str| {
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.args(arguments.split(' ')).stdin(Stdio::null());
        command
    };
    // Download first, so that only the build is measured.
    ensure!(cargo("fetch --locked --quiet").status()?.success());
    let target = tempfile::tempdir()?;
    let begun = Instant::now();
    let status = cargo("build --release --locked --quiet --jobs 2 --package herdbook-cli")
        .env("CARGO_TARGET_DIR", target.path())
        .status()?;
    ensure!(status.success(), "the build failed with {status}");
    let time = figure::time(begun.elapsed());
    figure::print("clean release build, 2 jobs", &time, "under 3 min on 2 cores");
    Ok(())
}
