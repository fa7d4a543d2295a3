//! Finding registered models: the newest and the best (spec §5).
//!
//! Candidates are registered, not deleted, and their run is finished and not deleted.

use herdbook_domain::{Direction, Honesty, MetricName, ModelType, Symbol, Timeframe, VersionType};

use crate::engine::backend::Scope;
use crate::engine::db::{Conn, Dialect, Row, ToValue, params};
use crate::error::StoreError;
use crate::search::comparable;
use crate::store::Store;
use crate::tables::metric::{FINITE, MetricSelection};
use crate::tables::tag;
use crate::tables::version::{self, COLUMNS, VersionRecord};

/// Which models are candidates.
#[derive(Debug, Clone)]
pub struct Candidates {
    /// Their timeframe.
    pub timeframe: Timeframe,
    /// Their type.
    pub model_type: ModelType,
    /// Their version type; `None`: either.
    pub version_type: Option<VersionType>,
    /// Their symbol; `None`: any.
    pub symbol: Option<Symbol>,
    /// The fewest training steps behind them.
    pub min_timesteps: u64,
    /// Whether contaminated models are among them.
    pub contaminated: Contaminated,
}

/// Whether contaminated models are candidates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contaminated {
    /// They are.
    Included,
    /// They are not.
    Skipped,
}

/// The best of the candidates.
#[derive(Debug, Clone)]
pub struct Best {
    /// The model.
    pub version: VersionRecord,
    /// The last finite value of the metric asked for.
    pub value: f64,
    /// In which params of their data the candidates differ; empty where their values can be compared.
    pub differing: Vec<String>,
}

/// Runs `r` and versions `v` of the candidates, as the end of a WHERE clause. `run` is the column that names the run in
/// the first table of the walk, so that its tags are looked at before anything else.
pub(crate) fn conditions(dialect: Dialect, run: &str, bound: &Bound) -> String {
    let steps = dialect.integer("t.value");
    // Only where it is asked for: PostgreSQL plans each part of a statement anew.
    let by_history = if bound.honesty.is_some() { NOT_BY_HISTORY } else { "" };
    format!(
        "v.workspace = 'default' AND v.current_stage <> 'Deleted_Internal'
    AND r.lifecycle_stage = 'active' AND r.status = 'FINISHED'
    AND EXISTS (SELECT 1 FROM tags t WHERE t.run_uuid = {run}
        AND t.key = 'timeframe' AND t.value = :timeframe)
    AND EXISTS (SELECT 1 FROM tags t WHERE t.run_uuid = {run}
        AND t.key = 'model_type' AND t.value = :model_type)
    AND (:version_type IS NULL OR EXISTS (SELECT 1 FROM tags t WHERE t.run_uuid = {run}
        AND t.key = 'version_type' AND t.value = :version_type))
    AND (:symbol IS NULL OR EXISTS (SELECT 1 FROM params p WHERE p.run_uuid = {run}
        AND p.key = 'data.symbol' AND p.value = :symbol))
    AND (:min_timesteps = 0 OR EXISTS (SELECT 1 FROM model_version_tags t
        WHERE t.workspace = 'default' AND t.key = 'total_timesteps' AND t.name = v.name
        AND t.version = v.version AND {steps} >= :min_timesteps))
    AND (:honesty IS NULL OR NOT EXISTS (SELECT 1 FROM tags t WHERE t.run_uuid = {run}
        AND t.key = 'honesty' AND t.value = :honesty))
    {by_history}"
    )
}

/// What was contaminated when it was registered stays so, whatever became of its tags.
const NOT_BY_HISTORY: &str = "AND NOT EXISTS (SELECT 1 FROM herdbook_events e
        WHERE e.name = v.name AND e.version = v.version AND e.kind = 'registered'
        AND e.details LIKE '%\"honesty\":\"' || :honesty || '\"%')";

/// So many rows of a walk are looked at; a candidate that is found in none of them is rare, and found by its tags.
const WALK: i64 = 250;

/// Runs by their two tags: a walk along the index of each.
fn by_tags(dialect: Dialect) -> String {
    let tagged = |key: &str, parameter: &str| {
        let is = dialect.tag_is("t.value", parameter);
        format!("SELECT t.run_uuid FROM tags t WHERE t.key = '{key}' AND {is}")
    };
    let (timeframe, model_type) =
        (tagged("timeframe", ":timeframe"), tagged("model_type", ":model_type"));
    format!("({timeframe} INTERSECT {model_type}) c")
}

/// Runs whose last value of a metric is not finite: a short walk for each way of that.
const ENDED_NOT_FINITE: &str = "(
    SELECT m.run_uuid FROM latest_metrics m WHERE m.key = :metric AND m.is_nan = TRUE
    UNION ALL SELECT m.run_uuid FROM latest_metrics m
        WHERE m.key = :metric AND m.is_nan = FALSE AND m.value >= 1.7976931348623157e308
    UNION ALL SELECT m.run_uuid FROM latest_metrics m
        WHERE m.key = :metric AND m.is_nan = FALSE AND m.value <= -1.7976931348623157e308) n";

