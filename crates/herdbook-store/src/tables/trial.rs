//! Runs with a result: the trials that a model was selected from.
//!
//! The facts of a trial are those that an event has sealed: with the registration of its model, or with the end of a run whose
//! model was not registered. So later changes of tags and metrics through MLflow change no number of trials, nor does the
//! permanent removal of a run. Runs of older builds and of other programs have no such event. Their facts are MLflow's.

use std::collections::{BTreeMap, BTreeSet};

use herdbook_domain::tags::key;
use herdbook_domain::{
    Event, EventKind, RunId, RunResult, Seal, Sealed, Symbol, TestBasis, Timeframe, Timestamp,
    Window, window_params,
};

use crate::engine::db::{Conn, params};
use crate::error::StoreError;
use crate::tables::seal::is_symbol;
use crate::tables::{event, tag};

/// The metrics of a result by which a repeated one is recognised, without prefix.
const FIGURES: [&str; 4] = ["sharpe_per_bar", "n_returns", "skew", "kurtosis"];
/// The metric that every result has.
const TOTAL_RETURN: &str = "portfolio/total_return";

/// A run with a result: its model could have been selected.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordedTrial {
    /// The run.
    pub run_id: RunId,
    /// When it was started.
    pub started_at: Timestamp,
    /// The instrument.
    pub symbol: Option<Symbol>,
    /// Length of one bar.
    pub timeframe: Option<Timeframe>,
    /// Its test window.
    pub test: Window,
    /// Hex SHA-256 of the file of closes of its bars; `None` if it kept none.
    pub closes_sha256: Option<String>,
    /// The metrics `sharpe_per_bar`, `n_returns`, `skew` and `kurtosis` of its test window, as far as they are defined. Two
    /// runs with equal ones have equal returns.
    pub figures: BTreeMap<String, f64>,
    /// When the result was recorded.
    pub(crate) ended: Ended,
    /// The evaluations with bars of its test window, by the hash of their returns, as sealed with the result.
    pub(crate) shared_with: Vec<String>,
}

/// When the result of a trial was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// With this event.
    With(i64),
    /// At this time, by MLflow; `None` if it is not on record.
    At(Option<Timestamp>),
}

impl RecordedTrial {
    /// The Sharpe ratio per bar of the test window; `None` if undefined.
    pub fn sharpe_per_bar(&self) -> Option<f64> {
        self.figures.get("sharpe_per_bar").copied()
    }

    /// The figures to 6 digits. Trials with equal ones repeat each other. `None` for a trial without a Sharpe ratio.
    pub fn result_key(&self) -> Option<Vec<(String, String)>> {
        let text = |(name, value): (&String, &f64)| (name.clone(), format!("{value:.5e}"));
        self.sharpe_per_bar().map(|_| self.figures.iter().map(text).collect())
    }
}

/// The trials of a symbol and timeframe whose test window overlaps the given one, oldest first. Runs of every registered model
/// count, and also those that were never registered, or were deleted.
///
/// # Errors
/// Those of the database.
pub(crate) fn select(
    conn: &Conn,
    symbol: &Symbol,
    timeframe: Timeframe,
    window: Window,
) -> Result<Vec<RecordedTrial>, StoreError> {
    let edge = |key: &str| {
        format!("(SELECT p.value FROM params p WHERE p.run_uuid = r.run_uuid AND p.key = '{key}')")
    };
    let [.., start, end] = window_params::EDGES.map(edge);
    let sql = format!(
        "SELECT r.run_uuid, {start}, {end} FROM params s CROSS JOIN runs r
         WHERE s.key = ?1 AND {} AND r.run_uuid = s.run_uuid",
        is_symbol("s.value", "?2")
    );
    let asked = params![window_params::SYMBOL, symbol.as_str()];
    let of_symbol = conn.query(&sql, asked, |row| {
        let moment = |text: Option<String>| Timestamp::parse(&text?).ok();
        let run_id = row.shown(0)?.and_then(|id| RunId::parse(&id).ok());
        let test = moment(row.readable(1)?).zip(moment(row.readable(2)?));
        let is_apart = test.is_some_and(|(start, end)| !Window { start, end }.overlaps(window));
        Ok(run_id.filter(|_| !is_apart))
    })?;
    let found = of_runs(conn, of_symbol.into_iter().flatten().chain(lost(conn)?))?;
    let is_asked = |trial: &RecordedTrial| {
        trial.symbol.as_ref() == Some(symbol)
            && trial.timeframe == Some(timeframe)
            && trial.test.overlaps(window)
    };
    Ok(found.into_iter().filter(is_asked).collect())
}

