//! Reading a TOML file so that each error names its line.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::error::TrainingError;

/// Keys that are no more alike than this are not what was meant.
const ALIKE: f64 = 0.7;

/// Turns places in the text into lines.
pub(crate) struct Reader<'a> {
    pub(crate) text: &'a str,
    pub(crate) name: &'a str,
}

impl Reader<'_> {
    /// The table that a text is.
    pub(crate) fn table(&self) -> Result<Spanned<DeTable<'_>>, TrainingError> {
        DeTable::parse(self.text).map_err(|error| {
            let problem = error.message().lines().collect::<Vec<_>>().join(", ");
            self.error(error.span().unwrap_or_default(), &problem)
        })
    }

    pub(crate) fn error(&self, span: Range<usize>, problem: &str) -> TrainingError {
        let before = self.text.get(..span.start).unwrap_or_default();
        TrainingError::ConfigFile {
            file: self.name.to_owned(),
            line: before.matches('\n').count() + 1,
            problem: problem.to_owned(),
        }
    }
}

/// Names the nearest of the keys there are. `what` says what a key is, such as `hyperparameter`.
pub(crate) fn unknown_key(what: &str, unknown: &str, keys: &[&str]) -> String {
    let near = keys
        .iter()
        .map(|key| (strsim::jaro_winkler(unknown, key), *key))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    match near {
        Some((_, key)) => format!("there is no {what} `{unknown}`: `{key}` is meant?"),
        None => format!("there is no {what} `{unknown}`: there are {}", keys.join(", ")),
    }
}

/// TOML keeps a number as its text.
pub(crate) fn number(value: &Spanned<DeValue<'_>>, key: &str) -> Result<f64, String> {
    let text = match value.get_ref() {
        DeValue::Float(float) => float.as_str().to_owned(),
        DeValue::Integer(integer) if integer.radix() == 10 => integer.as_str().to_owned(),
        other => return Err(format!("`{key}` is {}, but must be a number", other.type_str())),
    };
    text.parse().map_err(|_| format!("`{key}` is `{text}`, but must be a number"))
}
