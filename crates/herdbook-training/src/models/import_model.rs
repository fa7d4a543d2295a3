//! Import of a stable-baselines3 model that was trained elsewhere. Its file is stored unchanged; the data it was
//! trained on are unknown.

use std::collections::BTreeMap;

use herdbook_domain::tags::{Tags, key};
use herdbook_domain::{
    EventKind, ExperimentName, Honesty, ModelName, Origin, Registration, RunId, Symbol, Timeframe,
    VersionKey, hex_sha256, window_params,
};
use herdbook_ppo::Model;
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
    model: Model,
}

impl ModelImportRequest {
    /// Reads the file; nothing in it is executed. If no symbol is given, the one in the file is used.
    ///
    /// # Errors
    /// [`TrainingError::Ppo`] if the file cannot be read, [`TrainingError::TimeframeMismatch`] if it names another
    /// timeframe.
    pub fn prepare(mut self) -> Result<PreparedModelImport, TrainingError> {
        let model = Model::from_zip(&self.bytes, &self.file)?;
        let asked = self.timeframe.as_str();
        if let Some(said) = described(&model, "timeframe").filter(|said| *said != asked) {
            let (file, said, asked) = (self.file, said.to_owned(), asked.to_owned());
            return Err(TrainingError::TimeframeMismatch { file, said, asked });
        }
        let symbol = described(&model, "symbol").and_then(|said| Symbol::parse(said).ok());
        self.symbol = self.symbol.or(symbol);
        Ok(PreparedModelImport { request: self, model })
    }
}

/// A text in the section `herdbook` of the model file.
fn described<'a>(model: &'a Model, what: &str) -> Option<&'a str> {
    model.extra.get(what).and_then(|value| value.as_str())
}

/// A model that was imported.
#[derive(Debug)]
pub struct ImportedModel {
    /// Its run.
    pub run_id: RunId,
    /// Its version.
    pub registered: Registered,
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
    prepared: PreparedModelImport,
) -> Result<ImportedModel, TrainingError> {
    let PreparedModelImport { request, model } = &prepared;
    let sha256 = hex_sha256(&request.bytes);
    refuse_twice(store, &sha256)?;
    let origin = Origin { timeframe: request.timeframe, enhanced: None };
    let run_id = store.start_run(&RunStart {
        experiment: request.experiment.clone(),
        model: request.model.clone(),
        origin: origin.clone(),
        params: params(request, model, &sha256),
        tags: Tags::from([(key::HONESTY.to_owned(), Honesty::Unknown.to_string())]),
        user_tags: Tags::new(),
        name: None,
    })?;
    let registered = finish(store, request, model, &run_id, &origin).inspect_err(|error| {
        // The first error is the one to report. If this fails too, the run ends when its lease expires.
        let _ = store.end_run(&run_id, &request.model, UnfinishedEnd::Failed, &error.to_string());
    })?;
    let foreign = environment_of(model).err();
    Ok(ImportedModel {
        run_id,
        registered,
        timesteps: model.num_timesteps,
        is_enhanceable: !matches!(foreign, Some(EnvironmentMismatch::Incompatible(_))),
        obstacle: foreign.map(|foreign| foreign.to_string()),
        notes: notes(prepared.request.symbol.as_ref(), prepared.model),
    })
}

fn notes(symbol: Option<&Symbol>, model: Model) -> Vec<String> {
    let other = symbol.zip(described(&model, "symbol")).filter(|(it, said)| it.as_str() != *said);
    let other = other.map(|(symbol, said)| {
        format!("its file names the symbol `{said}`, but it is registered for `{symbol}`")
    });
    let mut notes = model.notes;
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

fn params(request: &ModelImportRequest, model: &Model, sha256: &str) -> BTreeMap<String, String> {
    let own = [
        ("import.file", request.file.clone()),
        ("import.sha256", sha256.to_owned()),
        ("algorithm", "PPO".to_owned()),
        ("env.obs_len", model.policy.obs_len().to_string()),
    ];
    let symbol = request.symbol.iter().map(|it| (window_params::SYMBOL, it.to_string()));
    let all = own.into_iter().chain(symbol).chain(hyperparameter_params(&model.config));
    all.map(|(key, value)| (key.to_owned(), value)).collect()
}

fn finish(
    store: &Session,
    request: &ModelImportRequest,
    model: &Model,
    run_id: &RunId,
    origin: &Origin,
) -> Result<Registered, TrainingError> {
    let artifact = RunId::model_artifact(request.timeframe);
    let model_sha256 = store.store_artifact(run_id, &artifact, &request.bytes)?;
    for (path, bytes) in mlflow_files::of_model(&model.policy, request.timeframe, run_id) {
        store.store_artifact(run_id, &path, &bytes)?;
    }
    let timesteps = Metric {
        key: "total_timesteps".to_owned(),
        value: model.num_timesteps as f64,
        at: now(),
        step: i64::try_from(model.num_timesteps).unwrap_or(i64::MAX),
    };
    let registration = Registration {
        run_id: run_id.clone(),
        name: request.model.clone(),
        origin: origin.clone(),
        trained_timesteps: model.num_timesteps,
        honesty: Honesty::Unknown,
        model_sha256,
    };
    let measured = Measured {
        params: params(request, model, &registration.model_sha256),
        metrics: BTreeMap::from([(timesteps.key.clone(), timesteps.value)]),
    };
    let metrics = vec![timesteps];
    let finish = Finish { registration, metrics, run_tags: Tags::new(), measured };
    Ok(store.finish_and_register(&finish)?)
}
