//! The facts of a version for its seal: collected from MLflow's tables by the act that seals them.

use std::collections::BTreeMap;

use herdbook_domain::tags::{Tags, key};
use herdbook_domain::{
    EventDraft, Honesty, RunId, SealOrigin, Sealed, SealedMetric, TestBasis, Timestamp, Unsealed,
    VersionKey, window_params,
};
use serde_json::Value;

use crate::engine::db::{Conn, params};
use crate::error::StoreError;
use crate::tables::metric::{self, LatestMetric, MetricSelection};
use crate::tables::{event, run, tag, version};

/// Names of metrics that a program which measures its own model reports completely: without one of its values, the metric
/// is undefined.
const MEASURED: [&str; 8] = [
    "evaluation/",
    "final/",
    "portfolio/",
    "parent/",
    "improvement_",
    "previous_timesteps",
    "current_run_timesteps",
    "total_timesteps",
];

/// Whether a metric is a result of a model, which its own program reports.
pub fn is_measured(name: &str) -> bool {
    MEASURED.iter().any(|prefix| name.starts_with(prefix))
}

/// What a program knows of its own training. It is sealed in place of what MLflow holds, which other programs can change
/// until the registration. Empty for a run of another program.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Measured {
    /// The params of the run.
    pub params: BTreeMap<String, String>,
    /// The metrics of the model, without the course of the training; undefined ones are absent.
    pub metrics: BTreeMap<String, f64>,
    /// What evidence rests on of the test; `None` if nothing is known of its bars.
    pub test: Option<TestBasis>,
}

/// The files that MLflow serves as a version, hashed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServedFiles {
    /// Lower-case hex SHA-256 by path relative to the served folder.
    pub sha256: BTreeMap<String, String>,
    /// Why they could not be hashed; `None` if they were.
    pub problem: Option<String>,
}

/// The folder that MLflow serves as a version.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServedFolder {
    /// `model_versions.source`.
    pub source: Option<String>,
    /// `model_versions.storage_location`, which MLflow prefers to the source.
    pub storage_location: Option<String>,
    /// The location of the folder, without reference to a run; `None` if it is not known.
    pub location: Option<String>,
}

/// The folder that MLflow serves as a version.
///
/// # Errors
/// Those of the database.
pub fn served_folder(conn: &Conn, key: &VersionKey) -> Result<ServedFolder, StoreError> {
    let found: Option<(Option<String>, Option<String>)> = conn.query_first(
        "SELECT source, storage_location FROM model_versions
         WHERE workspace = 'default' AND name = ?1 AND version = ?2",
        params![key.name.as_str(), key.version.get()],
        |row| Ok((row.readable(0)?, row.readable(1)?)),
    )?;
    let (source, storage_location) = found.unwrap_or_default();
    let served = [&storage_location, &source].into_iter().flatten().find(|uri| !uri.is_empty());
    let location = served.map(|uri| resolved(conn, uri)).transpose()?.flatten();
    Ok(ServedFolder { source, storage_location, location })
}

