//! A model that a script trained in a run of its own, registered: by stable-baselines3 or anything else, in a run
//! that herdbook or MLflow started.

use std::collections::BTreeMap;

use herdbook_domain::tags::{Tags, key};
use herdbook_domain::{
    EnhancedFrom, Enhancement, Honesty, ModelName, ModelType, Origin, Registration, RunId,
    Timeframe, data_fingerprint, judge, window_params,
};
use herdbook_ppo::Model;
use herdbook_store::{ForeignFinish, Metric, Registered, RunRecord, Session, VersionRecord, now};

use crate::parent::check_fit;
use crate::record::{ImprovementBasis, ImprovementReport};
use crate::registered_model::lineage_windows;
use crate::{TrainingError, exports};

/// Asks for the model of a run to be registered.
#[derive(Debug, Clone)]
pub struct RegisterRequest {
    /// The run.
    pub run_id: RunId,
    /// Length of the bars it was trained on.
    pub timeframe: Timeframe,
    /// The registered model to join.
    pub model: ModelName,
    /// Its type; a base model with a parent is a `continued` one.
    pub model_type: ModelType,
    /// The run of its parent; `None`: the one that the run's tag names.
    pub parent: Option<RunId>,
    /// Its file among the run's artifacts.
    pub artifact: String,
    /// Timesteps of this run; `None`: as its metrics or its file tell.
    pub trained_timesteps: Option<u64>,
    /// Further tags of the version.
    pub version_tags: Tags,
}

/// A model that was registered.
#[derive(Debug)]
pub struct RegisteredRun {
    /// Its version, and what became of its parent.
    pub registered: Registered,
    /// Its type.
    pub model_type: ModelType,
    /// Whether its test window is free of bars that it or an ancestor has seen.
    pub honesty: Honesty,
    /// Beside its parent.
    pub improvement: Option<ImprovementReport>,
    /// What a person should know.
    pub notes: Vec<String>,
}

/// Registers the model of a run and ends the run; its parent turns `old` in the same act.
///
/// The file is kept byte for byte, as `models/<timeframe>/model.zip`. `parent_here` is what the parent brings on the
/// windows and at the costs of the run, where it could be run there: it counts where the two were not tested alike.
pub fn register_run(
    store: &Session,
    request: &RegisterRequest,
    parent_here: Option<&BTreeMap<String, f64>>,
) -> Result<RegisteredRun, TrainingError> {
    let run = store.run(&request.run_id)?;
    let bytes = store.read_artifact(&request.run_id, &request.artifact)?;
    let model = Model::from_zip(&bytes, &request.artifact);
    let parent = parent(store, request, &run)?;
    let origin = origin(request, &run, parent.as_ref())?;
    let improvement = improvement(&run, parent.as_ref(), parent_here);
    let honesty = honesty(store, &run, parent.as_ref())?;
    let canonical = RunId::model_artifact(request.timeframe);
    let model_sha256 = store.store_artifact(&request.run_id, &canonical, &bytes)?;
    let mut notes = Vec::new();
    match &model {
        Ok(model) => {
            for (path, bytes) in
                exports::of_model(&model.policy, request.timeframe, &request.run_id)
            {
                store.store_artifact(&request.run_id, &path, &bytes)?;
            }
        }
        Err(error) => notes.push(format!("herdbook can neither run nor enhance it: {error}")),
    }
    let trained_timesteps = trained_timesteps(request, &run, model.as_ref().ok(), &origin);
    let finish = ForeignFinish {
        metrics: metrics(&origin, trained_timesteps, improvement.as_ref()),
        run_tags: run_tags(request, &run, &origin, honesty, improvement.as_ref()),
        version_tags: request.version_tags.clone(),
        registration: Registration {
            run_id: request.run_id.clone(),
            name: request.model.clone(),
            trained_timesteps,
            honesty,
            model_sha256,
            origin,
        },
    };
    let (registered, overruled) = store.register_foreign(&finish)?;
    notes.extend(overruled.iter().map(|key| format!("the tag `{key}` is computed, not taken")));
    let model_type = finish.registration.origin.model_type();
    Ok(RegisteredRun { registered, model_type, honesty, improvement, notes })
}

/// A parent with its run.
struct Parent {
    version: VersionRecord,
    run: RunRecord,
}

fn parent(
    store: &Session,
    request: &RegisterRequest,
    run: &RunRecord,
) -> Result<Option<Parent>, TrainingError> {
    let tagged = || RunId::parse(run.tags.get(key::BASE_MODEL_RUN_ID)?).ok();
    let Some(run_id) = request.parent.clone().or_else(tagged) else {
        return Ok(None);
    };
    let parent = store.run(&run_id)?;
    let version = store.version_of_run(&run_id)?;
    let version = version.ok_or(TrainingError::NotRegistered { run_id })?;
    let timeframe = version.tags.get(key::TIMEFRAME);
    check_fit(&version.key, "timeframe", timeframe, request.timeframe.as_str())?;
    if let Some(symbol) = run.params.get(window_params::SYMBOL) {
        check_fit(&version.key, "symbol", parent.params.get(window_params::SYMBOL), symbol)?;
    }
    Ok(Some(Parent { version, run: parent }))
}

