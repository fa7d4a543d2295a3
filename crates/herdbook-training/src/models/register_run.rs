//! Registration of a model that a script trained, with stable-baselines3 or anything else, in a run that it started
//! itself through herdbook or MLflow.

use std::collections::BTreeMap;

use herdbook_domain::import::parent_of;
use herdbook_domain::tags::{Tags, key};
use herdbook_domain::{
    EnhancedFrom, Enhancement, Honesty, ModelName, ModelType, Origin, Registration, RunId,
    TestBasis, Timeframe, data_fingerprint, judge_honesty, window_params,
};
use herdbook_ppo::Model;
use herdbook_store::{
    ForeignFinish, Metric, Registered, RunRecord, Session, StoreError, VersionRecord, now,
};

use crate::content::lineage::Lineage;
use crate::content::stored_closes::{OF_TRAINING, StoredCloses};
use crate::content::tested::{Tested, with_all_compared};
use crate::error::TrainingError;
use crate::models::mlflow_files;
use crate::models::parent::check_fit;
use crate::results::improvement::{ImprovementBasis, ImprovementReport};

/// Request to register the model of a run.
#[derive(Debug, Clone)]
pub struct RegisterRequest {
    /// The run.
    pub run_id: RunId,
    /// Length of the bars it was trained on.
    pub timeframe: Timeframe,
    /// The registered model that gets the new version.
    pub model: ModelName,
    /// Type of the model. `base` with a parent is registered as the run's enhancement type, by default `continued`.
    pub model_type: ModelType,
    /// The run of the parent; `None` uses the run's tag `base_model_run_id`.
    pub parent: Option<RunId>,
    /// Artifact path of the model file.
    pub artifact: String,
    /// Timesteps trained in this run; `None` reads them from the run's metrics or the model file.
    pub trained_timesteps: Option<u64>,
    /// Additional tags of the version.
    pub version_tags: Tags,
    /// What happens if the parent's run is not in the store, or has no version.
    pub missing_parent: MissingParent,
}

/// What a registration does if its parent is not registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MissingParent {
    /// It is refused.
    Refuse,
    /// The version names its parent all the same. Its honesty is unknown and the doctor reports the parent.
    Keep,
}

/// Result of a registration.
#[derive(Debug)]
pub struct RegisteredRun {
    /// The registered version, and the changes to its parent.
    pub registered: Registered,
    /// Type of the model.
    pub model_type: ModelType,
    /// Whether the test window has bars that the model or an ancestor was trained or validated on.
    pub honesty: Honesty,
    /// Improvement over the parent; `None` for a base model.
    pub improvement: Option<ImprovementReport>,
    /// Notes for the user.
    pub notes: Vec<String>,
}

/// Registers the model of a run and ends the run. In the same transaction the parent becomes `old`.
///
/// The file is stored byte for byte as `models/<timeframe>/model.zip`. `parent_here` holds the parent's metrics measured
/// on the windows and costs of the run, if the caller could run it; they are used for the improvement if the parent's
/// logged metrics come from other windows or costs.
///
/// # Errors
/// [`TrainingError::NotRegistered`] if the parent's run has no version, [`TrainingError::ParentMismatch`] if its timeframe
/// or symbol differs, [`TrainingError::NoParentNamed`] if an enhanced model names no parent, [`TrainingError::Store`] if
/// the store cannot be read or written.
pub fn register_run(
    store: &Session,
    request: &RegisterRequest,
    parent_here: Option<&BTreeMap<String, f64>>,
) -> Result<RegisteredRun, TrainingError> {
    let run = store.run(&request.run_id)?;
    let bytes = store.read_artifact(&request.run_id, &request.artifact)?;
    let model = Model::from_zip(&bytes, &request.artifact);
    let named = parent(store, request, &run)?;
    let origin = origin(request, &run, &named)?;
    let honesty = honesty(store, &run, &named)?;
    let parent = named.known();
    let improvement = improvement(&run, parent, parent_here);
    let mut notes = Vec::new();
    if let NamedParent::Missing(run_id) = &named {
        notes.push(format!("its parent `{run_id}` has no version here: its honesty is unknown"));
    }
    let canonical = RunId::model_artifact(request.timeframe);
    let model_sha256 = store.store_artifact(&request.run_id, &canonical, &bytes)?;
    match &model {
        Ok(model) => {
            for (path, bytes) in
                mlflow_files::of_model(&model.policy, request.timeframe, &request.run_id)
            {
                store.store_artifact(&request.run_id, &path, &bytes)?;
            }
        }
        Err(error) => notes.push(format!("herdbook cannot run or enhance this model: {error}")),
    }
    let trained_timesteps = trained_timesteps(request, &run, model.as_ref().ok(), &origin);
    let mut finish = ForeignFinish {
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
        test: None,
    };
    let (registered, overruled) = register_tested(store, &run, &mut finish)?;
    notes.extend(
        overruled
            .iter()
            .map(|key| format!("the given tag `{key}` is ignored: herdbook computes it")),
    );
    let model_type = finish.registration.origin.model_type();
    Ok(RegisteredRun { registered, model_type, honesty, improvement, notes })
}

/// Registers a model, and seals which evaluations have bars of its test window, if that is recorded.
fn register_tested(
    store: &Session,
    run: &RunRecord,
    finish: &mut ForeignFinish,
) -> Result<(Registered, Vec<String>), StoreError> {
    let Some(windows) = run.windows() else { return store.register_foreign(finish) };
    let closes = StoredCloses::new(store).of_run(run)?;
    let (symbol, window) = (&windows.symbol, windows.test);
    let tested = Tested { symbol, window, closes: closes.as_deref() };
    let sealed = run.params.get(window_params::CLOSES_SHA256).filter(|_| closes.is_some());
    let files = sealed.map(|sha256| (OF_TRAINING.to_owned(), sha256.clone()));
    let mut basis = TestBasis { files: files.into_iter().collect(), ..TestBasis::default() };
    with_all_compared(store, &tested, &mut basis, |basis| {
        finish.test = Some(basis.clone());
        store.register_foreign(finish)
    })
}