/// A URI without reference to a run; `None` if it refers to something that is not on record.
///
/// # Errors
/// Those of the database.
pub(crate) fn resolved(conn: &Conn, uri: &str) -> Result<Option<String>, StoreError> {
    if uri.starts_with("models:/") {
        return Ok(None);
    }
    let Some(rest) = uri.strip_prefix("runs:/") else { return Ok(Some(uri.to_owned())) };
    let (id, path) = rest.split_once('/').unwrap_or((rest, ""));
    let Ok(run_id) = RunId::parse(id) else { return Ok(None) };
    match run::artifact_uri(conn, &run_id) {
        Ok(root) => Ok(Some(format!("{root}/{path}"))),
        Err(StoreError::NoSuchRun { .. } | StoreError::Artifact { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The facts for the seal of a registration by herdbook, apart from its files, their place and what
/// the registration names itself.
///
/// # Errors
/// Those of the database.
pub fn at_registration(
    conn: &Conn,
    run_id: &RunId,
    measured: &Measured,
    at: Timestamp,
) -> Result<Sealed, StoreError> {
    let mut metrics = metrics_of(conn, run_id)?;
    if !measured.metrics.is_empty() {
        let last_step = measured.metrics.get("total_timesteps").map_or(0, |total| *total as i64);
        metrics.retain(|name, _| !is_measured(name));
        let finite = measured.metrics.iter().filter(|(_, value)| value.is_finite());
        metrics.extend(
            finite.map(|(name, value)| {
                (name.clone(), SealedMetric { value: *value, step: last_step })
            }),
        );
    }
    let params = if measured.params.is_empty() {
        tag::params_of_run(conn, run_id.as_str())?
    } else {
        measured.params.clone()
    };
    Ok(Sealed {
        params: sealed_params(params),
        metrics,
        test: measured.test.clone(),
        ..Sealed::empty(at)
    })
}

/// The facts of a version without a seal, as MLflow holds them now. Where an older herdbook registered the version, the
/// facts in that event count more than MLflow's.
///
/// # Errors
/// Those of the database; [`StoreError::NoSuchVersion`].
pub fn collect(
    conn: &Conn,
    key: &VersionKey,
    files: &ServedFiles,
    at: Timestamp,
) -> Result<Unsealed, StoreError> {
    let record = version::load(conn, key)?;
    let run_id = match record.run_id {
        Some(run_id) => Some(run_id),
        None => event::registered_run(conn, key)?,
    };
    let mut facts = Sealed::empty(at);
    let mut tags = Tags::new();
    if let Some(run_id) = &run_id {
        facts.metrics = metrics_of(conn, run_id)?;
        facts.params = sealed_params(tag::params_of_run(conn, run_id.as_str())?);
        tags = tag::of_run(conn, run_id.as_str())?;
    }
    facts.honesty = honesty_of_tags(&record.tags, &tags);
    tags.extend(record.tags);
    facts.timeframe = tags.get(key::TIMEFRAME).and_then(|text| text.parse().ok());
    facts.model_type = tags.get(key::MODEL_TYPE).and_then(|text| text.parse().ok());
    facts.parent = tags.get(key::BASE_MODEL_RUN_ID).and_then(|text| RunId::parse(text).ok());
    facts.total_timesteps = tags.get(key::TOTAL_TIMESTEPS).and_then(|text| text.parse().ok());
    let folder = served_folder(conn, key)?;
    (facts.source, facts.storage_location) = (folder.source, folder.storage_location);
    facts.files.clone_from(&files.sha256);
    facts.files_problem.clone_from(&files.problem);
    let registered = event::registration(conn, key)?;
    if let Some(event) = &registered {
        facts = with_registration(facts, &event.what);
    }
    let origin =
        if registered.is_some() { SealOrigin::OlderHerdbook } else { SealOrigin::Elsewhere };
    Ok(Unsealed { origin, facts })
}

/// Replaces facts by those in an event `registered` without a seal.
#[must_use]
pub fn with_registration(mut facts: Sealed, event: &EventDraft) -> Sealed {
    let Ok(details) = serde_json::from_str::<Value>(&event.details) else { return facts };
    let text = |field: &str| details.get(field)?.as_str();
    facts.parent.clone_from(&event.parent);
    if let Some(honesty) = text("honesty").and_then(|text| text.parse().ok()) {
        facts.honesty = honesty;
    }
    facts.timeframe = text("timeframe").and_then(|text| text.parse().ok()).or(facts.timeframe);
    facts.model_type = text("model_type").and_then(|text| text.parse().ok()).or(facts.model_type);
    if let (Some(file), Some(sha256)) = (text("model_file"), text("model_sha256")) {
        let name = file.rsplit('/').next().unwrap_or(file);
        facts.files.insert(name.to_owned(), sha256.to_owned());
    }
    facts
}

/// The honesty by the tags of version and run: contaminated if one of them says so.
fn honesty_of_tags(version: &Tags, run: &Tags) -> Honesty {
    let of = |tags: &Tags| tags.get(key::HONESTY).and_then(|text| text.parse::<Honesty>().ok());
    match (of(version), of(run)) {
        (Some(Honesty::Contaminated), _) | (_, Some(Honesty::Contaminated)) => {
            Honesty::Contaminated
        }
        (of_version, of_run) => of_version.or(of_run).unwrap_or(Honesty::Unknown),
    }
}

fn sealed_params(params: BTreeMap<String, String>) -> BTreeMap<String, String> {
    let keys: Vec<&str> = window_params::sealed().collect();
    params.into_iter().filter(|(key, _)| keys.contains(&key.as_str())).collect()
}

/// The last finite value of each metric of a run.
fn metrics_of(conn: &Conn, run_id: &RunId) -> Result<BTreeMap<String, SealedMetric>, StoreError> {
    let latest = metric::latest_of_run(conn, run_id.as_str(), MetricSelection::All)?;
    let mut metrics = BTreeMap::new();
    for LatestMetric { key, value, step, .. } in &latest {
        let last_finite = if value.is_finite() {
            Some(SealedMetric { value: *value, step: *step })
        } else {
            last_finite(conn, run_id, key)?
        };
        metrics.extend(last_finite.map(|metric| (key.clone(), metric)));
    }
    Ok(metrics)
}

fn last_finite(
    conn: &Conn,
    run_id: &RunId,
    name: &str,
) -> Result<Option<SealedMetric>, StoreError> {
    let sql = format!(
        "SELECT m.value, m.step FROM metrics m WHERE m.run_uuid = ?1 AND m.key = ?2 AND {}
         ORDER BY m.step DESC, m.timestamp DESC, m.value DESC LIMIT 1",
        metric::FINITE
    );
    conn.query_first(&sql, params![run_id.as_str(), name], |row| {
        Ok(SealedMetric { value: row.get(0)?, step: row.get(1)? })
    })
}
