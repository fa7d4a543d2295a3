//! Acts on logged models. Each is one transaction.

use std::collections::{BTreeMap, BTreeSet};

use herdbook_store::{Act, Session, StoreError, params};
use uuid::Uuid;

use crate::act::write;
use crate::artifact_root::join;
use crate::error::{Code, MlflowError};
use crate::experiments::{find, no_experiment, parse_id, require_active};
use crate::logged_models::record::{self, LoggedModel, not_found};
use crate::python;
use crate::runs::random_name::random_name;

/// The status of a model whose files are not complete.
const PENDING: i64 = 1;
/// Characters that a name may not have.
const BAD_CHARACTERS: [char; 6] = ['/', ':', '.', '%', '"', '\''];

/// A logged model to be created.
#[derive(Debug, Clone, Default)]
pub struct NewModel {
    /// Its experiment.
    pub experiment_id: String,
    /// Its name; a random one if it is empty.
    pub name: String,
    /// What the client calls its type.
    pub model_type: String,
    /// The run that makes it.
    pub source_run_id: String,
    /// Its parameters.
    pub params: Vec<(String, String)>,
    /// Its tags.
    pub tags: Vec<(String, String)>,
}

/// Creates a logged model, pending, below the artifact location of its experiment.
///
/// # Errors
/// [`MlflowError::Refused`] if the name is not allowed, the experiment does not exist or was deleted, or a key is given
/// twice; those of the store.
pub fn create(session: &Session, new: &NewModel) -> Result<LoggedModel, MlflowError> {
    validate_name(&new.name)?;
    require_distinct("param", &new.params)?;
    require_distinct("tag", &new.tags)?;
    let model_id = format!("m-{}", Uuid::new_v4().simple());
    let name = if new.name.is_empty() { random_name() } else { new.name.clone() };
    write(session, |act| {
        let id = parse_id(&new.experiment_id)?;
        let experiment = find(act.tx, id)?.ok_or_else(|| no_experiment(id))?;
        require_active(&experiment)?;
        let location = join(&experiment.artifact_location, &["models", &model_id, "artifacts"]);
        let now = now_ms(act)?;
        act.tx.execute(
            "INSERT INTO logged_models (model_id, experiment_id, name, artifact_location, creation_timestamp_ms,
                last_updated_timestamp_ms, status, lifecycle_stage, model_type, source_run_id)
             VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?6, 'active', ?7, ?8)",
            params![
                model_id, experiment.id, name, location, now, PENDING, new.model_type, new.source_run_id
            ],
        )?;
        insert_params(act, &model_id, experiment.id, &new.params)?;
        for (key, value) in &new.tags {
            insert_tag(act, &model_id, experiment.id, key, value)?;
        }
        require(act, &model_id)
    })
}

/// Sets the status of a logged model.
///
/// # Errors
/// [`MlflowError::Refused`] if there is no such model; those of the store.
pub fn finalize(
    session: &Session,
    model_id: &str,
    status: i64,
) -> Result<LoggedModel, MlflowError> {
    write(session, |act| {
        act.tx.execute(
            "UPDATE logged_models SET status = ?2, last_updated_timestamp_ms = ?3 WHERE model_id = ?1",
            params![model_id, status, now_ms(act)?],
        )?;
        require(act, model_id)
    })
}

/// Marks a logged model as deleted. Its records and files stay.
///
/// # Errors
/// [`MlflowError::Refused`] if there is no such model; those of the store.
pub fn delete(session: &Session, model_id: &str) -> Result<(), MlflowError> {
    write(session, |act| {
        require(act, model_id)?;
        act.tx.execute(
            "UPDATE logged_models SET lifecycle_stage = 'deleted', last_updated_timestamp_ms = ?2
             WHERE model_id = ?1",
            params![model_id, now_ms(act)?],
        )?;
        Ok(())
    })
}

