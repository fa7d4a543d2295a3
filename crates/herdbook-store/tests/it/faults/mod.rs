//! Kills, power losses, errors of the disk and full disks at every step of every command.
//!
//! A life is lived once, each step of its files recorded. Then the disk is put back as it was between any two steps
//! (all that was written: the process was killed; only what was synced, or that and some: the power went), the store
//! is opened there, and what it holds is compared with what had been acknowledged.

#![expect(clippy::print_stderr, reason = "the seed of a failure, and what the bench prints")]

mod io_errors;
mod power;
mod power_loss;
mod recording;
mod scenario;
mod vfs;

use std::path::Path;
use std::time::{Duration, Instant};

/// How many points a test tries; `cargo xtask bench faults` asks for more.
fn points(default: usize) -> usize {
    let asked = std::env::var("HERDBOOK_FAULT_POINTS").ok();
    asked.map_or(default, |points| points.parse().expect("HERDBOOK_FAULT_POINTS is a number"))
}

/// Chance begins with this: `HERDBOOK_TEST_SEED` repeats it.
fn seed() -> u64 {
    let asked = std::env::var("HERDBOOK_TEST_SEED").ok();
    let clock = || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let seed = asked.map_or_else(
        || clock().map_or(0, |time| time.subsec_nanos().into()),
        |seed| seed.parse().expect("HERDBOOK_TEST_SEED is a number"),
    );
    eprintln!("seed: {seed} (HERDBOOK_TEST_SEED={seed} repeats it)");
    seed
}

/// What a test did, for the bench to print.
fn report(what: &str, points: usize, breaches: usize, begun: Instant) {
    let took: Duration = begun.elapsed();
    eprintln!("faults: {what}: {points} points, breaches {breaches}, {:.1} s", took.as_secs_f64());
}

/// Takes everything out of a folder.
fn empty(folder: &Path) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) }
            .unwrap();
    }
}
