//! The copy of a server's records in memory: how it is filled, and how the changes of an act on it are captured.

pub(crate) mod capture;
pub(crate) mod lease;
pub(crate) mod mirror;
pub(crate) mod slice;
