//! The id of a run, and the path of its model file among its artifacts.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::name::InvalidName;
use super::timeframe::Timeframe;
use super::version::VersionNumber;

/// Identity of a run: 32 lower-case hexadecimal digits, as MLflow generates them.
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
    /// The number of digits.
    pub const DIGITS: usize = 32;

    /// Checks a run id.
    ///
    /// # Errors
    /// [`InvalidName::RunId`] for any other text.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        let is_id = text.len() == Self::DIGITS && text.bytes().all(is_digit);
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

    /// URI of the run's model file: `runs:/<run id>/models/<timeframe>/model.zip`.
    pub fn model_path(&self, timeframe: Timeframe) -> String {
        format!("runs:/{self}/{}", Self::model_artifact(timeframe))
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// The beginning of a run id, as people type it: 4 to 32 lower-case hexadecimal digits. Tables show the first 8.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct RunPrefix(String);

impl TryFrom<String> for RunPrefix {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl RunPrefix {
    /// The fewest digits. Shorter texts are too easily a typing error.
    pub const MIN_DIGITS: usize = 4;

    /// The number of digits that tables show.
    pub const PRINTED_DIGITS: usize = 8;

    /// Checks the beginning of a run id.
    ///
    /// # Errors
    /// [`InvalidName::RunPrefix`] for any other text.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        let is_prefix =
            (Self::MIN_DIGITS..=RunId::DIGITS).contains(&text.len()) && text.bytes().all(is_digit);
        if is_prefix {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidName::RunPrefix { text: text.to_owned() })
        }
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it has fewer digits than tables show.
    pub fn is_shorter_than_printed(&self) -> bool {
        self.0.len() < Self::PRINTED_DIGITS
    }

    /// The run id, if all digits are given.
    pub fn whole(&self) -> Option<RunId> {
        RunId::parse(&self.0).ok()
    }

    /// The smallest text of lower-case letters and digits that is greater than every run id with this beginning.
    pub fn end(&self) -> String {
        format!("{}g", self.0)
    }
}

impl std::str::FromStr for RunPrefix {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl fmt::Display for RunPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A text that names a version, read as a version number and as the beginning of a run id.
///
/// A text of decimal digits can be both: in one of 43 run ids the eight digits that tables show are all decimal. Then the
/// records decide. A text with a leading zero is never a number.
pub fn number_or_run(text: &str) -> (Option<VersionNumber>, Option<RunPrefix>) {
    let number = text.parse().ok().filter(|_| !text.starts_with('0'));
    (number, RunPrefix::parse(text).ok())
}

fn is_digit(byte: u8) -> bool {
    byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_id_has_32_lowercase_hex_digits() {
        assert!(RunId::parse("0123456789abcdef0123456789abcdef").is_ok());
        for text in ["0123456789ABCDEF0123456789abcdef", "12", "../../../../etc/passwd/aaaaaaaaaa"]
        {
            assert!(RunId::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn beginning_of_a_run_id_has_at_least_four_digits() {
        let whole = "0123456789abcdef0123456789abcdef";
        assert_eq!(RunPrefix::parse(whole).unwrap().whole(), RunId::parse(whole).ok());
        assert_eq!(RunPrefix::parse("0123abcd").unwrap().whole(), None);
        for text in ["012", "012G", "0123ABCD", "0123-456", "", "0123456789abcdef0123456789abcdef0"]
        {
            assert!(RunPrefix::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn digits_are_a_version_a_run_or_either() {
        let read = |text: &str| {
            let (number, run) = number_or_run(text);
            (number.map(VersionNumber::get), run.map(|run| run.as_str().to_owned()))
        };
        assert_eq!(read("3"), (Some(3), None));
        assert_eq!(read("999"), (Some(999), None));
        for text in ["1234", "12345678"] {
            assert_eq!(read(text), (text.parse().ok(), Some(text.to_owned())));
        }
        for text in ["01234567", "0123", "99999999999", "1e234567", "abcd", &"7".repeat(32)] {
            assert_eq!(read(text), (None, Some(text.to_owned())), "{text}");
        }
        for text in ["0", "-1", "abc", "newest", "1.0", "", &"7".repeat(33)] {
            assert_eq!(read(text), (None, None), "{text}");
        }
    }

    #[test]
    fn end_of_a_prefix_is_above_every_id_with_it_and_below_the_next() {
        let prefix = RunPrefix::parse("00ff").unwrap();
        let end = prefix.end();
        let last = format!("00ff{}", "f".repeat(28));
        assert!(last < end && end.as_str() < "0100");
    }
}
