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
use crate::engine::schema;
use crate::error::StoreError;
use crate::tables::batch::OfRuns;
use crate::tables::event;
use crate::tables::seal::is_symbol;

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

/// Which trials to read: those of a symbol and timeframe whose test window overlaps a window, and those whose bars have one of
/// some files of closes.
#[derive(Debug, Clone)]
pub struct TrialQuery {
    /// The instrument.
    pub symbol: Symbol,
    /// Length of one bar.
    pub timeframe: Timeframe,
    /// The window.
    pub window: Window,
    /// The SHA-256 of the files of closes.
    pub closes_sha256: BTreeSet<String>,
}

impl TrialQuery {
    /// Whether a trial is one of the symbol and timeframe in the window.
    pub fn is_by_symbol(&self, trial: &RecordedTrial) -> bool {
        trial.symbol.as_ref() == Some(&self.symbol)
            && trial.timeframe == Some(self.timeframe)
            && trial.test.overlaps(self.window)
    }

    fn is_by_closes(&self, trial: &RecordedTrial) -> bool {
        trial.closes_sha256.as_ref().is_some_and(|found| self.closes_sha256.contains(found))
    }
}

/// The trials that a query asks for, oldest first. Runs of every registered model count, and also those that were never
/// registered, or were deleted.
///
/// # Errors
/// Those of the database.
pub(crate) fn select(conn: &Conn, query: &TrialQuery) -> Result<Vec<RecordedTrial>, StoreError> {
    let candidates = of_symbol(conn, query)?.into_iter().chain(lost(conn)?);
    let candidates = candidates.chain(runs_with_closes(conn, &query.closes_sha256)?);
    let found = of_runs(conn, candidates)?;
    let is_asked = |trial: &RecordedTrial| query.is_by_symbol(trial) || query.is_by_closes(trial);
    Ok(found.into_iter().filter(is_asked).collect())
}

/// Runs of the symbol, without those whose seal or window shows that they are of another timeframe or time.
fn of_symbol(conn: &Conn, query: &TrialQuery) -> Result<Vec<RunId>, StoreError> {
    let edge = |key: &str| {
        format!("(SELECT p.value FROM params p WHERE p.run_uuid = s.run_uuid AND p.key = '{key}')")
    };
    let [.., start, end] = window_params::EDGES.map(edge);
    let of_other_timeframe = if schema::has_seals(conn)? {
        "EXISTS (SELECT 1 FROM herdbook_seals z WHERE z.run_id = s.run_uuid AND z.timeframe <> ?3)"
    } else {
        "?3 IS NULL"
    };
    let sql = format!(
        "SELECT s.run_uuid, {start}, {end} FROM params s
         WHERE s.key = ?1 AND {} AND NOT {of_other_timeframe}",
        is_symbol("s.value", "?2")
    );
    let asked = params![window_params::SYMBOL, query.symbol.as_str(), query.timeframe.as_str()];
    let of_symbol = conn.query(&sql, asked, |row| {
        let moment = |text: Option<String>| Timestamp::parse(&text?).ok();
        let run_id = row.text(0)?.and_then(|id| RunId::parse(id).ok());
        let test = moment(row.readable(1)?).zip(moment(row.readable(2)?));
        let is_apart =
            test.is_some_and(|(start, end)| !Window { start, end }.overlaps(query.window));
        Ok(run_id.filter(|_| !is_apart))
    })?;
    Ok(of_symbol.into_iter().flatten().collect())
}

/// The trials whose bars have one of these files of closes, by its SHA-256; oldest first.
///
/// # Errors
/// Those of the database.
pub(crate) fn with_closes(
    conn: &Conn,
    sha256: &BTreeSet<String>,
) -> Result<Vec<RecordedTrial>, StoreError> {
    let candidates = runs_with_closes(conn, sha256)?.into_iter().chain(lost(conn)?);
    let is_asked = |trial: &RecordedTrial| {
        trial.closes_sha256.as_ref().is_some_and(|found| sha256.contains(found))
    };
    Ok(of_runs(conn, candidates)?.into_iter().filter(is_asked).collect())
}