/// The parent's version and run.
struct Parent {
    version: VersionRecord,
    run: RunRecord,
}

/// The parent that a run names.
enum NamedParent {
    None,
    Known(Box<Parent>),
    /// Its run is not in the store, or has no version.
    Missing(RunId),
}

impl NamedParent {
    fn known(&self) -> Option<&Parent> {
        match self {
            Self::Known(parent) => Some(parent),
            Self::None | Self::Missing(_) => None,
        }
    }
}

fn parent(
    store: &Session,
    request: &RegisterRequest,
    run: &RunRecord,
) -> Result<NamedParent, TrainingError> {
    let Some(run_id) = request.parent.clone().or_else(|| parent_of(&run.tags)) else {
        return Ok(NamedParent::None);
    };
    let is_kept = request.missing_parent == MissingParent::Keep;
    let parent = match store.run(&run_id) {
        Err(StoreError::NoSuchRun { .. }) if is_kept => return Ok(NamedParent::Missing(run_id)),
        found => found?,
    };
    let version = match store.version_of_run(&run_id)? {
        None if is_kept => return Ok(NamedParent::Missing(run_id)),
        found => found.ok_or(TrainingError::NotRegistered { run_id })?,
    };
    version.check_seal()?;
    let timeframe = version.timeframe().map(|it| it.to_string());
    check_fit(&version.key, "timeframe", timeframe.as_ref(), request.timeframe.as_str())?;
    if let Some(symbol) = run.params.get(window_params::SYMBOL) {
        let of_parent = parent.params_for_rules().get(window_params::SYMBOL);
        check_fit(&version.key, "symbol", of_parent, symbol)?;
    }
    Ok(NamedParent::Known(Box::new(Parent { version, run: parent })))
}

fn origin(
    request: &RegisterRequest,
    run: &RunRecord,
    parent: &NamedParent,
) -> Result<Origin, TrainingError> {
    let (parent, previous_timesteps) = match parent {
        NamedParent::None if request.model_type == ModelType::Base => {
            return Ok(Origin { timeframe: request.timeframe, enhanced: None });
        }
        NamedParent::None => {
            let (run_id, model_type) = (run.run_id.clone(), request.model_type);
            return Err(TrainingError::NoParentNamed { run_id, model_type });
        }
        NamedParent::Known(parent) => {
            let total = parent.version.total_timesteps();
            (parent.run.run_id.clone(), total.unwrap_or(0))
        }
        NamedParent::Missing(run_id) => {
            let logged = run.metric("previous_timesteps");
            (run_id.clone(), logged.map_or(0, |steps| steps.max(0.0) as u64))
        }
    };
    let told = run.tags.get(key::ENHANCEMENT_TYPE).and_then(|text| text.parse().ok());
    let enhancement = match request.model_type {
        ModelType::Base => told.unwrap_or(Enhancement::Continued),
        model_type => model_type.as_str().parse().unwrap_or(Enhancement::Continued),
    };
    let enhanced = Some(EnhancedFrom { enhancement, parent, previous_timesteps });
    Ok(Origin { timeframe: request.timeframe, enhanced })
}

/// Honesty from the windows recorded in the run and from the closes that it kept; `unknown` if there are no windows, or the
/// parent is not known.
fn honesty(
    store: &Session,
    run: &RunRecord,
    parent: &NamedParent,
) -> Result<Honesty, TrainingError> {
    let Some(windows) = run.windows() else { return Ok(Honesty::Unknown) };
    let lineage = match parent {
        NamedParent::Known(parent) => Lineage::of(store, &parent.run)?,
        NamedParent::None => Lineage::empty(),
        NamedParent::Missing(_) => Lineage::unknown(),
    };
    let by_time = judge_honesty(&windows, &lineage.windows());
    let closes = StoredCloses::new(store).of_run(run)?;
    Ok(match closes {
        Some(closes) if by_time != Honesty::Contaminated => {
            let seen = lineage.compare(&windows.symbol, &closes);
            seen.judge(seen.overlaps_learned(windows.test))
        }
        _ => by_time,
    })
}

/// Compares the run's metrics with the parent's: the logged ones if both have the same windows, otherwise those in
/// `parent_here`, if given.
fn improvement(
    run: &RunRecord,
    parent: Option<&Parent>,
    parent_here: Option<&BTreeMap<String, f64>>,
) -> Option<ImprovementReport> {
    let parent = parent?;
    let same = ImprovementBasis::of(parent.run.params_for_rules(), &run.params);
    let (basis, values) = match (same, parent_here) {
        (ImprovementBasis::SameWindows, _) => (same, parent.run.metrics_for_rules()),
        (_, Some(values)) => (ImprovementBasis::Reevaluated, values.clone()),
        (_, None) => (ImprovementBasis::Logged, parent.run.metrics_for_rules()),
    };
    Some(ImprovementReport::new(basis, &values, &run.finite_metrics()))
}

/// Timesteps of this run. The count in a file of stable-baselines3 includes the parent's, unless the script reset it.
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

/// Improvements of a run over its parent in percent, as metrics `improvement_<metric>`, from the values that both logged.
pub fn logged_improvements(
    parent: &BTreeMap<String, f64>,
    child: &BTreeMap<String, f64>,
) -> BTreeMap<String, f64> {
    let report = ImprovementReport::new(ImprovementBasis::Logged, parent, child);
    report.to_metrics().into_iter().collect()
}
