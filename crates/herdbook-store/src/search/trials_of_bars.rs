//! Trials by the bars they used, whatever the instrument and timeframe are called.

use std::collections::{BTreeMap, BTreeSet};

use herdbook_domain::{RunId, Timestamp, Window, window_params};

use crate::engine::db::{Conn, params};
use crate::error::StoreError;
use crate::search::known_closes::KnownCloses;
use crate::store::Store;

/// A run with a result and the file of closes of its bars.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordedTrial {
    /// The run.
    pub run_id: RunId,
    /// When it was started.
    pub started_at: Timestamp,
    /// Its test window.
    pub test: Window,
    /// The metrics `sharpe_per_bar`, `n_returns`, `skew` and `kurtosis` of its test window, as far as they are defined. Two
    /// runs with equal ones have equal returns.
    pub figures: BTreeMap<String, f64>,
}

/// The metrics of a result by which a repeated one is recognised, without prefix.
const FIGURES: [&str; 4] = ["sharpe_per_bar", "n_returns", "skew", "kurtosis"];

impl Store {
    /// The files of closes of all trainings, each content once, that of the newest run first.
    ///
    /// # Errors
    /// Those of the database.
    pub fn training_closes(&self) -> Result<Vec<KnownCloses>, StoreError> {
        let all = self.read(|conn| {
            let sql = "SELECT c.run_uuid, c.value FROM params c CROSS JOIN runs r
                 WHERE c.key = ?1 AND r.run_uuid = c.run_uuid ORDER BY r.start_time DESC, r.run_uuid";
            conn.query(sql, params![window_params::CLOSES_SHA256], |row| {
                let (run_id, sha256): (String, String) = (row.get(0)?, row.get(1)?);
                Ok((run_id, sha256))
            })
        })?;
        let mut newest: Vec<KnownCloses> = Vec::new();
        let mut known = BTreeSet::new();
        for (run_id, sha256) in all {
            if let Ok(run_id) = RunId::parse(&run_id)
                && known.insert(sha256.clone())
            {
                newest.push(KnownCloses { run_id, sha256, is_of_evaluation: false });
            }
        }
        Ok(newest)
    }

    /// The runs with a result that used bars with this file of closes. Runs of every registered model count, and also those
    /// that failed, were never registered, or were deleted through MLflow.
    ///
    /// # Errors
    /// Those of the database.
    pub fn trials_with_closes(&self, sha256: &str) -> Result<Vec<RecordedTrial>, StoreError> {
        self.read(|conn| {
            let sql = "SELECT r.run_uuid, r.start_time FROM params c CROSS JOIN runs r
                 WHERE c.key = ?1 AND c.value = ?2 AND r.run_uuid = c.run_uuid
                   AND EXISTS (SELECT 1 FROM latest_metrics m WHERE m.run_uuid = r.run_uuid
                        AND m.key = 'portfolio/total_return')
                 ORDER BY r.start_time, r.run_uuid";
            let asked = params![window_params::CLOSES_SHA256, sha256];
            let runs = conn.query(sql, asked, |row| {
                let (run_id, started_at): (String, Option<i64>) = (row.get(0)?, row.get(1)?);
                Ok((run_id, started_at))
            })?;
            let mut trials = Vec::with_capacity(runs.len());
            for (run_id, started_at) in runs {
                let Ok(run_id) = RunId::parse(&run_id) else { continue };
                trials.extend(trial(
                    conn,
                    run_id,
                    Timestamp::from_millis(started_at.unwrap_or(0)),
                )?);
            }
            Ok(trials)
        })
    }

    /// The figures of the result of a run, as [`RecordedTrial::figures`].
    ///
    /// # Errors
    /// Those of the database.
    pub fn trial_figures(&self, run_id: &RunId) -> Result<BTreeMap<String, f64>, StoreError> {
        self.read(|conn| figures(conn, run_id))
    }
}

/// `None` for a run without a test window.
fn trial(
    conn: &Conn,
    run_id: RunId,
    started_at: Timestamp,
) -> Result<Option<RecordedTrial>, StoreError> {
    let edge = |key: &str| -> Result<Option<Timestamp>, StoreError> {
        let sql = "SELECT p.value FROM params p WHERE p.run_uuid = ?1 AND p.key = ?2";
        let text =
            conn.query_first(sql, params![run_id.as_str(), key], |row| row.get::<String>(0))?;
        Ok(text.and_then(|text| Timestamp::parse(&text).ok()))
    };
    let [.., start, end] = window_params::EDGES;
    let (Some(start), Some(end)) = (edge(start)?, edge(end)?) else { return Ok(None) };
    let figures = figures(conn, &run_id)?;
    Ok(Some(RecordedTrial { run_id, started_at, test: Window { start, end }, figures }))
}

fn figures(conn: &Conn, run_id: &RunId) -> Result<BTreeMap<String, f64>, StoreError> {
    let mut figures = BTreeMap::new();
    for name in FIGURES {
        let sql = "SELECT m.value FROM latest_metrics m
             WHERE m.run_uuid = ?1 AND m.key = ?2 AND m.is_nan = FALSE";
        let key = format!("portfolio/{name}");
        let value =
            conn.query_first(sql, params![run_id.as_str(), key], |row| row.get::<f64>(0))?;
        figures.extend(value.map(|value| (name.to_owned(), value)));
    }
    Ok(figures)
}
