//! Artifact files as streams, in a folder of this machine or in a store of a backend.

pub mod disk;
pub mod hashing;
pub(crate) mod local;
pub mod place;
pub mod regular;
pub mod streams;
