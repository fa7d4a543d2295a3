//! Process times of the command line, from start to exit.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::ensure;

use crate::{figure, records};

/// Repetitions of a command that takes milliseconds, and of a command that takes seconds.
const REPEATED: usize = 51;
const REPEATED_SLOW: usize = 3;

pub(crate) fn measure(binary: &Path) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let train = ["train", "--timeframe", "1H", "--timesteps", "100000"];
    let time = median_of(binary, &train, folder.path(), REPEATED_SLOW)?;
    figure::print("train --timesteps 100000", &figure::time(time), "under 3 s");

    let folder = tempfile::tempdir()?;
    records::fill(folder.path())?;
    for command in ["list", "find best --timeframe 1H", "find latest --timeframe 1H", "status"] {
        let arguments: Vec<&str> = command.split(' ').collect();
        let time = median_of(binary, &arguments, folder.path(), REPEATED)?;
        let what = format!("{command}, {} runs", records::N_RUNS);
        figure::print(&what, &figure::time(time), "under 20 ms");
    }
    Ok(())
}

fn median_of(
    binary: &Path,
    arguments: &[&str],
    folder: &Path,
    repeated: usize,
) -> anyhow::Result<Duration> {
    // Once before, so that the files are in memory.
    run(binary, arguments, folder)?;
    let times: anyhow::Result<Vec<Duration>> = (0..repeated)
        .map(|_| {
            let begun = Instant::now();
            run(binary, arguments, folder)?;
            Ok(begun.elapsed())
        })
        .collect();
    Ok(figure::median(times?))
}

fn run(binary: &Path, arguments: &[&str], folder: &Path) -> anyhow::Result<()> {
    let output = Command::new(binary)
        .args(arguments)
        .current_dir(folder)
        .env_remove("MLFLOW_TRACKING_URI")
        .env("XDG_STATE_HOME", folder)
        .stdin(Stdio::null())
        .output()?;
    ensure!(
        output.status.success(),
        "`herdbook {}` failed: {}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}
