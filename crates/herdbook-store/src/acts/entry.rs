//! Versions that a client of MLflow creates, on a run whose tags tell the origin of its model: they enter the life cycle in
//! the act that creates them.
//!
//! If the folder that MLflow serves is the run's model folder and holds `model.zip`, the version is registered with the hash
//! of that file. Otherwise it is adopted: its history begins with what MLflow holds at this moment.

use std::collections::BTreeMap;

use herdbook_domain::import::{ToldOrigin, told_origin};
use herdbook_domain::tags::{Tags, key};
use herdbook_domain::{
    EnhancedFrom, Honesty, Improvement, ModelName, ModelType, Origin, Registration,
    RegistrationFacts, RunId, RunStatus, SealOrigin, Sealed, Stage, Timestamp, Unsealed,
    VersionFacts, adopted_event, guard_version_tags, improvements, judge_honesty,
    plan_registration, window_params,
};

use crate::acts::files::HashedFiles;
use crate::acts::foreign_run::require_active;
use crate::acts::registration::{
    self, NewVersion, Registered, VersionRow, carry_out, last_version, register, versions_of_run,
};
use crate::acts::sealing;
use crate::engine::db::Conn;
use crate::error::StoreError;
use crate::search::ancestors::ancestors_in;
use crate::session::{Act, Session};
use crate::tables::metric::{self, Metric};
use crate::tables::run::{self, RunRecord};
use crate::tables::tag;
use crate::tables::unsealed::{self, Measured, ServedFiles, ServedFolder};
use crate::tables::version::{self, VersionRecord};

/// The name of the model file in the model folder of a run.
const MODEL_FILE: &str = "model.zip";

/// A version that a client of MLflow creates.
#[derive(Debug, Clone)]
pub struct VersionEntry {
    /// Its registered model, which exists.
    pub name: ModelName,
    /// Its run.
    pub run_id: RunId,
    /// The columns of its row that the client decides.
    pub row: VersionRow,
    /// Its tags, in addition to those that the registration computes.
    pub tags: Tags,
}

impl Session {
    /// Creates a version on a run whose tags tell the origin of its model, and ends the run as FINISHED, in one act. The
    /// version begins in development, its parent turns `old`, and its improvements over the parent are logged.
    ///
    /// Also returns the keys of given tags that were replaced by values that the registration computes.
    ///
    /// # Errors
    /// [`StoreError::NoSuchModel`], [`StoreError::NoSuchRun`]; [`StoreError::RunNotRunning`] if the run was deleted;
    /// [`StoreError::RunNotFinished`] if it failed or was cancelled; [`StoreError::AlreadyRegistered`];
    /// [`StoreError::CannotRegister`] if its tags tell no origin, or name a parent that does not fit;
    /// [`StoreError::Refused`] for a tag that herdbook manages.
    pub fn enter_version(
        &self,
        entry: &VersionEntry,
    ) -> Result<(Registered, Vec<String>), StoreError> {
        let location = self.read(|conn| unsealed::resolved(conn, &entry.row.storage_location))?;
        let source = Some(entry.row.source.clone());
        let folder = ServedFolder { location, source, ..ServedFolder::default() };
        let served = self.hash_served(&folder, Some(&entry.run_id))?;
        let served = Served { files: served, location: folder.location };
        self.with_hashed_files(HashedFiles::default(), |files| {
            self.write(|act| enter(act, entry, &served, files))
        })
    }
}

/// The folder that MLflow serves, hashed.
struct Served {
    files: ServedFiles,
    /// `None` if it is not known.
    location: Option<String>,
}

