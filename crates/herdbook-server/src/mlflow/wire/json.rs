//! JSON as MLflow's server reads it: numbers keep their kind, objects their order, and NaN needs no quotes.

use std::collections::HashMap;
use std::fmt;

use herdbook_mlflow::python;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// A JSON value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(String),
    List(Vec<Json>),
    /// Each key once, in the order of the text.
    Object(Vec<(String, Json)>),
}

impl Json {
    /// Reads a body.
    ///
    /// # Errors
    /// [`NotJson`].
    pub(crate) fn parse(body: &[u8]) -> Result<Self, NotJson> {
        let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
        let has_long_number = body.split(|byte| !byte.is_ascii_digit()).any(|run| run.len() > 18);
        let error = if has_long_number {
            None
        } else {
            match serde_json::from_slice(body) {
                Ok(json) => return Ok(json),
                Err(error) => Some(error),
            }
        };
        let text = std::str::from_utf8(body).map_err(|_| NotJson::Malformed)?;
        match (marked(text), error) {
            (Some(marked), _) => serde_json::from_str(&marked).map_err(|error| NotJson::of(&error)),
            (None, Some(error)) => Err(NotJson::of(&error)),
            (None, None) => serde_json::from_str(text).map_err(|error| NotJson::of(&error)),
        }
    }

    /// The value of a key, if this is an object that has it.
    pub(crate) fn get(&self, key: &str) -> Option<&Json> {
        match self {
            Self::Object(entries) => {
                entries.iter().find(|(name, _)| name == key).map(|(_, value)| value)
            }
            _ => None,
        }
    }

    /// The name of its type in Python.
    pub(crate) fn python_type(&self) -> &'static str {
        match self {
            Self::Null => "NoneType",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float",
            Self::Text(_) => "str",
            Self::List(_) => "list",
            Self::Object(_) => "dict",
        }
    }

    /// As Python's `json.dumps(value, sort_keys=True, separators=(",", ":"))`.
    pub(crate) fn dumped(&self) -> String {
        let mut text = String::new();
        self.dump(&mut text);
        text
    }

    fn dump(&self, text: &mut String) {
        match self {
            Self::Null => text.push_str("null"),
            Self::Bool(truth) => text.push_str(if *truth { "true" } else { "false" }),
            Self::Int(number) => text.push_str(&number.to_string()),
            Self::Float(number) => text.push_str(&python::json_float(*number)),
            Self::Text(value) => text.push_str(&python::json_text(value)),
            Self::List(items) => {
                text.push('[');
                for (idx, item) in items.iter().enumerate() {
                    if idx > 0 {
                        text.push(',');
                    }
                    item.dump(text);
                }
                text.push(']');
            }
            Self::Object(entries) => {
                let mut sorted: Vec<&(String, Json)> = entries.iter().collect();
                sorted.sort_by(|a, b| a.0.cmp(&b.0));
                text.push('{');
                for (idx, (key, value)) in sorted.into_iter().enumerate() {
                    if idx > 0 {
                        text.push(',');
                    }
                    text.push_str(&python::json_text(key));
                    text.push(':');
                    value.dump(text);
                }
                text.push('}');
            }
        }
    }
}

/// Why a body is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotJson {
    /// It is not JSON.
    Malformed,
    /// It has lists or objects within each other, more than 127.
    TooDeep,
}

impl NotJson {
    fn of(error: &serde_json::Error) -> Self {
        // The category of the error does not tell.
        if error.to_string().starts_with("recursion limit") {
            Self::TooDeep
        } else {
            Self::Malformed
        }
    }
}

/// Begins a text that stands for a number which JSON, or its parser, does not have. Unicode assigns it no character.
const MARK: char = '\u{fdd0}';

/// The text with `NaN`, `Infinity`, `-Infinity` and long integers as marked texts, where they stand outside of strings: Python's
/// parser reads them. `None` if there are none.
fn marked(text: &str) -> Option<String> {
    let mut copy = String::with_capacity(text.len() + 16);
    let mut rest = text;
    let mut has_mark = false;
    let (mut is_string, mut is_escaped) = (false, false);
    while let Some(c) = rest.chars().next() {
        let word = if is_string { 0 } else { word_to_mark(rest) };
        if word > 0 {
            copy.push_str(&format!("\"{MARK}{}\"", &rest[..word]));
            rest = &rest[word..];
            has_mark = true;
            continue;
        }
        // A number is copied whole, so that its digits are not taken for another one.
        let number = if is_string { 0 } else { number_at(rest) };
        if number > 0 {
            copy.push_str(&rest[..number]);
            rest = &rest[number..];
            continue;
        }
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' if is_string => is_escaped = true,
            '"' => is_string = !is_string,
            _ => {}
        }
        copy.push(c);
        rest = &rest[c.len_utf8()..];
    }
    has_mark.then_some(copy)
}

