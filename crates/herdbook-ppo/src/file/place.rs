//! Where in a model file something was found, for errors.

use crate::PpoError;

/// A member of the file, or a key of its `data`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) file: &'a str,
    pub(super) member: &'a str,
}

impl<'a> Place<'a> {
    /// Another member of the same file.
    pub(super) fn at(self, member: &'a str) -> Self {
        Self { member, ..self }
    }

    /// The error that this member `problem`, a phrase that goes on from its name.
    pub(super) fn error(self, problem: impl Into<String>) -> PpoError {
        let (file, member) = (self.file.to_owned(), self.member.to_owned());
        PpoError::Member { file, member, problem: problem.into() }
    }

    /// The error that the model, though sound, is not one of ours; `what` ends in "is" or "are".
    pub(super) fn unsupported(self, what: impl Into<String>) -> PpoError {
        PpoError::Unsupported { file: self.file.to_owned(), what: what.into() }
    }
}
