//! Seals: the facts of a version that rules rest on, read from its history.

use std::collections::{BTreeMap, BTreeSet};

use herdbook_domain::{
    Event, Honesty, ModelType, RunId, Seal, SealOrigin, Symbol, Timeframe, Timestamp,
    UnreadableSeal, VersionKey,
};

use crate::engine::db::{Conn, Row, params};
use crate::error::StoreError;
use crate::tables::batch::{self, ByVersion, Versions};
use crate::tables::event;
use crate::tables::identity::scope_of_version;
use crate::tables::metric::MetricSelection;

/// The sealed facts of a version that look-ups show: those of a [`Seal`] without params and files.
#[derive(Debug, Clone, PartialEq)]
pub struct SealedSummary {
    /// The number of the event that holds the seal.
    pub event_id: i64,
    /// How the version came to its seal.
    pub origin: SealOrigin,
    /// When the facts were read.
    pub at: Timestamp,
    /// Length of one bar.
    pub timeframe: Option<Timeframe>,
    /// How the model was trained.
    pub model_type: Option<ModelType>,
    /// Whether the test window is honest.
    pub honesty: Honesty,
    /// The instrument.
    pub symbol: Option<Symbol>,
    /// Timesteps that the model and its ancestors were trained for.
    pub total_timesteps: Option<u64>,
    /// The values of the selected metrics, by name.
    pub metrics: BTreeMap<String, f64>,
}

impl SealedSummary {
    /// The summary of a seal, with all metrics.
    pub fn of(seal: &Seal) -> Self {
        let facts = &seal.facts;
        Self {
            event_id: seal.event_id,
            origin: seal.origin,
            at: facts.at,
            timeframe: facts.timeframe,
            model_type: facts.model_type,
            honesty: facts.honesty,
            symbol: facts.symbol(),
            total_timesteps: facts.total_timesteps,
            metrics: facts.metric_values(),
        }
    }

    /// When and why the facts were sealed, if that was not at the registration.
    pub fn reservation(&self) -> Option<String> {
        self.origin.reservation(self.at)
    }

    /// Reads a row of [`COLUMNS`], without metrics; `None` for a row that this program cannot parse.
    fn from_row(row: &Row<'_>) -> Result<Option<Self>, StoreError> {
        let text = |column| row.readable::<String>(column);
        let (origin, honesty) = (text(3)?, text(7)?);
        let parsed =
            (origin.and_then(|it| it.parse().ok()), honesty.and_then(|it| it.parse().ok()));
        let ((Some(origin), Some(honesty)), Some(event_id), Some(at_ms)) =
            (parsed, row.readable(2)?, row.readable(4)?)
        else {
            return Ok(None);
        };
        Ok(Some(Self {
            event_id,
            origin,
            at: Timestamp::from_millis(at_ms),
            timeframe: text(5)?.and_then(|text| text.parse().ok()),
            model_type: text(6)?.and_then(|text| text.parse().ok()),
            honesty,
            symbol: text(8)?.and_then(|text| Symbol::parse(&text).ok()),
            total_timesteps: row.readable::<i64>(9)?.and_then(|n| u64::try_from(n).ok()),
            metrics: BTreeMap::new(),
        }))
    }
}

const COLUMNS: &str = "t.name, t.version, t.event_id, t.origin, t.at_ms, t.timeframe, t.model_type, \
                       t.honesty, t.symbol, t.total_timesteps";

/// The condition that a column with the text of a symbol is the symbol of a parameter. As for [`Symbol`], case and white space
/// around it make no difference; in SQLite only the case of ASCII letters.
pub(crate) fn is_symbol(column: &str, parameter: &str) -> String {
    format!("lower(trim({column})) = lower(CAST({parameter} AS TEXT))")
}

