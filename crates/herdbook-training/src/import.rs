//! A model that was trained elsewhere, registered here: its zip is kept as it is, its past is unknown.

use std::collections::BTreeMap;

use herdbook_domain::tags::{Tags, key};
use herdbook_domain::{
    EventKind, ExperimentName, Honesty, ModelName, Origin, Registration, RunId, Symbol, Timeframe,
    VersionKey, hex_sha256, window_params,
};
use herdbook_ppo::Model;
use herdbook_store::{
    EventQuery, Finish, Metric, Registered, RunStart, Session, UnfinishedEnd, now,
};

use crate::registered_model::{Foreign, known_environment};
use crate::{TrainingError, exports, record};

/// Asks for a model to be taken in.
#[derive(Debug, Clone)]
pub struct ImportRequest {
    /// Length of the bars it was trained on.
    pub timeframe: Timeframe,
    /// The registered model to join.
    pub model: ModelName,
    /// The experiment.
    pub experiment: ExperimentName,
    /// The instrument, where that is known.
    pub symbol: Option<Symbol>,
    /// Name of the file, for errors and the record.
    pub file: String,
    /// The zip of stable-baselines3.
    pub bytes: Vec<u8>,
}

/// A file that holds a model.
#[derive(Debug)]
pub struct PreparedImport {
    request: ImportRequest,
    model: Model,
}

impl ImportRequest {
    /// Reads the file. Nothing in it is executed. The instrument is the file's where none is given.
    ///
    /// # Errors
    /// [`TrainingError::NotAsDescribed`] where the file says that it is of another timeframe.
    pub fn prepare(mut self) -> Result<PreparedImport, TrainingError> {
        let model = Model::from_zip(&self.bytes, &self.file)?;
        let asked = self.timeframe.as_str();
        if let Some(said) = described(&model, "timeframe").filter(|said| *said != asked) {
            let (file, said, asked) = (self.file, said.to_owned(), asked.to_owned());
            return Err(TrainingError::NotAsDescribed { file, said, asked });
        }
        let symbol = described(&model, "symbol").and_then(|said| Symbol::parse(said).ok());
        self.symbol = self.symbol.or(symbol);
        Ok(PreparedImport { request: self, model })
    }
}

/// What a file of herdbook's says of its model.
fn described<'a>(model: &'a Model, what: &str) -> Option<&'a str> {
    model.extra.get(what).and_then(|value| value.as_str())
}

/// A model that was taken in.
#[derive(Debug)]
pub struct Imported {
    /// Its run.
    pub run_id: RunId,
    /// Its version.
    pub registered: Registered,
    /// Timesteps behind it, as its file counts them.
    pub timesteps: u64,
    /// Why herdbook cannot run it; `None` where it can.
    pub obstacle: Option<String>,
    /// Whether it can be enhanced: where it can be run, or where its networks fit and nothing is known of its
    /// environment.
    pub is_enhanceable: bool,
    /// What reading the file left behind.
    pub notes: Vec<String>,
}

/// Registers a model that was trained elsewhere as a base model in development, its honesty `unknown`.
///
/// # Errors
/// [`TrainingError::ImportedAlready`] where a version of any registered model has the same file.
pub fn import_model(store: &Session, prepared: PreparedImport) -> Result<Imported, TrainingError> {
    let PreparedImport { request, model } = &prepared;
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
        // Best effort: what is reported is the first error, and the lease tells that the process is gone.
        let _ = store.end_run(&run_id, &request.model, UnfinishedEnd::Failed, &error.to_string());
    })?;
    let foreign = known_environment(model).err();
    Ok(Imported {
        run_id,
        registered,
        timesteps: model.num_timesteps,
        is_enhanceable: !matches!(foreign, Some(Foreign::Unfit(_))),
        obstacle: foreign.map(|foreign| foreign.to_string()),
        notes: notes(prepared.request.symbol.as_ref(), prepared.model),
    })
}

fn notes(symbol: Option<&Symbol>, model: Model) -> Vec<String> {
    let other = symbol.zip(described(&model, "symbol")).filter(|(it, said)| it.as_str() != *said);
    let other = other.map(|(symbol, said)| {
        format!("its file says that it was trained on `{said}`; it is registered for `{symbol}`")
    });
    let mut notes = model.notes;
    notes.extend(other);
    if model.policy.n_actions().is_none() {
        let dims = model.policy.action_dims();
        notes.push(format!(
            "an action is several choices {dims:?}: no `model.onnx` stands beside it"
        ));
    }
    notes
}

fn refuse_twice(store: &Session, sha256: &str) -> Result<(), TrainingError> {
    // Of any registered model, of a deleted version too: under another name its past would be forgotten.
    let kind = Some(EventKind::Registered);
    for event in store.events(&EventQuery { kind, ..EventQuery::default() })? {
        let (Some(name), Some(version)) = (event.what.name, event.what.version) else { continue };
        if event.what.details.contains(&format!("\"model_sha256\":\"{sha256}\"")) {
            return Err(TrainingError::ImportedAlready { key: VersionKey { name, version } });
        }
    }
    Ok(())
}

fn params(request: &ImportRequest, model: &Model, sha256: &str) -> BTreeMap<String, String> {
    let own = [
        ("import.file", request.file.clone()),
        ("import.sha256", sha256.to_owned()),
        ("algorithm", "PPO".to_owned()),
        ("env.obs_len", model.policy.obs_len().to_string()),
    ];
    let symbol = request.symbol.iter().map(|it| (window_params::SYMBOL, it.to_string()));
    let all = own.into_iter().chain(symbol).chain(record::hyperparameters(&model.config));
    all.map(|(key, value)| (key.to_owned(), value)).collect()
}

fn finish(
    store: &Session,
    request: &ImportRequest,
    model: &Model,
    run_id: &RunId,
    origin: &Origin,
) -> Result<Registered, TrainingError> {
    let artifact = RunId::model_artifact(request.timeframe);
    let model_sha256 = store.store_artifact(run_id, &artifact, &request.bytes)?;
    for (path, bytes) in exports::of_model(&model.policy, request.timeframe, run_id) {
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
    let finish = Finish { registration, metrics: vec![timesteps], run_tags: Tags::new() };
    Ok(store.finish_and_register(&finish)?)
}
