//! The part of a server's records that is needed: fetched in a handful of calls, whole pages at a time.

use std::collections::BTreeSet;

use super::http::Client;
use super::journal::Journal;
use super::wire::{Experiment, MetricValue, ModelVersion, RegisteredModel, Run};
use crate::StoreError;

/// How many runs are asked for by name in one call.
const RUNS_A_CALL: usize = 200;

/// What a server had at about one moment.
#[derive(Debug, Default)]
pub(crate) struct Slice {
    pub(crate) experiments: Vec<Experiment>,
    pub(crate) models: Vec<RegisteredModel>,
    pub(crate) versions: Vec<ModelVersion>,
    pub(crate) runs: Vec<Run>,
    /// Every value of the metrics that ended not finite, of runs with a version: run, then value.
    pub(crate) histories: Vec<(String, MetricValue)>,
}

impl Slice {
    /// Everything that concerns this system: all registered models and versions, the runs behind them, every run with a
    /// `model_type`, and those that say they are RUNNING.
    pub(crate) fn fetch(client: &Client) -> Result<Self, StoreError> {
        let mut slice = Self {
            experiments: client.experiments()?,
            models: client.registered_models()?,
            versions: client.versions("")?,
            ..Self::default()
        };
        slice.experiments.retain(|experiment| !Journal::is_its_experiment(&experiment.name));
        let ids: Vec<String> =
            slice.experiments.iter().map(|experiment| experiment.id.clone()).collect();
        slice.runs = client.runs(&ids, "tags.model_type != ''")?;
        slice.runs.extend(client.runs(&ids, "attributes.status = 'RUNNING'")?);
        let known: BTreeSet<&str> = slice.runs.iter().map(|run| run.info.run_id.as_str()).collect();
        let others: BTreeSet<String> = slice
            .versions
            .iter()
            .map(|version| version.run_id.as_str())
            .filter(|run_id| !run_id.is_empty() && !known.contains(run_id))
            .map(ToOwned::to_owned)
            .collect();
        let others: Vec<String> = others.into_iter().collect();
        for some in others.chunks(RUNS_A_CALL) {
            let quoted: Vec<String> = some.iter().map(|run_id| format!("'{run_id}'")).collect();
            let filter = format!("attributes.run_id IN ({})", quoted.join(","));
            slice.runs.extend(client.runs(&ids, &filter)?);
        }
        slice.fetch_histories(client)?;
        Ok(slice)
    }

    /// A best model is found by the last *finite* value, which MLflow does not send with a run.
    fn fetch_histories(&mut self, client: &Client) -> Result<(), StoreError> {
        let with_version: BTreeSet<&str> =
            self.versions.iter().map(|version| version.run_id.as_str()).collect();
        for run in &self.runs {
            let id = run.info.run_id.as_str();
            if !with_version.contains(id) {
                continue;
            }
            let infinite = |value: f64| !value.is_finite() || value.abs() >= f64::MAX;
            for metric in run.data.metrics.iter().filter(|metric| infinite(metric.value)) {
                let history = client.metric_history(id, &metric.key)?;
                self.histories.extend(history.into_iter().map(|value| (id.to_owned(), value)));
            }
        }
        Ok(())
    }
}