/// Sets tags. Of a key that is given twice, the last value counts.
///
/// # Errors
/// [`MlflowError::Refused`] if there is no such model; those of the store.
pub fn set_tags(
    session: &Session,
    model_id: &str,
    tags: &[(String, String)],
) -> Result<(), MlflowError> {
    let last: BTreeMap<&str, &str> =
        tags.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    write(session, |act| {
        let model = require(act, model_id)?;
        for (key, value) in &last {
            insert_tag(act, model_id, model.experiment_id, key, value)?;
        }
        Ok(())
    })
}

/// Deletes a tag.
///
/// # Errors
/// [`MlflowError::Refused`] if there is no such model or tag; those of the store.
pub fn delete_tag(session: &Session, model_id: &str, key: &str) -> Result<(), MlflowError> {
    write(session, |act| {
        require(act, model_id)?;
        let n_deleted = act.tx.execute(
            "DELETE FROM logged_model_tags WHERE model_id = ?1 AND tag_key = ?2",
            params![model_id, key],
        )?;
        if n_deleted == 0 {
            let (key, model_id) = (python::text(key), python::text(model_id));
            let message = format!("No tag with key {key} found for model with ID {model_id}.");
            return Err(MlflowError::missing(message));
        }
        Ok(())
    })
}

/// Adds parameters. One that is on record cannot be changed.
///
/// # Errors
/// [`MlflowError::Refused`] if there is no such model, or a key is on record or given twice; those of the store.
pub fn log_params(
    session: &Session,
    model_id: &str,
    new: &[(String, String)],
) -> Result<(), MlflowError> {
    require_distinct("param", new)?;
    write(session, |act| {
        let model = require(act, model_id)?;
        if let Some((key, _)) =
            new.iter().find(|(key, _)| model.params.iter().any(|(known, _)| known == key))
        {
            return Err(repeated("param", key));
        }
        insert_params(act, model_id, model.experiment_id, new)?;
        Ok(())
    })
}

fn insert_params(
    act: &Act<'_>,
    model_id: &str,
    experiment_id: i64,
    pairs: &[(String, String)],
) -> Result<(), StoreError> {
    for (key, value) in pairs {
        act.tx.execute(
            "INSERT INTO logged_model_params (model_id, experiment_id, param_key, param_value)
             VALUES (?1, ?2, ?3, ?4)",
            params![model_id, experiment_id, key, value],
        )?;
    }
    Ok(())
}

fn insert_tag(
    act: &Act<'_>,
    model_id: &str,
    experiment_id: i64,
    key: &str,
    value: &str,
) -> Result<(), StoreError> {
    act.tx.execute(
        "INSERT INTO logged_model_tags (model_id, experiment_id, tag_key, tag_value) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (model_id, tag_key) DO UPDATE SET tag_value = excluded.tag_value",
        params![model_id, experiment_id, key, value],
    )?;
    Ok(())
}

/// The logged model, deleted or not.
fn require(act: &Act<'_>, model_id: &str) -> Result<LoggedModel, MlflowError> {
    record::find(act.tx, model_id)?.ok_or_else(|| not_found(model_id))
}

fn now_ms(act: &Act<'_>) -> Result<i64, StoreError> {
    Ok(act.time_for([])?.millis())
}

fn validate_name(name: &str) -> Result<(), MlflowError> {
    if !name.contains(BAD_CHARACTERS) {
        return Ok(());
    }
    let name = python::text(name);
    Err(MlflowError::invalid(format!(
        "Invalid model name ({name}) provided. Model name must be a non-empty string and cannot contain the \
         following characters: ('/', ':', '.', '%', '\"', \"'\")"
    )))
}

fn require_distinct(what: &str, pairs: &[(String, String)]) -> Result<(), MlflowError> {
    let mut seen = BTreeSet::new();
    match pairs.iter().find(|(key, _)| !seen.insert(key)) {
        Some((key, _)) => Err(repeated(what, key)),
        None => Ok(()),
    }
}

fn repeated(what: &str, key: &str) -> MlflowError {
    let message = format!("The {what} `{key}` is on record or given twice, and cannot be changed.");
    MlflowError::Refused { code: Code::BadRequest, message }
}
