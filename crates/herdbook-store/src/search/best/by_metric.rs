//! The plans that find the best candidate by a metric.

use herdbook_domain::{Direction, MetricName};

use super::candidates::Condition;
use super::walk::{
    NEWEST_FIRST, SEALED_VERSIONS_AND_RUNS, VERSIONS_AND_RUNS, WALK_LIMIT, Walked, first_readable,
};
use crate::engine::db::{Conn, Row, ToValue};
use crate::error::StoreError;
use crate::tables::metric::FINITE;
use crate::tables::version::{self, COLUMNS, N_COLUMNS, UnreadableVersion, VersionRecord};

/// A candidate with its value.
pub(super) struct Scored {
    pub(super) record: VersionRecord,
    pub(super) value: f64,
}

impl Scored {
    /// Whether this is the better of the two, or the newer at equal values.
    pub(super) fn beats(&self, other: &Self, metric: &MetricName) -> bool {
        let age = |scored: &Self| (scored.record.created_at, scored.record.key.version);
        let (this, that) = match Direction::of(metric.as_str()) {
            Direction::More | Direction::Neither => (self.value, other.value),
            Direction::Less => (other.value, self.value),
        };
        this.total_cmp(&that).then(age(self).cmp(&age(other))).is_gt()
    }
}

/// Where the values of a metric are read.
#[derive(Debug, Clone, Copy)]
pub(super) enum Values {
    /// In seals.
    Sealed,
    /// In MLflow's last values of runs whose versions have no seal. With a value, only those at least as good.
    Unsealed {
        /// The value to reach.
        at_least: Option<f64>,
    },
}

/// The parts of a statement that differ between the two kinds of [`Values`]. Each walks the table of values `m` first.
struct Source {
    table: &'static str,
    /// The condition on a value.
    of_metric: String,
    /// The tables to join, and the condition on a candidate.
    joined: &'static str,
    candidate: String,
    bound: f64,
}

impl Source {
    fn of(conn: &Conn, condition: &Condition, metric: &MetricName, values: Values) -> Self {
        match values {
            Values::Sealed => Self {
                table: "herdbook_sealed_metrics m",
                of_metric: "m.metric = :metric".to_owned(),
                joined: SEALED_VERSIONS_AND_RUNS,
                candidate: format!(
                    "s.name = m.name AND s.version = m.version AND {}",
                    condition.sealed_sql()
                ),
                bound: 0.0,
            },
            Values::Unsealed { at_least } => {
                // One limit at each end: of two at the same end, SQLite seeks by the first.
                let finite = match (at_least, Order::of(metric).better) {
                    (None, _) => FINITE,
                    (Some(_), ">") => {
                        "m.is_nan = FALSE AND m.value >= :bound AND m.value < 1.7976931348623157e308"
                    }
                    (Some(_), _) => {
                        "m.is_nan = FALSE AND m.value <= :bound AND m.value > -1.7976931348623157e308"
                    }
                };
                Self {
                    table: "latest_metrics m",
                    of_metric: format!("m.key = :metric AND {finite}"),
                    joined: VERSIONS_AND_RUNS,
                    candidate: condition.sql(conn.dialect(), "m.run_uuid"),
                    bound: at_least.unwrap_or_default(),
                }
            }
        }
    }
}

/// Looks at the best values, along the index on them, and stops at the first candidate. The usual case: a good value
/// belongs to a candidate.
///
/// The walk ends before the value at the limit, not at it, so that it sees either all or none of several equal values. Otherwise
/// a newer one beyond the limit would lose a tie.
pub(super) fn walk_from_best_value(
    conn: &Conn,
    condition: &Condition,
    metric: &MetricName,
    values: Values,
) -> Result<Walked<Scored>, StoreError> {
    let Order { best_first, better } = Order::of(metric);
    let Source { table, of_metric, joined, candidate, bound } =
        Source::of(conn, condition, metric, values);
    let name = metric.as_str();
    let asked = [(":metric", &name as &dyn ToValue), (":bound", &bound)];
    let value_at_limit: Option<f64> = conn.query_first(
        &format!(
            "SELECT m.value FROM {table} WHERE {of_metric}
             ORDER BY m.value {best_first} LIMIT 1 OFFSET {WALK_LIMIT}"
        ),
        &asked[..],
        |row| row.get(0),
    )?;
    let before_limit = match value_at_limit {
        Some(_) => format!("AND m.value {better} :limit"),
        None => String::new(),
    };
    let sql = format!(
        "SELECT {COLUMNS}, m.value FROM {table} CROSS JOIN {joined}
         WHERE {of_metric} {before_limit} AND {candidate}
         ORDER BY m.value {best_first}, {NEWEST_FIRST}"
    );
    let limit = value_at_limit.unwrap_or_default();
    let mut params = condition.params();
    params.extend(asked);
    params.push((":limit", &limit));
    Ok(match first_readable(conn, &sql, &params, scored)? {
        Some(scored) => Walked::Found(scored),
        None if value_at_limit.is_some() => Walked::ToTheLimit,
        None => Walked::ToTheEnd,
    })
}

