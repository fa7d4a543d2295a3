//! Metrics: every logged value, and the latest of each name, as MLflow keeps them.

use std::collections::BTreeMap;

use herdbook_domain::{RunId, Timestamp};

use crate::engine::db::{Conn, Row, params};
use crate::error::StoreError;
use crate::tables::batch::OfRuns;

/// A number logged at a step.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    /// Its name.
    pub key: String,
    /// Its value; NaN and infinities are kept as MLflow keeps them.
    pub value: f64,
    /// When it was logged.
    pub at: Timestamp,
    /// Number of training steps before it.
    pub step: i64,
}

/// The last logged value of a metric: the one with the highest step, then time, then value.
#[derive(Debug, Clone, PartialEq)]
pub struct LatestMetric {
    /// Its name.
    pub key: String,
    /// Its value as it was logged, NaN and infinities included. MLflow itself shows an infinity as the largest finite number of
    /// the same sign: [`stored`] gives that number.
    pub value: f64,
    /// Number of training steps before it.
    pub step: i64,
    /// When it was logged; `None` if the program that logged it did not say.
    pub at: Option<Timestamp>,
}

/// The last logged value of each metric of a run, sorted by name.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LatestMetrics(Vec<LatestMetric>);

impl LatestMetrics {
    /// The last value of a metric, finite or not.
    pub fn get(&self, key: &str) -> Option<&LatestMetric> {
        let idx = self.0.binary_search_by(|metric| metric.key.as_str().cmp(key)).ok()?;
        Some(&self.0[idx])
    }

    /// The last value of a metric; `None` if it was never logged, or is NaN or infinite.
    pub fn finite(&self, key: &str) -> Option<f64> {
        self.get(key).map(|metric| metric.value).filter(|value| value.is_finite())
    }

    /// The last values that are finite, by name.
    pub fn finite_values(&self) -> BTreeMap<String, f64> {
        let finite = self.iter().filter(|metric| metric.value.is_finite());
        finite.map(|metric| (metric.key.clone(), metric.value)).collect()
    }

    /// Every metric, by name.
    pub fn iter(&self) -> std::slice::Iter<'_, LatestMetric> {
        self.0.iter()
    }
}

impl<'a> IntoIterator for &'a LatestMetrics {
    type Item = &'a LatestMetric;
    type IntoIter = std::slice::Iter<'a, LatestMetric>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl FromIterator<LatestMetric> for LatestMetrics {
    /// Of several values of one metric the first counts.
    fn from_iter<I: IntoIterator<Item = LatestMetric>>(metrics: I) -> Self {
        let mut metrics: Vec<LatestMetric> = metrics.into_iter().collect();
        metrics.sort_by(|a, b| a.key.cmp(&b.key));
        metrics.dedup_by(|later, earlier| later.key == earlier.key);
        Self(metrics)
    }
}

/// Value and NaN flag in the database: NaN is 0 with the flag, infinities are the largest doubles
/// (MLflow 3.17.2, `store/tracking/sqlalchemy_store.py`).
pub fn stored(value: f64) -> (f64, bool) {
    if value.is_nan() { (0.0, true) } else { (value.clamp(f64::MIN, f64::MAX), false) }
}

/// The value that was logged, from [`stored`].
fn restored(value: f64, is_nan: bool) -> f64 {
    if is_nan {
        f64::NAN
    } else if value >= f64::MAX {
        f64::INFINITY
    } else if value <= f64::MIN {
        f64::NEG_INFINITY
    } else {
        value
    }
}

/// The condition that a stored value was a finite number when it was logged; the table is `m`.
pub const FINITE: &str =
    "(m.is_nan = FALSE AND m.value < 1.7976931348623157e308 AND m.value > -1.7976931348623157e308)";

