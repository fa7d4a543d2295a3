//! MLflow's limits on names and values, with its texts (`utils/validation.py` of MLflow 3.17.2).

use std::borrow::Cow;

use crate::error::MlflowError;
use crate::python;

/// Most characters of the key of a metric, param or tag.
pub(crate) const MAX_KEY: usize = 250;
/// Most characters of a param's value. Longer ones are cut.
pub(crate) const MAX_PARAM: usize = 6000;
/// Most characters of a run tag's value. Longer ones are cut.
pub(crate) const MAX_RUN_TAG: usize = 8000;

/// The text about a value that is not allowed.
pub(crate) fn invalid_value(path: &str, value: &str, message: &str) -> MlflowError {
    let value = python::json_text(value);
    MlflowError::invalid(format!(
        "Invalid value {value} for parameter '{path}' supplied: {message}"
    ))
}

/// Checks the name of a metric, param or tag. It may become a path, and must then stay the same.
pub(crate) fn check_name(name: &str, path: &str) -> Result<(), MlflowError> {
    // Python's `$` also matches before a last line break.
    let line = name.strip_suffix('\n').unwrap_or(name);
    let is_allowed = |c: char| c.is_alphanumeric() || "/_.- :".contains(c);
    if !line.chars().all(is_allowed) {
        let rule = "Names may only contain alphanumerics, underscores (_), dashes (-), periods (.), spaces ( ), \
                    colon(:) and slashes (/).";
        return Err(invalid_value(path, name, rule));
    }
    let normal = normal_path(name);
    if normal != name || normal == "." || normal.starts_with("..") || normal.starts_with('/') {
        let rule = format!(
            "Names may be treated as files in certain cases, and must not resolve to other names when treated as such. \
             This name would resolve to {}",
            python::text(&normal)
        );
        return Err(invalid_value(path, name, &rule));
    }
    Ok(())
}

/// As Python's `posixpath.normpath`.
fn normal_path(path: &str) -> String {
    let root = match path.bytes().take_while(|byte| *byte == b'/').count() {
        0 => "",
        2 => "//",
        _ => "/",
    };
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if !root.is_empty() && parts.is_empty() => {}
            ".." if !matches!(parts.last(), None | Some(&"..")) => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    let joined = format!("{root}{}", parts.join("/"));
    if joined.is_empty() { ".".to_owned() } else { joined }
}

/// Fails if a value has more characters than its limit.
pub(crate) fn check_length(what: &str, value: &str, limit: usize) -> Result<(), MlflowError> {
    // A text has at least as many bytes as characters.
    if value.len() <= limit || value.chars().count() <= limit {
        return Ok(());
    }
    Err(MlflowError::invalid(format!("'{what}' exceeds the maximum length of {limit} characters")))
}

/// The first characters of a value, up to its limit.
pub(crate) fn truncated(value: &str, limit: usize) -> Cow<'_, str> {
    if value.len() <= limit {
        return Cow::Borrowed(value);
    }
    match value.char_indices().nth(limit) {
        Some((end, _)) => Cow::Borrowed(&value[..end]),
        None => Cow::Borrowed(value),
    }
}

/// Checks the id of a run: 1 to 256 letters, digits, underscores and dashes.
pub(crate) fn check_run_id(run_id: &str) -> Result<(), MlflowError> {
    let line = run_id.strip_suffix('\n').unwrap_or(run_id);
    let is_first_allowed = line.starts_with(|c: char| c.is_ascii_alphanumeric());
    let is_allowed = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    if is_first_allowed && line.chars().all(is_allowed) && line.chars().count() <= 256 {
        return Ok(());
    }
    let value = python::json_text(run_id);
    Err(MlflowError::invalid(format!("Invalid value {value} for parameter 'run_id' supplied.")))
}

/// Checks the number of results that a search may return.
pub(crate) fn check_max_results(max: i64) -> Result<(), MlflowError> {
    /// Most records of one page.
    const MOST: i64 = 50_000;
    let rule = if max < 1 {
        "It must be a positive integer".to_owned()
    } else if max > MOST {
        format!("It must be at most {MOST}")
    } else {
        return Ok(());
    };
    Err(MlflowError::invalid(format!(
        "Invalid value {max} for parameter 'max_results' supplied. {rule}"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_normalised_as_in_python() {
        for (path, expected) in [
            ("", "."),
            (".", "."),
            ("a/", "a"),
            ("a//b", "a/b"),
            ("a/./b", "a/b"),
            ("a/../b", "b"),
            ("../a", "../a"),
            ("a/../../b", "../b"),
            ("/..", "/"),
            ("//a", "//a"),
            ("///a", "/a"),
        ] {
            assert_eq!(normal_path(path), expected, "{path}");
        }
    }

    #[test]
    fn names_are_accepted_as_by_mlflow() {
        for name in ["a", "a/b", "a b:c-d.e_f", "ä", "...", ".a", "-"] {
            let outcome = check_name(name, "key");
            assert_eq!(outcome.is_ok(), name != "...", "{name}");
        }
        for name in ["", "a/", "/a", "../a", ".", "a//b", "a,b", "a\tb", "a\nb", "%"] {
            assert!(check_name(name, "key").is_err(), "{name}");
        }
        assert_eq!(
            check_name("a//b", "params[0].key").unwrap_err().to_string(),
            "Invalid value \"a//b\" for parameter 'params[0].key' supplied: Names may be treated as files in certain \
             cases, and must not resolve to other names when treated as such. This name would resolve to 'a/b'"
        );
    }

    #[test]
    fn limits_count_characters() {
        let text = "ä".repeat(10);
        assert!(check_length("key", &text, 10).is_ok() && check_length("key", &text, 9).is_err());
        assert_eq!(truncated(&text, 3), "äää");
        assert_eq!(truncated(&text, 10), text);
    }
}
