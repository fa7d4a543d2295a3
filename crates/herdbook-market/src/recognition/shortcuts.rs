//! Whether quick tests may leave out comparisons that cannot succeed.

/// A shortcut never changes a result. Tests compare with those that are found without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shortcuts {
    Taken,
    #[cfg(test)]
    NotTaken,
}
