//! A sample of a metric's values, for charts.

use std::cmp::Ordering;

use herdbook_store::engine::db::Conn;
use herdbook_store::{Store, StoreError, params};

use super::history::RunValue;
use crate::error::MlflowError;
use crate::runs::{Latest, latest_from_row};

/// A range of steps, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Steps {
    /// The first step.
    pub first: i64,
    /// The last step.
    pub last: i64,
}

/// At most `max` values of a metric per run, by step, time and value: the first of each of `max` parts of equal size, and
/// the last of all.
///
/// # Errors
/// Those of the store.
pub fn sample(
    store: &Store,
    run_ids: &[String],
    key: &str,
    steps: Option<Steps>,
    max: i64,
) -> Result<Vec<RunValue>, MlflowError> {
    let values = store.read(|conn| {
        let mut all = Vec::new();
        for run_id in run_ids {
            let of_run = of_run(conn, run_id, key, steps, max)?;
            let with_run = |value| RunValue { run_id: run_id.clone(), value };
            all.extend(of_run.into_iter().map(with_run));
        }
        Ok(all)
    })?;
    Ok(values)
}

fn of_run(
    conn: &Conn,
    run_id: &str,
    key: &str,
    steps: Option<Steps>,
    max: i64,
) -> Result<Vec<Latest>, StoreError> {
    let Steps { first, last } = steps.unwrap_or(Steps { first: i64::MIN, last: i64::MAX });
    let mut values = conn.query(
        "SELECT key, value, is_nan, timestamp, step FROM (
            SELECT key, value, is_nan, timestamp, step,
                row_number() OVER (PARTITION BY part ORDER BY step, timestamp, value, is_nan) AS place
            FROM (
                SELECT key, value, is_nan, timestamp, step,
                    ntile(CAST(?5 AS integer)) OVER (ORDER BY step, timestamp, value, is_nan) AS part
                FROM metrics WHERE run_uuid = ?1 AND key = ?2 AND step >= ?3 AND step <= ?4
            ) AS parts
         ) AS places
         WHERE place = 1 ORDER BY step, timestamp, value, is_nan",
        params![run_id, key, first, last, max],
        |row| latest_from_row(row, 0),
    )?;
    let newest = conn.query_first(
        "SELECT key, value, is_nan, timestamp, step FROM metrics
         WHERE run_uuid = ?1 AND key = ?2 AND step >= ?3 AND step <= ?4
         ORDER BY step DESC, timestamp DESC, value DESC, is_nan DESC LIMIT 1",
        params![run_id, key, first, last],
        |row| latest_from_row(row, 0),
    )?;
    let Some(newest) = newest else { return Ok(values) };
    if values.last().is_none_or(|value| !is_same(value, &newest)) {
        if values.len() as i64 >= max {
            values.pop();
        }
        values.push(newest);
    }
    Ok(values)
}

fn is_same(a: &Latest, b: &Latest) -> bool {
    let is_equal = a.value.partial_cmp(&b.value) == Some(Ordering::Equal);
    (a.step, a.timestamp) == (b.step, b.timestamp)
        && (is_equal || (a.value.is_nan() && b.value.is_nan()))
}
