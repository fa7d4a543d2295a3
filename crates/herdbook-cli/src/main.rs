//! The `herdbook` command line.
fn main() {}
