//! Limits on names, tags and aliases, with MLflow's texts.

use crate::error::MlflowError;
use crate::python;
use crate::validate::{self, check_length, check_path};

/// The tag that makes a registered model or version a prompt.
pub(super) const IS_PROMPT: &str = "mlflow.prompt.is_prompt";
/// The tag with the text of a prompt.
const PROMPT_TEXT: &str = "mlflow.prompt.text";

/// Longest key of a tag, in characters.
const MAX_TAG_KEY: usize = 250;
/// Longest value of a tag, in characters.
const MAX_TAG_VALUE: usize = 100_000;
/// Longest alias, in characters.
const MAX_ALIAS: usize = 255;

/// Whether tags of a request make its record a prompt. Of several tags with one key the last one counts.
pub fn is_prompt(tags: &[(String, String)]) -> bool {
    let last = tags.iter().rev().find(|(key, _)| key == IS_PROMPT);
    last.is_some_and(|(_, value)| value.to_lowercase() == "true")
}

/// Checks the name of a registered model.
pub(super) fn check_name(name: &str) -> Result<(), MlflowError> {
    if python_stripped(name).is_empty() {
        return Err(MlflowError::invalid("Missing value for required parameter 'name'."));
    }
    if name.contains(['/', ':']) {
        return Err(MlflowError::invalid(format!(
            "Invalid model name '{name}'. Names cannot contain '/' or ':'."
        )));
    }
    check_path(name, "name")
}

/// Checks the new name of a registered model.
pub(super) fn check_new_name(name: &str) -> Result<(), MlflowError> {
    if python_stripped(name).is_empty() {
        return Err(MlflowError::invalid("Missing value for required parameter 'new_name'."));
    }
    check_name(name)
}

/// Checks the name of a registered model and reads the number of a version.
///
/// # Errors
/// [`MlflowError::Refused`].
pub fn parse_key<'a>(name: &'a str, version: &str) -> Result<(&'a str, i64), MlflowError> {
    check_name(name)?;
    Ok((name, known_version(name, version)?))
}

/// As [`parse_version`]; a number beyond 64 bits is that of no version.
pub(super) fn known_version(name: &str, text: &str) -> Result<i64, MlflowError> {
    match parse_version(text)? {
        i64::MIN => Err(MlflowError::missing(format!(
            "Model Version (name={name}, version={}) not found",
            text.trim()
        ))),
        number => Ok(number),
    }
}

/// The number of a version, as Python reads it. No version has a number beyond 64 bits.
///
/// # Errors
/// [`MlflowError::Refused`] if the text is not a number.
pub(super) fn parse_version(text: &str) -> Result<i64, MlflowError> {
    let number = python::parse_int(text).ok_or_else(|| {
        MlflowError::invalid(format!("Parameter 'version' must be an integer, got '{text}'."))
    })?;
    Ok(i64::try_from(number).unwrap_or(i64::MIN))
}

/// Checks the key of a tag.
pub(super) fn check_tag_key(key: &str) -> Result<(), MlflowError> {
    validate::check_name(key, "key")
}

/// Checks a tag of a registered model.
pub(super) fn check_model_tag(key: &str, value: &str) -> Result<(), MlflowError> {
    check_tag_key(key)?;
    check_length("key", key, MAX_TAG_KEY)?;
    check_length("value", value, MAX_TAG_VALUE)
}

/// Checks a tag of a model version.
pub(super) fn check_version_tag(key: &str, value: &str) -> Result<(), MlflowError> {
    check_tag_key(key)?;
    check_length("key", key, MAX_TAG_KEY)?;
    if key == PROMPT_TEXT && value.chars().count() > MAX_TAG_VALUE {
        return Err(MlflowError::invalid(format!(
            "Prompt text exceeds max length of {MAX_TAG_VALUE} characters."
        )));
    }
    check_length("value", value, MAX_TAG_VALUE)
}

