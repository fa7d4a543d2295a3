//! Rust sources as text: tokens, what a module contains, and the modules of a crate. Nothing is compiled.

pub(crate) mod content;
pub(crate) mod tokens;
pub(crate) mod tree;
