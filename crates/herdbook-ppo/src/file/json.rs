//! JSON with the extension of Python's `json` module: bare `NaN`, `Infinity` and `-Infinity`.

use std::borrow::Cow;

use serde_json::{Map, Value};

const NOT_FINITE: [&str; 3] = ["-Infinity", "Infinity", "NaN"];

/// Parses an object. The bare words become strings.
pub(super) fn parse_object(text: &str) -> Result<Map<String, Value>, String> {
    serde_json::from_str(&quoted(text)).map_err(|error| format!("is not a JSON object: {error}"))
}

/// Puts quotes around the bare words outside of strings.
fn quoted(text: &str) -> Cow<'_, str> {
    if !NOT_FINITE.iter().any(|word| text.contains(word)) {
        return text.into();
    }
    let (mut result, mut rest) = (String::with_capacity(text.len() + 64), text);
    let (mut inside, mut escaped) = (false, false);
    while let Some(next) = rest.chars().next() {
        let word = NOT_FINITE.into_iter().find(|word| !inside && rest.starts_with(word));
        if let Some(word) = word {
            result.extend(["\"", word, "\""]);
            rest = &rest[word.len()..];
            continue;
        }
        if next == '"' && !escaped {
            inside = !inside;
        }
        escaped = inside && next == '\\' && !escaped;
        result.push(next);
        rest = &rest[next.len_utf8()..];
    }
    result.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bare_words_become_strings_and_strings_stay() {
        let text =
            r#"{"a": Infinity, "b": [-Infinity, NaN], "Infinity": "NaN \" NaN \\", "c": NaN}"#;
        let object = Value::Object(parse_object(text).unwrap());
        let want = serde_json::json!({
            "a": "Infinity", "b": ["-Infinity", "NaN"], "Infinity": "NaN \" NaN \\", "c": "NaN",
        });
        assert_eq!(object, want);
    }

    #[test]
    fn text_that_is_not_an_object_is_refused() {
        for text in ["", "[1]", "{", "{\"a\": Nan}", "nul"] {
            assert!(parse_object(text).unwrap_err().starts_with("is not a JSON object"));
        }
    }
}
