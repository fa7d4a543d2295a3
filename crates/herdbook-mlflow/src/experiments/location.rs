//! Artifact locations that a client chooses for an experiment.

use crate::error::MlflowError;

/// Most characters of a location.
const MAX_LOCATION: usize = 2048;
/// Schemes whose URIs name a host that the server would connect to.
const HOST_ADDRESSED: [&str; 7] =
    ["ftp", "sftp", "hdfs", "viewfs", "http", "https", "mlflow-artifacts"];

/// Checks a location and makes a relative path absolute.
///
/// # Errors
/// [`MlflowError::Refused`] with MLflow's texts.
pub(crate) fn checked(location: &str) -> Result<String, MlflowError> {
    let (scheme, rest) = split_scheme(location);
    let (before_fragment, fragment) = rest.split_once('#').unwrap_or((rest, ""));
    let (path, query) = before_fragment.split_once('?').unwrap_or((before_fragment, ""));
    let last_part = path.rsplit('/').next().unwrap_or_default();
    // Only some schemes have parameters after a semicolon.
    let takes_params =
        matches!(scheme.as_str(), "" | "ftp" | "http" | "https" | "sftp" | "mms" | "hdl" | "shttp");
    if !fragment.is_empty() || (takes_params && last_part.contains(';')) {
        return Err(MlflowError::invalid(
            "'artifact_location' URL can't include fragments or params.",
        ));
    }
    if decoded(query).contains("..") {
        return Err(MlflowError::invalid("Invalid query string"));
    }
    let has_host =
        path.strip_prefix("//").is_some_and(|host| !host.starts_with('/') && !host.is_empty());
    if has_host && HOST_ADDRESSED.contains(&scheme.as_str()) {
        return Err(MlflowError::invalid(format!(
            "'artifact_location' cannot use the '{scheme}' scheme: the '{scheme}' scheme addresses a host other than the \
             tracking server's configured artifact storage, so the server would connect to the host named in the URI."
        )));
    }
    if scheme == "runs" {
        return Err(MlflowError::invalid(format!(
            "Artifact location cannot be a runs:/ URI. Given: '{location}'"
        )));
    }
    if location.chars().count() > MAX_LOCATION {
        return Err(MlflowError::invalid(format!(
            "Invalid artifact path length. The length of the artifact path cannot be greater than {MAX_LOCATION} \
             characters. To configure this limit, please set the MLFLOW_ARTIFACT_LOCATION_MAX_LENGTH environment variable."
        )));
    }
    Ok(absolute(&scheme, location))
}

/// A relative path, with the folder in which the server works before it.
fn absolute(scheme: &str, location: &str) -> String {
    let is_relative = scheme.is_empty() && !location.starts_with('/');
    match std::env::current_dir() {
        Ok(folder) if is_relative => folder.join(location).display().to_string(),
        _ => location.to_owned(),
    }
}

/// The scheme in lower case, empty if there is none, and what follows its colon.
fn split_scheme(location: &str) -> (String, &str) {
    let is_scheme = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    };
    match location.split_once(':') {
        Some((scheme, rest)) if is_scheme(scheme) => (scheme.to_ascii_lowercase(), rest),
        _ => (String::new(), location),
    }
}

/// A text without percent-encoding, also if it was encoded several times.
fn decoded(text: &str) -> String {
    let mut text = text.to_owned();
    for _ in 0..10 {
        let once = percent_encoding::percent_decode_str(&text).decode_utf8_lossy().into_owned();
        if once == text {
            break;
        }
        text = once;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_of_mlflow_are_accepted() {
        for location in
            ["/a/b", "s3://bucket/a?x=1", "file:///a", "mlflow-artifacts:/x", "gs://b", "dbfs:/a"]
        {
            assert_eq!(checked(location).unwrap(), location);
        }
        let folder = std::env::current_dir().unwrap();
        assert_eq!(checked("a/b").unwrap(), folder.join("a/b").display().to_string());
    }

    #[test]
    fn locations_that_lead_elsewhere_are_refused() {
        for location in [
            "/a#b",
            "/a;b",
            "s3://bucket?x=..",
            "s3://bucket?x=%252e%252e",
            "runs:/a/b",
            "http://host/a",
            "FTP://host/a",
            "mlflow-artifacts://host/a",
        ] {
            assert!(checked(location).is_err(), "{location}");
        }
        assert!(checked(&"a".repeat(MAX_LOCATION + 1)).is_err());
    }
}
