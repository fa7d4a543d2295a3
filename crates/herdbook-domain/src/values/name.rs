//! Names and short texts, checked when they are parsed.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::values::timeframe::Timeframe;

/// Longest registered model or experiment name: `VARCHAR(256)` in MLflow's schema.
const MAX_NAME_LENGTH: usize = 256;
/// Longest reason, in characters.
const MAX_REASON_LENGTH: usize = 2_000;
/// Longest actor: `model_versions.user_id` is `VARCHAR(256)`.
const MAX_ACTOR_LENGTH: usize = 256;
/// Longest metric key: `VARCHAR(250)`.
const MAX_METRIC_LENGTH: usize = 250;

/// A text that is not a valid name, run id or version number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// The text is empty or white space.
    #[error("the {what} is empty")]
    Empty {
        /// The kind of name, such as `model name`.
        what: &'static str,
    },
    /// The text is longer than the database or herdbook allows.
    #[error("the {what} has {length} characters: at most {max} are allowed")]
    TooLong {
        /// The kind of name, such as `model name`.
        what: &'static str,
        /// Number of characters given.
        length: usize,
        /// Number of characters allowed.
        max: usize,
    },
    /// The text holds a character that is not allowed.
    #[error("the {what} `{}` holds the character {found:?}: {rule}", text.escape_debug())]
    Character {
        /// The kind of name, such as `model name`.
        what: &'static str,
        /// The text as given.
        text: String,
        /// The first character that is not allowed.
        found: char,
        /// The rule, as a clause.
        rule: &'static str,
    },
    /// The text is not a run id.
    #[error("`{text}` is not a run id: it has 32 hexadecimal digits")]
    RunId {
        /// The text as given.
        text: String,
    },
    /// The text is not the beginning of a run id.
    #[error(
        "`{}` is not a run id: give its 32 hexadecimal digits, or at least the first 4", text.escape_debug()
    )]
    RunPrefix {
        /// The text as given.
        text: String,
    },
    /// The text is not a version number.
    #[error("`{text}` is not a version number: versions are 1, 2, 3 …")]
    Version {
        /// The text as given.
        text: String,
    },
}

pub(super) fn check(
    what: &'static str,
    text: &str,
    max: usize,
    rule: &'static str,
    forbidden: impl Fn(char) -> bool,
) -> Result<String, InvalidName> {
    if text.trim().is_empty() {
        return Err(InvalidName::Empty { what });
    }
    let length = text.chars().count();
    if length > max {
        return Err(InvalidName::TooLong { what, length, max });
    }
    match text.chars().find(|c| forbidden(*c) || is_invisible(*c)) {
        Some(found) => Err(InvalidName::Character { what, text: text.to_owned(), found, rule }),
        None => Ok(text.to_owned()),
    }
}

/// Whether a character is invisible and can change how a text looks: zero-width characters and direction overrides.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}')
}

/// Declares a checked text: private field, `parse`, `as_str`, `Display`, `FromStr` and serde.
macro_rules! checked_text {
    ($(#[$meta:meta])* $name:ident, $what:literal, $max:expr, $rule:literal, $forbidden:expr) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String")]
        pub struct $name(String);

        impl TryFrom<String> for $name {
            type Error = InvalidName;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                Self::parse(&text)
            }
        }

        impl $name {
            /// Checks a text.
            ///
            /// # Errors
            /// [`InvalidName`] for an empty text, one that is too long, or a character that is not allowed.
            pub fn parse(text: &str) -> Result<Self, InvalidName> {
                check($what, text, $max, $rule, $forbidden).map(Self)
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidName;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::parse(text)
            }
        }
    };
}

checked_text! {
    /// Name of a registered model, such as `1H_trading_model`.
    ModelName, "model name", MAX_NAME_LENGTH,
    "control characters, `/` and `:` are not allowed, as in MLflow",
    |c| c.is_control() || c == '/' || c == ':'
}
checked_text! {
    /// Name of an experiment, such as `stock_trading_rl_1H`.
    ExperimentName, "experiment name", MAX_NAME_LENGTH,
    "control characters are not allowed",
    char::is_control
}
checked_text! {
    /// The reason for a change, in one line of at most 2,000 characters.
    Reason, "reason", MAX_REASON_LENGTH,
    "control characters (line breaks too) are not allowed",
    char::is_control
}
checked_text! {
    /// Name of the user or program that acts.
    Actor, "actor", MAX_ACTOR_LENGTH,
    "control characters are not allowed",
    char::is_control
}
checked_text! {
    /// Key of a metric, such as `evaluation/best_mean_reward`.
    MetricName, "metric name", MAX_METRIC_LENGTH,
    "letters, digits, `_`, `-`, `.`, `:`, `/` and space are allowed, as in MLflow",
    |c: char| !(c.is_alphanumeric() || "_-.:/ ".contains(c))
}

impl ModelName {
    /// The model name of a family and timeframe: `{timeframe}_{family}`.
    ///
    /// # Errors
    /// [`InvalidName`] for an empty family or a name that is not valid.
    pub fn of_timeframe(timeframe: Timeframe, family: &str) -> Result<Self, InvalidName> {
        check("model name", family, MAX_NAME_LENGTH, "", |_| false)?;
        Self::parse(&format!("{timeframe}_{family}"))
    }
}

impl ExperimentName {
    /// The experiment name of a timeframe: `{experiment}_{timeframe}`.
    ///
    /// # Errors
    /// [`InvalidName`] for an empty experiment or a name that is not valid.
    pub fn of_timeframe(experiment: &str, timeframe: Timeframe) -> Result<Self, InvalidName> {
        check("experiment name", experiment, MAX_NAME_LENGTH, "", |_| false)?;
        Self::parse(&format!("{experiment}_{timeframe}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn model_name_refuses_what_mlflow_refuses() {
        assert_eq!(
            ModelName::parse("a/b").unwrap_err().to_string(),
            "the model name `a/b` holds the character '/': \
             control characters, `/` and `:` are not allowed, as in MLflow"
        );
        assert_eq!(ModelName::parse(" ").unwrap_err().to_string(), "the model name is empty");
        assert!(ModelName::of_timeframe(Timeframe::Hour1, "").is_err());
    }

    #[test]
    fn reason_holds_two_thousand_characters_and_no_line_break() {
        assert!(Reason::parse(&"é".repeat(2_000)).is_ok());
        assert_eq!(
            Reason::parse(&"é".repeat(2_001)).unwrap_err().to_string(),
            "the reason has 2001 characters: at most 2000 are allowed"
        );
        assert!(Reason::parse("a\nb").is_err());
        assert!(Reason::parse("a\u{202E}b").is_err());
    }
}
