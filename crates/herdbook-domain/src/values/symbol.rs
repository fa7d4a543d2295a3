//! The symbol of an instrument.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::name::{InvalidName, check};

/// Longest symbol: far above the length of any instrument's name, and below the limit of a tag value.
const MAX_LENGTH: usize = 64;

/// The instrument a model is trained on, such as `EURUSD`.
///
/// Symbols are equal without regard to case: vendors write the same instrument as `SPY` and as `spy`. White space around a
/// symbol is not part of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Symbol(String);

impl Symbol {
    /// Checks a text, without the white space around it.
    ///
    /// # Errors
    /// [`InvalidName`] for an empty text, one that is too long, or a character that is not allowed.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        let rule = "control characters are not allowed";
        check("symbol", text.trim(), MAX_LENGTH, rule, char::is_control).map(Self)
    }

    /// The text, as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn folded(&self) -> impl Iterator<Item = char> {
        self.0.chars().flat_map(char::to_lowercase)
    }
}

impl PartialEq for Symbol {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0 || self.folded().eq(other.folded())
    }
}

impl Eq for Symbol {}

impl Ord for Symbol {
    fn cmp(&self, other: &Self) -> Ordering {
        self.folded().cmp(other.folded())
    }
}

impl PartialOrd for Symbol {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Hash for Symbol {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.folded().for_each(|c| c.hash(state));
    }
}

impl TryFrom<String> for Symbol {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl FromStr for Symbol {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl fmt::Display for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, HashSet};

    use super::*;

    fn symbol(text: &str) -> Symbol {
        Symbol::parse(text).unwrap()
    }

    #[test]
    fn white_space_around_a_symbol_is_not_part_of_it() {
        for text in ["SPY", "SPY ", " SPY", "\u{a0}SPY\u{3000}", "\tSPY\n"] {
            assert_eq!(symbol(text).as_str(), "SPY", "{text:?}");
            let read: Symbol = serde_json::from_value(serde_json::json!(text)).unwrap();
            assert_eq!(read.as_str(), "SPY");
        }
        assert_eq!(symbol("BRK B").as_str(), "BRK B");
        assert!(Symbol::parse(" \t").is_err() && Symbol::parse("S\nY").is_err());
    }

    #[test]
    fn symbols_are_equal_without_regard_to_case() {
        for (one, other) in [("SPY", "spy"), ("Spy", "sPY"), ("Ärzte", "äRZTE")] {
            assert_eq!(symbol(one), symbol(other));
            let both = [symbol(one), symbol(other)];
            assert_eq!(both.iter().collect::<HashSet<_>>().len(), 1);
            assert_eq!(both.iter().collect::<BTreeSet<_>>().len(), 1);
        }
        assert_eq!(symbol("spy").to_string(), "spy", "it is shown as it was written");
        assert_ne!(symbol("SPY"), symbol("SPYX"));
        assert_ne!(symbol("SPY"), symbol("IBM"));
    }
}
