//! Logged models on record.

use std::collections::BTreeMap;

use herdbook_store::engine::db::{Conn, Dialect, Row};
use herdbook_store::{Store, StoreError};

use crate::error::MlflowError;
use crate::sql::{Arguments, text};

/// A logged model.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LoggedModel {
    /// `m-` and 32 hexadecimal digits.
    pub model_id: String,
    /// Its experiment.
    pub experiment_id: i64,
    /// Its name. Several models may have the same.
    pub name: String,
    /// Where its files are.
    pub artifact_location: String,
    /// Milliseconds since 1970.
    pub creation_timestamp: i64,
    /// Milliseconds since 1970.
    pub last_updated_timestamp: i64,
    /// The number of its status: 0 unspecified, 1 pending, 2 ready, 3 failed.
    pub status: i64,
    /// What the client called its type; may be empty.
    pub model_type: Option<String>,
    /// The run that made it; may be empty.
    pub source_run_id: Option<String>,
    /// A text about its status.
    pub status_message: Option<String>,
    /// `active` or `deleted`.
    pub lifecycle_stage: String,
    /// Its tags, by name.
    pub tags: Vec<(String, String)>,
    /// Its parameters, by name.
    pub params: Vec<(String, String)>,
    /// All values of its metrics.
    pub metrics: Vec<ModelMetric>,
}

impl LoggedModel {
    /// Whether it was deleted.
    pub fn is_deleted(&self) -> bool {
        self.lifecycle_stage == "deleted"
    }
}

/// A value of a metric of a logged model.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelMetric {
    /// The metric's name.
    pub key: String,
    /// The value as MLflow stores it: 0 for NaN, the largest finite numbers for infinities.
    pub value: Option<f64>,
    /// Milliseconds since 1970.
    pub timestamp: i64,
    /// The step of the training.
    pub step: i64,
    /// The run that logged it.
    pub run_id: String,
    /// The dataset on which it was measured.
    pub dataset_name: Option<String>,
    /// The digest of that dataset.
    pub dataset_digest: Option<String>,
}

/// Looks up a logged model.
///
/// # Errors
/// [`MlflowError::Refused`] if there is none, or it was deleted and `allow_deleted` is false; those of the store.
pub fn get(store: &Store, model_id: &str, allow_deleted: bool) -> Result<LoggedModel, MlflowError> {
    store
        .read(|conn| find(conn, model_id))?
        .filter(|model| allow_deleted || !model.is_deleted())
        .ok_or_else(|| not_found(model_id))
}

/// The refusal of a request about a logged model that does not exist.
pub(crate) fn not_found(model_id: &str) -> MlflowError {
    MlflowError::missing(format!("Logged model with ID '{model_id}' not found."))
}

/// A logged model, deleted or not.
pub(crate) fn find(conn: &Conn, model_id: &str) -> Result<Option<LoggedModel>, StoreError> {
    Ok(load(conn, &[model_id.to_owned()])?.pop())
}

/// Some logged models, in the order of the ids.
pub(crate) fn load(conn: &Conn, ids: &[String]) -> Result<Vec<LoggedModel>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut args = Arguments::default();
    let marks: Vec<String> = ids.iter().map(|id| args.text(id)).collect();
    let among = format!("model_id IN ({})", marks.join(", "));
    let values = args.values();
    let mut found: BTreeMap<String, LoggedModel> = BTreeMap::new();
    let sql = format!(
        "SELECT l.model_id, l.experiment_id, l.name, l.artifact_location, l.creation_timestamp_ms,
            l.last_updated_timestamp_ms, l.status, l.model_type, l.source_run_id, l.status_message, l.lifecycle_stage
         FROM logged_models l JOIN experiments e ON e.experiment_id = l.experiment_id
         WHERE e.workspace = 'default' AND l.{among}"
    );
    for model in conn.query(&sql, values.as_slice(), from_row)? {
        found.insert(model.model_id.clone(), model);
    }
    for (table, what) in [("logged_model_tags", "tag"), ("logged_model_params", "param")] {
        let sql = format!(
            "SELECT model_id, {what}_key, {what}_value FROM {table} WHERE {among} ORDER BY {what}_key"
        );
        conn.query(&sql, values.as_slice(), |row| {
            if let Some(model) = found.get_mut(&text(row, 0)?) {
                let pairs = if what == "tag" { &mut model.tags } else { &mut model.params };
                pairs.push((text(row, 1)?, text(row, 2)?));
            }
            Ok(())
        })?;
    }
    // MLflow's client shows them in the order in which they were logged.
    let order = match conn.dialect() {
        Dialect::Sqlite => "rowid",
        Dialect::Postgres => "metric_timestamp_ms, metric_step, metric_name, run_id",
    };
    let sql = format!(
        "SELECT model_id, metric_name, metric_value, metric_timestamp_ms, metric_step, run_id, dataset_name,
            dataset_digest
         FROM logged_model_metrics WHERE {among} ORDER BY {order}"
    );
    conn.query(&sql, values.as_slice(), |row| {
        if let Some(model) = found.get_mut(&text(row, 0)?) {
            model.metrics.push(metric(row)?);
        }
        Ok(())
    })?;
    Ok(ids.iter().filter_map(|id| found.remove(id)).collect())
}

fn from_row(row: &Row<'_>) -> Result<LoggedModel, StoreError> {
    Ok(LoggedModel {
        model_id: text(row, 0)?,
        experiment_id: row.readable(1)?.unwrap_or_default(),
        name: text(row, 2)?,
        artifact_location: text(row, 3)?,
        creation_timestamp: row.readable(4)?.unwrap_or_default(),
        last_updated_timestamp: row.readable(5)?.unwrap_or_default(),
        status: row.readable(6)?.unwrap_or_default(),
        model_type: row.readable(7)?,
        source_run_id: row.readable(8)?,
        status_message: row.readable(9)?,
        lifecycle_stage: text(row, 10)?,
        ..LoggedModel::default()
    })
}

fn metric(row: &Row<'_>) -> Result<ModelMetric, StoreError> {
    Ok(ModelMetric {
        key: text(row, 1)?,
        value: row.readable(2)?,
        timestamp: row.readable(3)?.unwrap_or_default(),
        step: row.readable(4)?.unwrap_or_default(),
        run_id: text(row, 5)?,
        dataset_name: row.readable(6)?,
        dataset_digest: row.readable(7)?,
    })
}
