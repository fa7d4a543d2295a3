//! Names and short texts: each is checked once, where it enters, and valid by its type from then on.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Timeframe;

/// Longest registered model or experiment name: `VARCHAR(256)` in MLflow's schema.
const MAX_NAME_LENGTH: usize = 256;
/// Longest symbol; far above any instrument's name, far below a tag value's limit.
const MAX_SYMBOL_LENGTH: usize = 64;
/// Longest reason, in characters (spec §2).
const MAX_REASON_LENGTH: usize = 2_000;
/// Longest actor: `model_versions.user_id` is `VARCHAR(256)`.
const MAX_ACTOR_LENGTH: usize = 256;
/// Longest metric key: `VARCHAR(250)`.
const MAX_METRIC_LENGTH: usize = 250;

/// A text that cannot be what it should name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// Nothing but white space.
    #[error("the {what} is empty")]
    Empty {
        /// What the text should have named.
        what: &'static str,
    },
    /// Longer than the database or the spec allows.
    #[error("the {what} has {length} characters: at most {max} are allowed")]
    TooLong {
        /// What the text should have named.
        what: &'static str,
        /// Characters given.
        length: usize,
        /// Characters allowed.
        max: usize,
    },
    /// A character that the text must not hold.
    #[error("the {what} `{}` holds the character {found:?}: {rule}", text.escape_debug())]
    Character {
        /// What the text should have named.
        what: &'static str,
        /// The text as given.
        text: String,
        /// The first character that is not allowed.
        found: char,
        /// Which are allowed.
        rule: &'static str,
    },
    /// Not a run id.
    #[error("`{text}` is not a run id: it has 32 hexadecimal digits")]
    RunId {
        /// The text as given.
        text: String,
    },
    /// Not a version number.
    #[error("`{text}` is not a version number: versions are 1, 2, 3 …")]
    Version {
        /// The text as given.
        text: String,
    },
}

fn check(
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

/// Characters that change how a text looks without being seen: zero width, and direction overrides.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}')
}

/// Declares a checked text: private field, `parse`, `as_str`, printing and serde.
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
    /// The instrument a model is trained on, such as `EURUSD`.
    Symbol, "symbol", MAX_SYMBOL_LENGTH,
    "control characters are not allowed",
    char::is_control
}
checked_text! {
    /// Why a change was asked for.
    Reason, "reason", MAX_REASON_LENGTH,
    "control characters (line breaks too) are not allowed",
    char::is_control
}
checked_text! {
    /// Who acts.
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
    /// The family of a timeframe: `{timeframe}_{family}`.
    pub fn of_timeframe(timeframe: Timeframe, family: &str) -> Result<Self, InvalidName> {
        check("model name", family, MAX_NAME_LENGTH, "", |_| false)?;
        Self::parse(&format!("{timeframe}_{family}"))
    }
}

impl ExperimentName {
    /// The experiment of a timeframe: `{experiment}_{timeframe}`.
    pub fn of_timeframe(experiment: &str, timeframe: Timeframe) -> Result<Self, InvalidName> {
        check("experiment name", experiment, MAX_NAME_LENGTH, "", |_| false)?;
        Self::parse(&format!("{experiment}_{timeframe}"))
    }
}

/// Identity of a run: 32 lower-case hexadecimal digits, as MLflow makes them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct RunId(String);

impl TryFrom<String> for RunId {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl RunId {
    /// Checks a run id.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        let is_id = text.len() == 32
            && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if is_id {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidName::RunId { text: text.to_owned() })
        }
    }

    /// The 32 digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Path of the run's model file among its artifacts: `models/<timeframe>/model.zip`.
    pub fn model_artifact(timeframe: Timeframe) -> String {
        format!("models/{timeframe}/model.zip")
    }

    /// Where the run's model is found: `runs:/<run id>/models/<timeframe>/model.zip`.
    pub fn model_path(&self, timeframe: Timeframe) -> String {
        format!("runs:/{self}/{}", Self::model_artifact(timeframe))
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Number of a model version: 1, 2, 3 …
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "i64")]
pub struct VersionNumber(u32);

impl TryFrom<i64> for VersionNumber {
    type Error = InvalidName;

    fn try_from(number: i64) -> Result<Self, Self::Error> {
        Self::new(number).ok_or_else(|| InvalidName::Version { text: number.to_string() })
    }
}

impl VersionNumber {
    /// The first version of a model.
    pub const FIRST: Self = Self(1);

    /// The version with this number, if there can be one (numbers start at 1 and fit MLflow's 32-bit column).
    pub fn new(number: i64) -> Option<Self> {
        let number = i32::try_from(number).ok().filter(|n| *n >= 1)?;
        Some(Self(number.unsigned_abs()))
    }

    /// The version after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// The number.
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for VersionNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl std::str::FromStr for VersionNumber {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse()
            .ok()
            .and_then(Self::new)
            .ok_or_else(|| InvalidName::Version { text: text.to_owned() })
    }
}

/// One version of one registered model.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct VersionKey {
    /// The registered model.
    pub name: ModelName,
    /// The version's number.
    pub version: VersionNumber,
}

impl fmt::Display for VersionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` version {}", self.name, self.version)
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

    #[test]
    fn version_numbers_start_at_one() {
        for text in ["0", "-1", "x", "", "4294967296", "2147483648"] {
            assert!(text.parse::<VersionNumber>().is_err(), "{text}");
        }
        assert_eq!("7".parse::<VersionNumber>().map(VersionNumber::get), Ok(7));
    }

    #[test]
    fn run_id_has_32_lowercase_hex_digits() {
        assert!(RunId::parse("0123456789abcdef0123456789abcdef").is_ok());
        for text in ["0123456789ABCDEF0123456789abcdef", "12", "../../../../etc/passwd/aaaaaaaaaa"]
        {
            assert!(RunId::parse(text).is_err(), "{text}");
        }
    }
}
