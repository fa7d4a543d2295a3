//! Evidence about versions: evaluations after training, and the trials that a result was selected from.

use herdbook_domain::{
    Evaluation, EventKind, RunId, Symbol, Timeframe, Timestamp, VersionKey, Window, window_params,
};

use crate::engine::db::params;
use crate::error::StoreError;
use crate::store::Store;
use crate::tables::event::EventQuery;

/// A run with a result: its model could have been selected.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// The run.
    pub run_id: RunId,
    /// Its test window.
    pub test: Window,
    /// Hex SHA-256 over its bars; empty if the run does not have it.
    pub bars_sha256: String,
    /// Sharpe ratio per bar of its test window; `None` if undefined.
    pub sharpe_per_bar: Option<f64>,
}

impl Store {
    /// The evaluations of a version with their times, oldest first.
    ///
    /// # Errors
    /// Those of [`Store::events`].
    pub fn evaluations(
        &self,
        key: &VersionKey,
    ) -> Result<Vec<(Timestamp, Evaluation)>, StoreError> {
        let (name, version) = (Some(key.name.clone()), Some(key.version));
        let kind = Some(EventKind::Evaluated);
        let events = self.events(&EventQuery { name, version, kind, ..EventQuery::default() })?;
        Ok(events.iter().filter_map(|event| Some((event.at, Evaluation::of(event)?))).collect())
    }

    /// The runs of a symbol and timeframe whose test window overlaps the given one and that logged a total return. Runs of every
    /// registered model count, and also those that failed, were never registered, or were deleted through MLflow.
    ///
    /// # Errors
    /// Those of the database.
    pub fn trials(
        &self,
        symbol: &Symbol,
        timeframe: Timeframe,
        window: Window,
    ) -> Result<Vec<Trial>, StoreError> {
        self.read(|conn| {
            let param = |key: &str| {
                format!(
                    "(SELECT p.value FROM params p WHERE p.run_uuid = r.run_uuid AND p.key = '{key}')"
                )
            };
            let sql = format!(
                "SELECT r.run_uuid, (SELECT s.value FROM latest_metrics s WHERE s.run_uuid = r.run_uuid
                        AND s.key = 'portfolio/sharpe_per_bar' AND s.is_nan = FALSE), {}, {}, {}
                 FROM tags t CROSS JOIN runs r
                 WHERE t.key = 'timeframe' AND {} AND r.run_uuid = t.run_uuid
                   AND EXISTS (SELECT 1 FROM latest_metrics m WHERE m.run_uuid = r.run_uuid
                        AND m.key = 'portfolio/total_return')
                   AND EXISTS (SELECT 1 FROM params p WHERE p.run_uuid = r.run_uuid
                        AND p.key = ?2 AND p.value = ?3)
                 ORDER BY r.start_time, r.run_uuid",
                param("data.test_start"),
                param("data.test_end"),
                param(window_params::BARS_SHA256),
                conn.dialect().tag_is("t.value", "?1")
            );
            let asked = params![timeframe.as_str(), window_params::SYMBOL, symbol.as_str()];
            let trials = conn.query(&sql, asked, |row| {
                let moment = |text: Option<String>| Timestamp::parse(&text?).ok();
                let run_id: String = row.readable(0)?.unwrap_or_default();
                let (start, end) = (moment(row.readable(2)?), moment(row.readable(3)?));
                let (Some(start), Some(end), Ok(run_id)) = (start, end, RunId::parse(&run_id))
                else {
                    return Ok(None);
                };
                let bars_sha256: Option<String> = row.readable(4)?;
                let test = Window { start, end };
                let trial = Trial {
                    run_id,
                    test,
                    bars_sha256: bars_sha256.unwrap_or_default(),
                    sharpe_per_bar: row.readable(1)?,
                };
                Ok(test.overlaps(window).then_some(trial))
            })?;
            Ok(trials.into_iter().flatten().collect())
        })
    }
}
