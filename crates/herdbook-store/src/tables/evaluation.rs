//! Evaluations of versions on later bars, as the event log has them.

use std::collections::BTreeSet;

use herdbook_domain::{Evaluation, EventKind, RunId, Standing, Timestamp, VersionKey, Window};

use crate::engine::db::{Conn, params};
use crate::error::StoreError;
use crate::tables::event;
use crate::tables::event::EventQuery;
use crate::tables::trial::{self, Ended, TrialQuery};

/// An evaluation in the history of a version.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordedEvaluation {
    /// The number of its event.
    pub event_id: i64,
    /// The version.
    pub key: VersionKey,
    /// The run of the version, which keeps the returns.
    pub run_id: Option<RunId>,
    /// When it was recorded.
    pub at: Timestamp,
    /// The evaluation.
    pub evaluation: Evaluation,
}

/// All evaluations of the register, oldest first. Those that a newer herdbook recorded in a newer format are left out.
///
/// # Errors
/// As [`event::select`].
pub fn all(conn: &Conn) -> Result<Vec<RecordedEvaluation>, StoreError> {
    let query = EventQuery { kind: Some(EventKind::Evaluated), ..EventQuery::default() };
    let recorded = event::select(conn, &query)?.into_iter().filter_map(|event| {
        let evaluation = Evaluation::of(&event)?;
        let key = VersionKey { name: event.what.name?, version: event.what.version? };
        let (event_id, run_id, at) = (event.id, event.what.run_id, event.at);
        Some(RecordedEvaluation { event_id, key, run_id, at, evaluation })
    });
    Ok(recorded.collect())
}

/// The evidence for a version among all tries of the register; `None` if it was never evaluated.
///
/// # Errors
/// Those of the database.
pub fn standing(
    conn: &Conn,
    key: &VersionKey,
    all: &[RecordedEvaluation],
) -> Result<Option<Standing>, StoreError> {
    let Some(newest) = all.iter().rev().find(|recorded| recorded.key == *key) else {
        return Ok(None);
    };
    let since = trainings_since(conn, newest)?;
    let evaluations: Vec<(VersionKey, Evaluation)> =
        all.iter().map(|it| (it.key.clone(), it.evaluation.clone())).collect();
    Ok(Standing::of(key, &evaluations, since))
}

/// Number of different trainings that ended after an evaluation and were tested on bars of its record: of the same symbol and
/// time, or recognised when they ended. Those that repeat an earlier training were counted with that.
fn trainings_since(conn: &Conn, newest: &RecordedEvaluation) -> Result<usize, StoreError> {
    let Some(basis) = &newest.evaluation.basis else { return Ok(0) };
    let windows: &[Window] = &basis.record.windows;
    let (Some(first), Some(last)) = (windows.first(), windows.last()) else { return Ok(0) };
    let whole = Window { start: first.start, end: last.end };
    let query = TrialQuery {
        symbol: newest.evaluation.symbol_of_record().clone(),
        timeframe: basis.timeframe,
        window: whole,
        closes_sha256: BTreeSet::new(),
    };
    let mut trials = trial::select(conn, &query)?;
    trials.retain(|trial| windows.iter().any(|window| window.overlaps(trial.test)));
    let joined = &basis.record.joined;
    let recognised = trial::recorded_since(conn, newest.event_id)?.into_iter();
    trials.extend(recognised.filter(|it| it.shared_with.iter().any(|of| joined.contains(of))));
    let mut different = BTreeSet::new();
    for trial in trials {
        let is_since = match trial.ended {
            Ended::With(event_id) => event_id > newest.event_id,
            Ended::At(at) => at.is_none_or(|at| at >= newest.at),
        };
        if is_since && !trial::repeats_earlier(conn, &trial)? {
            let result = trial.result_key();
            different.insert(result.map_or_else(|| Err(trial.run_id), Ok));
        }
    }
    Ok(different.len())
}

/// Whether an evaluation was recorded after the event with this number.
///
/// # Errors
/// Those of the database.
pub fn is_newer_than(conn: &Conn, event_id: i64) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM herdbook_events WHERE id > ?1 AND kind = ?2 LIMIT 1";
    let asked = params![event_id, EventKind::Evaluated.as_str()];
    Ok(conn.query_first(sql, asked, |row| row.get::<i64>(0))?.is_some())
}