/// The length of the constant or long integer at the beginning of a text; 0 if there is none.
fn word_to_mark(text: &str) -> usize {
    if let Some(constant) =
        ["NaN", "-Infinity", "Infinity"].into_iter().find(|word| text.starts_with(word))
    {
        return constant.len();
    }
    let number = number_at(text);
    let digits = &text[..number];
    let is_integer = digits.trim_start_matches('-').bytes().all(|byte| byte.is_ascii_digit());
    if number > 18 && is_integer { number } else { 0 }
}

/// The length of the number at the beginning of a text.
fn number_at(text: &str) -> usize {
    if !text.starts_with(|c: char| c == '-' || c.is_ascii_digit()) {
        return 0;
    }
    text.bytes().take_while(|byte| byte.is_ascii_digit() || b"+-.eE".contains(byte)).count()
}

/// The value of a text: a number if it is marked.
fn of_text(text: String) -> Json {
    let Some(marked) = text.strip_prefix(MARK) else { return Json::Text(text) };
    match marked {
        "NaN" => Json::Float(f64::NAN),
        "Infinity" => Json::Float(f64::INFINITY),
        "-Infinity" => Json::Float(f64::NEG_INFINITY),
        digits => match digits.parse() {
            Ok(number) => Json::Int(number),
            Err(_) => digits.parse().map_or(Json::Text(text), Json::Float),
        },
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Int(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Int(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        Ok(Json::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(of_text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Json, E> {
        Ok(of_text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Json::Object(with_each_key_once(entries)))
    }
}

/// Keeps the last value of a repeated key, at the place of the first.
fn with_each_key_once(entries: Vec<(String, Json)>) -> Vec<(String, Json)> {
    let mut places: HashMap<String, usize> = HashMap::with_capacity(entries.len());
    let mut kept: Vec<(String, Json)> = Vec::with_capacity(entries.len());
    for (key, value) in entries {
        if let Some(place) = places.get(&key) {
            kept[*place].1 = value;
        } else {
            places.insert(key.clone(), kept.len());
            kept.push((key, value));
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_kind_and_objects_their_order() {
        let json = Json::parse(br#"{"b": 1, "a": [1.0, "x", null, true], "b": 2}"#).unwrap();
        assert_eq!(json.dumped(), r#"{"a":[1.0,"x",null,true],"b":2}"#);
        assert!(
            matches!(&json, Json::Object(entries) if entries[0] == ("b".to_owned(), Json::Int(2)))
        );
    }

    #[test]
    fn constants_and_long_integers_are_read_outside_of_strings_only() {
        let body = br#"{"a": NaN, "b": -Infinity, "c": "NaN \" Infinity 1000000000000000000000", "d": [1.5]}"#;
        let json = Json::parse(body).unwrap();
        assert!(matches!(json.get("a"), Some(Json::Float(float)) if float.is_nan()));
        assert_eq!(json.get("b"), Some(&Json::Float(f64::NEG_INFINITY)));
        let text = "NaN \" Infinity 1000000000000000000000".to_owned();
        assert_eq!(json.get("c"), Some(&Json::Text(text)));
        for (number, expected) in [
            ("1000000000000000000000000000000", Json::Int(10_i128.pow(30))),
            ("-9223372036854775808", Json::Int(i64::MIN.into())),
            ("18446744073709551615", Json::Int(u64::MAX.into())),
            ("0.1234567890123456789012", Json::Float(0.123_456_789_012_345_68)),
            ("1234567890123456789012e-21", Json::Float(1.234_567_890_123_456_8)),
        ] {
            assert_eq!(Json::parse(number.as_bytes()), Ok(expected), "{number}");
        }
    }

    #[test]
    fn other_texts_are_not_json() {
        for text in
            ["", "{", "{'a': 1}", "nan", "[1,]", "\u{feff}\u{feff}{}", "1000000000000000000000x"]
        {
            assert_eq!(Json::parse(text.as_bytes()), Err(NotJson::Malformed), "{text}");
        }
        let deep = "[".repeat(100_000);
        assert_eq!(Json::parse(deep.as_bytes()), Err(NotJson::TooDeep));
    }
}
