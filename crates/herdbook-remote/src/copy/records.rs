//! Records fetched from a server. Each scope fetches its records with as few calls as MLflow allows.

use std::collections::{BTreeMap, BTreeSet};

use herdbook_domain::RunId;
use herdbook_domain::tags::key;
use herdbook_domain::window_params::SYMBOL;
use herdbook_store::StoreError;
use herdbook_store::engine::backend::View;

use crate::client::Client;
use crate::client::registry::name_filter;
use crate::client::wire::{
    Experiment, MetricValue, ModelVersion, RegisteredModel, Run, TOKEN, value_of,
};
use crate::journal::entries::Journal;
use crate::journal::fold::Fold;
use crate::journal::subjects::Subjects;

/// Maximum number of ids in one search. MLflow's parser of filters refuses more than 10,000 tokens, and takes long for many.
const IDS_PER_CALL: usize = 200;
/// Up to this many runs are fetched one by one; a search needs the list of experiments in addition.
const SINGLE_RUNS: usize = 3;
/// Number of newest versions that are fetched first. If the wanted one is not among them, all are fetched.
const N_NEWEST: usize = 50;

/// Records of a server, read at about one moment.
#[derive(Debug, Default)]
pub(crate) struct Records {
    pub(crate) extent: Extent,
    pub(crate) experiments: Vec<Experiment>,
    pub(crate) models: Vec<RegisteredModel>,
    pub(crate) versions: Vec<ModelVersion>,
    pub(crate) runs: Vec<Run>,
    /// Every value of the metrics whose last value is not finite, of runs with a version: run id, then value.
    pub(crate) histories: Vec<(String, MetricValue)>,
    /// Models and runs that were not fetched: the copy has the values that the journal requires instead.
    pub(crate) by_journal: Subjects,
    /// Subjects of unfinished acts that were asked for; those that are not among the records do not exist.
    pub(crate) sought: Subjects,
}

/// Whether these are all records of the server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Extent {
    #[default]
    Part,
    Whole,
}

