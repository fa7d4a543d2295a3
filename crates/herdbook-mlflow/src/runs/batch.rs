//! Metrics, params and tags of a run.

use std::borrow::Cow;
use std::collections::BTreeSet;

use herdbook_store::engine::db::Conn;
use herdbook_store::tables::metric::stored;
use herdbook_store::{Session, StoreError, params};

use super::record::RUN_NAME;
use super::update::{put_tag, rename};
use super::writable::{change, require_active};
use crate::error::MlflowError;
use crate::python;
use crate::validate::{
    MAX_KEY, MAX_PARAM, MAX_RUN_TAG, check_length, check_name, check_run_id, truncated,
};

/// Most metrics of a batch, and most entries in all.
const MAX_METRICS: usize = 1000;
/// Most params and most tags of a batch.
const MAX_PAIRS: usize = 100;

/// A value of a metric.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MetricValue {
    /// The metric's name.
    pub key: String,
    /// The value; NaN and infinities are allowed.
    pub value: f64,
    /// Milliseconds since 1970.
    pub timestamp: i64,
    /// The step.
    pub step: i64,
    /// The logged model that was measured.
    pub model_id: Option<String>,
    /// The dataset on which it was measured.
    pub dataset_name: Option<String>,
    /// The digest of that dataset.
    pub dataset_digest: Option<String>,
}

/// Entries to be added to a run.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// Values of metrics.
    pub metrics: Vec<MetricValue>,
    /// Params.
    pub params: Vec<(String, String)>,
    /// Tags.
    pub tags: Vec<(String, String)>,
}

/// Adds entries to an active run, all or none.
///
/// # Errors
/// [`MlflowError::Refused`] if the run does not exist or was deleted, an entry is not allowed, or a param has another value
/// already; those of the store.
pub fn log_batch(session: &Session, run_id: &str, batch: &Batch) -> Result<(), MlflowError> {
    check_run_id(run_id)?;
    check(batch)?;
    change(session, run_id, |act| {
        let experiment = require_active(act.tx, run_id)?;
        let changed = put_params(act.tx, run_id, &batch.params)?;
        if !changed.is_empty() {
            return Err(MlflowError::invalid(format!(
                "Changing param values is not allowed. Params were already logged='[{}]' for run ID='{run_id}'.",
                changed.join(", ")
            )));
        }
        for metric in &batch.metrics {
            put_metric(act.tx, run_id, experiment, metric)?;
        }
        put_tags(act.tx, run_id, &batch.tags)?;
        Ok(())
    })
}

fn check(batch: &Batch) -> Result<(), MlflowError> {
    batch.metrics.iter().try_for_each(check_dataset)?;
    for (idx, metric) in batch.metrics.iter().enumerate() {
        check_metric(metric, &format!("metrics[{idx}]."))?;
    }
    for (idx, (key, _)) in batch.params.iter().enumerate() {
        check_name(key, &format!("params[{idx}].key"))?;
        check_length("Param key", key, MAX_KEY)?;
    }
    for (idx, (key, _)) in batch.tags.iter().enumerate() {
        let path = format!("tags[{idx}].key");
        check_name(key, &path)?;
        check_length(&path, key, MAX_KEY)?;
    }
    let numbers = [batch.metrics.len(), batch.params.len(), batch.tags.len()];
    let limits = [("metrics", MAX_METRICS), ("params", MAX_PAIRS), ("tags", MAX_PAIRS)];
    let all = ("metrics, params, and tags", MAX_METRICS);
    let numbered = limits.into_iter().zip(numbers).chain([(all, numbers.iter().sum())]);
    for ((what, limit), number) in numbered {
        if number > limit {
            return Err(MlflowError::invalid(format!(
                "A batch logging request can contain at most {limit} {what}. Got {number} {what}. Please split up \
                 {what} across multiple requests and try again."
            )));
        }
    }
    let mut known = BTreeSet::new();
    let repeated: Vec<&str> = batch
        .params
        .iter()
        .map(|(key, _)| key.as_str())
        .filter(|key| !known.insert(*key))
        .collect();
    if repeated.is_empty() {
        return Ok(());
    }
    Err(MlflowError::invalid(format!(
        "Duplicate parameter keys have been submitted: {}. Please ensure the request contains only one param value per \
         param key.",
        python::list(&repeated)
    )))
}

/// A dataset has a name and a digest.
fn check_dataset(metric: &MetricValue) -> Result<(), MlflowError> {
    if metric.dataset_name.is_some() == metric.dataset_digest.is_some() {
        return Ok(());
    }
    let rule = "Both dataset_name and dataset_digest must be provided if one is provided";
    Err(MlflowError::invalid(rule))
}

/// Checks a value. `path` comes before the names of its fields.
fn check_metric(metric: &MetricValue, path: &str) -> Result<(), MlflowError> {
    let MetricValue { key, value, timestamp, .. } = metric;
    check_name(key, &format!("{path}name"))?;
    if *timestamp < 0 {
        return Err(MlflowError::invalid(format!(
            "Invalid value {timestamp} for parameter '{path}timestamp' supplied: metric '{key}' (value={}). Timestamp \
             must be a nonnegative long (64-bit integer) ",
            python::float(*value)
        )));
    }
    check_length("Metric name", key, MAX_KEY)
}

/// Adds a value to an active run. A value that exists already is not added again.
///
/// # Errors
/// As [`log_batch`].
pub fn log_metric(
    session: &Session,
    run_id: &str,
    metric: &MetricValue,
) -> Result<(), MlflowError> {
    check_dataset(metric)?;
    check_metric(metric, "")?;
    change(session, run_id, |act| {
        let experiment = require_active(act.tx, run_id)?;
        Ok(put_metric(act.tx, run_id, experiment, metric)?)
    })
}

