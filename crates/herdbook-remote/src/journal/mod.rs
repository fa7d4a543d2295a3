//! The journal of acts in a server: how it is read and written, and which values it requires of the records.

pub(crate) mod changes;
pub(crate) mod entries;
pub(crate) mod fold;
pub(crate) mod subjects;
