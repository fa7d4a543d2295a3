//! Python's pickles: written with the few opcodes needed, and read as data.
//!
//! A pickle is a program for a stack machine that can call anything. Here it is never run: the
//! reader builds a tree of what would be called with what, and its users match that tree against
//! the few shapes they know.

mod machine;
mod tokens;
mod tree;
mod write;

pub(super) use machine::{Dialect, Globals, parse};
pub(super) use tree::{Pickle, Value};
pub(super) use write::PickleWriter;
