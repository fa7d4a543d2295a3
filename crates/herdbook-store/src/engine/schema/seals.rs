//! The tables `herdbook_seals` and `herdbook_sealed_metrics`: the sealed facts of each version that searches ask for by
//! column.
//!
//! Their source is the log. Their rows repeat a part of the first event that holds the seal of a version and are written in
//! the same transaction, so the tables can be filled again at any time.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use herdbook_domain::{Event, EventDraft, EventKind, ModelName, RunId, Seal, VersionNumber};

use crate::engine::db::{Conn, Row, ToValue, params, placeholders};
use crate::error::StoreError;

/// Names of the tables.
pub(super) const TABLES: [&str; 2] = [SEALS, METRICS];
const SEALS: &str = "herdbook_seals";
const METRICS: &str = "herdbook_sealed_metrics";
const COLUMNS: [&str; 12] = [
    "name",
    "version",
    "event_id",
    "origin",
    "at_ms",
    "run_id",
    "timeframe",
    "model_type",
    "honesty",
    "symbol",
    "total_timesteps",
    "fingerprint",
];
const METRIC_COLUMNS: [&str; 4] = ["name", "version", "metric", "value"];
/// Rows in one INSERT: PostgreSQL answers each statement over the network. SQLite allows 32,766 parameters.
const BATCH: usize = 200;
/// Events that are read at a time.
const EVENTS_AT_A_TIME: i64 = 1_000;

/// The rows of one seal.
#[derive(Debug, Clone, PartialEq)]
struct Rows {
    name: String,
    version: i64,
    event_id: i64,
    origin: String,
    at_ms: i64,
    run_id: Option<String>,
    timeframe: Option<String>,
    model_type: Option<String>,
    honesty: String,
    symbol: Option<String>,
    total_timesteps: Option<i64>,
    fingerprint: Option<String>,
    /// Metric and value, by metric.
    metrics: Vec<(String, f64)>,
}

impl Rows {
    fn of(seal: &Seal) -> Self {
        let facts = &seal.facts;
        Self {
            name: seal.key.name.to_string(),
            version: seal.key.version.get().into(),
            event_id: seal.event_id,
            origin: seal.origin.to_string(),
            at_ms: facts.at.millis(),
            run_id: seal.run_id.as_ref().map(ToString::to_string),
            timeframe: facts.timeframe.map(|it| it.to_string()),
            model_type: facts.model_type.map(|it| it.to_string()),
            honesty: facts.honesty.to_string(),
            symbol: facts.symbol().map(|it| it.to_string()),
            total_timesteps: facts.total_timesteps.map(|n| i64::try_from(n).unwrap_or(i64::MAX)),
            fingerprint: facts.fingerprint(),
            metrics: facts.metric_values().into_iter().collect(),
        }
    }

    /// Reads a row of [`COLUMNS`]; the metrics are read apart.
    fn from_row(row: &Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            name: row.get(0)?,
            version: row.get(1)?,
            event_id: row.get(2)?,
            origin: row.get(3)?,
            at_ms: row.get(4)?,
            run_id: row.get(5)?,
            timeframe: row.get(6)?,
            model_type: row.get(7)?,
            honesty: row.get(8)?,
            symbol: row.get(9)?,
            total_timesteps: row.get(10)?,
            fingerprint: row.get(11)?,
            metrics: Vec::new(),
        })
    }

    fn values(&self) -> [&dyn ToValue; 12] {
        [
            &self.name,
            &self.version,
            &self.event_id,
            &self.origin,
            &self.at_ms,
            &self.run_id,
            &self.timeframe,
            &self.model_type,
            &self.honesty,
            &self.symbol,
            &self.total_timesteps,
            &self.fingerprint,
        ]
    }
}

/// Writes the rows of an event that holds the first seal of a version, and nothing for other events.
///
/// # Errors
/// Those of the database.
pub(crate) fn insert(conn: &Conn, event: &Event) -> Result<(), StoreError> {
    // An event with a seal that this program cannot read is reported where a rule needs the seal.
    match Seal::of(event) {
        Ok(Some(seal)) => insert_rows(conn, &Rows::of(&seal)),
        Ok(None) | Err(_) => Ok(()),
    }
}

fn insert_rows(conn: &Conn, rows: &Rows) -> Result<(), StoreError> {
    let values = rows.values();
    let sql = format!(
        "INSERT INTO {SEALS} ({}) VALUES {} ON CONFLICT (name, version) DO NOTHING",
        COLUMNS.join(", "),
        placeholders(1, COLUMNS.len())
    );
    if conn.execute(&sql, &values[..])? == 0 {
        return Ok(());
    }
    for batch in rows.metrics.chunks(BATCH) {
        let sql = format!(
            "INSERT INTO {METRICS} ({}) VALUES {}",
            METRIC_COLUMNS.join(", "),
            placeholders(batch.len(), METRIC_COLUMNS.len())
        );
        let values: Vec<&dyn ToValue> = batch
            .iter()
            .flat_map(|(metric, value)| [&rows.name as &dyn ToValue, &rows.version, metric, value])
            .collect();
        conn.execute(&sql, values.as_slice())?;
    }
    Ok(())
}

