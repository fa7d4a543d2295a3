//! Locations in a model file, for error messages.

use crate::error::PpoError;

/// A member of a model file, or a key of its member `data`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Location<'a> {
    pub(super) file: &'a str,
    pub(super) member: &'a str,
}

impl<'a> Location<'a> {
    /// Another member of the same file.
    pub(super) fn with_member(self, member: &'a str) -> Self {
        Self { member, ..self }
    }

    /// An error at this location. `problem` continues a sentence that starts with the member's name.
    pub(super) fn error(self, problem: impl Into<String>) -> PpoError {
        let (file, member) = (self.file.to_owned(), self.member.to_owned());
        PpoError::Member { file, member, problem: problem.into() }
    }

    /// The error that a valid model is of an unsupported kind. `what` ends in "is" or "are".
    pub(super) fn unsupported(self, what: impl Into<String>) -> PpoError {
        PpoError::Unsupported { file: self.file.to_owned(), what: what.into() }
    }
}
