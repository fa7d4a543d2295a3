//! The id of a run, and the path of its model file among its artifacts.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::name::InvalidName;
use super::timeframe::Timeframe;

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
    /// Checks a run id.
    ///
    /// # Errors
    /// [`InvalidName::RunId`] for any other text.
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
}
