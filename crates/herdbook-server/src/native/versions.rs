//! One version: everything about it, and the evidence since its training.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::extract::State;
use axum::http::Response;
use herdbook_domain::{Event, PromotionRequest, Seal, Stage, VersionKey};
use herdbook_store::{
    Effect, EventQuery, RunRecord, Store, StoreError, Submission, Submitted, VersionRecord,
    disagreements,
};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::native::call::Call;
use crate::native::commands;
use crate::native::failure::{ErrorBody, Failure};
use crate::native::query::NoParameters;
use crate::native::shape::event::HistoryEvent;
use crate::native::shape::evidence::{Evaluations, RecordedEvidence, Since, Standing};
use crate::native::shape::judgement::Judgement;
use crate::native::shape::version::ModelVersion;
use crate::native::state::Native;

/// Most events of a version's history in an answer; `/history` has all.
const MAX_EVENTS: usize = 200;

/// Everything about a version.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct VersionDetails {
    #[serde(flatten)]
    version: ModelVersion,
    /// All tags as MLflow holds them.
    tags: BTreeMap<String, String>,
    description: Option<String>,
    mlflow_stage: String,
    /// The windows of training, validation and test; null if they are not recorded.
    #[schema(value_type = Option<Object>)]
    windows: Value,
    /// The ancestors, the parent first, with their windows.
    ancestors: Vec<Ancestor>,
    run: Option<Run>,
    /// Each metric of the parent on the windows of this version, its value here, and the change.
    parent_figures: Vec<ParentFigure>,
    /// The figures of simple rules on the test window: `buy_and_hold_total_return` and others.
    baseline: BTreeMap<String, f64>,
    /// The evaluations since the training.
    evidence: Vec<RecordedEvidence>,
    standing: Option<Standing>,
    /// The rises that are possible from its stage and have conditions, with the verdicts as of now.
    conditions: Vec<Rise>,
    /// The sealed files in the folder that MLflow serves.
    files: Vec<SealedFile>,
    /// The sealed facts; null if none are sealed.
    #[schema(value_type = Option<Object>)]
    seal: Value,
    /// Where MLflow says otherwise than the seal.
    differs_from_mlflow: Vec<Difference>,
    /// The newest events, oldest first.
    history: Vec<HistoryEvent>,
    /// Commands and code that use the version.
    commands: Vec<String>,
}

/// An ancestor.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Ancestor {
    /// Null if the run is no longer on record: older ancestors are unknown then.
    run_id: Option<String>,
    name: Option<String>,
    #[schema(value_type = Option<Object>)]
    windows: Value,
}

/// The run of a version.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Run {
    name: String,
    experiment: String,
    status: String,
    started_at: String,
    ended_at: Option<String>,
    tags: BTreeMap<String, String>,
    params: BTreeMap<String, String>,
}

/// A metric beside the parent's.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ParentFigure {
    metric: String,
    value: Option<f64>,
    /// The parent's value on the windows of this version; null if only the improvement is recorded.
    parent: Option<f64>,
    /// The recorded improvement.
    improvement_percent: Option<f64>,
}

/// A rise with conditions.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Rise {
    to: String,
    /// Whether the rulebook would permit it now.
    is_permitted: bool,
    /// Why not.
    refusal: Option<String>,
    conditions: Option<Judgement>,
}

/// A sealed file.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SealedFile {
    path: String,
    sha256: String,
}

/// A fact of which MLflow holds another value than the seal.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Difference {
    what: String,
    #[schema(value_type = Option<Object>)]
    sealed: Value,
    #[schema(value_type = Option<Object>)]
    mlflow: Value,
}

/// Everything about a version.
#[utoipa::path(get, path = "/models/{name}/versions/{version}", tag = "versions",
    params(("name" = String, Path, description = "The registered model"),
        ("version" = u32, Path, description = "The number of the version")),
    responses((status = 200, body = VersionDetails), (status = "default", body = ErrorBody)))]
pub(super) async fn get_version(State(native): State<Native>, call: Call) -> Response<Body> {
    native
        .answer(call, |native, call| {
            let NoParameters {} = call.query()?;
            details(native, call, &call.version()?)
        })
        .await
}

/// The evaluations of a version since its training, and the evidence that follows.
#[utoipa::path(get, path = "/models/{name}/versions/{version}/evidence", tag = "versions",
    params(("name" = String, Path, description = "The registered model"),
        ("version" = u32, Path, description = "The number of the version")),
    responses((status = 200, body = Since), (status = "default", body = ErrorBody)))]
pub(super) async fn get_evidence(State(native): State<Native>, call: Call) -> Response<Body> {
    native
        .answer(call, |native, call| {
            let NoParameters {} = call.query()?;
            let key = native.store().version(&call.version()?)?.key;
            Ok(Evaluations::default().of(native.store(), &key)?)
        })
        .await
}

