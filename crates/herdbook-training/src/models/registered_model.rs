//! Loading of the model of a registered version: the file is checked against its registered hash, its environment
//! against that of this herdbook.

use herdbook_domain::{
    LineageWindows, Obstacle, RunId, Symbol, Timeframe, VersionKey, Windows, hex_sha256,
    window_params,
};
use herdbook_market::{CostModel, Position};
use herdbook_ppo::{Model, PpoError};
use herdbook_store::{RunRecord, Store, StoreError, VersionRecord};

use crate::environment::env_spec::ENVIRONMENT;
use crate::environment::env_spec::EnvSpec;
use crate::environment::observation::OBS_LEN;
use crate::error::TrainingError;

/// A registered version with its model, which this herdbook can run.
#[derive(Debug)]
pub struct RegisteredModel {
    /// The registered version.
    pub version: VersionRecord,
    /// The run of the version.
    pub run: RunRecord,
    /// The model.
    pub model: Model,
    /// Lower-case hex SHA-256 of the model file.
    pub file_sha256: String,
    /// The rules of the environment it was trained in.
    pub env: EnvSpec,
    /// Length of the bars it was trained on.
    pub timeframe: Timeframe,
}

impl RegisteredModel {
    /// Loads the model of a version. The timeframe is the sealed one, or without a seal that of the tag.
    ///
    /// # Errors
    /// [`TrainingError::NoTimeframe`] if the version has no timeframe, [`TrainingError::Unusable`] if it, its run or its
    /// experiment was deleted,
    /// [`TrainingError::AlteredModel`] if the file's hash is not the registered one,
    /// [`TrainingError::ForeignEnvironment`] if the model's environment is not herdbook's, [`TrainingError::Store`] if the
    /// file cannot be read, [`TrainingError::Ppo`] if it is not a model.
    pub fn load(store: &Store, version: VersionRecord) -> Result<Self, TrainingError> {
        let timeframe = version
            .timeframe()
            .ok_or_else(|| TrainingError::NoTimeframe { key: version.key.clone() })?;
        Self::load_at(store, version, timeframe)
    }

    /// Loads the model of a version for a given timeframe.
    pub(crate) fn load_at(
        store: &Store,
        version: VersionRecord,
        timeframe: Timeframe,
    ) -> Result<Self, TrainingError> {
        let LoadedVersion { version, run, model, file_sha256 } =
            LoadedVersion::read(store, version, timeframe)?;
        let env =
            environment_of(&model).map_err(|problem| foreign(&version.key, problem.to_string()))?;
        Ok(Self { version, run, model, file_sha256, env, timeframe })
    }

    /// The instrument it was trained on, if recorded.
    pub fn symbol(&self) -> Option<Symbol> {
        Symbol::parse(self.run.params_for_rules().get(window_params::SYMBOL)?).ok()
    }

    /// The windows that it and its ancestors were trained and validated on.
    ///
    /// # Errors
    /// [`StoreError`] if the ancestors cannot be read.
    pub fn seen(&self, store: &Store) -> Result<LineageWindows, StoreError> {
        Ok(lineage_windows(store, &self.run)?.into_iter().collect())
    }
}

/// A registered version with its model, which may need another environment.
pub(crate) struct LoadedVersion {
    pub(crate) version: VersionRecord,
    pub(crate) run: RunRecord,
    pub(crate) model: Model,
    pub(crate) file_sha256: String,
}

/// Why a model cannot be run in herdbook's environment.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum EnvironmentMismatch {
    /// Its networks fit, but its file does not describe its environment.
    Undescribed,
    /// Its networks do not fit, or its file describes another environment.
    Incompatible(String),
}

impl std::fmt::Display for EnvironmentMismatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Undescribed => "its file does not describe its environment",
            Self::Incompatible(problem) => problem,
        })
    }
}

impl LoadedVersion {
    pub(crate) fn read(
        store: &Store,
        version: VersionRecord,
        timeframe: Timeframe,
    ) -> Result<Self, TrainingError> {
        version.check_seal()?;
        let unusable = |why| TrainingError::Unusable { key: version.key.clone(), why };
        if let Some(why) = store.obstacle_on_record(&version)? {
            return Err(unusable(why));
        }
        let run_id = version.run_id.clone().ok_or_else(|| unusable(Obstacle::WithoutRun))?;
        let run = store.run(&run_id)?;
        let (model, file_sha256) = read_model(store, &version.key, &run_id, timeframe)?;
        Ok(Self { version, run, model, file_sha256 })
    }

    /// Checks that the model can be enhanced. Returns the reason for a warning if its environment is not described.
    pub(crate) fn check_parent(&self) -> Result<Option<EnvironmentMismatch>, TrainingError> {
        match environment_of(&self.model) {
            Ok(_) => Ok(None),
            Err(EnvironmentMismatch::Undescribed) => Ok(Some(EnvironmentMismatch::Undescribed)),
            Err(problem) => Err(foreign(&self.version.key, problem.to_string())),
        }
    }
}

fn foreign(key: &VersionKey, problem: String) -> TrainingError {
    TrainingError::ForeignEnvironment { key: key.clone(), problem }
}

/// The windows of a run and of all its ancestors; `None` for a run without recorded windows.
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
) -> Result<(Model, String), TrainingError> {
    let bytes = store.read_artifact(run_id, &RunId::model_artifact(timeframe))?;
    let found = hex_sha256(&bytes);
    if let Some(registered) = store.registered_file(key)?.map(|file| file.sha256)
        && found != registered
    {
        return Err(TrainingError::AlteredModel { key: key.clone(), found, registered });
    }
    let model = Model::from_zip(&bytes, &run_id.model_path(timeframe));
    let model = model.map_err(|error| match error {
        PpoError::OtherAlgorithm { .. } | PpoError::Unsupported { .. } => {
            foreign(key, error.to_string())
        }
        error => error.into(),
    })?;
    Ok((model, found))
}

/// The rules in the model file. They must be equal to herdbook's, except costs and episode length.
pub(crate) fn environment_of(model: &Model) -> Result<EnvSpec, EnvironmentMismatch> {
    let (inputs, actions) = (model.policy.obs_len(), model.policy.action_dims());
    let ours = Position::ALL.len();
    if inputs != OBS_LEN || *actions != [ours] {
        return Err(EnvironmentMismatch::Incompatible(format!(
            "its networks take {inputs} inputs and have actions {actions:?}, but herdbook's environment has {OBS_LEN} \
             inputs and actions [{ours}]"
        )));
    }
    let spec = model.extra.get(ENVIRONMENT).cloned().ok_or(EnvironmentMismatch::Undescribed)?;
    let spec: EnvSpec = serde_json::from_value(spec).map_err(|error| {
        EnvironmentMismatch::Incompatible(format!(
            "the description of its environment cannot be read: {error}"
        ))
    })?;
    if let Err(error) = CostModel::from_bps(spec.cost_bps) {
        return Err(EnvironmentMismatch::Incompatible(format!(
            "the description of its environment has invalid costs: {error}"
        )));
    }
    match spec.obstacle(&EnvSpec::new(spec.cost_bps, spec.episode_bars)) {
        Some(problem) => Err(EnvironmentMismatch::Incompatible(problem)),
        None => Ok(spec),
    }
}
