//! Evaluations of versions on later bars, as the event log has them.

use herdbook_domain::tags::key;
use herdbook_domain::{
    Evaluation, EventKind, RunId, Standing, Timeframe, Timestamp, VersionKey, Window,
};

use crate::engine::db::Conn;
use crate::error::StoreError;
use crate::tables::event::EventQuery;
use crate::tables::trial::{self, TrialQuery};
use crate::tables::{event, tag};

/// An evaluation in the history of a version.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordedEvaluation {
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
        Some(RecordedEvaluation { key, run_id: event.what.run_id, at: event.at, evaluation })
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

/// Number of trainings that ended after an evaluation and were tested on bars of its record.
fn trainings_since(conn: &Conn, newest: &RecordedEvaluation) -> Result<usize, StoreError> {
    let tags = tag::of_version(conn, &newest.key)?;
    let timeframe = tags.get(key::TIMEFRAME).and_then(|text| text.parse::<Timeframe>().ok());
    let (Some(timeframe), Some(basis)) = (timeframe, &newest.evaluation.basis) else {
        return Ok(0);
    };
    let windows: &[Window] = &basis.record.windows;
    let (Some(first), Some(last)) = (windows.first(), windows.last()) else { return Ok(0) };
    let query = TrialQuery {
        symbol: newest.evaluation.symbol_of_record(),
        timeframe,
        window: Window { start: first.start, end: last.end },
        ended_after: Some(newest.at),
    };
    let trials = trial::select(conn, &query)?;
    let has_bars = |test: Window| windows.iter().any(|window| window.overlaps(test));
    Ok(trials.iter().filter(|trial| has_bars(trial.test)).count())
}
