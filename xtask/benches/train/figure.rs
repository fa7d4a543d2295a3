//! Prints one measurement with its limit.

use std::time::Duration;

/// Prints a figure beside its limit.
pub(crate) fn print(what: &str, measured: &str, limit: &str) {
    println!("{what:<44} {measured:>16}   {limit}");
}

/// A time in a suitable unit.
pub(crate) fn time(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds < 1.0 { format!("{:.1} ms", seconds * 1e3) } else { format!("{seconds:.2} s") }
}

/// The median of some times.
pub(crate) fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}
