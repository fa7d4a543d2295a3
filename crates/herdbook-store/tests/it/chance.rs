//! The number of points that a test of faults tries, its random seed, and its report to the bench.

#![expect(clippy::print_stderr, reason = "the seed of a failure, and what the bench prints")]

use std::time::{Duration, Instant};

/// Number of points that a test tries; `cargo xtask bench faults` sets a higher one.
pub(crate) fn points(default: usize) -> usize {
    let asked = std::env::var("HERDBOOK_FAULT_POINTS").ok();
    asked.map_or(default, |points| points.parse().expect("HERDBOOK_FAULT_POINTS is a number"))
}

/// The distance between two tried points, so that about the requested number is tried.
pub(crate) fn stride(n: usize, default: usize) -> usize {
    (n / points(default)).max(1)
}

/// The random seed. `HERDBOOK_TEST_SEED` repeats a run.
pub(crate) fn seed() -> u64 {
    let asked = std::env::var("HERDBOOK_TEST_SEED").ok();
    let clock = || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let seed = asked.map_or_else(
        || clock().map_or(0, |time| time.subsec_nanos().into()),
        |seed| seed.parse().expect("HERDBOOK_TEST_SEED is a number"),
    );
    eprintln!("seed: {seed} (HERDBOOK_TEST_SEED={seed} repeats it)");
    seed
}

/// Prints what a test did, for the bench.
pub(crate) fn report(what: &str, points: usize, breaches: usize, begun: Instant) {
    let took: Duration = begun.elapsed();
    eprintln!("faults: {what}: {points} points, breaches {breaches}, {:.1} s", took.as_secs_f64());
}