/// Candidates that have a metric. SQLite keeps the order of a CROSS JOIN: metrics come first, so that a walk from the
/// best value down ends at the first candidate.
pub(crate) const WITH_METRIC: &str =
    "latest_metrics m CROSS JOIN model_versions v CROSS JOIN runs r
    WHERE v.run_id = m.run_uuid AND r.run_uuid = m.run_uuid AND m.key = :metric";

const NEWEST_FIRST: &str = "v.creation_time DESC, v.version DESC, v.name";

impl Store {
    /// The newest candidate: the latest registration, then the higher version.
    pub fn find_latest(
        &self,
        candidates: &Candidates,
    ) -> Result<Option<VersionRecord>, StoreError> {
        let bound = Bound::new(candidates);
        if self.backend().hides_what_is_out_of_scope() {
            let among_newest =
                self.read_in(Scope::Newest, |conn| match newest_of_the_latest(conn, &bound)? {
                    Walked::Found(found) => completed(conn, found).map(Some),
                    Walked::ToTheEnd | Walked::Far => Ok(None),
                })?;
            if among_newest.is_some() {
                return Ok(among_newest);
            }
        }
        self.read(|conn| {
            let found = match newest_of_the_latest(conn, &bound)? {
                Walked::Found(found) => Some(found),
                Walked::ToTheEnd => None,
                Walked::Far => newest_by_tags(conn, &bound)?,
            };
            found.map(|record| completed(conn, record)).transpose()
        })
    }

    /// The best candidate by the last finite value of a metric; ties go to the newer. A candidate whose run
    /// never logged a finite value of it does not take part.
    pub fn find_best(
        &self,
        candidates: &Candidates,
        metric: &MetricName,
    ) -> Result<Option<Best>, StoreError> {
        self.read(|conn| {
            let bound = Bound::new(candidates);
            let mut found = best_by_latest_value(conn, &bound, metric)?;
            for late in ended_not_finite(conn, &bound, metric)? {
                if found.as_ref().is_none_or(|best| late.beats(best, metric)) {
                    found = Some(late);
                }
            }
            let Some(Scored { record, value }) = found else {
                return Ok(None);
            };
            let differing =
                comparable::differing_data(conn, &bound, metric, record.run_id.as_ref())?;
            Ok(Some(Best { version: completed(conn, record)?, value, differing }))
        })
    }
}

fn completed(conn: &Conn, mut record: VersionRecord) -> Result<VersionRecord, StoreError> {
    record.tags = tag::of_version(conn, &record.key)?;
    version::add_metrics(conn, &mut record, MetricSelection::All)?;
    Ok(record)
}

/// The candidates as values for [`conditions`].
pub(crate) struct Bound {
    timeframe: &'static str,
    model_type: &'static str,
    version_type: Option<&'static str>,
    symbol: Option<String>,
    min_timesteps: i64,
    honesty: Option<&'static str>,
}

impl Bound {
    fn new(candidates: &Candidates) -> Self {
        Self {
            timeframe: candidates.timeframe.as_str(),
            model_type: candidates.model_type.as_str(),
            version_type: candidates.version_type.map(VersionType::as_str),
            symbol: candidates.symbol.as_ref().map(ToString::to_string),
            min_timesteps: i64::try_from(candidates.min_timesteps).unwrap_or(i64::MAX),
            honesty: match candidates.contaminated {
                Contaminated::Included => None,
                Contaminated::Skipped => Some(Honesty::Contaminated.as_str()),
            },
        }
    }

    pub(crate) fn params(&self) -> Vec<(&'static str, &dyn ToValue)> {
        vec![
            (":timeframe", &self.timeframe),
            (":model_type", &self.model_type),
            (":version_type", &self.version_type),
            (":symbol", &self.symbol),
            (":min_timesteps", &self.min_timesteps),
            (":honesty", &self.honesty),
        ]
    }
}

/// A candidate with its value.
struct Scored {
    record: VersionRecord,
    value: f64,
}

impl Scored {
    fn beats(&self, other: &Self, metric: &MetricName) -> bool {
        let newness = |scored: &Self| (scored.record.created_at, scored.record.key.version);
        let (this, that) = match Direction::of(metric.as_str()) {
            Direction::More | Direction::Neither => (self.value, other.value),
            Direction::Less => (other.value, self.value),
        };
        this.total_cmp(&that).then(newness(self).cmp(&newness(other))).is_gt()
    }
}

/// How a walk from the best or newest on ended.
enum Walked<T> {
    Found(T),
    /// There is no candidate.
    ToTheEnd,
    /// Nothing was found so far.
    Far,
}

