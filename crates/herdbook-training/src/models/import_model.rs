//! Import of a stable-baselines3 model that was trained elsewhere. Its file is stored unchanged; the data it was
//! trained on are unknown.

use std::collections::BTreeMap;

use herdbook_domain::tags::{Tags, key};
use herdbook_domain::{
    EventKind, ExperimentName, Honesty, ModelName, Origin, Registration, RunId, Symbol, Timeframe,
    VersionKey, hex_sha256, window_params,
};
use herdbook_ppo::{Model, ModelFacts, PpoError};
use herdbook_store::{
    EventQuery, Finish, Measured, Metric, Registered, RunStart, Session, UnfinishedEnd, now,
};

use crate::error::TrainingError;
use crate::models::mlflow_files;
use crate::models::registered_model::{EnvironmentMismatch, environment_of};
use crate::request::hyperparameters::hyperparameter_params;

/// Request to import a model.
#[derive(Debug, Clone)]
pub struct ModelImportRequest {
    /// Length of the bars it was trained on.
    pub timeframe: Timeframe,
    /// The registered model that gets the new version.
    pub model: ModelName,
    /// The experiment of the run.
    pub experiment: ExperimentName,
    /// The instrument it was trained on, if known.
    pub symbol: Option<Symbol>,
    /// Name of the file, used in errors and recorded in the run.
    pub file: String,
    /// Contents of the zip file of stable-baselines3.
    pub bytes: Vec<u8>,
}

/// An import whose file was read.
#[derive(Debug)]
pub struct PreparedModelImport {
    request: ModelImportRequest,
    facts: ModelFacts,
    content: Content,
}

/// What herdbook can make of a model file.
#[derive(Debug)]
enum Content {
    /// A model that this herdbook reads.
    Readable(Box<Model>),
    /// A model of another algorithm or kind, and why it cannot be read.
    Other(PpoError),
}

impl Content {
    fn model(&self) -> Option<&Model> {
        match self {
            Self::Readable(model) => Some(model),
            Self::Other(_) => None,
        }
    }
}

impl ModelImportRequest {
    /// Reads the file; nothing in it is executed. If no symbol is given, the one in the file is used. A model of another
    /// algorithm than PPO, or of a kind that herdbook cannot run, is accepted with the facts that its file states.
    ///
    /// # Errors
    /// [`TrainingError::Ppo`] if the file is no valid model of stable-baselines3, [`TrainingError::TimeframeMismatch`] if it names another
    /// timeframe.
    pub fn prepare(mut self) -> Result<PreparedModelImport, TrainingError> {
        let facts = ModelFacts::read(&self.bytes, &self.file)?;
        let content = match Model::from_zip(&self.bytes, &self.file) {
            Ok(model) => Content::Readable(Box::new(model)),
            Err(error @ (PpoError::OtherAlgorithm { .. } | PpoError::Unsupported { .. })) => {
                Content::Other(error)
            }
            Err(error) => return Err(error.into()),
        };
        let asked = self.timeframe.as_str();
        let said = described(content.model(), "timeframe").filter(|said| *said != asked);
        if let Some(said) = said {
            let (file, said, asked) = (self.file, said.to_owned(), asked.to_owned());
            return Err(TrainingError::TimeframeMismatch { file, said, asked });
        }
        let symbol = described(content.model(), "symbol");
        let symbol = symbol.and_then(|said| Symbol::parse(said).ok());
        self.symbol = self.symbol.or(symbol);
        Ok(PreparedModelImport { request: self, facts, content })
    }
}

/// A text in the section `herdbook` of the model file.
fn described<'a>(model: Option<&'a Model>, what: &str) -> Option<&'a str> {
    model?.extra.get(what).and_then(|value| value.as_str())
}

/// A model that was imported.
#[derive(Debug)]
pub struct ImportedModel {
    /// Its run.
    pub run_id: RunId,
    /// Its version.
    pub registered: Registered,
    /// The algorithm that trained it; `None` if it is not of stable-baselines3 or sb3-contrib.
    pub algorithm: Option<&'static str>,
    /// Timesteps trained, as counted in its file.
    pub timesteps: u64,
    /// Why herdbook cannot run it; `None` if it can.
    pub obstacle: Option<String>,
    /// Whether it can be enhanced: it can be run, or its networks fit and its environment is not described.
    pub is_enhanceable: bool,
    /// Notes for the user.
    pub notes: Vec<String>,
}

