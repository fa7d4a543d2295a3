//! The journal of acts on a server: its entries, and what they say each place should hold.

pub(crate) mod changes;
pub(crate) mod entries;
pub(crate) mod fold;
