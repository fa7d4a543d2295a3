//! The part of a server's records that is needed: fetched in a handful of calls, whole pages at a time.

use std::collections::BTreeSet;

use herdbook_domain::RunId;
use herdbook_domain::tags::key;
use herdbook_domain::window_params::SYMBOL;
use herdbook_store::StoreError;
use herdbook_store::engine::backend::View;

use crate::client::Client;
use crate::client::wire::{
    Experiment, MetricValue, ModelVersion, RegisteredModel, Run, TOKEN, value_of,
};
use crate::journal::entries::Journal;

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
    /// What look-ups and acts rest on: all registered models and versions, the runs behind them and those that were
    /// asked for by name, runs that herdbook made or that say on which symbol they were tested, those RUNNING, and the
    /// parents of them all. The doctor sees every run that names a parent. Other programs may keep any number of runs there.
    pub(crate) fn fetch(
        client: &Client,
        view: View,
        wanted: &BTreeSet<String>,
    ) -> Result<Self, StoreError> {
        let mut slice = Self {
            experiments: client.experiments()?,
            models: client.registered_models()?,
            versions: client.versions("")?,
            ..Self::default()
        };
        slice.experiments.retain(|experiment| !Journal::is_its_experiment(&experiment.name));
        let ids: Vec<String> =
            slice.experiments.iter().map(|experiment| experiment.id.clone()).collect();
        let token = TOKEN;
        let mut filters = vec![
            "attributes.status = 'RUNNING'".to_owned(),
            format!("tags.`{token}` IS NOT NULL"),
            format!("params.`{SYMBOL}` IS NOT NULL AND tags.`{token}` IS NULL"),
        ];
        if view == View::AsItStands {
            filters.push(format!("tags.{} IS NOT NULL", key::BASE_MODEL_RUN_ID));
        }
        for filter in filters {
            slice.runs.extend(client.runs(&ids, &filter)?);
        }
        let of_versions = slice.versions.iter().map(|version| version.run_id.clone());
        slice.fetch_runs(client, &ids, of_versions.chain(wanted.iter().cloned()).collect())?;
        slice.fetch_histories(client)?;
        Ok(slice)
    }

    /// Adds runs by their ids, and the parents of all.
    fn fetch_runs(
        &mut self,
        client: &Client,
        experiments: &[String],
        mut wanted: BTreeSet<String>,
    ) -> Result<(), StoreError> {
        let mut looked_for = BTreeSet::new();
        loop {
            for run in &self.runs {
                looked_for.insert(run.info.run_id.clone());
                let parent = value_of(&run.data.tags, key::BASE_MODEL_RUN_ID);
                wanted.extend(parent.map(ToOwned::to_owned));
            }
            // Others may have put anything in a tag.
            wanted.retain(|id| RunId::parse(id).is_ok() && !looked_for.contains(id));
            if wanted.is_empty() {
                return Ok(());
            }
            let ids: Vec<String> = wanted.iter().map(|id| format!("'{id}'")).collect();
            for some in ids.chunks(RUNS_A_CALL) {
                let filter = format!("attributes.run_id IN ({})", some.join(","));
                self.runs.extend(client.runs(experiments, &filter)?);
            }
            looked_for.append(&mut wanted);
        }
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