/// The trials whose bars have one of these files of closes, by its SHA-256; oldest first.
///
/// # Errors
/// Those of the database.
pub(crate) fn with_closes(
    conn: &Conn,
    sha256: &BTreeSet<String>,
) -> Result<Vec<RecordedTrial>, StoreError> {
    let with_closes = conn.query(
        "SELECT p.run_uuid, p.value FROM params p WHERE p.key = ?1",
        params![window_params::CLOSES_SHA256],
        |row| {
            let is_asked = row.shown(1)?.is_some_and(|found| sha256.contains(&found));
            Ok(row.shown(0)?.filter(|_| is_asked).and_then(|id| RunId::parse(&id).ok()))
        },
    )?;
    let found = of_runs(conn, with_closes.into_iter().flatten().chain(lost(conn)?))?;
    let is_asked = |trial: &RecordedTrial| {
        trial.closes_sha256.as_ref().is_some_and(|found| sha256.contains(found))
    };
    Ok(found.into_iter().filter(is_asked).collect())
}

/// The trials whose result was sealed after the event with this number.
///
/// # Errors
/// Those of the database.
pub(crate) fn recorded_since(conn: &Conn, event_id: i64) -> Result<Vec<RecordedTrial>, StoreError> {
    let sql = format!(
        "SELECT run_id FROM herdbook_events WHERE id > ?1 AND run_id IS NOT NULL
            AND kind IN ('{}', '{}') AND details LIKE '%\"shared_with\":[\"%'",
        EventKind::Registered,
        EventKind::RunEnded
    );
    let ids = conn.query(&sql, params![event_id], |row| row.shown(0))?;
    of_runs(conn, ids.into_iter().flatten().filter_map(|id| RunId::parse(&id).ok()))
}

/// Whether another trial, recorded with an event before this one, has the same result.
///
/// # Errors
/// Those of the database.
pub(crate) fn repeats_earlier(conn: &Conn, trial: &RecordedTrial) -> Result<bool, StoreError> {
    let (Some(key), Some(sharpe)) = (trial.result_key(), trial.sharpe_per_bar()) else {
        return Ok(false);
    };
    let tolerance = sharpe.abs() * 1e-5;
    let alike: Vec<Option<RunId>> = conn.query(
        "SELECT s.run_id FROM herdbook_sealed_metrics m
         JOIN herdbook_seals s ON s.name = m.name AND s.version = m.version
         WHERE m.metric = 'portfolio/sharpe_per_bar' AND m.value >= ?1 AND m.value <= ?2",
        params![sharpe - tolerance, sharpe + tolerance],
        |row| Ok(row.shown(0)?.and_then(|id| RunId::parse(&id).ok())),
    )?;
    let before = |other: &RecordedTrial| match (other.ended, trial.ended) {
        (Ended::With(earlier), Ended::With(id)) => earlier < id,
        _ => other.started_at < trial.started_at,
    };
    let others = of_runs(conn, alike.into_iter().flatten().filter(|id| *id != trial.run_id))?;
    Ok(others.iter().any(|other| other.result_key().as_ref() == Some(&key) && before(other)))
}

/// The trials whose run was removed for good, such as by `mlflow gc`; oldest first.
///
/// # Errors
/// Those of the database.
pub(crate) fn removed(conn: &Conn) -> Result<Vec<RecordedTrial>, StoreError> {
    of_runs(conn, lost(conn)?)
}

/// Runs in the history whose row is gone, such as those that `mlflow gc` removed. Their results are sealed.
fn lost(conn: &Conn) -> Result<Vec<RunId>, StoreError> {
    let sql = "SELECT e.run_id FROM herdbook_events e WHERE e.run_id IS NOT NULL
         EXCEPT SELECT r.run_uuid FROM runs r";
    let ids = conn.query(sql, params![], |row| row.shown(0))?;
    Ok(ids.into_iter().flatten().filter_map(|id| RunId::parse(&id).ok()).collect())
}

/// The trials among some runs, oldest first.
pub(crate) fn of_runs(
    conn: &Conn,
    run_ids: impl IntoIterator<Item = RunId>,
) -> Result<Vec<RecordedTrial>, StoreError> {
    let distinct: BTreeSet<RunId> = run_ids.into_iter().collect();
    let mut trials = Vec::with_capacity(distinct.len());
    for run_id in distinct {
        trials.extend(of_run(conn, run_id)?);
    }
    trials.sort_by(|a, b| (a.started_at, &a.run_id).cmp(&(b.started_at, &b.run_id)));
    Ok(trials)
}

