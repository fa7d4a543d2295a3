//! The tag in which old clients keep the models of a run.

use herdbook_store::{Session, params};
use serde_json::{Map, Value};

use super::update::put_tag;
use super::writable::{change, require_active};
use crate::error::{Code, MlflowError};
use crate::python;
use crate::validate::{MAX_RUN_TAG, truncated};

/// The tag: a JSON list.
const TAG: &str = "mlflow.log-model.history";
/// The keys that the description of a model must have.
const REQUIRED: [&str; 4] = ["artifact_path", "flavors", "utc_time_created", "run_id"];

/// Adds a model, described as JSON, to the list in the run's tag.
///
/// # Errors
/// [`MlflowError::Refused`] if the run does not exist or was deleted, or the description cannot be used; those of the store.
pub fn log_model(session: &Session, run_id: &str, model_json: &str) -> Result<(), MlflowError> {
    let model: Value = serde_json::from_str(model_json).map_err(|_| {
        MlflowError::invalid(format!(
            "Malformed model info. \n {model_json} \n is not a valid JSON."
        ))
    })?;
    let Value::Object(model) = model else {
        return Err(MlflowError::invalid("Model json must be an object"));
    };
    let missing: Vec<&str> = REQUIRED.into_iter().filter(|key| !model.contains_key(*key)).collect();
    if !missing.is_empty() {
        let set = python::list(&missing).replace('[', "{").replace(']', "}");
        return Err(MlflowError::invalid(format!("Model json is missing mandatory fields: {set}")));
    }
    let entry = entry(&model);
    change(session, run_id, |act| {
        require_active(act.tx, run_id)?;
        let present: Option<String> = act.tx.query_first(
            "SELECT value FROM tags WHERE run_uuid = ?1 AND key = ?2",
            params![run_id, TAG],
            |row| Ok(row.shown(0)?.unwrap_or_default()),
        )?;
        let unreadable = || {
            MlflowError::new(
                Code::BadRequest,
                format!("the tag `{TAG}` of the run is not a JSON list"),
            )
        };
        let mut models: Vec<Value> = match present {
            Some(present) => serde_json::from_str(&present).map_err(|_| unreadable())?,
            None => Vec::new(),
        };
        models.push(entry.clone());
        let value = Value::Array(models).to_string();
        if truncated(&value, MAX_RUN_TAG).len() < value.len() {
            return Err(MlflowError::invalid(format!(
                "'value' exceeds the maximum length of {MAX_RUN_TAG} characters"
            )));
        }
        Ok(put_tag(act.tx, run_id, TAG, &value)?)
    })
}

/// The part of a description that the tag holds.
fn entry(model: &Map<String, Value>) -> Value {
    let mut entry = Map::new();
    for key in ["run_id", "artifact_path", "utc_time_created", "model_uuid"] {
        entry.insert(key.to_owned(), model.get(key).cloned().unwrap_or(Value::Null));
    }
    let mut flavors = Map::new();
    if let Some(Value::Object(given)) = model.get("flavors") {
        for (flavor, config) in given {
            let mut config = config.clone();
            if let Value::Object(config) = &mut config {
                config.remove("config");
            }
            flavors.insert(flavor.clone(), config);
        }
    }
    entry.insert("flavors".to_owned(), Value::Object(flavors));
    Value::Object(entry)
}
