//! The structures of the answers. Names are those of the command line's `--json`.

pub(crate) mod event;
pub(crate) mod evidence;
pub(crate) mod judgement;
pub(crate) mod promotion;
pub(crate) mod version;
