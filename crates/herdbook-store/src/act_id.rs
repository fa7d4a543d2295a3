//! Ids that callers choose for their acts.

use std::fmt;
use std::str::FromStr;

/// The id of an act, chosen by the caller so that an act whose answer was lost can be requested again without being done
/// twice: 32 lower-case hexadecimal digits, as of a UUID. Hyphens and upper case in the text are accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActId(String);

/// A text that is not the id of an act.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not the id of an act: give 32 hexadecimal digits, such as a new UUID for each act", .0.escape_debug())]
pub struct InvalidActId(String);

impl ActId {
    /// The 32 digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ActId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ActId {
    type Err = InvalidActId;

    fn from_str(text: &str) -> Result<Self, InvalidActId> {
        let digits: String = text.chars().filter(|c| *c != '-').collect();
        let is_id = digits.len() == 32 && digits.chars().all(|c| c.is_ascii_hexdigit());
        if is_id {
            Ok(Self(digits.to_ascii_lowercase()))
        } else {
            Err(InvalidActId(text.chars().take(80).collect()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuid_with_or_without_hyphens_is_the_same_id() {
        let plain: ActId = "0123456789abcdef0123456789abcdef".parse().unwrap();
        assert_eq!("01234567-89AB-cdef-0123-456789abcdef".parse(), Ok(plain));
    }

    #[test]
    fn other_texts_are_no_ids() {
        for text in ["", "1", "0123456789abcdef0123456789abcdeg", "é"] {
            assert!(text.parse::<ActId>().is_err(), "{text}");
        }
    }
}
