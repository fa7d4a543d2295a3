//! The copy of a server's records in memory: how it is fetched and filled, and how the changes of an act on it are
//! captured.

pub(crate) mod capture;
pub(crate) mod lease;
pub(crate) mod overlay;
pub(crate) mod records;
pub(crate) mod stage_change;
pub(crate) mod tables;
