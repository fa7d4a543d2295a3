//! The open store behind `MLflowManager`, and its acts.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use herdbook_cli::{
    Failure, conditions_on_promotion, default_actor, registered_run_json, store_location,
};
use herdbook_domain::tags::Tags;
use herdbook_domain::{
    Actor, Channel, ExpectedChampion, ExperimentName, HEADLINE_METRICS, MetricName, ModelName,
    ModelType, Origin, PromotionRequest, Reason, RunId, RunPrefix, VersionKey, VersionNumber,
    VersionType,
};
use herdbook_store::{
    Contaminated, Effect, Metric, Missing, Notices, OpenOptions, RunEntries, RunStart, Session,
    Store, StoreError, UnfinishedEnd, VersionQuery, now, standard_state_folder,
    text_without_secrets,
};
use herdbook_training::{
    FindQuery, Heartbeat, MissingParent, RegisterRequest, find_best, find_latest, find_parent,
    logged_improvements, register_run,
};
use pyo3::prelude::*;
use serde_json::{Value, json};

use crate::artifacts::{checked_path, download, store_file, store_folder};
use crate::error::detached;
use crate::json::to_python;
use crate::shapes::{found_to_json, run_to_json, version_to_json};

/// An open store.
#[pyclass(frozen, module = "herdbook._native")]
pub(crate) struct Records {
    state: Mutex<Option<Open>>,
}

struct Open {
    store: Arc<Session>,
    /// Heartbeats of the runs that were started here and have not ended.
    heartbeats: BTreeMap<RunId, Heartbeat>,
}

#[pymethods]
impl Records {
    /// Opens the store of a tracking URI, else that of the working directory. A missing store is created unless
    /// `create` is false.
    #[new]
    #[pyo3(signature = (tracking_uri=None, *, actor=None, create=true, lock_timeout_s=10.0))]
    fn new(
        py: Python<'_>,
        tracking_uri: Option<String>,
        actor: Option<String>,
        create: bool,
        lock_timeout_s: f64,
    ) -> PyResult<Self> {
        let store = detached(py, || {
            let busy_timeout = Duration::try_from_secs_f64(lock_timeout_s).map_err(|_| {
                Failure::usage("`lock_timeout_s` must be a number of seconds, 0 or above")
            })?;
            let options = OpenOptions {
                missing: if create { Missing::Create } else { Missing::Refuse },
                busy_timeout,
                state_folder: standard_state_folder(),
                // The records are opened in a process of their own, whose stderr is that of the calling process.
                notices: Notices::new(|_, text| {
                    let _ = writeln!(std::io::stderr(), "herdbook: {}", text_without_secrets(text));
                }),
                ..OpenOptions::default()
            };
            let actor = actor.map_or_else(default_actor, |name| Ok(Actor::parse(&name)?))?;
            let location = store_location(tracking_uri.as_deref())?;
            let store = herdbook_remote::open(location, &options)?;
            Ok(store.session(actor, Channel::Python))
        })?;
        let open = Open { store: Arc::new(store), heartbeats: BTreeMap::new() };
        Ok(Self { state: Mutex::new(Some(open)) })
    }

    /// Closes the store. Every later call is refused.
    fn close(&self, py: Python<'_>) {
        let open = self.lock().take();
        py.detach(|| drop(open));
    }

    /// Absolute URI of the store.
    #[getter]
    fn uri(&self, py: Python<'_>) -> PyResult<String> {
        self.act(py, |store| Ok(store.location().uri()))
    }

    /// The id of the run that is named by its id or the beginning of its id.
    fn run_id_of(&self, py: Python<'_>, run_id: &str) -> PyResult<String> {
        self.act(py, |store| Ok(run_id_of(store, run_id)?.to_string()))
    }

    /// Starts a run, renews its lease until it ends, and returns its id.
    #[pyo3(signature = (*, experiment, timeframe, model, name, tags))]
    fn start_run(
        &self,
        py: Python<'_>,
        experiment: &str,
        timeframe: &str,
        model: &str,
        name: Option<String>,
        tags: Tags,
    ) -> PyResult<String> {
        let (run_id, heartbeat) = self.act(py, |store| {
            let start = RunStart {
                experiment: ExperimentName::parse(experiment)?,
                model: ModelName::parse(model)?,
                origin: Origin { timeframe: word(timeframe)?, enhanced: None },
                params: BTreeMap::new(),
                tags: Tags::new(),
                user_tags: tags,
                name,
            };
            let run_id = store.start_run(&start)?;
            let heartbeat = Heartbeat::start(Arc::clone(store), run_id.clone());
            Ok((run_id, heartbeat))
        })?;
        let id = run_id.to_string();
        if let Some(open) = self.lock().as_mut() {
            open.heartbeats.insert(run_id, heartbeat);
        }
        Ok(id)
    }