fn enter(
    act: &Act<'_>,
    entry: &VersionEntry,
    served: &Served,
    files: &HashedFiles,
) -> Result<(Registered, Vec<String>), StoreError> {
    let (conn, run_id) = (act.tx, &entry.run_id);
    let status = require_active(conn, run_id)?;
    let is_running = status == RunStatus::Running.as_str();
    if !is_running {
        run::require_finished(conn, run_id)?;
    }
    version::require_model(conn, &entry.name)?;
    if let Some(key) = version::keys_of_run(conn, run_id)?.pop() {
        return Err(StoreError::AlreadyRegistered { run_id: run_id.clone(), key });
    }
    let run = run::load(conn, run_id)?;
    let told = told_origin(&run.tags).ok_or_else(|| {
        cannot(run_id, "its tags `timeframe` and `model_type` do not tell how it was trained")
    })?;
    let parent = parent(conn, &run, &told)?;
    let origin = origin(&told, parent.as_ref());
    let trained_timesteps = trained_timesteps(entry, &run, &origin);
    let improvements = improvements_over(parent.as_ref(), &run);
    let at = act.time_for([&entry.name])?;
    metric::log(conn, run_id, &metrics(&origin, trained_timesteps, &improvements, at))?;
    let mut run_tags = origin.run_tags();
    if let Some(parent) = &parent {
        let basis = basis(&parent.run, &run);
        run_tags.insert(key::IMPROVEMENT_BASIS.to_owned(), basis.to_owned());
    }
    tag::set_on_run(conn, run_id, &run_tags)?;
    let model_folder = format!("{}/models/{}", run::artifact_uri(conn, run_id)?, told.timeframe);
    let is_model_folder = served.location.as_ref() == Some(&model_folder);
    let model_file = served.files.sha256.get(MODEL_FILE).filter(|_| is_model_folder);
    let request = Registration {
        run_id: run_id.clone(),
        name: entry.name.clone(),
        honesty: honesty(conn, &run)?,
        origin,
        trained_timesteps,
        model_sha256: model_file.cloned().unwrap_or_default(),
    };
    let new = NewVersion {
        request: &request,
        row: Some(&entry.row),
        served: &served.files,
        measured: &Measured::default(),
        files,
    };
    let (registered, at) =
        if model_file.is_some() { register(act, &new, None)? } else { adopt(act, &new)? };
    let planned = tag::of_version(conn, &registered.key)?;
    let (free, overruled) = guard_version_tags(&entry.tags, &planned)?;
    tag::set_on_version(conn, &registered.key, &free)?;
    if is_running {
        run::close(conn, run_id, RunStatus::Finished, at)?;
    }
    Ok((registered, overruled))
}

/// Creates the version as a registration does, with an event that adopts it: no hash of a model file is recorded.
fn adopt(act: &Act<'_>, new: &NewVersion<'_>) -> Result<(Registered, Timestamp), StoreError> {
    let (conn, request) = (act.tx, new.request);
    let parents = registration::names_of_parent(conn, request)?;
    let at = act.time_for(parents.iter().chain([&request.name]))?;
    let parent = request.origin.enhanced.as_ref().map(|enhanced| &enhanced.parent);
    let facts = RegistrationFacts {
        last_version: last_version(conn, &request.name)?,
        parent_versions: match parent {
            Some(parent) => versions_of_run(conn, parent)?,
            None => Vec::new(),
        },
        sealed: Sealed::empty(at),
    };
    let plan = plan_registration(request, &facts, at);
    let seals = match parent {
        Some(parent) => sealing::seal_versions_of(conn, parent, new.files, at)?,
        None => Vec::new(),
    };
    carry_out(act, new, &plan, at)?;
    let adopted = adopted_event(&VersionFacts {
        key: plan.key.clone(),
        run_id: Some(request.run_id.clone()),
        stage_tag: Some(Stage::Development.to_string()),
        history_end: None,
        honesty: request.honesty,
        promotion_keys: Vec::new(),
        obstacle: None,
        symbol: None,
        deleted: false,
        unsealed: Some(Unsealed {
            origin: SealOrigin::Elsewhere,
            facts: unsealed::collect(conn, &plan.key, new.served, at)?.facts,
        }),
    });
    // The first event of the plan is that of a registration.
    let superseded = plan.events.into_iter().skip(1);
    let events = act.append(at, seals.into_iter().chain([adopted]).chain(superseded))?;
    Ok((Registered { key: plan.key, superseded: plan.superseded, events }, at))
}

/// The parent of a run.
struct Parent {
    version: VersionRecord,
    run: RunRecord,
}

/// The parent that the tags of a run name: it must be registered, and of the run's timeframe and symbol.
fn parent(conn: &Conn, run: &RunRecord, told: &ToldOrigin) -> Result<Option<Parent>, StoreError> {
    let child = &run.run_id;
    let Some(parent) = &told.parent else {
        return match told.model_type {
            ModelType::Base => Ok(None),
            other => Err(cannot(
                child,
                format!("its type is `{other}`, but its tag `base_model_run_id` names no parent"),
            )),
        };
    };
    let unregistered = || cannot(child, format!("its parent, run `{parent}`, is not registered"));
    let key = version::keys_of_run(conn, parent)?.pop().ok_or_else(unregistered)?;
    let version = version::load_with_metrics(conn, &key)?;
    version.check_seal()?;
    let parent = Parent { run: run::load(conn, parent)?, version };
    let timeframe = parent.version.timeframe().map(|timeframe| timeframe.to_string());
    check_fit(child, &parent, "timeframe", timeframe.as_deref(), told.timeframe.as_str())?;
    if let Some(symbol) = run.params.get(window_params::SYMBOL) {
        let of_parent = parent.run.params_for_rules().get(window_params::SYMBOL);
        check_fit(child, &parent, "symbol", of_parent.map(String::as_str), symbol)?;
    }
    Ok(Some(parent))
}