impl Records {
    /// All records of this system: all registered models and versions, the runs behind them and those in `wanted`, runs
    /// that herdbook created or that name the symbol they were tested on, those RUNNING, and the parents of all. Other runs of
    /// other programs are not fetched: there may be any number of them. The doctor also sees every run that names a
    /// parent.
    ///
    /// # Errors
    /// Those of reaching the server.
    pub(crate) fn everything(
        client: &Client,
        view: View,
        wanted: &BTreeSet<String>,
    ) -> Result<Self, StoreError> {
        let mut records = Self {
            extent: Extent::Whole,
            experiments: training_experiments(client)?,
            models: client.registered_models()?,
            versions: client.versions("")?,
            ..Self::default()
        };
        let ids = records.experiment_ids();
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
            records.runs.extend(client.runs(&ids, &filter)?);
        }
        let of_versions = records.versions.iter().map(|version| version.run_id.clone());
        let wanted = of_versions.chain(wanted.iter().cloned()).collect();
        records.fetch_runs_and_parents(client, &ids, wanted)?;
        records.fetch_histories(client)?;
        Ok(records)
    }

    /// The newest versions with their runs. Of versions created at the same moment, either all are fetched or none.
    ///
    /// # Errors
    /// Those of reaching the server.
    pub(crate) fn newest(client: &Client) -> Result<Self, StoreError> {
        let mut versions = client.newest_versions(N_NEWEST)?;
        if versions.len() == N_NEWEST
            && let Some(oldest) = versions.last().map(|version| version.creation_timestamp)
        {
            versions.retain(|version| version.creation_timestamp != oldest);
        }
        let mut records = Self { versions, ..Self::default() };
        let runs = records.versions.iter().map(|version| version.run_id.clone());
        records.fetch_runs(client, runs.collect())?;
        records.fetch_experiments(client)?;
        records.fetch_histories(client)?;
        Ok(records)
    }

    /// Adds models, versions and runs that exist, also in place of those taken from the journal.
    ///
    /// # Errors
    /// Those of reaching the server.
    pub(crate) fn fetch(
        &mut self,
        client: &Client,
        fold: &Fold,
        subjects: &Subjects,
    ) -> Result<(), StoreError> {
        self.models.retain(|model| !subjects.models.contains(&model.name));
        self.runs.retain(|run| !subjects.runs.contains(&run.info.run_id));
        self.by_journal.subtract(subjects);
        for name in &subjects.models {
            self.models.extend(client.registered_model(name)?);
        }
        // Runs identify versions: a search can name many runs, but only one version number.
        let mut runs: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (name, version) in &subjects.versions {
            match fold.run_of(name, *version) {
                Some(run) => runs.entry(name).or_default().push(run),
                None => self.versions.extend(client.version(name, *version)?),
            }
        }
        for (name, runs) in runs {
            self.versions.extend(versions_of_runs(client, name, &runs)?);
        }
        self.fetch_runs(client, subjects.runs.clone())
    }

    /// The subjects that are among these records.
    pub(crate) fn subjects(&self) -> Subjects {
        Subjects {
            models: self.models.iter().map(|model| model.name.clone()).collect(),
            versions: self
                .versions
                .iter()
                .map(|version| (version.name.clone(), version.number()))
                .collect(),
            runs: self.runs.iter().map(|run| run.info.run_id.clone()).collect(),
        }
    }

    pub(crate) fn has_version(&self, name: &str, number: i64) -> bool {
        self.versions.iter().any(|version| version.name == name && version.number() == number)
    }

    /// Adds runs by their ids, except those that are there.
    pub(crate) fn fetch_runs(
        &mut self,
        client: &Client,
        wanted: BTreeSet<String>,
    ) -> Result<(), StoreError> {
        let is_new = |id: &String| self.runs.iter().all(|run| run.info.run_id != *id);
        let is_missing = |id: &String| RunId::parse(id).is_ok() && is_new(id);
        let ids: Vec<String> = wanted.into_iter().filter(is_missing).collect();
        if ids.len() <= SINGLE_RUNS {
            for id in &ids {
                self.runs.extend(client.run(id)?);
            }
            return Ok(());
        }
        if self.experiments.is_empty() {
            self.experiments = training_experiments(client)?;
        }
        self.search_runs(client, &self.experiment_ids(), &ids)
    }

    /// Adds the experiments of the runs.
    pub(crate) fn fetch_experiments(&mut self, client: &Client) -> Result<(), StoreError> {
        let known = |id: &str| self.experiments.iter().any(|experiment| experiment.id == id);
        let ids: BTreeSet<String> = self
            .runs
            .iter()
            .map(|run| run.info.experiment_id.clone())
            .filter(|id| !id.is_empty() && !known(id))
            .collect();
        for id in ids {
            self.experiments.extend(client.experiment_by_id(&id)?);
        }
        Ok(())
    }

    fn search_runs(
        &mut self,
        client: &Client,
        experiments: &[String],
        ids: &[String],
    ) -> Result<(), StoreError> {
        for some in ids.chunks(IDS_PER_CALL) {
            let filter = format!("attributes.run_id IN ({})", quoted_list(some));
            self.runs.extend(client.runs(experiments, &filter)?);
        }
        Ok(())
    }

    fn experiment_ids(&self) -> Vec<String> {
        self.experiments.iter().map(|experiment| experiment.id.clone()).collect()
    }

    /// Adds runs by their ids, and the parents of all.
    fn fetch_runs_and_parents(
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
            // Other programs may have written anything into the tag.
            wanted.retain(|id| RunId::parse(id).is_ok() && !looked_for.contains(id));
            if wanted.is_empty() {
                return Ok(());
            }
            let ids: Vec<String> = wanted.iter().cloned().collect();
            self.search_runs(client, experiments, &ids)?;
            looked_for.append(&mut wanted);
        }
    }

    /// Fetches the values from which the last *finite* value of a metric is found: MLflow sends only the last one with a
    /// run.
    ///
    /// # Errors
    /// Those of reaching the server.
    pub(crate) fn fetch_histories(&mut self, client: &Client) -> Result<(), StoreError> {
        let with_version: BTreeSet<&str> =
            self.versions.iter().map(|version| version.run_id.as_str()).collect();
        for run in &self.runs {
            let id = run.info.run_id.as_str();
            if !with_version.contains(id) {
                continue;
            }
            // MLflow stores an infinity as the largest number.
            let is_infinite = |value: f64| !value.is_finite() || value.abs() >= f64::MAX;
            for metric in run.data.metrics.iter().filter(|metric| is_infinite(metric.value)) {
                let history = client.metric_history(id, &metric.key)?;
                self.histories.extend(history.into_iter().map(|value| (id.to_owned(), value)));
            }
        }
        Ok(())
    }
}

/// The versions of a model that belong to some runs.
///
/// # Errors
/// Those of reaching the server.
fn versions_of_runs(
    client: &Client,
    name: &str,
    runs: &[&str],
) -> Result<Vec<ModelVersion>, StoreError> {
    let mut versions = Vec::new();
    for some in runs.chunks(IDS_PER_CALL) {
        versions.extend(client.versions(&filter_of_runs(name, some))?);
    }
    Ok(versions)
}

/// The filter that selects the versions of a model that belong to some runs, at most [`IDS_PER_CALL`].
pub(crate) fn filter_of_runs(name: &str, runs: &[&str]) -> String {
    format!("{} AND run_id IN ({})", name_filter(name), quoted_list(runs))
}

/// All experiments but those of the journal.
pub(crate) fn training_experiments(client: &Client) -> Result<Vec<Experiment>, StoreError> {
    let mut experiments = client.experiments()?;
    experiments.retain(|experiment| !Journal::is_its_experiment(&experiment.name));
    Ok(experiments)
}

fn quoted_list(ids: &[impl AsRef<str>]) -> String {
    let quoted: Vec<String> = ids.iter().map(|id| format!("'{}'", id.as_ref())).collect();
    quoted.join(",")
}