    /// Logs metrics (name, value, step), params and tags to a run: all of them, or none.
    #[pyo3(signature = (run_id, *, metrics=Vec::new(), params=BTreeMap::new(), tags=BTreeMap::new()))]
    fn log(
        &self,
        py: Python<'_>,
        run_id: &str,
        metrics: Vec<(String, f64, i64)>,
        params: BTreeMap<String, String>,
        tags: Tags,
    ) -> PyResult<()> {
        self.act(py, |store| {
            let at = now();
            let metrics =
                metrics.into_iter().map(|(key, value, step)| Metric { key, value, at, step });
            let entries = RunEntries { metrics: metrics.collect(), params, tags };
            Ok(store.log_to_run(&run_id_of(store, run_id)?, &entries)?)
        })
    }

    /// Stores bytes as an artifact of a run and returns their SHA-256.
    fn store_artifact(
        &self,
        py: Python<'_>,
        run_id: &str,
        artifact: &str,
        content: Vec<u8>,
    ) -> PyResult<String> {
        self.act(py, |store| {
            let artifact = checked_path(artifact)?;
            Ok(store.store_artifact(&run_id_of(store, run_id)?, artifact, &content)?)
        })
    }

    /// Stores a file, or a folder with its content, as artifacts of a run.
    #[pyo3(signature = (run_id, path, folder=None))]
    fn log_artifact(
        &self,
        py: Python<'_>,
        run_id: &str,
        path: PathBuf,
        folder: Option<&str>,
    ) -> PyResult<()> {
        self.act(py, |store| {
            let run_id = run_id_of(store, run_id)?;
            let folder =
                folder.map(checked_path).transpose()?.map(|folder| folder.trim_matches('/'));
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let place = |name: &str| match folder {
                Some(folder) if !folder.is_empty() => format!("{folder}/{name}"),
                _ => name.to_owned(),
            };
            if path.is_dir() {
                return store_folder(store, &run_id, &path, folder.unwrap_or_default());
            }
            store_file(store, &run_id, &place(&name), &path)
        })
    }

    /// Path of an artifact on this machine; the file may be missing. An artifact on a server is first downloaded into the
    /// folder `downloads`.
    fn artifact_path(
        &self,
        py: Python<'_>,
        run_id: &str,
        artifact: &str,
        downloads: PathBuf,
    ) -> PyResult<PathBuf> {
        self.act(py, |store| {
            let (run_id, artifact) = (run_id_of(store, run_id)?, checked_path(artifact)?);
            match store.artifact_path(&run_id, artifact) {
                Err(StoreError::ForeignArtifacts { .. }) => {
                    download(store, &run_id, artifact, &downloads)
                }
                outcome => Ok(outcome?),
            }
        })
    }

    /// Names of the files in a folder of a run's artifacts.
    fn artifacts(&self, py: Python<'_>, run_id: &str, folder: &str) -> PyResult<Vec<String>> {
        self.act(py, |store| {
            Ok(store.artifact_names(&run_id_of(store, run_id)?, checked_path(folder)?)?)
        })
    }

    /// Ends a run as `FINISHED`, `FAILED` or `KILLED`. A run that has ended is left unchanged.
    #[pyo3(signature = (run_id, *, model, status, reason=""))]
    fn end_run(
        &self,
        py: Python<'_>,
        run_id: &str,
        model: &str,
        status: &str,
        reason: &str,
    ) -> PyResult<()> {
        let run_id = self.act(py, |store| {
            let (run_id, model) = (run_id_of(store, run_id)?, ModelName::parse(model)?);
            match status {
                "FINISHED" => store.end_foreign_run(&run_id, &model)?,
                "FAILED" => store.end_run(&run_id, &model, UnfinishedEnd::Failed, reason)?,
                "KILLED" => store.end_run(&run_id, &model, UnfinishedEnd::Killed, reason)?,
                _ => {
                    let message = format!(
                        "`{status}` is not a final status: give `FINISHED`, `FAILED` or `KILLED`"
                    );
                    return Err(Failure::usage(&message));
                }
            }
            Ok(run_id)
        })?;
        self.forget(py, &run_id);
        Ok(())
    }

