//! The logged model that a version is registered from.

use herdbook_store::engine::db::Conn;
use herdbook_store::params;
use serde_json::{Value, json};

use crate::error::MlflowError;
use crate::python;
use crate::sql::text;

/// The tag of a logged model with the versions that were registered from it.
const MODEL_VERSIONS: &str = "mlflow.modelVersions";

/// Appends a version to the tag of the logged model that it was registered from.
///
/// # Errors
/// [`MlflowError::Refused`] if there is no such logged model; those of the database.
pub fn note_on_logged_model(
    conn: &Conn,
    model_id: &str,
    (name, number): (&str, i64),
) -> Result<(), MlflowError> {
    let experiment: Option<i64> = conn.query_first(
        "SELECT experiment_id FROM logged_models
         WHERE model_id = ?1 AND lifecycle_stage IS DISTINCT FROM 'deleted'",
        params![model_id],
        |row| row.get(0),
    )?;
    let experiment = experiment.ok_or_else(|| no_logged_model(model_id))?;
    let present: Option<String> = conn.query_first(
        "SELECT tag_value FROM logged_model_tags WHERE model_id = ?1 AND tag_key = ?2",
        params![model_id, MODEL_VERSIONS],
        |row| text(row, 0),
    )?;
    let entry = json!({"name": name, "version": number});
    let mut entries = match present.as_deref().map(serde_json::from_str) {
        Some(Ok(Value::Array(present))) if !present.contains(&entry) => present,
        _ => Vec::new(),
    };
    entries.push(entry);
    conn.execute(
        "INSERT INTO logged_model_tags (model_id, experiment_id, tag_key, tag_value)
         VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (model_id, tag_key) DO UPDATE SET tag_value = excluded.tag_value",
        params![model_id, experiment, MODEL_VERSIONS, python_json(&Value::Array(entries))],
    )?;
    Ok(())
}

/// As `json.dumps(value)`.
fn python_json(value: &Value) -> String {
    let joined = |items: Vec<String>| items.join(", ");
    match value {
        Value::String(text) => python::json_text(text),
        Value::Array(items) => format!("[{}]", joined(items.iter().map(python_json).collect())),
        Value::Object(fields) => {
            let field = |(key, value): (&String, &Value)| {
                format!("{}: {}", python::json_text(key), python_json(value))
            };
            format!("{{{}}}", joined(fields.iter().map(field).collect()))
        }
        other => other.to_string(),
    }
}

pub(super) fn no_logged_model(model_id: &str) -> MlflowError {
    MlflowError::missing(format!("Logged model with ID '{model_id}' not found."))
}
