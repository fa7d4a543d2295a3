//! The `meta.yaml` of MLflow's file store: a flat mapping.
//!
//! All scalars are read as strings. MLflow writes YAML 1.1, where `1e5` is a string; a YAML 1.2 parser would read it as a
//! number, and lose a run id that consists of digits and one `e`.

use std::collections::BTreeMap;

use saphyr_parser::{Event, Parser, ScalarStyle};

/// Values by key; `None` for null. Values that are lists or mappings are skipped.
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
    fn scalars_are_read_as_strings() {
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
    fn malformed_yaml_is_an_error() {
        assert!(scalars("a: [b").is_err());
        assert!(scalars("a: 'b").is_err());
        assert_eq!(scalars("").unwrap().len(), 0);
    }
}