/// Fills the tables again from the log.
///
/// # Errors
/// Those of the database.
pub(crate) fn refill(conn: &Conn) -> Result<(), StoreError> {
    for table in TABLES {
        conn.execute(&format!("DELETE FROM {table}"), params![])?;
    }
    of_log(conn, |rows| insert_rows(conn, rows))
}

/// The table whose rows are not exactly those that follow from the log. Reads all of both.
///
/// # Errors
/// Those of the database.
pub(super) fn disagreement_with_log(conn: &Conn) -> Result<Option<&'static str>, StoreError> {
    let mut seals = BTreeMap::new();
    let mut metrics: BTreeMap<(String, i64), Fold> = BTreeMap::new();
    of_log(conn, |rows| {
        let key = (rows.name.clone(), rows.version);
        for (metric, value) in &rows.metrics {
            metrics.entry(key.clone()).or_default().add(metric, *value);
        }
        seals.insert(key, Rows { metrics: Vec::new(), ..rows.clone() });
        Ok(())
    })?;
    let mut are_equal = true;
    conn.query(&format!("SELECT {} FROM {SEALS}", COLUMNS.join(", ")), params![], |row| {
        let found = Rows::from_row(row)?;
        are_equal &= seals.remove(&(found.name.clone(), found.version)) == Some(found);
        Ok(())
    })?;
    if !are_equal || !seals.is_empty() {
        return Ok(Some(SEALS));
    }
    let mut found: BTreeMap<(String, i64), Fold> = BTreeMap::new();
    let sql = format!("SELECT {} FROM {METRICS}", METRIC_COLUMNS.join(", "));
    conn.query(&sql, params![], |row| {
        let fold = found.entry((row.get(0)?, row.get(1)?)).or_default();
        fold.add(&row.get::<String>(2)?, row.get(3)?);
        Ok(())
    })?;
    Ok((found != metrics).then_some(METRICS))
}

/// The metrics of a version, folded into two numbers that do not depend on their order. Holding all of them would need too
/// much memory.
#[derive(Debug, Default, PartialEq, Eq)]
struct Fold {
    n: u64,
    sum: u64,
}

impl Fold {
    fn add(&mut self, metric: &str, value: f64) {
        let mut hasher = DefaultHasher::new();
        // SQLite does not keep the sign of zero.
        (metric, (value + 0.0).to_bits()).hash(&mut hasher);
        self.n += 1;
        self.sum = self.sum.wrapping_add(hasher.finish());
    }
}

/// Calls `visit` with the rows that follow from the log, in its order.
fn of_log(
    conn: &Conn,
    mut visit: impl FnMut(&Rows) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let (registered, adopted) = (EventKind::Registered, EventKind::Adopted);
    let sql = format!(
        "SELECT id, name, version, run_id, kind, details FROM herdbook_events
         WHERE id > ?1 AND kind IN ('{registered}', '{adopted}') AND details LIKE '%\"sealed\":%'
         ORDER BY id LIMIT {EVENTS_AT_A_TIME}"
    );
    let mut seen = BTreeSet::new();
    let mut last = 0;
    loop {
        let events = conn.query(&sql, params![last], |row| Ok((row.get::<i64>(0)?, seal(row)?)))?;
        let Some((newest, _)) = events.last() else { return Ok(()) };
        last = *newest;
        for seal in events.iter().filter_map(|(_, seal)| seal.as_ref()) {
            if seen.insert(seal.key.clone()) {
                visit(&Rows::of(seal))?;
            }
        }
    }
}

/// The seal in a row of the log; `None` if this program cannot read it.
fn seal(row: &Row<'_>) -> Result<Option<Seal>, StoreError> {
    let text = |column| row.readable::<String>(column);
    let (name, run_id) = (text(1)?, text(3)?);
    let Some(kind) = text(4)?.and_then(|kind| kind.parse().ok()) else { return Ok(None) };
    let draft = EventDraft {
        name: name.and_then(|name| ModelName::parse(&name).ok()),
        version: row.readable::<i64>(2)?.and_then(VersionNumber::new),
        run_id: run_id.and_then(|run_id| RunId::parse(&run_id).ok()),
        details: text(5)?.unwrap_or_default(),
        ..EventDraft::new(kind, &serde_json::Value::Null)
    };
    Ok(Seal::of_draft(row.get(0)?, &draft).ok().flatten())
}
