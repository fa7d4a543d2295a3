//! Python's pickles, written with the few opcodes needed, and read as data.
//!
//! A pickle is a program for a stack machine that can call any Python function. Here nothing is
//! called: the reader builds a tree in which a call is a node, and its users accept only the few
//! shapes they know.

mod machine;
mod tokens;
mod tree;
mod write;

pub(super) use machine::{Globals, parse};
pub(super) use tokens::Dialect;
pub(super) use tree::{Pickle, Value};
pub(super) use write::PickleWriter;