/// Takes the seals, or the runs without one, that have both timeframe and model type of a candidate, joins their values and
/// sorts. For kinds of models whose values are far from the best: its cost grows with the number of such models, not with the
/// number of values.
pub(super) fn intersect_kinds(
    conn: &Conn,
    condition: &Condition,
    metric: &MetricName,
    values: Values,
) -> Result<Option<Scored>, StoreError> {
    let Source { table, of_metric, candidate, bound, .. } =
        Source::of(conn, condition, metric, values);
    let best_first = Order::of(metric).best_first;
    let order = format!("ORDER BY m.value {best_first}, {NEWEST_FIRST}");
    let sql = match values {
        Values::Sealed => format!(
            "SELECT {COLUMNS}, m.value FROM herdbook_seals s CROSS JOIN {table} CROSS JOIN
                model_versions v CROSS JOIN runs r WHERE {of_metric} AND {candidate} {order}"
        ),
        Values::Unsealed { .. } => format!(
            "SELECT {COLUMNS}, m.value FROM {} CROSS JOIN {table} CROSS JOIN {VERSIONS_AND_RUNS}
             WHERE m.run_uuid = c.run_uuid AND {of_metric} AND {} {order}",
            Condition::runs_with_both_tags(conn.dialect()),
            condition.sql(conn.dialect(), "c.run_uuid"),
        ),
    };
    let name = metric.as_str();
    let mut params = condition.params();
    params.extend([(":metric", &name as &dyn ToValue), (":bound", &bound)]);
    first_readable(conn, &sql, &params, scored)
}

/// The candidates without a seal whose last value is NaN or infinite, with their last finite value, which no index knows. Such runs are few: each
/// way of not being finite is one short range of the index on last values.
pub(super) fn ended_not_finite(
    conn: &Conn,
    condition: &Condition,
    metric: &MetricName,
) -> Result<Vec<Scored>, StoreError> {
    const NOT_FINITE: &str = "(
        SELECT m.run_uuid FROM latest_metrics m WHERE m.key = :metric AND m.is_nan = TRUE
        UNION ALL SELECT m.run_uuid FROM latest_metrics m
            WHERE m.key = :metric AND m.is_nan = FALSE AND m.value >= 1.7976931348623157e308
        UNION ALL SELECT m.run_uuid FROM latest_metrics m
            WHERE m.key = :metric AND m.is_nan = FALSE AND m.value <= -1.7976931348623157e308) n";
    let sql = format!(
        "SELECT * FROM (SELECT {COLUMNS}, (SELECT m.value FROM metrics m
            WHERE m.run_uuid = r.run_uuid AND m.key = :metric AND {FINITE}
            ORDER BY m.step DESC, m.timestamp DESC, m.value DESC LIMIT 1) AS last_finite
         FROM {NOT_FINITE} CROSS JOIN {VERSIONS_AND_RUNS} WHERE {}) found
         WHERE last_finite IS NOT NULL",
        condition.sql(conn.dialect(), "n.run_uuid")
    );
    let name = metric.as_str();
    let mut params = condition.params();
    params.push((":metric", &name));
    Ok(conn.query(&sql, params.as_slice(), scored)?.into_iter().flatten().collect())
}

/// How the values of a metric are sorted.
struct Order {
    /// The direction of ORDER BY that puts the best value first.
    best_first: &'static str,
    /// The comparison that is true for a better value on its left.
    better: &'static str,
}

impl Order {
    fn of(metric: &MetricName) -> Self {
        match Direction::of(metric.as_str()) {
            Direction::More | Direction::Neither => Self { best_first: "DESC", better: ">" },
            Direction::Less => Self { best_first: "ASC", better: "<" },
        }
    }
}

/// Reads the columns of a version and then a value.
fn scored(row: &Row<'_>) -> Result<Result<Scored, UnreadableVersion>, StoreError> {
    let value = row.get(N_COLUMNS)?;
    Ok(version::from_row(row)?.map(|record| Scored { record, value }))
}
