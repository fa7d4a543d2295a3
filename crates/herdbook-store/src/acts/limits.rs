//! Limits of MLflow on what is logged to a run.

use herdbook_domain::MetricName;
use herdbook_domain::tags::Tags;

/// Longest value of a param, in characters.
const MAX_PARAM_LENGTH: usize = 6_000;
/// Longest value of a tag, in characters.
const MAX_TAG_LENGTH: usize = 8_000;
/// Longest key of a param or tag, and longest name of a run, in characters: `VARCHAR(250)`.
const MAX_KEY_LENGTH: usize = 250;

/// An entry that MLflow would not accept.
#[derive(Debug)]
pub(super) struct OverLimit {
    /// The entry, for example "the tag `desk`".
    pub(super) what: String,
    /// What is wrong with it, and the limit.
    pub(super) problem: String,
}

/// Checks the name of a metric.
pub(super) fn check_metric(key: &str) -> Result<(), OverLimit> {
    MetricName::parse(key).map(drop).map_err(|error| OverLimit {
        what: format!("the metric `{key}`"),
        problem: error.to_string(),
    })
}

/// Checks a param's key and value.
pub(super) fn check_param(key: &str, value: &str) -> Result<(), OverLimit> {
    check_pair(|| format!("the param `{key}`"), key, value, MAX_PARAM_LENGTH)
}

/// Checks every key and value of some tags.
pub(super) fn check_tags(tags: &Tags) -> Result<(), OverLimit> {
    tags.iter().try_for_each(|(key, value)| {
        check_pair(|| format!("the tag `{key}`"), key, value, MAX_TAG_LENGTH)
    })
}

/// Checks the display name of a run.
pub(super) fn check_run_name(name: &str) -> Result<(), OverLimit> {
    let n_chars = name.chars().count();
    if n_chars <= MAX_KEY_LENGTH {
        return Ok(());
    }
    let problem = format!("it has {n_chars} characters: at most {MAX_KEY_LENGTH} are allowed");
    Err(OverLimit { what: "its name".to_owned(), problem })
}

fn check_pair(
    what: impl Fn() -> String,
    key: &str,
    value: &str,
    max: usize,
) -> Result<(), OverLimit> {
    let (of_key, of_value) = (key.chars().count(), value.chars().count());
    let problem = if of_key == 0 {
        "its key is empty".to_owned()
    } else if of_key > MAX_KEY_LENGTH {
        format!("its key has {of_key} characters: at most {MAX_KEY_LENGTH} are allowed")
    } else if of_value > max {
        format!("its value has {of_value} characters: at most {max} are allowed")
    } else {
        return Ok(());
    };
    Err(OverLimit { what: what(), problem })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_those_of_mlflow_and_counted_in_characters() {
        assert!(check_param("é".repeat(250).as_str(), &"é".repeat(6_000)).is_ok());
        assert!(check_param("k", &"v".repeat(6_001)).is_err());
        let tags = |key: String, value: String| check_tags(&Tags::from([(key, value)]));
        assert!(tags("k".repeat(250), "é".repeat(8_000)).is_ok());
        let error = tags("k".repeat(251), String::new()).unwrap_err();
        assert_eq!(error.problem, "its key has 251 characters: at most 250 are allowed");
        let error = tags("desk".to_owned(), "v".repeat(8_001)).unwrap_err();
        assert_eq!(error.what, "the tag `desk`");
        assert_eq!(error.problem, "its value has 8001 characters: at most 8000 are allowed");
        assert_eq!(tags(String::new(), String::new()).unwrap_err().problem, "its key is empty");
        assert!(check_run_name(&"n".repeat(250)).is_ok() && check_run_name("").is_ok());
        assert!(check_run_name(&"n".repeat(251)).is_err());
        assert!(check_metric("evaluation/mean_reward").is_ok() && check_metric("").is_err());
    }
}
