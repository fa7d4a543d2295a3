//! Page tokens: the base64 of `{"offset": N}`, as MLflow 3.17 writes them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::error::MlflowError;
use crate::python;

/// A part of a result, and the token of the next part if there is one.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    /// The records.
    pub records: Vec<T>,
    /// The token with which the next part is asked for.
    pub next: Option<String>,
}

/// Which part of a result is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// Number of records before it.
    pub offset: i64,
    /// Most records.
    pub max: i64,
}

impl Wanted {
    /// The part that a token asks for; the first if it is empty.
    ///
    /// # Errors
    /// [`MlflowError::Refused`] if the token was not written by a search.
    pub fn parse(token: &str, max: i64) -> Result<Self, MlflowError> {
        if token.is_empty() {
            return Ok(Self { offset: 0, max });
        }
        let not_base64 = || MlflowError::invalid("Invalid page token, could not base64-decode");
        let bytes = decoded(token).ok_or_else(not_base64)?;
        let parsed: Value = serde_json::from_slice(&bytes).map_err(|_| {
            let shown = python::bytes(&bytes);
            MlflowError::invalid(format!("Invalid page token, decoded value={shown}"))
        })?;
        let offset = match &parsed["offset"] {
            Value::Number(number) => number.as_i64().or(number.as_f64().map(|float| float as i64)),
            Value::String(text) => {
                python::parse_int(text).and_then(|offset| i64::try_from(offset).ok())
            }
            _ => None,
        };
        match offset {
            Some(offset) if offset != 0 => Ok(Self { offset, max }),
            _ => {
                let shown = python::json(&parsed);
                Err(MlflowError::invalid(format!("Invalid page token, parsed value={shown}")))
            }
        }
    }

    /// Number of records to leave out. MLflow reads a negative offset as none.
    pub(crate) fn skipped(self) -> i64 {
        self.offset.max(0)
    }

    /// Number of records to read: one more than wanted, to learn whether there is a next part.
    pub(crate) fn limit(self) -> i64 {
        self.max.saturating_add(1)
    }

    /// The part, from the records that were read.
    pub(crate) fn page<T>(self, mut records: Vec<T>) -> Page<T> {
        let wanted = usize::try_from(self.max).unwrap_or(0);
        let has_more = records.len() > wanted;
        records.truncate(wanted);
        let next = has_more.then(|| {
            STANDARD.encode(format!("{{\"offset\": {}}}", self.offset.saturating_add(self.max)))
        });
        Page { records, next }
    }
}

/// As Python's `base64.b64decode`, which leaves out all characters that base64 does not have.
fn decoded(token: &str) -> Option<Vec<u8>> {
    let is_known = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=');
    STANDARD.decode(token.chars().filter(is_known).collect::<String>()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_is_read_as_it_was_written() {
        let first = Wanted::parse("", 2).unwrap();
        let page = first.page(vec![1, 2, 3]);
        assert_eq!(page.records, [1, 2]);
        let token = page.next.unwrap();
        assert_eq!(token, "eyJvZmZzZXQiOiAyfQ==");
        assert_eq!(Wanted::parse(&token, 2).unwrap(), Wanted { offset: 2, max: 2 });
        assert_eq!(first.page(vec![1, 2]).next, None);
    }

    #[test]
    fn broken_tokens_are_refused() {
        for token in ["!", "eyJvZmZzZXQiOiAwfQ==", "e30=", "bm8=", "eyJvZmZzZXQiOiAiMiJ9x"] {
            assert!(Wanted::parse(token, 1).is_err(), "{token}");
        }
        for (token, expected) in [
            ("!!!!", "decoded value=b''"),
            ("bm8=", "decoded value=b'no'"),
            ("////", "decoded value=b'\\xff\\xff\\xff'"),
            ("eyJvZmZzZXQiOiAwfQ==", "parsed value={'offset': 0}"),
            ("eyJvZmZzZXQiOiBudWxsfQ==", "parsed value={'offset': None}"),
            ("YQ", "could not base64-decode"),
        ] {
            let refused = Wanted::parse(token, 1).unwrap_err().to_string();
            assert_eq!(refused, format!("Invalid page token, {expected}"), "{token}");
        }
    }

    #[test]
    fn negative_offset_leaves_nothing_out() {
        let wanted = Wanted::parse("eyJvZmZzZXQiOiAtMX0=", 2).unwrap();
        assert_eq!((wanted.offset, wanted.skipped()), (-1, 0));
    }
}