/// Registers a model that was trained elsewhere as a base model in development with honesty `unknown`.
///
/// # Errors
/// [`TrainingError::AlreadyImported`] if a version of any registered model has the same file, [`TrainingError::Store`] if
/// the store cannot be read or written.
pub fn import_model(
    store: &Session,
    prepared: &PreparedModelImport,
) -> Result<ImportedModel, TrainingError> {
    let PreparedModelImport { request, facts, content } = prepared;
    let sha256 = hex_sha256(&request.bytes);
    refuse_twice(store, &sha256)?;
    let origin = Origin { timeframe: request.timeframe, enhanced: None };
    let run_id = store.start_run(&RunStart {
        experiment: request.experiment.clone(),
        model: request.model.clone(),
        origin: origin.clone(),
        params: params(prepared, &sha256),
        tags: Tags::from([(key::HONESTY.to_owned(), Honesty::Unknown.to_string())]),
        user_tags: Tags::new(),
        name: None,
    })?;
    let registered = finish(store, prepared, &run_id, &origin).inspect_err(|error| {
        // The first error is the one to report. If this fails too, the run ends when its lease expires.
        let _ = store.end_run(&run_id, &request.model, UnfinishedEnd::Failed, &error.to_string());
    })?;
    let (obstacle, is_enhanceable) = match content {
        Content::Readable(model) => {
            let foreign = environment_of(model).err();
            let fits = !matches!(foreign, Some(EnvironmentMismatch::Incompatible(_)));
            (foreign.map(|foreign| foreign.to_string()), fits)
        }
        Content::Other(error) => (Some(error.to_string()), false),
    };
    Ok(ImportedModel {
        run_id,
        registered,
        algorithm: facts.algorithm,
        timesteps: facts.num_timesteps,
        is_enhanceable,
        obstacle,
        notes: notes(prepared),
    })
}

fn notes(prepared: &PreparedModelImport) -> Vec<String> {
    let Some(model) = prepared.content.model() else {
        return vec!["no `model.onnx` was written: herdbook cannot read the model".to_owned()];
    };
    let symbol = prepared.request.symbol.as_ref();
    let said = described(Some(model), "symbol");
    let other = symbol.zip(said).filter(|(it, said)| Symbol::parse(said).as_ref() != Ok(it));
    let other = other.map(|(symbol, said)| {
        format!("its file names the symbol `{said}`, but it is registered for `{symbol}`")
    });
    let mut notes = model.notes.clone();
    notes.extend(other);
    if model.policy.n_actions().is_none() {
        let dims = model.policy.action_dims();
        notes.push(format!(
            "its action space is MultiDiscrete {dims:?}: no `model.onnx` was written"
        ));
    }
    notes
}

fn refuse_twice(store: &Session, sha256: &str) -> Result<(), TrainingError> {
    // Deleted versions and other registered models count too: otherwise importing a file again would turn its honesty
    // into `unknown`.
    let kind = Some(EventKind::Registered);
    for event in store.events(&EventQuery { kind, ..EventQuery::default() })? {
        let (Some(name), Some(version)) = (event.what.name, event.what.version) else { continue };
        if event.what.details.contains(&format!("\"model_sha256\":\"{sha256}\"")) {
            return Err(TrainingError::AlreadyImported { key: VersionKey { name, version } });
        }
    }
    Ok(())
}

/// The facts in the file, and nothing that is not in it.
fn params(prepared: &PreparedModelImport, sha256: &str) -> BTreeMap<String, String> {
    let PreparedModelImport { request, facts, content } = prepared;
    let mut params = match content {
        Content::Readable(model) => {
            let known = hyperparameter_params(&model.config).into_iter();
            let mut params: BTreeMap<String, String> =
                known.map(|(key, value)| (key.to_owned(), value)).collect();
            params.insert("env.obs_len".to_owned(), model.policy.obs_len().to_string());
            let is_schedule = |(_, value): &(&String, &String)| *value == ModelFacts::SCHEDULE;
            let schedules = facts.settings.iter().filter(is_schedule);
            params.extend(schedules.map(|(key, value)| (key.clone(), value.clone())));
            params
        }
        Content::Other(_) => facts.settings.clone(),
    };
    let own = [
        ("import.file", Some(request.file.clone())),
        ("import.sha256", Some(sha256.to_owned())),
        ("algorithm", facts.algorithm.map(str::to_owned)),
        ("policy_class", Some(facts.policy.clone())),
        ("stable_baselines3", facts.version.clone()),
        (window_params::SYMBOL, request.symbol.as_ref().map(ToString::to_string)),
    ];
    let known = own.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
    params.extend(known);
    params
}

fn finish(
    store: &Session,
    prepared: &PreparedModelImport,
    run_id: &RunId,
    origin: &Origin,
) -> Result<Registered, TrainingError> {
    let PreparedModelImport { request, facts, content } = prepared;
    let artifact = RunId::model_artifact(request.timeframe);
    let model_sha256 = store.store_artifact(run_id, &artifact, &request.bytes)?;
    if let Some(model) = content.model() {
        for (path, bytes) in mlflow_files::of_model(&model.policy, request.timeframe, run_id) {
            store.store_artifact(run_id, &path, &bytes)?;
        }
    }
    let timesteps = Metric {
        key: "total_timesteps".to_owned(),
        value: facts.num_timesteps as f64,
        at: now(),
        step: i64::try_from(facts.num_timesteps).unwrap_or(i64::MAX),
    };
    let registration = Registration {
        run_id: run_id.clone(),
        name: request.model.clone(),
        origin: origin.clone(),
        trained_timesteps: facts.num_timesteps,
        honesty: Honesty::Unknown,
        model_sha256,
    };
    let measured = Measured {
        params: params(prepared, &registration.model_sha256),
        metrics: BTreeMap::from([(timesteps.key.clone(), timesteps.value)]),
        test: None,
    };
    let metrics = vec![timesteps];
    let finish = Finish { registration, metrics, run_tags: Tags::new(), measured };
    Ok(store.finish_and_register(&finish)?)
}