/// Runs with one of these files of closes, by its SHA-256.
fn runs_with_closes(conn: &Conn, sha256: &BTreeSet<String>) -> Result<Vec<RunId>, StoreError> {
    if sha256.is_empty() {
        return Ok(Vec::new());
    }
    let found = conn.query(
        "SELECT p.run_uuid, p.value FROM params p WHERE p.key = ?1",
        params![window_params::CLOSES_SHA256],
        |row| {
            let is_asked = row.text(1)?.is_some_and(|found| sha256.contains(found));
            Ok(row.text(0)?.filter(|_| is_asked).and_then(|id| RunId::parse(id).ok()))
        },
    )?;
    Ok(found.into_iter().flatten().collect())
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
    let sql = "SELECT DISTINCT e.run_id FROM herdbook_events e WHERE e.run_id IS NOT NULL
         AND NOT EXISTS (SELECT 1 FROM runs r WHERE r.run_uuid = e.run_id)";
    let ids = conn.query(sql, params![], |row| row.shown(0))?;
    Ok(ids.into_iter().flatten().filter_map(|id| RunId::parse(&id).ok()).collect())
}

/// So many runs are read at a time: the events of a run are large.
const RUNS_AT_A_TIME: usize = 128;

/// The trials among some runs, oldest first.
pub(crate) fn of_runs(
    conn: &Conn,
    run_ids: impl IntoIterator<Item = RunId>,
) -> Result<Vec<RecordedTrial>, StoreError> {
    let distinct: BTreeSet<RunId> = run_ids.into_iter().collect();
    let distinct: Vec<RunId> = distinct.into_iter().collect();
    let mut trials = Vec::with_capacity(distinct.len());
    for runs in distinct.chunks(RUNS_AT_A_TIME) {
        let mut records = Records::of(conn, runs)?;
        trials.extend(runs.iter().filter_map(|run_id| records.trial(run_id)));
    }
    trials.sort_by(|a, b| (a.started_at, &a.run_id).cmp(&(b.started_at, &b.run_id)));
    Ok(trials)
}

/// What is on record of some runs.
struct Records {
    events: BTreeMap<RunId, Vec<Event>>,
    sealed: BTreeMap<RunId, Facts>,
    /// When each run was started and ended, by MLflow.
    times: BTreeMap<String, (Option<i64>, Option<i64>)>,
    /// What MLflow holds of the runs without sealed facts.
    on_record: BTreeMap<String, OnRecord>,
}

/// The result of a run without sealed facts, by MLflow.
#[derive(Default)]
struct OnRecord {
    params: BTreeMap<String, String>,
    metrics: BTreeMap<String, f64>,
    timeframe: Option<Timeframe>,
}

impl Records {
    fn of(conn: &Conn, runs: &[RunId]) -> Result<Self, StoreError> {
        let kinds =
            [EventKind::RunStarted, EventKind::RunEnded, EventKind::Registered, EventKind::Adopted];
        let run_ids: Vec<&str> = runs.iter().map(RunId::as_str).collect();
        let events = event::of_runs(conn, &kinds, &run_ids)?;
        let sealed: BTreeMap<RunId, Facts> = events
            .iter()
            .filter_map(|(run_id, events)| Some((run_id.clone(), events.iter().find_map(sealed)?)))
            .collect();
        let mut times = BTreeMap::new();
        let query = OfRuns {
            columns: "t.run_uuid, t.start_time, t.end_time",
            table: "runs",
            run_id: "run_uuid",
            condition: "TRUE",
        };
        query.query(conn, &run_ids, |row| {
            let entry = (row.readable(1)?, row.readable(2)?);
            times.extend(row.readable(0)?.map(|run_id| (run_id, entry)));
            Ok(())
        })?;
        let unsealed: Vec<&str> =
            runs.iter().filter(|run_id| !sealed.contains_key(*run_id)).map(RunId::as_str).collect();
        let on_record = on_record(conn, &unsealed)?;
        Ok(Self { events, sealed, times, on_record })
    }

