//! The `meta.yaml` of MLflow's file store: a flat mapping.
//!
//! Texts are taken as they stand. MLflow wrote them with YAML 1.1 in mind, where `1e5` is a text; a reader of values
//! would make a number of it, and a run's id of nothing but digits and one `e` would be lost.

use std::collections::BTreeMap;

use saphyr_parser::{Event, Parser, ScalarStyle};

/// Values by key; `None` for null. Lists and mappings among the values are passed over.
pub(super) fn scalars(text: &str) -> Result<BTreeMap<String, Option<String>>, String> {
    let mut found = BTreeMap::new();
    let (mut depth, mut key) = (0_u32, None);
    for event in Parser::new_from_str(text) {
        let (event, _) = event.map_err(|error| error.to_string())?;
        match event {
            Event::MappingStart(..) | Event::SequenceStart(..) => {
                depth += 1;
                key = if depth == 1 { None } else { key };
            }
            Event::MappingEnd | Event::SequenceEnd => {
                depth -= 1;
                key = if depth == 1 { None } else { key };
            }
            Event::Scalar(value, style, ..) if depth == 1 => match key.take() {
                None => key = Some(value.into_owned()),
                Some(key) => {
                    let is_null = style == ScalarStyle::Plain
                        && matches!(&*value, "" | "~" | "null" | "Null" | "NULL");
                    found.insert(key, (!is_null).then(|| value.into_owned()));
                }
            },
            _ => {}
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_taken_as_they_stand() {
        let text = "aliases: [a, b]\nname: 1e5\nrun_id: '0123'\nnested:\n  name: x\nend_time: null\n\
                    note: \"two\\nlines\"\nempty: ''\nlong: one\n  line\n";
        let found = scalars(text).unwrap();
        let value = |key: &str| found[key].as_deref();
        assert_eq!(value("name"), Some("1e5"));
        assert_eq!(value("run_id"), Some("0123"));
        assert_eq!(value("end_time"), None);
        assert_eq!(value("note"), Some("two\nlines"));
        assert_eq!(value("empty"), Some(""));
        assert_eq!(value("long"), Some("one line"));
        assert!(!found.contains_key("aliases") && !found.contains_key("nested"));
    }

    #[test]
    fn broken_text_is_an_error_and_not_a_panic() {
        assert!(scalars("a: [b").is_err());
        assert!(scalars("a: 'b").is_err());
        assert_eq!(scalars("").unwrap().len(), 0);
    }
}
