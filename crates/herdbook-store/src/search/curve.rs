//! The curve of a metric, reduced to a bounded number of points in the database.

use herdbook_domain::RunId;

use crate::engine::db::{Conn, params};
use crate::error::StoreError;
use crate::store::Store;
use crate::tables::metric::FINITE;

/// What the points of a curve are ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CurveAxis {
    /// The step.
    Step,
    /// The time in milliseconds since the epoch: all values have the same step.
    Time,
}

/// Neighbouring values of a metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CurvePoint {
    /// The first position on the axis.
    pub first: i64,
    /// The last position on the axis.
    pub last: i64,
    /// The lowest value.
    pub min: f64,
    /// The highest value.
    pub max: f64,
    /// The mean of the values.
    pub mean: f64,
    /// The number of values.
    pub n: i64,
}

/// The curve of a metric. Values that are NaN or infinite are left out.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// What the points are ordered by.
    pub axis: CurveAxis,
    /// The points, in order. A part of the axis without values has none.
    pub points: Vec<CurvePoint>,
    /// The number of values of all points.
    pub n: i64,
}

impl Store {
    /// The curve of a metric of a run with at most `n_points` points, each for an equal part of the axis.
    ///
    /// # Errors
    /// [`StoreError::NoSuchRun`]; those of the database.
    pub fn curve(&self, run_id: &RunId, key: &str, n_points: usize) -> Result<Curve, StoreError> {
        self.read_run(run_id, |conn| {
            crate::tables::run::artifact_uri(conn, run_id)?;
            curve(conn, run_id, key, n_points)
        })
    }
}

fn curve(conn: &Conn, run_id: &RunId, key: &str, n_points: usize) -> Result<Curve, StoreError> {
    let of_metric = params![run_id.as_str(), key];
    let extent = |column: &str| -> Result<(i64, i64, i64), StoreError> {
        let sql = format!(
            "SELECT count(*), coalesce(min(m.{column}), 0), coalesce(max(m.{column}), 0)
             FROM metrics m WHERE m.run_uuid = ?1 AND m.key = ?2 AND {FINITE}"
        );
        conn.query_row(&sql, of_metric, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
    };
    let (n, first, last) = extent("step")?;
    let (axis, column, first, last) = if first == last && n > 1 {
        let (_, first, last) = extent("timestamp")?;
        (CurveAxis::Time, "timestamp", first, last)
    } else {
        (CurveAxis::Step, "step", first, last)
    };
    let span = last.saturating_sub(first).saturating_add(1);
    let width = (span - 1) / (n_points.max(1) as i64) + 1;
    let sql = format!(
        "SELECT min(m.{column}), max(m.{column}), min(m.value), max(m.value), avg(m.value), count(*)
         FROM metrics m WHERE m.run_uuid = ?1 AND m.key = ?2 AND {FINITE}
         GROUP BY (m.{column} - ?3) / ?4 ORDER BY 1"
    );
    let points = conn.query(&sql, params![run_id.as_str(), key, first, width], |row| {
        let (first, last) = (row.get(0)?, row.get(1)?);
        let (min, max, mean, n) = (row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?);
        Ok(CurvePoint { first, last, min, max, mean, n })
    })?;
    Ok(Curve { axis, points, n })
}

#[cfg(test)]
mod tests {
    use herdbook_domain::Timestamp;

    use super::*;
    use crate::engine::memory;
    use crate::tables::metric::{Metric, log};

    fn logged(values: impl IntoIterator<Item = (i64, i64, f64)>) -> (Conn, RunId) {
        let conn = memory::create().unwrap();
        let run_id = RunId::parse(&"a".repeat(32)).unwrap();
        let values: Vec<Metric> = values
            .into_iter()
            .map(|(step, at, value)| Metric {
                key: "equity".to_owned(),
                value,
                at: Timestamp::from_millis(at),
                step,
            })
            .collect();
        log(&conn, &run_id, &values).unwrap();
        (conn, run_id)
    }

    #[test]
    fn spike_between_two_points_is_not_lost() {
        let values = (0..1000).map(|step| (step, 0, if step == 505 { 9.0 } else { 1.0 }));
        let (conn, run_id) = logged(values);
        let curve = curve(&conn, &run_id, "equity", 10).unwrap();
        assert_eq!((curve.axis, curve.points.len(), curve.n), (CurveAxis::Step, 10, 1000));
        let highest: Vec<f64> = curve.points.iter().map(|point| point.max).collect();
        assert_eq!(highest, [1.0, 1.0, 1.0, 1.0, 1.0, 9.0, 1.0, 1.0, 1.0, 1.0]);
        assert_eq!((curve.points[5].first, curve.points[5].last), (500, 599));
        assert!((curve.points[5].mean - 1.08).abs() < 1e-12);
    }

    #[test]
    fn values_without_steps_are_ordered_by_time() {
        let (conn, run_id) = logged([(0, 10, 1.0), (0, 20, 2.0), (0, 30, 3.0)]);
        let curve = curve(&conn, &run_id, "equity", 100).unwrap();
        assert_eq!(curve.axis, CurveAxis::Time);
        assert_eq!(curve.points.iter().map(|point| point.first).collect::<Vec<_>>(), [10, 20, 30]);
    }

    #[test]
    fn undefined_values_are_left_out() {
        let (conn, run_id) = logged([(1, 0, f64::NAN), (2, 0, f64::INFINITY), (3, 0, 4.0)]);
        let curve = curve(&conn, &run_id, "equity", 5).unwrap();
        assert_eq!((curve.n, curve.points.len()), (1, 1));
        assert!(super::curve(&conn, &run_id, "other", 5).unwrap().points.is_empty());
    }

    #[test]
    fn steps_at_both_ends_of_the_range_are_no_overflow() {
        let (conn, run_id) = logged([(i64::MIN / 4, 0, 1.0), (i64::MAX / 4, 0, 2.0)]);
        assert_eq!(curve(&conn, &run_id, "equity", 7).unwrap().points.len(), 2);
    }
}