fn check_fit(
    child: &RunId,
    parent: &Parent,
    what: &str,
    of_parent: Option<&str>,
    of_child: &str,
) -> Result<(), StoreError> {
    match of_parent {
        Some(of_parent) if !of_parent.eq_ignore_ascii_case(of_child) => Err(cannot(
            child,
            format!(
                "its {what} is `{of_child}`, but that of its parent {} is `{of_parent}`",
                parent.version.key
            ),
        )),
        _ => Ok(()),
    }
}

fn origin(told: &ToldOrigin, parent: Option<&Parent>) -> Origin {
    let enhanced = parent.map(|parent| EnhancedFrom {
        enhancement: told.enhancement,
        parent: parent.run.run_id.clone(),
        previous_timesteps: parent.version.total_timesteps().unwrap_or(0),
    });
    Origin { timeframe: told.timeframe, enhanced }
}

/// Honesty by the recorded windows; `unknown` without them, and for a test that seems honest but whose bars have closes on
/// record, which are not compared here.
fn honesty(conn: &Conn, run: &RunRecord) -> Result<Honesty, StoreError> {
    let Some(windows) = run.windows() else { return Ok(Honesty::Unknown) };
    let (ancestors, _) = ancestors_in(conn, &run.run_id)?;
    let of_ancestors: Vec<_> =
        ancestors.iter().map(|run| run.as_ref().and_then(RunRecord::windows)).collect();
    let has_closes = run.params.contains_key(window_params::CLOSES_SHA256);
    Ok(match judge_honesty(&windows, &of_ancestors) {
        Honesty::Clean if has_closes => Honesty::Unknown,
        honesty => honesty,
    })
}

/// Timesteps of this run: as logged, else by the total of the client, from which those of the parent are taken away.
fn trained_timesteps(entry: &VersionEntry, run: &RunRecord, origin: &Origin) -> u64 {
    let logged = |name: &str| run.metric(name).map(|value| value.max(0.0) as u64);
    let previous = origin.enhanced.as_ref().map_or(0, |enhanced| enhanced.previous_timesteps);
    let without_parent = |total: u64| if total > previous { total - previous } else { total };
    let told = entry.tags.get(key::TOTAL_TIMESTEPS).and_then(|text| text.parse().ok());
    logged("current_run_timesteps")
        .or_else(|| logged("total_timesteps").or(told).map(without_parent))
        .unwrap_or(0)
}

fn improvements_over(parent: Option<&Parent>, run: &RunRecord) -> BTreeMap<String, Improvement> {
    let Some(parent) = parent else { return BTreeMap::new() };
    improvements(&parent.run.metrics_for_rules(), &run.finite_metrics())
}

/// Whether the values of parent and child were measured on the same windows: the value of the tag `improvement_basis`.
fn basis(parent: &RunRecord, child: &RunRecord) -> &'static str {
    let of_parent = parent.params_for_rules();
    let is_same = window_params::of_result()
        .all(|key| of_parent.contains_key(key) && of_parent.get(key) == child.params.get(key));
    if is_same { "same_windows" } else { "logged" }
}

fn metrics(
    origin: &Origin,
    trained: u64,
    improvements: &BTreeMap<String, Improvement>,
    at: Timestamp,
) -> Vec<Metric> {
    let previous = origin.enhanced.as_ref().map_or(0, |enhanced| enhanced.previous_timesteps);
    let total = previous.saturating_add(trained);
    let mut values = vec![
        ("previous_timesteps".to_owned(), previous as f64),
        ("current_run_timesteps".to_owned(), trained as f64),
        ("total_timesteps".to_owned(), total as f64),
    ];
    values.extend(improvements.iter().filter_map(|(name, improvement)| {
        Some((format!("improvement_{name}"), improvement.percent?))
    }));
    let step = i64::try_from(total).unwrap_or(i64::MAX);
    values.into_iter().map(|(key, value)| Metric { key, value, at, step }).collect()
}

fn cannot(run_id: &RunId, problem: impl Into<String>) -> StoreError {
    StoreError::CannotRegister { run_id: run_id.clone(), problem: problem.into() }
}
