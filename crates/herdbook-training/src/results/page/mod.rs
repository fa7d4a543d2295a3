//! Reports as one self-contained HTML file, for readers without herdbook.
//!
//! A page loads nothing and runs nothing: its policy forbids scripts and every connection, texts are escaped, and pictures
//! are checked before they become part of it.

mod escape;
pub(crate) mod html;
pub(crate) mod of_result;
pub(crate) mod of_training;
mod svg;