/// Adds values to a run and keeps the latest of each metric up to date. A value that exists already is not added again.
///
/// # Errors
/// Those of the database.
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
    /// All metrics.
    #[default]
    All,
    /// The metrics with these names. Names are plain words.
    Only(&'static [&'static str]),
}

impl MetricSelection {
    /// The condition that a column has a selected name.
    pub(crate) fn sql(self, column: &str) -> String {
        match self {
            Self::All => "TRUE".to_owned(),
            Self::Only([]) => "FALSE".to_owned(),
            Self::Only(names) => format!("{column} IN ('{}')", names.join("', '")),
        }
    }
}

/// The columns that [`from_row`] reads.
const LATEST: &str = "m.key, m.value, m.is_nan, m.step, m.timestamp";

/// A row of [`LATEST`]; `None` if one of its values is of another kind than its column.
fn from_row(row: &Row<'_>) -> Result<Option<LatestMetric>, StoreError> {
    let key = row.readable(0)?;
    let (value, is_nan, step) = (row.readable(1)?, row.readable(2)?, row.readable(3)?);
    let at = row.readable::<i64>(4)?.map(Timestamp::from_millis);
    let (Some(key), Some(value), Some(is_nan), Some(step)) = (key, value, is_nan, step) else {
        return Ok(None);
    };
    Ok(Some(LatestMetric { key, value: restored(value, is_nan), step, at }))
}

/// The last value of each selected metric of a run.
///
/// # Errors
/// Those of the database.
pub fn latest_of_run(
    conn: &Conn,
    run_id: &str,
    selection: MetricSelection,
) -> Result<LatestMetrics, StoreError> {
    if let MetricSelection::Only(names) = selection {
        let sql =
            format!("SELECT {LATEST} FROM latest_metrics m WHERE m.key = ?1 AND m.run_uuid = ?2");
        let found: Vec<Option<Option<LatestMetric>>> = names
            .iter()
            .map(|name| conn.query_first(&sql, params![*name, run_id], from_row))
            .collect::<Result<_, _>>()?;
        return Ok(found.into_iter().flatten().flatten().collect());
    }
    let sql = format!("SELECT {LATEST} FROM latest_metrics m WHERE m.run_uuid = ?1");
    Ok(conn.query(&sql, params![run_id], from_row)?.into_iter().flatten().collect())
}

/// The last step of each metric of a run.
///
/// # Errors
/// Those of the database.
pub fn last_steps(conn: &Conn, run_id: &RunId) -> Result<BTreeMap<String, i64>, StoreError> {
    let steps = conn.query(
        "SELECT m.key, m.step FROM latest_metrics m WHERE m.run_uuid = ?1",
        params![run_id.as_str()],
        |row| Ok(row.readable(0)?.zip(row.readable(1)?)),
    )?;
    Ok(steps.into_iter().flatten().collect())
}

/// The last values of some metrics of every run, by run id. For lists of all runs: reads the index of each metric once.
///
/// # Errors
/// Those of the database.
pub fn of_all_runs(
    conn: &Conn,
    names: &[&str],
) -> Result<BTreeMap<String, LatestMetrics>, StoreError> {
    let sql = format!("SELECT {LATEST}, m.run_uuid FROM latest_metrics m WHERE m.key = ?1");
    let mut runs: BTreeMap<String, LatestMetrics> = BTreeMap::new();
    // In the order of names, so that each run's metrics are sorted.
    let mut names = names.to_vec();
    names.sort_unstable();
    names.dedup();
    for name in names {
        conn.query(&sql, params![name], |row| {
            if let (Some(run), Some(metric)) = (row.readable(5)?, from_row(row)?) {
                runs.entry(run).or_default().0.push(metric);
            }
            Ok(())
        })?;
    }
    Ok(runs)
}

