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
    /// Reads a body. `None` if it is not JSON.
    pub(crate) fn parse(body: &[u8]) -> Option<Self> {
        let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
        serde_json::from_slice(body).ok().or_else(|| {
            let text = std::str::from_utf8(body).ok()?;
            serde_json::from_str(&with_quoted_constants(text)?).ok()
        })
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

/// Begins a text that stands for a number without quotes. Unicode assigns no character here.
const MARK: char = '\u{fdd0}';

/// The text with `NaN`, `Infinity` and `-Infinity` in quotes and marked, where they stand outside of strings: Python's parser reads
/// them as numbers. `None` if there is none.
fn with_quoted_constants(text: &str) -> Option<String> {
    let mut quoted = String::with_capacity(text.len() + 16);
    let mut rest = text;
    let mut has_constant = false;
    let (mut is_string, mut is_escaped) = (false, false);
    while let Some(c) = rest.chars().next() {
        if !is_string {
            let constants = ["NaN", "-Infinity", "Infinity"];
            if let Some(constant) = constants.into_iter().find(|name| rest.starts_with(name)) {
                quoted.push_str(&format!("\"{MARK}{constant}\""));
                rest = &rest[constant.len()..];
                has_constant = true;
                continue;
            }
        }
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' if is_string => is_escaped = true,
            '"' => is_string = !is_string,
            _ => {}
        }
        quoted.push(c);
        rest = &rest[c.len_utf8()..];
    }
    has_constant.then_some(quoted)
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
        Ok(match value.strip_prefix(MARK).and_then(python::parse_float) {
            Some(constant) => Json::Float(constant),
            None => Json::Text(value.to_owned()),
        })
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
    fn constants_without_quotes_are_read_outside_of_strings_only() {
        let json = Json::parse(br#"{"a": NaN, "b": -Infinity, "c": "NaN \" Infinity"}"#).unwrap();
        assert!(matches!(json.get("a"), Some(Json::Float(value)) if value.is_nan()));
        assert_eq!(json.get("b"), Some(&Json::Float(f64::NEG_INFINITY)));
        assert_eq!(json.get("c"), Some(&Json::Text("NaN \" Infinity".to_owned())));
    }

    #[test]
    fn other_texts_are_not_json() {
        for text in ["", "{", "{'a': 1}", "nan", "[1,]", "\u{feff}\u{feff}{}"] {
            assert_eq!(Json::parse(text.as_bytes()), None, "{text}");
        }
        let deep = "[".repeat(100_000);
        assert_eq!(Json::parse(deep.as_bytes()), None);
    }
}