fn origin(
    request: &RegisterRequest,
    run: &RunRecord,
    parent: Option<&Parent>,
) -> Result<Origin, TrainingError> {
    let Some(parent) = parent else {
        return match request.model_type {
            ModelType::Base => Ok(Origin { timeframe: request.timeframe, enhanced: None }),
            model_type => {
                Err(TrainingError::NoParentNamed { run_id: run.run_id.clone(), model_type })
            }
        };
    };
    let told = run.tags.get(key::ENHANCEMENT_TYPE).and_then(|text| text.parse().ok());
    let enhancement = match request.model_type {
        ModelType::Base => told.unwrap_or(Enhancement::Continued),
        model_type => model_type.as_str().parse().unwrap_or(Enhancement::Continued),
    };
    Ok(Origin {
        timeframe: request.timeframe,
        enhanced: Some(EnhancedFrom {
            enhancement,
            parent: parent.run.run_id.clone(),
            previous_timesteps: parent.version.tag(key::TOTAL_TIMESTEPS).unwrap_or(0),
        }),
    })
}

/// What was recorded of the run's windows decides; without it nobody knows.
fn honesty(
    store: &Session,
    run: &RunRecord,
    parent: Option<&Parent>,
) -> Result<Honesty, TrainingError> {
    let Some(windows) = run.windows() else { return Ok(Honesty::Unknown) };
    let ancestors = match parent {
        Some(parent) => lineage_windows(store, &parent.run)?,
        None => Vec::new(),
    };
    Ok(judge(&windows, &ancestors))
}

/// The run's metrics beside its parent's: those that were logged, or the parent's from the run's own windows where
/// it can be run there.
fn improvement(
    run: &RunRecord,
    parent: Option<&Parent>,
    parent_here: Option<&BTreeMap<String, f64>>,
) -> Option<ImprovementReport> {
    let parent = parent?;
    let same = ImprovementBasis::of(&parent.run.params, &run.params);
    let (basis, values) = match (same, parent_here) {
        (ImprovementBasis::SameWindows, _) => (same, parent.run.finite_metrics()),
        (_, Some(values)) => (ImprovementBasis::Reevaluated, values.clone()),
        (_, None) => (ImprovementBasis::Logged, parent.run.finite_metrics()),
    };
    Some(ImprovementReport::new(basis, &values, &run.finite_metrics()))
}

/// Timesteps of this run. A file of stable-baselines3 counts those of its parent too, unless its counter was reset.
fn trained_timesteps(
    request: &RegisterRequest,
    run: &RunRecord,
    model: Option<&Model>,
    origin: &Origin,
) -> u64 {
    let logged = |name: &str| run.metric(name).map(|value| value.max(0.0) as u64);
    let previous = origin.enhanced.as_ref().map_or(0, |enhanced| enhanced.previous_timesteps);
    let without_parent = |total: u64| if total > previous { total - previous } else { total };
    request
        .trained_timesteps
        .or_else(|| logged("current_run_timesteps"))
        .or_else(|| model.map(|model| without_parent(model.num_timesteps)))
        .or_else(|| logged("total_timesteps").map(without_parent))
        .unwrap_or(0)
}

fn metrics(origin: &Origin, trained: u64, improvement: Option<&ImprovementReport>) -> Vec<Metric> {
    let previous = origin.enhanced.as_ref().map_or(0, |enhanced| enhanced.previous_timesteps);
    let total = previous.saturating_add(trained);
    let mut values = vec![
        ("previous_timesteps".to_owned(), previous as f64),
        ("current_run_timesteps".to_owned(), trained as f64),
        ("total_timesteps".to_owned(), total as f64),
    ];
    values.extend(improvement.map(ImprovementReport::to_metrics).unwrap_or_default());
    let (at, step) = (now(), i64::try_from(total).unwrap_or(i64::MAX));
    values.into_iter().map(|(key, value)| Metric { key, value, at, step }).collect()
}

fn run_tags(
    request: &RegisterRequest,
    run: &RunRecord,
    origin: &Origin,
    honesty: Honesty,
    improvement: Option<&ImprovementReport>,
) -> Tags {
    let fingerprint = data_fingerprint(request.timeframe, origin.model_type(), &run.params);
    let mut tags = Tags::from([
        (window_params::FINGERPRINT.to_owned(), fingerprint),
        (key::HONESTY.to_owned(), honesty.to_string()),
    ]);
    let basis = improvement.map(|improvement| improvement.basis.as_str().to_owned());
    tags.extend(basis.map(|basis| (key::IMPROVEMENT_BASIS.to_owned(), basis)));
    tags
}

/// The improvements of one run over another by the values that both logged, in percent, by metric.
pub fn logged_improvements(
    parent: &BTreeMap<String, f64>,
    child: &BTreeMap<String, f64>,
) -> BTreeMap<String, f64> {
    let report = ImprovementReport::new(ImprovementBasis::Logged, parent, child);
    report.to_metrics().into_iter().collect()
}
