//! The details that a training stores among the artifacts of its run, with the simple rules: a later backtest of the model
//! runs the same rules.

use herdbook_domain::hex_sha256;
use herdbook_store::{Store, StoreError, VersionRecord};
use serde::{Deserialize, Serialize};

use crate::results::details::measured::Details;
use crate::results::details::rivals::choice::ChosenRules;

/// Artifact path of the details of a training.
pub(crate) const DETAILS: &str = "evaluation/details.json";
/// Relative difference up to which two values are the same number: text may round the last digit.
const SAME: f64 = 1e-9;
/// Version of the file.
const VERSION: u32 = 1;
/// Why a file is not used whose hash is not the sealed one.
const ALTERED: &str =
    "it was altered after the training: restore it from a backup (`herdbook verify` names it)";

/// The contents of the file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct StoredDetails {
    v: u32,
    /// The details of the test window.
    pub(crate) details: Details,
    /// The rules that were chosen on the validation window.
    pub(crate) rules: ChosenRules,
}

/// The details of a version's training. An inner error says why there are none, as a clause.
///
/// # Errors
/// [`StoreError`] if the store cannot be read.
pub fn details_of_version(
    store: &Store,
    version: &VersionRecord,
) -> Result<Result<Details, String>, StoreError> {
    Ok(StoredDetails::of_version(store, version)?.map(|found| found.details))
}

impl StoredDetails {
    pub(crate) fn new(details: Details, rules: ChosenRules) -> Self {
        Self { v: VERSION, details, rules }
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut text = serde_json::to_string(self).expect("plain numbers and texts are JSON");
        text.push('\n');
        text.into_bytes()
    }

    /// Reads the file of a version's run, and compares it with its sealed hash and with the version's metrics. Older builds sealed
    /// no hash. An inner error says why there are no details, as a clause.
    pub(crate) fn of_version(
        store: &Store,
        version: &VersionRecord,
    ) -> Result<Result<Self, String>, StoreError> {
        let Some(run_id) = &version.run_id else {
            return Ok(Err("the version has no run".to_owned()));
        };
        let bytes = match store.read_artifact(run_id, DETAILS) {
            Ok(bytes) => bytes,
            Err(
                StoreError::NoSuchRun { .. }
                | StoreError::Artifact { .. }
                | StoreError::ForeignArtifacts { .. },
            ) => {
                return Ok(Err(format!(
                    "its run has no file `{DETAILS}`, which every training of this herdbook stores"
                )));
            }
            Err(error) => return Err(error),
        };
        let sealed = store.sealed_files(run_id)?.remove(DETAILS);
        let found = match sealed {
            Some(sha256) if sha256 != hex_sha256(&bytes) => Err(ALTERED.to_owned()),
            _ => Self::parse(&bytes),
        };
        let found = found.and_then(|found| match found.contradiction(version) {
            Some(name) => Err(format!("it contradicts the metric `{name}` of the version")),
            None => Ok(found),
        });
        Ok(found
            .map_err(|problem| format!("the file `{DETAILS}` of its run is not used: {problem}")))
    }

    /// The first metric of the version with another value than these details.
    fn contradiction(&self, version: &VersionRecord) -> Option<String> {
        let own = self.details.own()?.model;
        let mut metrics = self.details.to_metrics();
        let of_test = [("total_return", own.total_return), ("sharpe_ratio", own.sharpe_ratio)];
        metrics.extend(
            of_test
                .into_iter()
                .filter_map(|(name, value)| Some((format!("portfolio/{name}"), value?))),
        );
        metrics.into_iter().find_map(|(name, value)| {
            let known = version.metric(&name)?;
            ((known - value).abs() > SAME * known.abs().max(1.0)).then_some(name)
        })
    }

    fn parse(bytes: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Version {
            v: u32,
        }
        let Version { v } = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if v != VERSION {
            return Err(format!("it has version {v}, this herdbook reads version {VERSION}"));
        }
        let found: Self = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if !found.rules.is_valid() {
            return Err("a rule in it cannot be computed".to_owned());
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written by the first build that stored details. It must stay readable.
    const FIRST: &str = include_str!("details_v1.json");

    #[test]
    fn file_of_the_first_version_is_read() {
        let found = StoredDetails::parse(FIRST.as_bytes()).unwrap();
        assert_eq!(found.details.windows.len(), 3);
        assert!(found.rules.moving_average.is_some() && found.rules.logistic_regression.is_some());
        assert_eq!(StoredDetails::parse(&found.to_bytes()).unwrap(), found);
    }

    #[test]
    fn file_that_cannot_be_used_is_named() {
        let of = |text: &str| StoredDetails::parse(text.as_bytes()).unwrap_err();
        assert_eq!(of(r#"{"v":2}"#), "it has version 2, this herdbook reads version 1");
        assert!(of("{").contains("EOF"));
        let weights = FIRST.replace("\"weights\":[", "\"weights\":[0.5,");
        assert_eq!(of(&weights), "a rule in it cannot be computed");
    }
}
