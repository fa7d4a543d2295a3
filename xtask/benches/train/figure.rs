//! One figure: what was measured, how much, and what it should be.

use std::time::Duration;

/// Prints a figure beside its limit.
pub(crate) fn print(what: &str, measured: &str, limit: &str) {
    println!("{what:<44} {measured:>16}   {limit}");
}

/// A time in the unit a person would choose.
pub(crate) fn time(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds < 1.0 { format!("{:.1} ms", seconds * 1e3) } else { format!("{seconds:.2} s") }
}

/// The middle one of several times.
pub(crate) fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}
