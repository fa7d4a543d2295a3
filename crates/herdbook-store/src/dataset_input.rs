//! The bars of a run as an MLflow dataset: what MLflow's page of a run shows under "Datasets used".

use std::collections::BTreeMap;

use herdbook_domain::window_params;
use serde_json::json;

/// Length of `datasets.digest`, which is `VARCHAR(36)`.
const DIGEST_CHARS: usize = 36;
/// The tag by which MLflow shows what a dataset was used for.
const CONTEXT: &str = "mlflow.data.context";

/// The bars of a run, in the words of MLflow's datasets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatasetInput {
    /// The instrument.
    pub name: String,
    /// The beginning of the SHA-256 over the bars.
    pub digest: String,
    /// The file, as JSON; MLflow's source type is `local`.
    pub source: String,
    /// Number of bars, as JSON.
    pub profile: String,
    /// What the bars were used for, and the windows.
    pub tags: BTreeMap<String, String>,
}

impl DatasetInput {
    /// MLflow's name of the kind of [`DatasetInput::source`].
    pub const SOURCE_TYPE: &'static str = "local";

    /// The bars that the params of a run describe; `None` if they name no instrument or no hash.
    pub fn of_run(params: &BTreeMap<String, String>) -> Option<Self> {
        let symbol = params.get(window_params::SYMBOL)?;
        let digest = params.get(window_params::BARS_SHA256)?;
        let n_bars = params.get("data.n_bars").and_then(|text| text.parse::<u64>().ok());
        let edges = window_params::EDGES.into_iter();
        let windows = edges.filter_map(|key| Some((key.to_owned(), params.get(key)?.clone())));
        let context = (CONTEXT.to_owned(), "training".to_owned());
        Some(Self {
            name: symbol.clone(),
            digest: digest.chars().take(DIGEST_CHARS).collect(),
            source: json!({"uri": params.get("data.source").unwrap_or(symbol)}).to_string(),
            profile: json!({"num_rows": n_bars, "sha256": digest}).to_string(),
            tags: windows.chain([context]).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_named_by_instrument_and_hash() {
        let sha256 = "0123456789abcdef".repeat(4);
        let mut params: BTreeMap<String, String> = [
            (window_params::SYMBOL, "EURUSD"),
            (window_params::BARS_SHA256, &sha256),
            ("data.source", "eurusd.csv"),
            ("data.n_bars", "5000"),
            ("data.train_start", "2024-01-01T00:00:00Z"),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into();
        let input = DatasetInput::of_run(&params).unwrap();
        assert_eq!((input.name.as_str(), input.digest.as_str()), ("EURUSD", &sha256[..36]));
        assert_eq!(input.source, r#"{"uri":"eurusd.csv"}"#);
        assert_eq!(input.tags["data.train_start"], "2024-01-01T00:00:00Z");
        assert_eq!(input.tags[CONTEXT], "training");
        params.remove(window_params::BARS_SHA256);
        assert_eq!(DatasetInput::of_run(&params), None);
    }
}
