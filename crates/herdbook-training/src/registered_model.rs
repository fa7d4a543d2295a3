//! A registered version's model: its run found, its file checked against the registered hash, its environment
//! known to this herdbook.

use herdbook_domain::{
    LineageWindows, RunId, Symbol, Timeframe, VersionKey, Windows, hex_sha256, tags::key,
    window_params,
};
use herdbook_market::{CostModel, Position};
use herdbook_ppo::Model;
use herdbook_store::{RunRecord, Store, StoreError, VersionRecord};

use crate::TrainingError;
use crate::env::{ENVIRONMENT, EnvSpec, OBS_LEN};

/// A registered version with its model, ready to be run.
#[derive(Debug)]
pub struct RegisteredModel {
    /// Its registered version.
    pub version: VersionRecord,
    /// Its run.
    pub run: RunRecord,
    /// Its model, which knows the training steps behind it.
    pub model: Model,
    /// The rules it was trained under.
    pub env: EnvSpec,
    /// Length of the bars it knows.
    pub timeframe: Timeframe,
}

impl RegisteredModel {
    /// Loads the model of a version at the timeframe that its tag tells.
    pub fn load(store: &Store, version: VersionRecord) -> Result<Self, TrainingError> {
        let timeframe = version.tag(key::TIMEFRAME).ok_or_else(|| TrainingError::Unusable {
            key: version.key.clone(),
            problem: "has no tag that tells its timeframe",
        })?;
        Self::load_at(store, version, timeframe)
    }

    /// Loads the model of a version at a timeframe.
    pub(crate) fn load_at(
        store: &Store,
        version: VersionRecord,
        timeframe: Timeframe,
    ) -> Result<Self, TrainingError> {
        let Loaded { version, run, model } = Loaded::read(store, version, timeframe)?;
        let env = known_environment(&model)
            .map_err(|problem| foreign(&version.key, problem.to_string()))?;
        Ok(Self { version, run, model, env, timeframe })
    }

    /// The instrument it was trained on, where that is recorded.
    pub fn symbol(&self) -> Option<Symbol> {
        Symbol::parse(self.run.params.get(window_params::SYMBOL)?).ok()
    }

    /// What it and its ancestors were trained and validated on.
    pub fn seen(&self, store: &Store) -> Result<LineageWindows, StoreError> {
        Ok(lineage_windows(store, &self.run)?.into_iter().collect())
    }
}

/// A registered version with its model, whatever environment that belongs to.
pub(crate) struct Loaded {
    pub(crate) version: VersionRecord,
    pub(crate) run: RunRecord,
    pub(crate) model: Model,
}

/// Why herdbook's environment is not the model's.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Foreign {
    /// The file does not say what environment it belongs to, but its networks would fit ours.
    Undescribed,
    /// Its networks do not fit, or it describes another environment.
    Unfit(String),
}

impl std::fmt::Display for Foreign {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Undescribed => "its file does not describe an environment of herdbook's",
            Self::Unfit(problem) => problem,
        })
    }
}

impl Loaded {
    pub(crate) fn read(
        store: &Store,
        version: VersionRecord,
        timeframe: Timeframe,
    ) -> Result<Self, TrainingError> {
        let unusable = |problem| TrainingError::Unusable { key: version.key.clone(), problem };
        let run_id = version.run_id.clone();
        let run_id = run_id.ok_or_else(|| unusable("was registered without a run"))?;
        let run = store.run(&run_id)?;
        if run.deleted {
            return Err(unusable("comes from a run that was deleted"));
        }
        let model = read_model(store, &version.key, &run_id, timeframe)?;
        Ok(Self { version, run, model })
    }

    /// Whether the model can be trained on from: its environment is ours, or unknown and its networks fit ours.
    pub(crate) fn check_parent(&self) -> Result<Option<Foreign>, TrainingError> {
        match known_environment(&self.model) {
            Ok(_) => Ok(None),
            Err(Foreign::Undescribed) => Ok(Some(Foreign::Undescribed)),
            Err(problem) => Err(foreign(&self.version.key, problem.to_string())),
        }
    }
}

fn foreign(key: &VersionKey, problem: String) -> TrainingError {
    TrainingError::ForeignEnvironment { key: key.clone(), problem }
}

/// The windows of a run and of its ancestors; `None` for one without records.
pub(crate) fn lineage_windows(
    store: &Store,
    run: &RunRecord,
) -> Result<Vec<Option<Windows>>, StoreError> {
    let mut windows = vec![run.windows()];
    for ancestor in store.ancestors(&run.run_id)? {
        windows.push(ancestor.as_ref().and_then(RunRecord::windows));
    }
    Ok(windows)
}

fn read_model(
    store: &Store,
    key: &VersionKey,
    run_id: &RunId,
    timeframe: Timeframe,
) -> Result<Model, TrainingError> {
    let bytes = store.read_artifact(run_id, &RunId::model_artifact(timeframe))?;
    if let Some(registered) = store.registered_file(key)?.map(|file| file.sha256) {
        let found = hex_sha256(&bytes);
        if found != registered {
            return Err(TrainingError::AlteredModel { key: key.clone(), found, registered });
        }
    }
    Ok(Model::from_zip(&bytes, &run_id.model_path(timeframe))?)
}

/// The rules the file says it was trained under, which must be ours but for costs and the length of episodes.
pub(crate) fn known_environment(model: &Model) -> Result<EnvSpec, Foreign> {
    let (inputs, actions) = (model.policy.obs_len(), model.policy.action_dims());
    let ours = Position::ALL.len();
    if inputs != OBS_LEN || *actions != [ours] {
        return Err(Foreign::Unfit(format!(
            "its networks take {inputs} numbers and choose from {actions:?}, where herdbook's environment has \
             {OBS_LEN} and [{ours}]"
        )));
    }
    let spec = model.extra.get(ENVIRONMENT).cloned().ok_or(Foreign::Undescribed)?;
    let spec: EnvSpec = serde_json::from_value(spec).map_err(|error| {
        Foreign::Unfit(format!("its description of the environment cannot be read: {error}"))
    })?;
    if let Err(error) = CostModel::from_bps(spec.cost_bps) {
        return Err(Foreign::Unfit(format!("its description of the environment names {error}")));
    }
    match spec.obstacle(&EnvSpec::new(spec.cost_bps, spec.episode_bars)) {
        Some(problem) => Err(Foreign::Unfit(problem)),
        None => Ok(spec),
    }
}