fn newest_of_the_latest(conn: &Conn, bound: &Bound) -> Result<Walked<VersionRecord>, StoreError> {
    let latest = format!("SELECT v.* FROM model_versions v ORDER BY {NEWEST_FIRST} LIMIT {WALK}");
    let sql = format!(
        "SELECT {COLUMNS} FROM ({latest}) v CROSS JOIN runs r
         WHERE r.run_uuid = v.run_id AND {} ORDER BY {NEWEST_FIRST} LIMIT 1",
        conditions(conn.dialect(), "v.run_id", bound)
    );
    let found = conn.query_first(&sql, bound.params().as_slice(), version::from_row)?.flatten();
    if let Some(found) = found {
        return Ok(Walked::Found(found));
    }
    let further = "SELECT 1 FROM model_versions LIMIT 1 OFFSET ?1";
    let is_far = conn.query_first(further, params![WALK], |_| Ok(()))?.is_some();
    Ok(if is_far { Walked::Far } else { Walked::ToTheEnd })
}

fn newest_by_tags(conn: &Conn, bound: &Bound) -> Result<Option<VersionRecord>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM {} CROSS JOIN model_versions v CROSS JOIN runs r
         WHERE v.run_id = c.run_uuid AND r.run_uuid = c.run_uuid AND {}
         ORDER BY {NEWEST_FIRST} LIMIT 1",
        by_tags(conn.dialect()),
        conditions(conn.dialect(), "c.run_uuid", bound)
    );
    Ok(conn.query_first(&sql, bound.params().as_slice(), version::from_row)?.flatten())
}

fn best_by_latest_value(
    conn: &Conn,
    bound: &Bound,
    metric: &MetricName,
) -> Result<Option<Scored>, StoreError> {
    let (order, beyond) = match Direction::of(metric.as_str()) {
        Direction::More | Direction::Neither => ("DESC", ">"),
        Direction::Less => ("ASC", "<"),
    };
    let best_first = format!("ORDER BY m.value {order}, {NEWEST_FIRST} LIMIT 1");
    // Up to this value, not including it: of equal values all are looked at, or none.
    let end: Option<f64> = conn.query_first(
        &format!(
            "SELECT m.value FROM latest_metrics m WHERE m.key = ?1 AND {FINITE}
             ORDER BY m.value {order} LIMIT 1 OFFSET {WALK}"
        ),
        params![metric.as_str()],
        |row| row.get(0),
    )?;
    let until = if end.is_some() { format!("AND m.value {beyond} :end") } else { String::new() };
    let walk = format!(
        "SELECT {COLUMNS}, m.value FROM {WITH_METRIC} AND {FINITE} {until} AND {} {best_first}",
        conditions(conn.dialect(), "m.run_uuid", bound)
    );
    let (name, end_value) = (metric.as_str(), end.unwrap_or_default());
    let mut params = bound.params();
    params.extend([(":metric", &name as &dyn ToValue), (":end", &end_value)]);
    let found = conn.query_first(&walk, params.as_slice(), scored)?.flatten();
    if found.is_some() || end.is_none() {
        return Ok(found);
    }
    let by_tags = format!(
        "SELECT {COLUMNS}, m.value FROM {} CROSS JOIN {WITH_METRIC} AND m.run_uuid = c.run_uuid
           AND {FINITE} AND {} {best_first}",
        by_tags(conn.dialect()),
        conditions(conn.dialect(), "c.run_uuid", bound)
    );
    Ok(conn.query_first(&by_tags, params.as_slice(), scored)?.flatten())
}

/// Candidates whose last value is NaN or infinite, with their last finite one.
fn ended_not_finite(
    conn: &Conn,
    bound: &Bound,
    metric: &MetricName,
) -> Result<Vec<Scored>, StoreError> {
    let sql = format!(
        "SELECT * FROM (SELECT {COLUMNS}, (SELECT m.value FROM metrics m
            WHERE m.run_uuid = r.run_uuid AND m.key = :metric AND {FINITE}
            ORDER BY m.step DESC, m.timestamp DESC, m.value DESC LIMIT 1) AS last_finite
         FROM {ENDED_NOT_FINITE} CROSS JOIN model_versions v CROSS JOIN runs r
         WHERE v.run_id = n.run_uuid AND r.run_uuid = n.run_uuid AND {}) found
         WHERE last_finite IS NOT NULL",
        conditions(conn.dialect(), "n.run_uuid", bound)
    );
    let name = metric.as_str();
    let mut params = bound.params();
    params.push((":metric", &name));
    Ok(conn.query(&sql, params.as_slice(), scored)?.into_iter().flatten().collect())
}

fn scored(row: &Row<'_>) -> Result<Option<Scored>, StoreError> {
    let value = row.get(6)?;
    Ok(version::from_row(row)?.map(|record| Scored { record, value }))
}
