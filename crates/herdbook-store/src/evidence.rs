//! Evidence about versions: evaluations after the training, and the trials that a figure has to be seen among.

use herdbook_domain::{
    Evaluation, EventKind, RunId, Symbol, Timeframe, Timestamp, VersionKey, Window, window_params,
};
use rusqlite::{OptionalExtension, params};

use crate::{EventQuery, Store, StoreError, event, version};

/// A run that left a figure: anyone could have picked its model.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// The run.
    pub run_id: RunId,
    /// What it was tested on.
    pub test: Window,
    /// Hex SHA-256 over its bars.
    pub bars_sha256: String,
    /// Of its test window; `None` where undefined.
    pub sharpe_per_bar: Option<f64>,
}

impl Store {
    /// Adds an evaluation to the history of a version.
    ///
    /// # Errors
    /// [`StoreError::NoSuchVersion`], [`StoreError::DeletedVersion`].
    pub fn record_evaluation(
        &self,
        key: &VersionKey,
        evaluation: &Evaluation,
    ) -> Result<i64, StoreError> {
        self.write(|act| {
            let record = version::load(act.tx, key)?;
            if record.deleted {
                return Err(StoreError::DeletedVersion { key: key.clone() });
            }
            let at = act.time_for([&key.name])?;
            let draft = evaluation.event(key, record.run_id.as_ref());
            Ok(event::append(act, at, [draft])?.last().map_or(0, |event| event.id))
        })
    }

    /// The evaluations of a version with their times, oldest first.
    pub fn evaluations(
        &self,
        key: &VersionKey,
    ) -> Result<Vec<(Timestamp, Evaluation)>, StoreError> {
        let (name, version) = (Some(key.name.clone()), Some(key.version));
        let kind = Some(EventKind::Evaluated);
        let events = self.events(&EventQuery { name, version, kind, ..EventQuery::default() })?;
        Ok(events.iter().filter_map(|event| Some((event.at, Evaluation::of(event)?))).collect())
    }

    /// The runs of a symbol and timeframe that left a figure on a test window which overlaps the given one: of any
    /// registered model, those that failed or were never registered too; not those deleted through MLflow.
    pub fn trials(
        &self,
        symbol: &Symbol,
        timeframe: Timeframe,
        window: Window,
    ) -> Result<Vec<Trial>, StoreError> {
        self.read(|conn| {
            let mut param =
                conn.prepare_cached("SELECT value FROM params WHERE run_uuid = ?1 AND key = ?2")?;
            let mut statement = conn.prepare_cached(
                "SELECT r.run_uuid, (SELECT s.value FROM latest_metrics s WHERE s.run_uuid = r.run_uuid
                        AND s.key = 'portfolio/sharpe_per_bar' AND s.is_nan = 0)
                 FROM tags t CROSS JOIN runs r
                 WHERE t.key = 'timeframe' AND t.value = ?1 AND r.run_uuid = t.run_uuid
                   AND r.lifecycle_stage = 'active'
                   AND EXISTS (SELECT 1 FROM latest_metrics m WHERE m.run_uuid = r.run_uuid
                        AND m.key = 'portfolio/total_return')
                   AND EXISTS (SELECT 1 FROM params p WHERE p.run_uuid = r.run_uuid
                        AND p.key = ?2 AND p.value = ?3)
                 ORDER BY r.start_time, r.run_uuid",
            )?;
            let mut rows = statement.query(params![
                timeframe.as_str(),
                window_params::SYMBOL,
                symbol.as_str()
            ])?;
            let mut trials = Vec::new();
            while let Some(row) = rows.next()? {
                let id: String = row.get(0)?;
                let mut of_run = |key: &str| -> Result<Option<String>, StoreError> {
                    Ok(param.query_row([id.as_str(), key], |row| row.get(0)).optional()?)
                };
                let (start, end) = (of_run("data.test_start")?, of_run("data.test_end")?);
                let moment = |text: Option<String>| Timestamp::parse(&text?).ok();
                let (Some(start), Some(end)) = (moment(start), moment(end)) else { continue };
                let test = Window { start, end };
                let Ok(run_id) = RunId::parse(&id) else { continue };
                if test.overlaps(window) {
                    trials.push(Trial {
                        test,
                        bars_sha256: of_run(window_params::BARS_SHA256)?.unwrap_or_default(),
                        run_id,
                        sharpe_per_bar: row.get(1)?,
                    });
                }
            }
            Ok(trials)
        })
    }
}
