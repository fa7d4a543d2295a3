//! A store in a temporary folder, with an experiment.

use std::time::Duration;

use herdbook_domain::{Actor, Channel};
use herdbook_mlflow::experiments::{self, NewExperiment};
use herdbook_mlflow::runs::{self, MetricValue, NewRun, Run};
use herdbook_mlflow::{ArtifactRoot, Code, MlflowError};
use herdbook_store::{Missing, OpenOptions, Session, Store};
use tempfile::TempDir;

use crate::backend::Database;

pub(crate) struct Served {
    pub(crate) session: Session,
    /// The id of an experiment.
    pub(crate) experiment: String,
    _database: Database,
    _folder: TempDir,
}

impl Served {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::new(folder.path());
        let options = OpenOptions {
            missing: Missing::Create,
            busy_timeout: Duration::from_secs(30),
            ..OpenOptions::default()
        };
        let store = Store::open(database.location.clone(), &options).unwrap();
        let session = store.session(Actor::parse("tester").unwrap(), Channel::Http);
        let mut served =
            Self { session, experiment: String::new(), _database: database, _folder: folder };
        served.experiment = served.create_experiment("first").unwrap().to_string();
        served
    }

    pub(crate) fn create_experiment(&self, name: &str) -> Result<i64, MlflowError> {
        let new = NewExperiment { name: name.to_owned(), ..NewExperiment::default() };
        experiments::create(&self.session, &root(), &new)
    }

    /// A run of a name and start.
    pub(crate) fn run(&self, name: &str, start_time: i64) -> Run {
        let new = NewRun {
            experiment_id: self.experiment.clone(),
            name: name.to_owned(),
            user_id: "ada".to_owned(),
            start_time,
            tags: Vec::new(),
        };
        runs::create(&self.session, &new).unwrap()
    }

    pub(crate) fn log(&self, run_id: &str, key: &str, value: f64, step: i64) {
        runs::log_metric(&self.session, run_id, &metric(key, value, step)).unwrap();
    }

    pub(crate) fn read(&self, run_id: &str) -> Run {
        runs::get(&self.session, run_id).unwrap()
    }
}

pub(crate) fn root() -> ArtifactRoot {
    ArtifactRoot::new(ArtifactRoot::PROXY)
}

/// A value whose time is its step.
pub(crate) fn metric(key: &str, value: f64, step: i64) -> MetricValue {
    MetricValue { key: key.to_owned(), value, timestamp: step, step, ..MetricValue::default() }
}

pub(crate) fn pair(key: &str, value: &str) -> (String, String) {
    (key.to_owned(), value.to_owned())
}

/// Code and text of a refusal.
pub(crate) fn refusal<T: std::fmt::Debug>(outcome: Result<T, MlflowError>) -> (Code, String) {
    match outcome.unwrap_err() {
        MlflowError::Refused { code, message } => (code, message),
        MlflowError::Store(error) => panic!("the store failed: {error}"),
    }
}
