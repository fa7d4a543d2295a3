//! The messages of MLflow's REST API, with the fields that are read here. Records that its GraphQL endpoint sends, too, have
//! the names of that as aliases.

use std::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};

/// The tag by which a run is found if the answer to its creation was lost. Every run created here has it.
pub(crate) const TOKEN: &str = "herdbook.token";

/// A tag or a param.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Pair {
    pub(crate) key: String,
    #[serde(default)]
    pub(crate) value: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Experiment {
    #[serde(rename = "experiment_id", alias = "experimentId")]
    pub(crate) id: String,
    pub(crate) name: String,
    #[serde(alias = "artifactLocation", default)]
    pub(crate) artifact_location: String,
    #[serde(alias = "lifecycleStage", default)]
    pub(crate) lifecycle_stage: String,
    #[serde(default)]
    pub(crate) tags: Vec<Pair>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Run {
    pub(crate) info: RunInfo,
    #[serde(default)]
    pub(crate) data: RunData,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct RunInfo {
    #[serde(alias = "runId")]
    pub(crate) run_id: String,
    #[serde(alias = "experimentId")]
    pub(crate) experiment_id: String,
    #[serde(alias = "runName", default)]
    pub(crate) run_name: String,
    #[serde(alias = "userId", default)]
    pub(crate) user_id: String,
    #[serde(default)]
    pub(crate) status: String,
    #[serde(alias = "startTime", default, deserialize_with = "integer")]
    pub(crate) start_time: i64,
    #[serde(alias = "endTime", default, deserialize_with = "integer")]
    pub(crate) end_time: i64,
    #[serde(alias = "artifactUri", default)]
    pub(crate) artifact_uri: String,
    #[serde(alias = "lifecycleStage", default)]
    pub(crate) lifecycle_stage: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct RunData {
    #[serde(default)]
    pub(crate) metrics: Vec<MetricValue>,
    #[serde(default)]
    pub(crate) params: Vec<Pair>,
    #[serde(default)]
    pub(crate) tags: Vec<Pair>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct MetricValue {
    pub(crate) key: String,
    #[serde(deserialize_with = "double")]
    pub(crate) value: f64,
    #[serde(default, deserialize_with = "integer")]
    pub(crate) timestamp: i64,
    #[serde(default, deserialize_with = "integer")]
    pub(crate) step: i64,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct RegisteredModel {
    pub(crate) name: String,
    #[serde(default, deserialize_with = "integer")]
    pub(crate) creation_timestamp: i64,
    #[serde(default, deserialize_with = "integer")]
    pub(crate) last_updated_timestamp: i64,
    #[serde(default)]
    pub(crate) aliases: Vec<Alias>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Alias {
    pub(crate) alias: String,
    pub(crate) version: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ModelVersion {
    pub(crate) name: String,
    pub(crate) version: String,
    #[serde(alias = "creationTimestamp", default, deserialize_with = "integer")]
    pub(crate) creation_timestamp: i64,
    #[serde(alias = "lastUpdatedTimestamp", default, deserialize_with = "integer")]
    pub(crate) last_updated_timestamp: i64,
    #[serde(alias = "userId", default)]
    pub(crate) user_id: String,
    #[serde(alias = "currentStage", default)]
    pub(crate) current_stage: String,
    #[serde(default)]
    pub(crate) source: String,
    #[serde(alias = "runId", default)]
    pub(crate) run_id: String,
    #[serde(default)]
    pub(crate) description: Option<String>,
    #[serde(default)]
    pub(crate) status: Option<String>,
    #[serde(alias = "statusMessage", default)]
    pub(crate) status_message: Option<String>,
    #[serde(alias = "runLink", default)]
    pub(crate) run_link: Option<String>,
    #[serde(default)]
    pub(crate) tags: Vec<Pair>,
}

impl ModelVersion {
    /// Its number; 0 if MLflow sent something that is not a number.
    pub(crate) fn number(&self) -> i64 {
        self.version.parse().unwrap_or_default()
    }
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct FileInfo {
    pub(crate) path: String,
    #[serde(default)]
    pub(crate) is_dir: bool,
    #[serde(default, deserialize_with = "length")]
    pub(crate) file_size: Option<u64>,
}

/// A size in bytes, sent as a number or as text.
fn length<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(value.as_u64().or_else(|| value.as_str()?.parse().ok()))
}

/// The value of a key.
pub(crate) fn value_of<'a>(pairs: &'a [Pair], key: &str) -> Option<&'a str> {
    pairs.iter().find(|pair| pair.key == key).map(|pair| pair.value.as_str())
}

/// Some proxies send 64-bit integers as text, as protobuf's JSON does.
fn integer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    deserializer.deserialize_any(Number).map(|number| match number {
        Parsed::Integer(value) => value,
        Parsed::Double(value) => value as i64,
    })
}

/// NaN and infinities are sent as text.
fn double<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    deserializer.deserialize_any(Number).map(|number| match number {
        Parsed::Integer(value) => value as f64,
        Parsed::Double(value) => value,
    })
}

enum Parsed {
    Integer(i64),
    Double(f64),
}

struct Number;

impl Visitor<'_> for Number {
    type Value = Parsed;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, or a string with a number")
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Parsed, E> {
        Ok(Parsed::Integer(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Parsed, E> {
        Ok(i64::try_from(value).map_or(Parsed::Double(value as f64), Parsed::Integer))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Parsed, E> {
        Ok(Parsed::Double(value))
    }

    /// GraphQL sends NaN as null.
    fn visit_unit<E: Error>(self) -> Result<Parsed, E> {
        Ok(Parsed::Double(f64::NAN))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Parsed, E> {
        if let Ok(value) = text.parse() {
            return Ok(Parsed::Integer(value));
        }
        text.parse().map(Parsed::Double).map_err(|_| E::custom(format!("`{text}` is not a number")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_as_numbers_and_as_text() {
        let text = r#"[{"key":"a","value":"NaN","timestamp":"7","step":-1},{"key":"b","value":3}]"#;
        let metrics: Vec<MetricValue> = serde_json::from_str(text).unwrap();
        assert!(metrics[0].value.is_nan());
        assert_eq!((metrics[0].timestamp, metrics[0].step), (7, -1));
        assert_eq!((metrics[1].value, metrics[1].timestamp), (3.0, 0));
    }
}