/// The last value of each selected metric of the runs with these ids, by run id.
///
/// # Errors
/// Those of the database.
pub(crate) fn of_runs_with(
    conn: &Conn,
    run_ids: &[&str],
    selection: MetricSelection,
) -> Result<BTreeMap<String, LatestMetrics>, StoreError> {
    let mut found: BTreeMap<String, Vec<LatestMetric>> = BTreeMap::new();
    let query = OfRuns {
        columns: &(LATEST.replace("m.", "t.") + ", t.run_uuid"),
        table: "latest_metrics",
        run_id: "run_uuid",
        condition: &selection.sql("t.key"),
    };
    query.query(conn, run_ids, |row| {
        if let (Some(run), Some(metric)) = (row.readable(5)?, from_row(row)?) {
            found.entry(run).or_default().push(metric);
        }
        Ok(())
    })?;
    Ok(found.into_iter().map(|(run, metrics)| (run, metrics.into_iter().collect())).collect())
}

/// The last value of every metric of some runs, by run id. `runs` is a query for their ids.
///
/// # Errors
/// Those of the database.
pub(crate) fn of_runs(
    conn: &Conn,
    runs: &str,
) -> Result<BTreeMap<String, LatestMetrics>, StoreError> {
    let sql =
        format!("SELECT {LATEST}, m.run_uuid FROM latest_metrics m WHERE m.run_uuid IN ({runs})");
    let mut found: BTreeMap<String, Vec<LatestMetric>> = BTreeMap::new();
    conn.query(&sql, params![], |row| {
        if let (Some(run), Some(metric)) = (row.readable(5)?, from_row(row)?) {
            found.entry(run).or_default().push(metric);
        }
        Ok(())
    })?;
    Ok(found.into_iter().map(|(run, metrics)| (run, metrics.into_iter().collect())).collect())
}

/// Adds a whole history at once: every value, then the latest of each metric.
///
/// # Errors
/// Those of the database.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::memory;

    fn latest(key: &str, value: f64) -> LatestMetric {
        LatestMetric { key: key.to_owned(), value, step: 0, at: None }
    }

    #[test]
    fn stored_value_is_restored() {
        for value in [0.0, -1.5, 1e300, f64::INFINITY, f64::NEG_INFINITY] {
            let (stored, is_nan) = stored(value);
            assert_eq!(restored(stored, is_nan).to_bits(), value.to_bits(), "{value}");
        }
        let (stored, is_nan) = stored(f64::NAN);
        assert!(restored(stored, is_nan).is_nan());
    }

    #[test]
    fn metrics_are_found_by_name_in_whatever_order_they_came() {
        let metrics: LatestMetrics = [("b", f64::NAN), ("c", 3.0), ("a", 1.0)]
            .map(|(key, value)| latest(key, value))
            .into_iter()
            .collect();
        assert_eq!(metrics.finite("a"), Some(1.0));
        assert!(metrics.get("b").unwrap().value.is_nan());
        assert_eq!((metrics.finite("b"), metrics.finite("d")), (None, None));
        assert_eq!(metrics.finite_values().into_keys().collect::<Vec<_>>(), ["a", "c"]);
    }

    #[test]
    fn selected_metrics_of_one_run_and_of_all_are_the_same() {
        const NAMES: [&str; 3] = ["z", "a", "never logged"];
        let conn = memory::create().unwrap();
        let run_id = RunId::parse(&"a".repeat(32)).unwrap();
        let at = Timestamp::from_millis(1);
        let logged = [("a", f64::NEG_INFINITY), ("m", 1.0), ("z", 2.0)]
            .map(|(key, value)| Metric { key: key.to_owned(), value, at, step: 5 });
        log(&conn, &run_id, &logged).unwrap();
        let one = latest_of_run(&conn, run_id.as_str(), MetricSelection::Only(&NAMES)).unwrap();
        assert_eq!(one.iter().map(|metric| metric.key.as_str()).collect::<Vec<_>>(), ["a", "z"]);
        assert_eq!(of_all_runs(&conn, &NAMES).unwrap().remove(run_id.as_str()), Some(one));
    }
}