fn put_metric(
    conn: &Conn,
    run_id: &str,
    experiment: i64,
    metric: &MetricValue,
) -> Result<(), StoreError> {
    let (value, is_nan) = stored(metric.value);
    let MetricValue { key, timestamp, step, .. } = metric;
    let row = params![key, value, timestamp, run_id, step, is_nan];
    let n_inserted = conn.execute(
        "INSERT INTO metrics (key, value, timestamp, run_uuid, step, is_nan)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING",
        row,
    )?;
    if n_inserted > 0 {
        // By step, then time, then stored value.
        conn.execute(
            "INSERT INTO latest_metrics (key, value, timestamp, step, is_nan, run_uuid)
             VALUES (?1, ?2, ?3, ?5, ?6, ?4)
             ON CONFLICT (key, run_uuid) DO UPDATE SET value = excluded.value,
                timestamp = excluded.timestamp, step = excluded.step, is_nan = excluded.is_nan
             WHERE (excluded.step, excluded.timestamp, excluded.value)
                 > (latest_metrics.step, latest_metrics.timestamp, latest_metrics.value)",
            row,
        )?;
    }
    let Some(model) = &metric.model_id else { return Ok(()) };
    conn.execute(
        "INSERT INTO logged_model_metrics (model_id, metric_name, metric_timestamp_ms, metric_step, metric_value,
            experiment_id, run_id, dataset_name, dataset_digest)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT DO NOTHING",
        params![
            model,
            key,
            timestamp,
            step,
            value,
            experiment,
            run_id,
            metric.dataset_name,
            metric.dataset_digest
        ],
    )?;
    Ok(())
}

/// Adds a param to an active run.
///
/// # Errors
/// As [`log_batch`].
pub fn log_param(
    session: &Session,
    run_id: &str,
    key: &str,
    value: &str,
) -> Result<(), MlflowError> {
    check_name(key, "key")?;
    check_length("Param key", key, MAX_KEY)?;
    let value = truncated(value, MAX_PARAM);
    change(session, run_id, |act| {
        require_active(act.tx, run_id)?;
        match put_param(act.tx, run_id, key, &value)? {
            None => Ok(()),
            Some(present) => Err(MlflowError::invalid(format!(
                "Changing param values is not allowed. Param with key='{key}' was already logged with \
                 value='{present}' for run ID='{run_id}'. Attempted logging new value '{value}'."
            ))),
        }
    })
}

/// Adds params. Returns those that have another value already, as Python writes them.
fn put_params(
    conn: &Conn,
    run_id: &str,
    params: &[(String, String)],
) -> Result<Vec<String>, StoreError> {
    let mut changed = Vec::new();
    for (key, value) in params {
        let value: Cow<'_, str> = truncated(value, MAX_PARAM);
        if let Some(present) = put_param(conn, run_id, key, &value)? {
            changed.push(format!(
                "{{'key': {}, 'old_value': {}, 'new_value': {}}}",
                python::text(key),
                python::text(&present),
                python::text(&value)
            ));
        }
    }
    Ok(changed)
}

/// Adds a param. Returns its present value if that is another one.
fn put_param(
    conn: &Conn,
    run_id: &str,
    key: &str,
    value: &str,
) -> Result<Option<String>, StoreError> {
    let n_inserted = conn.execute(
        "INSERT INTO params (key, value, run_uuid) VALUES (?1, ?2, ?3) ON CONFLICT (key, run_uuid) DO NOTHING",
        params![key, value, run_id],
    )?;
    if n_inserted > 0 {
        return Ok(None);
    }
    let present: String = conn.query_row(
        "SELECT value FROM params WHERE run_uuid = ?1 AND key = ?2",
        params![run_id, key],
        |row| Ok(row.shown(0)?.unwrap_or_default()),
    )?;
    Ok((present != value).then_some(present))
}

/// Sets a tag of an active run. The tag with its name sets its name, too.
///
/// # Errors
/// As [`log_batch`].
pub fn set_tag(session: &Session, run_id: &str, key: &str, value: &str) -> Result<(), MlflowError> {
    check_name(key, "key")?;
    check_length("key", key, MAX_KEY)?;
    change(session, run_id, |act| {
        require_active(act.tx, run_id)?;
        Ok(put_or_rename(act.tx, run_id, key, value)?)
    })
}

fn put_tags(conn: &Conn, run_id: &str, tags: &[(String, String)]) -> Result<(), StoreError> {
    tags.iter().try_for_each(|(key, value)| put_or_rename(conn, run_id, key, value))
}

fn put_or_rename(conn: &Conn, run_id: &str, key: &str, value: &str) -> Result<(), StoreError> {
    let value = truncated(value, MAX_RUN_TAG);
    match (key, &*value) {
        // As in MLflow, a run keeps its name.
        (RUN_NAME, "") => Ok(()),
        (RUN_NAME, name) => rename(conn, run_id, name),
        (key, value) => put_tag(conn, run_id, key, value),
    }
}

/// Removes a tag of an active run.
///
/// # Errors
/// [`MlflowError::Refused`] if the run does not exist, was deleted, or has no such tag; those of the store.
pub fn delete_tag(session: &Session, run_id: &str, key: &str) -> Result<(), MlflowError> {
    change(session, run_id, |act| {
        require_active(act.tx, run_id)?;
        let n_removed = act
            .tx
            .execute("DELETE FROM tags WHERE run_uuid = ?1 AND key = ?2", params![run_id, key])?;
        if n_removed > 0 {
            return Ok(());
        }
        Err(MlflowError::missing(format!("No tag with name: {key} in run with id {run_id}")))
    })
}
