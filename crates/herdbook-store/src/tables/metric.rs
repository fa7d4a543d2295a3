//! Metrics: every logged value, and the latest of each key, as MLflow keeps them.

use std::collections::BTreeMap;

use herdbook_domain::{RunId, Timestamp};

use crate::engine::db::{Conn, params};
use crate::error::StoreError;

/// A number logged at a step.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    /// Its name.
    pub key: String,
    /// Its value; NaN and infinities are kept as MLflow keeps them.
    pub value: f64,
    /// When it was logged.
    pub at: Timestamp,
    /// Training steps behind it.
    pub step: i64,
}

/// Value and NaN flag in the database: NaN is 0 with the flag, infinities are the largest doubles
/// (MLflow 3.17.2, `store/tracking/sqlalchemy_store.py`).
pub fn stored(value: f64) -> (f64, bool) {
    if value.is_nan() { (0.0, true) } else { (value.clamp(f64::MIN, f64::MAX), false) }
}

/// Whether a stored value was a finite number when it was logged.
pub const FINITE: &str =
    "(m.is_nan = FALSE AND m.value < 1.7976931348623157e308 AND m.value > -1.7976931348623157e308)";

pub fn log(conn: &Conn, run_id: &RunId, metrics: &[Metric]) -> Result<(), StoreError> {
    for metric in metrics {
        let (value, is_nan) = stored(metric.value);
        let row =
            params![metric.key, value, metric.at.millis(), run_id.as_str(), metric.step, is_nan];
        conn.execute(
            "INSERT INTO metrics (key, value, timestamp, run_uuid, step, is_nan)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING",
            row,
        )?;
        // MLflow's order: by step, then time, then value.
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
    Ok(())
}

/// Which metrics to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MetricSelection {
    /// All of them.
    #[default]
    All,
    /// Those with these names.
    Only(&'static [&'static str]),
}

/// The last value of each metric of a run, those that are finite.
pub fn latest_of_run(
    conn: &Conn,
    run_id: &str,
    selection: MetricSelection,
) -> Result<BTreeMap<String, f64>, StoreError> {
    if let MetricSelection::Only(names) = selection {
        return named_of_run(conn, run_id, names);
    }
    let metrics = conn.query(
        &format!("SELECT m.key, m.value FROM latest_metrics m WHERE m.run_uuid = ?1 AND {FINITE}"),
        params![run_id],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    Ok(metrics.into_iter().collect())
}

/// The last step of each metric of a run.
pub fn last_steps(conn: &Conn, run_id: &RunId) -> Result<BTreeMap<String, i64>, StoreError> {
    let steps = conn.query(
        "SELECT m.key, m.step FROM latest_metrics m WHERE m.run_uuid = ?1",
        params![run_id.as_str()],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    Ok(steps.into_iter().collect())
}

/// The last value of some metrics of every run at once, for lists of all: a walk along the index of each metric.
pub fn of_all_runs(
    conn: &Conn,
    names: &[&str],
) -> Result<BTreeMap<String, BTreeMap<String, f64>>, StoreError> {
    let sql =
        format!("SELECT m.run_uuid, m.value FROM latest_metrics m WHERE m.key = ?1 AND {FINITE}");
    let mut runs: BTreeMap<String, BTreeMap<String, f64>> = BTreeMap::new();
    for name in names {
        conn.query(&sql, params![*name], |row| {
            runs.entry(row.get(0)?).or_default().insert((*name).to_owned(), row.get(1)?);
            Ok(())
        })?;
    }
    Ok(runs)
}

fn named_of_run(
    conn: &Conn,
    run_id: &str,
    names: &[&str],
) -> Result<BTreeMap<String, f64>, StoreError> {
    let sql = format!(
        "SELECT m.value FROM latest_metrics m WHERE m.key = ?1 AND m.run_uuid = ?2 AND {FINITE}"
    );
    let mut metrics = BTreeMap::new();
    for name in names {
        let value: Option<f64> =
            conn.query_first(&sql, params![*name, run_id], |row| row.get(0))?;
        metrics.extend(value.map(|value| ((*name).to_owned(), value)));
    }
    Ok(metrics)
}

/// Adds a whole history at once: every value, then the latest of each key.
pub fn log_history(conn: &Conn, run_id: &RunId, metrics: &[Metric]) -> Result<(), StoreError> {
    let mut latest: BTreeMap<&str, &Metric> = BTreeMap::new();
    let order = |metric: &Metric| (metric.step, metric.at, stored(metric.value).0);
    for metric in metrics {
        let (value, is_nan) = stored(metric.value);
        conn.execute(
            "INSERT INTO metrics (key, value, timestamp, run_uuid, step, is_nan)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING",
            params![metric.key, value, metric.at.millis(), run_id.as_str(), metric.step, is_nan],
        )?;
        let known = latest.entry(&metric.key).or_insert(metric);
        if order(metric) > order(known) {
            *known = metric;
        }
    }
    let latest: Vec<Metric> = latest.into_values().cloned().collect();
    log(conn, run_id, &latest)
}