fn details(native: &Native, call: &Call, key: &VersionKey) -> Result<VersionDetails, Failure> {
    let store = native.store();
    let record = store.version(key)?;
    let run = run_of(store, &record)?;
    let since = Evaluations::default().of(store, key)?;
    let events = store.events(&EventQuery {
        name: Some(key.name.clone()),
        version: Some(key.version),
        ..EventQuery::default()
    })?;
    let seal =
        if record.seal_problem.is_some() { None } else { Seal::among(&events).ok().flatten() };
    let differing = seal.as_ref().map(|seal| disagreements(seal, &record, run.as_ref()));
    let newest: &[Event] = &events[events.len().saturating_sub(MAX_EVENTS)..];
    Ok(VersionDetails {
        version: ModelVersion::from(&record),
        tags: record.tags.clone(),
        description: record.description.clone(),
        mlflow_stage: record.mlflow_stage.clone(),
        windows: json!(run.as_ref().and_then(RunRecord::windows)),
        ancestors: ancestors(store, run.as_ref())?,
        parent_figures: parent_figures(&record),
        baseline: with_prefix(&record, "baseline/"),
        evidence: since.evidence,
        standing: since.standing,
        conditions: rises(native, call, &record),
        files: files(seal.as_ref()),
        seal: json!(seal),
        differs_from_mlflow: differing
            .into_iter()
            .flatten()
            .map(|it| Difference { what: it.what, sealed: it.sealed, mlflow: it.mlflow })
            .collect(),
        history: newest.iter().map(HistoryEvent::from).collect(),
        commands: commands::using(&record),
        run: run.map(shown_run),
    })
}

/// The run of a version; `None` if it was removed for good, or its row cannot be read.
fn run_of(store: &Store, record: &VersionRecord) -> Result<Option<RunRecord>, Failure> {
    let Some(run_id) = &record.run_id else { return Ok(None) };
    match store.run(run_id) {
        Ok(run) => Ok(Some(run)),
        Err(StoreError::NoSuchRun { .. } | StoreError::BrokenRecord { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn shown_run(run: RunRecord) -> Run {
    Run {
        name: run.name,
        experiment: run.experiment,
        status: run.status.to_string(),
        started_at: run.started_at.to_string(),
        ended_at: run.ended_at.map(|at| at.to_string()),
        tags: run.tags,
        params: run.params,
    }
}

fn ancestors(store: &Store, run: Option<&RunRecord>) -> Result<Vec<Ancestor>, Failure> {
    let Some(run) = run else { return Ok(Vec::new()) };
    let found = store.ancestors(&run.run_id)?.into_iter().map(|ancestor| Ancestor {
        windows: json!(ancestor.as_ref().and_then(RunRecord::windows)),
        run_id: ancestor.as_ref().map(|run| run.run_id.to_string()),
        name: ancestor.map(|run| run.name),
    });
    Ok(found.collect())
}

/// The metrics with a prefix, without it: those on which rules decide, else those of the run.
fn with_prefix(record: &VersionRecord, prefix: &str) -> BTreeMap<String, f64> {
    let mut found = record.metrics.finite_values();
    found.extend(record.finite_metrics());
    found
        .into_iter()
        .filter_map(|(name, value)| Some((name.strip_prefix(prefix)?.to_owned(), value)))
        .collect()
}

fn parent_figures(record: &VersionRecord) -> Vec<ParentFigure> {
    let parents = with_prefix(record, "parent/");
    let improvements = with_prefix(record, "improvement_");
    let mut names: Vec<&String> = parents.keys().chain(improvements.keys()).collect();
    names.sort_unstable();
    names.dedup();
    let figure = |metric: &String| ParentFigure {
        metric: metric.clone(),
        value: record.metric(metric),
        parent: parents.get(metric).copied(),
        improvement_percent: improvements.get(metric).copied(),
    };
    names.into_iter().map(figure).collect()
}

/// The rises that have conditions, each as a dry run judges it.
fn rises(native: &Native, call: &Call, record: &VersionRecord) -> Vec<Rise> {
    let conditions = &native.life_cycle().conditions;
    let Some(stage) = record.stage() else { return Vec::new() };
    let targets = stage.targets().iter().filter(|to| matches!(to, Stage::Beta | Stage::Champion));
    let judged = targets.filter(|to| {
        conditions.before(**to, &record.key.name, record.timeframe()).next().is_some()
    });
    judged.map(|to| rise(native, call, &record.key, *to)).collect()
}

fn rise(native: &Native, call: &Call, key: &VersionKey, target: Stage) -> Rise {
    let request = PromotionRequest {
        key: key.clone(),
        target,
        reason: None,
        expected_champion: None,
        force: false,
    };
    let conditions = &native.life_cycle().conditions;
    let outcome = native.session(call).submit_promotion(
        conditions,
        &request,
        Effect::DryRun,
        &Submission::default(),
    );
    let to = target.to_string();
    match outcome {
        Ok(Submitted::Now(planned)) => {
            let conditions = Some(Judgement::from(&planned.promotion.plan.judgement));
            Rise { to, is_permitted: true, refusal: None, conditions }
        }
        Ok(Submitted::Before(_)) => {
            Rise { to, is_permitted: true, refusal: None, conditions: None }
        }
        Err(error) => {
            let failure = Failure::from(error);
            let (refusal, conditions) =
                (Some(failure.message().to_owned()), failure.conditions().cloned());
            Rise { to, is_permitted: false, refusal, conditions }
        }
    }
}

fn files(seal: Option<&Seal>) -> Vec<SealedFile> {
    let files = seal.into_iter().flat_map(|seal| &seal.facts.files);
    files.map(|(path, sha256)| SealedFile { path: path.clone(), sha256: sha256.clone() }).collect()
}