/// The summaries of the seals of versions with the selected metrics, from the tables that repeat the history. They have no row
/// of a renamed version under its present name.
///
/// # Errors
/// Those of the database.
pub fn of_versions(
    conn: &Conn,
    versions: Versions<'_>,
    selection: MetricSelection,
) -> Result<ByVersion<SealedSummary>, StoreError> {
    let mut summaries: ByVersion<SealedSummary> = ByVersion::default();
    batch::of_versions(conn, versions, (COLUMNS, "herdbook_seals", "TRUE"), |row| {
        if let (Some(name), Some(version)) = (row.text(0)?, row.readable(1)?)
            && let Some(summary) = SealedSummary::from_row(row)?
        {
            summaries.insert(name, version, summary);
        }
        Ok(())
    })?;
    for condition in metric_conditions(versions, selection) {
        let query =
            ("t.name, t.version, t.metric, t.value", "herdbook_sealed_metrics", &*condition);
        batch::of_versions(conn, versions, query, |row| {
            if let (Some(name), Some(version)) = (row.text(0)?, row.readable(1)?)
                && let Some(summary) = summaries.get_mut(name, version)
            {
                summary.metrics.extend(row.readable(2)?.zip(row.readable(3)?));
            }
            Ok(())
        })?;
    }
    Ok(summaries)
}

/// The conditions of the statements that read the selected metrics. Those of all versions are read metric by metric, because
/// the index by metric has them together.
fn metric_conditions(versions: Versions<'_>, selection: MetricSelection) -> Vec<String> {
    match (versions, selection) {
        (_, MetricSelection::All) => vec!["TRUE".to_owned()],
        (_, MetricSelection::Only([])) => Vec::new(),
        (Versions::All, MetricSelection::Only(names)) => {
            names.iter().map(|name| format!("t.metric = '{name}'")).collect()
        }
        (Versions::With(_), MetricSelection::Only(_)) => vec![selection.sql("t.metric")],
    }
}

/// Run and number of each seal under whose name no version has both.
///
/// # Errors
/// Those of the database.
pub fn keys_of_renamed(conn: &Conn) -> Result<BTreeSet<(String, i64)>, StoreError> {
    let rows: Vec<Option<(String, i64)>> = conn.query(
        "SELECT s.run_id, s.version FROM herdbook_seals s
         WHERE s.run_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM model_versions o
            WHERE o.workspace = 'default' AND o.name = s.name AND o.version = s.version
              AND o.run_id = s.run_id)",
        params![],
        |row| Ok(row.readable(0)?.zip(row.readable(1)?)),
    )?;
    Ok(rows.into_iter().flatten().collect())
}

/// The seal in an event; `None` if the event holds none.
///
/// # Errors
/// As [`of_version`].
pub fn in_event(conn: &Conn, event_id: i64) -> Result<Option<Seal>, StoreError> {
    among(&event::with_seals(conn, "id = ?1", params![event_id])?)
}

/// The seal of a version; `None` if its history holds none.
///
/// # Errors
/// [`StoreError::BrokenRecord`] if the event that holds it was altered or cannot be read.
pub fn of_version(conn: &Conn, key: &VersionKey) -> Result<Option<Seal>, StoreError> {
    let (name, number) = (key.name.as_str(), key.version.get());
    let scope = scope_of_version(conn, key, ("?1", "?2"))?;
    among(&event::with_seals(conn, &scope, params![name, number])?)
}

/// The seal of the version that was registered from a run; `None` if there is none.
///
/// # Errors
/// As [`of_version`].
pub fn of_run(conn: &Conn, run_id: &RunId) -> Result<Option<Seal>, StoreError> {
    among(&event::with_seals(conn, "run_id = ?1", params![run_id.as_str()])?)
}

fn among(events: &[Event]) -> Result<Option<Seal>, StoreError> {
    let Some(seal) = Seal::among(events).map_err(unreadable)? else { return Ok(None) };
    let held_by = events.iter().find(|event| event.id == seal.event_id);
    if held_by.is_some_and(|event| event.compute_hash() != event.hash) {
        return Err(StoreError::BrokenRecord {
            what: format!("event {}", seal.event_id),
            problem: "it was altered after it was written: run `herdbook verify`".to_owned(),
        });
    }
    Ok(Some(seal))
}

fn unreadable(error: UnreadableSeal) -> StoreError {
    StoreError::BrokenRecord { what: format!("event {}", error.event_id), problem: error.problem }
}
