//! A value in MLflow's rows that differs from the history, in words.

use std::fmt;

/// A value that differs from the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Difference {
    /// The tag, column, param or metric.
    pub(super) what: String,
    /// The value in the row; `None` if it has none.
    pub(super) found: Option<String>,
    /// The recorded value; `None` if there must be none.
    pub(super) recorded: Option<String>,
}

impl Difference {
    pub(super) fn new(
        what: impl Into<String>,
        found: Option<String>,
        recorded: Option<String>,
    ) -> Self {
        Self { what: what.into(), found, recorded }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, found, recorded } = self;
        match (found, recorded) {
            (Some(found), Some(recorded)) => {
                write!(f, "`{what}` is `{}`, recorded as `{}`", shown(found), shown(recorded))
            }
            (None, Some(recorded)) => {
                write!(f, "`{what}` is missing, recorded as `{}`", shown(recorded))
            }
            (Some(found), None) => {
                write!(f, "`{what}` is `{}`, and the history has no such value", shown(found))
            }
            (None, None) => write!(f, "`{what}` is missing"),
        }
    }
}

/// Several differences as the end of a sentence.
pub(super) fn list(differences: &[Difference]) -> String {
    differences.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// A stored text for a message: at most 200 characters, control characters replaced by `?`.
fn shown(text: &str) -> String {
    const MAX_CHARS: usize = 200;
    let printable = |c: char| if c.is_control() { '?' } else { c };
    if text.chars().count() <= MAX_CHARS {
        return text.chars().map(printable).collect();
    }
    let start: String = text.chars().map(printable).take(MAX_CHARS - 1).collect();
    format!("{start}…")
}
