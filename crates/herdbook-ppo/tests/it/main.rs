//! Tests of the crate from outside: that it learns, repeats itself, and reads and writes models.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::float_cmp, reason = "what is stored comes back bit for bit")]

mod cart_pole;
mod determinism;
mod hostile_files;
mod learning;
mod samples;
