//! All values of a metric.

use herdbook_store::{Store, params};

use crate::error::MlflowError;
use crate::page::{Page, Wanted};
use crate::runs::{Latest, latest_from_row};
use crate::sql::{Arguments, text};

/// Which values of a metric are wanted.
#[derive(Debug, Clone, Copy)]
pub struct HistoryPage<'a> {
    /// The run.
    pub run_id: &'a str,
    /// The metric.
    pub key: &'a str,
    /// Most values; all if `None`.
    pub max_results: Option<i64>,
    /// The token of the wanted page; the first if it is empty.
    pub page_token: &'a str,
}

/// A value of a metric, with its run.
#[derive(Debug, Clone, PartialEq)]
pub struct RunValue {
    /// The run.
    pub run_id: String,
    /// The value.
    pub value: Latest,
}

/// The values of a metric by time, step and value. A run or metric that does not exist has none.
///
/// # Errors
/// [`MlflowError::Refused`] if the token or the number of results is not allowed; those of the store.
pub fn history(store: &Store, wanted: &HistoryPage<'_>) -> Result<Page<Latest>, MlflowError> {
    if let Some(max) = wanted.max_results
        && max <= 0
    {
        return Err(MlflowError::invalid(format!(
            "Invalid value {max} for parameter 'max_results' supplied. It must be a positive integer."
        )));
    }
    let page = Wanted::parse(wanted.page_token, wanted.max_results.unwrap_or(i64::MAX - 1))?;
    let values = store.read(|conn| {
        conn.query(
            "SELECT key, value, is_nan, timestamp, step FROM metrics WHERE run_uuid = ?1 AND key = ?2
             ORDER BY timestamp, step, value LIMIT ?3 OFFSET ?4",
            params![wanted.run_id, wanted.key, page.limit(), page.skipped()],
            |row| latest_from_row(row, 0),
        )
    })?;
    Ok(page.page(values))
}

/// The values of a metric of some runs, by run, time, step and value, at most `max`.
///
/// # Errors
/// Those of the store.
pub fn history_of_runs(
    store: &Store,
    run_ids: &[String],
    key: &str,
    max: i64,
) -> Result<Vec<RunValue>, MlflowError> {
    let mut args = Arguments::default();
    let marks: Vec<String> = run_ids.iter().map(|id| args.text(id)).collect();
    let (key, limit) = (args.text(key), args.integer(max));
    let sql = format!(
        "SELECT run_uuid, key, value, is_nan, timestamp, step FROM metrics
         WHERE key = {key} AND run_uuid IN ({}) ORDER BY run_uuid, timestamp, step, value LIMIT {limit}",
        marks.join(", ")
    );
    Ok(store.read(|conn| {
        conn.query(&sql, args.values().as_slice(), |row| {
            Ok(RunValue { run_id: text(row, 0)?, value: latest_from_row(row, 1)? })
        })
    })?)
}