    /// `None` for a run without a result or without a test window.
    fn trial(&mut self, run_id: &RunId) -> Option<RecordedTrial> {
        let events = self.events.remove(run_id).unwrap_or_default();
        let (started, ended) = self.times.remove(run_id.as_str()).unwrap_or_default();
        let at = |ms: Option<i64>| ms.map(Timestamp::from_millis);
        let facts = match self.sealed.remove(run_id) {
            Some(facts) => facts,
            None => self.on_record.remove(run_id.as_str())?.facts(&events, at(ended)),
        };
        let moment = |key: &str| Timestamp::parse(facts.params.get(key)?).ok();
        let [.., start, end] = window_params::EDGES;
        let test = Window { start: moment(start)?, end: moment(end)? };
        if !facts.metrics.contains_key(TOTAL_RETURN) {
            return None;
        }
        let figure =
            |name: &str| Some((name.to_owned(), *facts.metrics.get(&format!("portfolio/{name}"))?));
        let started_at = at(started).or_else(|| events.first().map(|event| event.at));
        Some(RecordedTrial {
            run_id: run_id.clone(),
            started_at: started_at.unwrap_or(Timestamp::from_millis(0)),
            symbol: facts.params.get(window_params::SYMBOL).and_then(|it| Symbol::parse(it).ok()),
            timeframe: facts.timeframe.or_else(|| events.iter().find_map(timeframe_of_start)),
            test,
            closes_sha256: facts.params.get(window_params::CLOSES_SHA256).cloned(),
            figures: FIGURES.iter().filter_map(|name| figure(name)).collect(),
            ended: facts.ended,
            shared_with: facts.test.map(|test| test.shared_with).unwrap_or_default(),
        })
    }
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

/// What MLflow holds of runs without sealed facts, by run id. A run without any result is not among them.
fn on_record(conn: &Conn, run_ids: &[&str]) -> Result<BTreeMap<String, OnRecord>, StoreError> {
    let mut runs: BTreeMap<String, OnRecord> = BTreeMap::new();
    let figures = FIGURES.map(|name| format!("'portfolio/{name}'")).join(", ");
    let metrics = OfRuns {
        columns: "t.run_uuid, t.key, t.value, t.is_nan",
        table: "latest_metrics",
        run_id: "run_uuid",
        condition: &format!("t.key IN ('{TOTAL_RETURN}', {figures})"),
    };
    metrics.query(conn, run_ids, |row| {
        let is_nan = row.readable::<bool>(3)?.unwrap_or(false);
        let entry = row.readable::<String>(1)?.zip(row.readable::<f64>(2)?);
        // A result counts even if its return is not a number.
        let entry = entry.filter(|(key, _)| !is_nan || key == TOTAL_RETURN);
        if let Some((run_id, entry)) = row.readable::<String>(0)?.zip(entry) {
            runs.entry(run_id).or_default().metrics.extend([entry]);
        }
        Ok(())
    })?;
    runs.retain(|_, of_run| of_run.metrics.contains_key(TOTAL_RETURN));
    let [.., start, end] = window_params::EDGES;
    let read = [window_params::SYMBOL, window_params::CLOSES_SHA256, start, end];
    let with_result: Vec<String> = runs.keys().cloned().collect();
    let with_result: Vec<&str> = with_result.iter().map(String::as_str).collect();
    let params = OfRuns {
        columns: "t.run_uuid, t.key, t.value",
        table: "params",
        run_id: "run_uuid",
        condition: &format!("t.key IN ('{}')", read.join("', '")),
    };
    params.query(conn, &with_result, |row| {
        if let (Some(of_run), Some(key)) =
            (row.text(0)?.and_then(|run_id| runs.get_mut(run_id)), row.readable(1)?)
        {
            of_run.params.insert(key, row.shown(2)?.unwrap_or_default());
        }
        Ok(())
    })?;
    let tags = OfRuns {
        columns: "t.run_uuid, t.value",
        table: "tags",
        run_id: "run_uuid",
        condition: &format!("t.key = '{}'", key::TIMEFRAME),
    };
    tags.query(conn, &with_result, |row| {
        if let Some(of_run) = row.text(0)?.and_then(|run_id| runs.get_mut(run_id)) {
            of_run.timeframe = row.text(1)?.and_then(|text| text.parse().ok());
        }
        Ok(())
    })?;
    Ok(runs)
}

impl OnRecord {
    /// `ended` is when MLflow has the end of the run.
    fn facts(self, events: &[Event], ended: Option<Timestamp>) -> Facts {
        let is_end =
            |event: &&Event| matches!(event.what.kind, EventKind::Registered | EventKind::RunEnded);
        let end = events.iter().rev().find(is_end);
        Facts {
            params: self.params,
            metrics: self.metrics,
            timeframe: events.iter().find_map(timeframe_of_start).or(self.timeframe),
            test: None,
            ended: end.map_or(Ended::At(ended), |event| Ended::With(event.id)),
        }
    }
}

fn timeframe_of_start(event: &Event) -> Option<Timeframe> {
    if event.what.kind != EventKind::RunStarted {
        return None;
    }
    let details: serde_json::Value = serde_json::from_str(&event.what.details).ok()?;
    details["timeframe"].as_str()?.parse().ok()
}