    /// The record of a run.
    fn run<'py>(&self, py: Python<'py>, run_id: &str) -> PyResult<Bound<'py, PyAny>> {
        let value =
            self.act(py, |store| Ok(run_to_json(&store.run(&run_id_of(store, run_id)?)?)))?;
        to_python(py, &value)
    }

    /// Registers the model of a run and ends the run. Its parent becomes `old` in the same act.
    #[pyo3(signature = (run_id, *, timeframe, model, model_type, parent, artifact, timesteps, tags, parent_here))]
    #[expect(clippy::too_many_arguments, reason = "each is a keyword of its own in Python")]
    fn register<'py>(
        &self,
        py: Python<'py>,
        run_id: &str,
        timeframe: &str,
        model: &str,
        model_type: &str,
        parent: Option<&str>,
        artifact: &str,
        timesteps: Option<u64>,
        tags: Tags,
        parent_here: Option<BTreeMap<String, f64>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (run_id, value) = self.act(py, |store| {
            let request = RegisterRequest {
                run_id: run_id_of(store, run_id)?,
                timeframe: word(timeframe)?,
                model: ModelName::parse(model)?,
                model_type: word(model_type)?,
                parent: parent.map(|parent| run_id_of(store, parent)).transpose()?,
                artifact: checked_path(artifact)?.to_owned(),
                trained_timesteps: timesteps,
                version_tags: tags,
                missing_parent: MissingParent::Refuse,
            };
            let done = register_run(store, &request, parent_here.as_ref())?;
            let mut value = registered_run_json(&request.run_id, &done);
            value["model_path"] = json!(request.run_id.model_path(request.timeframe));
            value["ahead_of_clock"] = json!(store.ahead_of_clock());
            Ok((request.run_id, value))
        })?;
        self.forget(py, &run_id);
        to_python(py, &value)
    }

    /// The newest model of a type, or `None`.
    #[pyo3(signature = (*, timeframe, model_type, version_type))]
    fn find_latest<'py>(
        &self,
        py: Python<'py>,
        timeframe: &str,
        model_type: &str,
        version_type: Option<&str>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let value = self.act(py, |store| {
            let query = query(timeframe, model_type, 0)?;
            let version_type = version_type.map(word::<VersionType>).transpose()?;
            Ok(found_to_json(find_latest(store, &query, version_type)?, query.timeframe))
        })?;
        to_python(py, &value)
    }

    /// The best model of a type by a metric, or `None`.
    #[pyo3(signature = (*, timeframe, model_type, metric, min_timesteps))]
    fn find_best<'py>(
        &self,
        py: Python<'py>,
        timeframe: &str,
        model_type: &str,
        metric: &str,
        min_timesteps: u64,
    ) -> PyResult<Bound<'py, PyAny>> {
        let value = self.act(py, |store| {
            let query = query(timeframe, model_type, min_timesteps)?;
            let metric = MetricName::parse(metric)?;
            Ok(found_to_json(find_best(store, &query, &metric)?, query.timeframe))
        })?;
        to_python(py, &value)
    }

    /// The model that an enhancement takes as parent: the best by a metric, or the newest if no metric is given. `None` if
    /// there is none.
    #[pyo3(signature = (*, timeframe, model_type, metric))]
    fn find_parent<'py>(
        &self,
        py: Python<'py>,
        timeframe: &str,
        model_type: &str,
        metric: Option<&str>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let value = self.act(py, |store| {
            let query = query(timeframe, model_type, 0)?;
            let metric = metric.map(MetricName::parse).transpose()?;
            Ok(found_to_json(find_parent(store, &query, metric.as_ref())?, query.timeframe))
        })?;
        to_python(py, &value)
    }

    /// Every version in a stage, newest first.
    #[pyo3(signature = (stage, timeframe=None))]
    fn find_by_stage<'py>(
        &self,
        py: Python<'py>,
        stage: &str,
        timeframe: Option<&str>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let value = self.act(py, |store| {
            let query = VersionQuery {
                stage: Some(word(stage)?),
                timeframe: timeframe.map(word).transpose()?,
                ..VersionQuery::default()
            };
            Ok(store.versions(&query)?.records.iter().map(version_to_json).collect::<Value>())
        })?;
        to_python(py, &value)
    }

    /// The stage of a version, or `None` if there is no such version.
    fn stage_of(&self, py: Python<'_>, name: &str, version: i64) -> PyResult<Option<String>> {
        self.act(py, |store| match store.version(&version_key(name, version)?) {
            Ok(version) => Ok(version.stage().map(|stage| stage.to_string())),
            Err(
                StoreError::NoSuchModel { .. }
                | StoreError::NoSuchVersion { .. }
                | StoreError::DeletedVersion { .. },
            ) => Ok(None),
            Err(error) => Err(error.into()),
        })
    }

    /// Moves a version to another stage.
    #[pyo3(signature = (name, version, stage, *, reason, force=false, expect_champion=None))]
    #[expect(clippy::too_many_arguments, reason = "each is a keyword of its own in Python")]
    fn promote<'py>(
        &self,
        py: Python<'py>,
        name: &str,
        version: i64,
        stage: &str,
        reason: Option<&str>,
        force: bool,
        expect_champion: Option<&str>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let value = self.act(py, |store| {
            let request = PromotionRequest {
                key: version_key(name, version)?,
                target: word(stage)?,
                reason: reason.map(Reason::parse).transpose()?,
                expected_champion: expect_champion.map(word::<ExpectedChampion>).transpose()?,
                force,
            };
            let conditions = conditions_on_promotion()?;
            let promotion = store.promote_under(&conditions, &request, Effect::Commit)?;
            let displaced = promotion.plan.displaced().map(|change| change.key.version);
            Ok(json!({
                "event_id": promotion.events.last().map(|event| event.id),
                "displaced": displaced,
                "ahead_of_clock": store.ahead_of_clock(),
            }))
        })?;
        to_python(py, &value)
    }
}

