//! Reads TOML files. Each error names the line.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::error::TrainingError;

/// A known key is suggested only if its Jaro-Winkler similarity is at least this.
const ALIKE: f64 = 0.7;

/// The text of a file, and its name for errors.
pub(crate) struct Reader<'a> {
    pub(crate) text: &'a str,
    pub(crate) name: &'a str,
}

impl Reader<'_> {
    /// Parses the whole text.
    pub(crate) fn table(&self) -> Result<Spanned<DeTable<'_>>, TrainingError> {
        DeTable::parse(self.text).map_err(|error| {
            let problem = error.message().lines().collect::<Vec<_>>().join(", ");
            self.error(error.span().unwrap_or_default(), &problem)
        })
    }

    /// An error at the line where `span` starts.
    pub(crate) fn error(&self, span: Range<usize>, problem: &str) -> TrainingError {
        TrainingError::ConfigFile {
            file: self.name.to_owned(),
            line: self.line(span),
            problem: problem.to_owned(),
        }
    }

    /// The line where `span` starts, from 1 on.
    pub(crate) fn line(&self, span: Range<usize>) -> usize {
        let before = self.text.get(..span.start).unwrap_or_default();
        before.matches('\n').count() + 1
    }
}

/// Error text for an unknown key, with the most similar known key. `what` is what the file calls such a key, for
/// example `hyperparameter`.
pub(crate) fn unknown_key(what: &str, unknown: &str, keys: &[&str]) -> String {
    let near = keys
        .iter()
        .map(|key| (strsim::jaro_winkler(unknown, key), *key))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    match near {
        Some((_, key)) => format!("unknown {what} `{unknown}`: did you mean `{key}`?"),
        None => format!("unknown {what} `{unknown}`: expected one of {}", keys.join(", ")),
    }
}

/// Reads a number. The parser keeps numbers as text.
pub(crate) fn number(value: &Spanned<DeValue<'_>>, key: &str) -> Result<f64, String> {
    let text = match value.get_ref() {
        DeValue::Float(float) => float.as_str().to_owned(),
        DeValue::Integer(integer) if integer.radix() == 10 => integer.as_str().to_owned(),
        other => return Err(format!("`{key}` is {}, but must be a number", other.type_str())),
    };
    text.parse().map_err(|_| format!("`{key}` is `{text}`, but must be a number"))
}