/// Checks an alias that is looked up or deleted.
pub(super) fn check_alias_name(alias: &str) -> Result<(), MlflowError> {
    if alias.is_empty() {
        return Err(MlflowError::invalid("Registered model alias name cannot be empty."));
    }
    let is_allowed = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
    if !alias.strip_suffix('\n').unwrap_or(alias).chars().all(is_allowed) {
        return Err(MlflowError::invalid(format!(
            "Invalid alias name: '{alias}'. Names may only contain alphanumerics, underscores (_), and dashes (-)."
        )));
    }
    check_length("Registered model alias name", alias, MAX_ALIAS)
}

/// Checks that an alias does not stand for something else already.
pub(super) fn check_alias_not_reserved(alias: &str) -> Result<(), MlflowError> {
    if alias.to_lowercase() == "latest" {
        return Err(MlflowError::invalid("'latest' alias name (case insensitive) is reserved."));
    }
    let number = alias.strip_prefix(['v', 'V']).map(|rest| rest.strip_suffix('\n').unwrap_or(rest));
    if number.is_some_and(|rest| !rest.is_empty() && rest.chars().all(char::is_numeric)) {
        return Err(MlflowError::invalid(format!("Version alias name '{alias}' is reserved.")));
    }
    Ok(())
}

/// As `text.strip()`: Python also counts the separators from 0x1c to 0x1f as white space.
fn python_stripped(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || matches!(c, '\u{1c}'..='\u{1f}'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text<T: std::fmt::Debug>(outcome: Result<T, MlflowError>) -> String {
        outcome.unwrap_err().to_string()
    }

    #[test]
    fn names_that_mlflow_refuses_are_refused_in_its_words() {
        for fine in ["1H_trading_model", "a b", "x.y", "ä", "..a b"] {
            assert!(check_name(fine).is_ok() || fine.starts_with(".."), "{fine}");
        }
        assert_eq!(text(check_name(" ")), "Missing value for required parameter 'name'.");
        assert_eq!(text(check_new_name("")), "Missing value for required parameter 'new_name'.");
        assert_eq!(
            text(check_name("a/b")),
            "Invalid model name 'a/b'. Names cannot contain '/' or ':'."
        );
        assert_eq!(
            text(check_name("..")),
            "Invalid value \"..\" for parameter 'name' supplied: Names may be treated as files in certain cases, and must \
             not resolve to other names when treated as such. This name would resolve to '..'"
        );
    }

    #[test]
    fn tags_and_aliases_have_the_limits_of_mlflow() {
        assert!(check_version_tag("mlflow.note/x y:z", &"v".repeat(100_000)).is_ok());
        assert_eq!(
            text(check_version_tag("k", &"v".repeat(100_001))),
            "'value' exceeds the maximum length of 100000 characters"
        );
        assert_eq!(
            text(check_model_tag(&"k".repeat(251), "")),
            "'key' exceeds the maximum length of 250 characters"
        );
        assert!(text(check_tag_key("a?")).contains("Names may only contain alphanumerics"));
        assert!(text(check_tag_key("a//b")).contains("would resolve to 'a/b'"));
        assert_eq!(
            text(check_alias_not_reserved("Latest")),
            "'latest' alias name (case insensitive) is reserved."
        );
        assert_eq!(text(check_alias_not_reserved("V12")), "Version alias name 'V12' is reserved.");
        assert!(check_alias_not_reserved("v1a").is_ok());
        assert!(text(check_alias_name("a b")).starts_with("Invalid alias name: 'a b'."));
        assert_eq!(text(check_alias_name("")), "Registered model alias name cannot be empty.");
    }

    #[test]
    fn versions_are_read_as_by_python() {
        assert_eq!(parse_version(" 7 ").unwrap(), 7);
        assert_eq!(parse_version("99999999999999999999").unwrap(), i64::MIN);
        assert_eq!(text(parse_version("x")), "Parameter 'version' must be an integer, got 'x'.");
    }
}
