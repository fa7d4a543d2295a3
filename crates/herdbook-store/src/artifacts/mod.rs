//! Artifact files: streams in and out, on local disk or wherever a backend keeps them.

pub mod disk;
pub mod hashing;
pub(crate) mod local;
pub mod place;
pub mod streams;