/// Improvements of the child over the parent in percent, by `improvement_<metric>`, for the headline metrics that both
/// have.
#[pyfunction]
pub(crate) fn improvements(
    parent: BTreeMap<String, f64>,
    child: BTreeMap<String, f64>,
) -> BTreeMap<String, f64> {
    let mut found = logged_improvements(&parent, &child);
    found.retain(|name, _| {
        name.strip_prefix("improvement_").is_some_and(|name| HEADLINE_METRICS.contains(&name))
    });
    found
}

impl Records {
    fn lock(&self) -> MutexGuard<'_, Option<Open>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Works on the store without holding the GIL or the lock, so that several threads can act at the same time.
    fn act<T: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&Arc<Session>) -> Result<T, Failure> + Send,
    ) -> PyResult<T> {
        let store = self.lock().as_ref().map(|open| Arc::clone(&open.store));
        detached(py, || {
            let store = store.ok_or_else(|| {
                Failure::usage("the records are closed: open them again with a new `MLflowManager`")
            })?;
            work(&store)
        })
    }

    /// Stops the heartbeat of a run that has ended.
    fn forget(&self, py: Python<'_>, run_id: &RunId) {
        let heartbeat = self.lock().as_mut().and_then(|open| open.heartbeats.remove(run_id));
        py.detach(|| drop(heartbeat));
    }
}

/// The run whose id, or its beginning, is given.
fn run_id_of(store: &Store, text: &str) -> Result<RunId, Failure> {
    Ok(store.run_id_of(&RunPrefix::parse(text)?)?)
}

fn word<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, Failure> {
    text.parse().map_err(|error: T::Err| Failure::usage(&error.to_string()))
}

fn version_key(name: &str, version: i64) -> Result<VersionKey, Failure> {
    Ok(VersionKey { name: ModelName::parse(name)?, version: VersionNumber::try_from(version)? })
}

fn query(timeframe: &str, model_type: &str, min_timesteps: u64) -> Result<FindQuery, Failure> {
    Ok(FindQuery {
        timeframe: word(timeframe)?,
        model_type: word::<ModelType>(model_type)?,
        symbol: None,
        min_timesteps,
        contaminated: Contaminated::Included,
    })
}