/// `None` for a run without a result or without a test window.
fn of_run(conn: &Conn, run_id: RunId) -> Result<Option<RecordedTrial>, StoreError> {
    let kinds =
        [EventKind::RunStarted, EventKind::RunEnded, EventKind::Registered, EventKind::Adopted];
    let events = event::readable_of_kinds(conn, &kinds, "run_id = ?1", params![run_id.as_str()])?;
    let row: Option<(Option<i64>, Option<i64>)> = conn.query_first(
        "SELECT start_time, end_time FROM runs WHERE run_uuid = ?1",
        params![run_id.as_str()],
        |row| Ok((row.readable(0)?, row.readable(1)?)),
    )?;
    let (started, ended) = row.unwrap_or_default();
    let at = |ms: Option<i64>| ms.map(Timestamp::from_millis);
    let facts = match events.iter().find_map(sealed) {
        Some(facts) => facts,
        None => on_record(conn, &run_id, &events, at(ended))?,
    };
    let moment = |key: &str| Timestamp::parse(facts.params.get(key)?).ok();
    let [.., start, end] = window_params::EDGES;
    let (Some(start), Some(end)) = (moment(start), moment(end)) else { return Ok(None) };
    if !facts.metrics.contains_key(TOTAL_RETURN) {
        return Ok(None);
    }
    let figure =
        |name: &str| Some((name.to_owned(), *facts.metrics.get(&format!("portfolio/{name}"))?));
    let started_at = at(started).or_else(|| events.first().map(|event| event.at));
    Ok(Some(RecordedTrial {
        started_at: started_at.unwrap_or(Timestamp::from_millis(0)),
        symbol: facts.params.get(window_params::SYMBOL).and_then(|it| Symbol::parse(it).ok()),
        timeframe: facts.timeframe.or_else(|| events.iter().find_map(timeframe_of_start)),
        test: Window { start, end },
        closes_sha256: facts.params.get(window_params::CLOSES_SHA256).cloned(),
        figures: FIGURES.iter().filter_map(|name| figure(name)).collect(),
        ended: facts.ended,
        shared_with: facts.test.map(|test| test.shared_with).unwrap_or_default(),
        run_id,
    }))
}

/// What is known of the result of a run.
struct Facts {
    params: BTreeMap<String, String>,
    metrics: BTreeMap<String, f64>,
    timeframe: Option<Timeframe>,
    test: Option<TestBasis>,
    ended: Ended,
}

/// The facts that an event has sealed; `None` if it has none, or was altered after it was written. An event that cannot be read
/// was altered too.
fn sealed(event: &Event) -> Option<Facts> {
    let ended = Ended::With(event.id);
    let facts = if let Some(RunResult { params, metrics, test, .. }) = RunResult::of(event) {
        Facts { params, metrics, timeframe: None, test: Some(test), ended }
    } else {
        let seal = Seal::of(event).ok()??;
        let metrics = seal.facts.metric_values();
        let Sealed { params, timeframe, test, .. } = seal.facts;
        Facts { params, metrics, timeframe, test, ended }
    };
    (event.compute_hash() == event.hash).then_some(facts)
}

/// The facts of a run without sealed ones.
fn on_record(
    conn: &Conn,
    run_id: &RunId,
    events: &[Event],
    ended: Option<Timestamp>,
) -> Result<Facts, StoreError> {
    let mut metrics = BTreeMap::new();
    conn.query(
        "SELECT m.key, m.value, m.is_nan FROM latest_metrics m
         WHERE m.run_uuid = ?1 AND m.key LIKE 'portfolio/%'",
        params![run_id.as_str()],
        |row| {
            let is_nan = row.readable::<bool>(2)?.unwrap_or(false);
            let entry = row.readable::<String>(0)?.zip(row.readable::<f64>(1)?);
            // A result counts even if its return is not a number.
            let is_kept = |(key, _): &(String, f64)| !is_nan || key == TOTAL_RETURN;
            metrics.extend(entry.filter(is_kept));
            Ok(())
        },
    )?;
    let is_end =
        |event: &&Event| matches!(event.what.kind, EventKind::Registered | EventKind::RunEnded);
    let end = events.iter().rev().find(is_end);
    let tags = tag::of_run(conn, run_id.as_str())?;
    let by_tag = || tags.get(key::TIMEFRAME).and_then(|text| text.parse().ok());
    let timeframe = events.iter().find_map(timeframe_of_start).or_else(by_tag);
    Ok(Facts {
        params: tag::params_of_run(conn, run_id.as_str())?,
        metrics,
        timeframe,
        test: None,
        ended: end.map_or(Ended::At(ended), |event| Ended::With(event.id)),
    })
}

fn timeframe_of_start(event: &Event) -> Option<Timeframe> {
    if event.what.kind != EventKind::RunStarted {
        return None;
    }
    let details: serde_json::Value = serde_json::from_str(&event.what.details).ok()?;
    details["timeframe"].as_str()?.parse().ok()
}
