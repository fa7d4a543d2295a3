//! Tests of the public interface: learning, determinism, and model files.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::float_cmp, reason = "stored numbers are read back bit for bit")]

mod algorithms;
mod cart_pole;
mod determinism;
mod hostile_files;
mod learning;
mod samples;
