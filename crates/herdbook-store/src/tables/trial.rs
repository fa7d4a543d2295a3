//! Runs with a result: the trials that a model was selected from.

use herdbook_domain::{RunId, Symbol, Timeframe, Timestamp, Window, window_params};

use crate::engine::db::{Conn, params};
use crate::error::StoreError;
use crate::tables::seal::is_symbol;

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

/// Which trials to read.
#[derive(Debug, Clone, Copy)]
pub struct TrialQuery<'a> {
    /// The instrument.
    pub symbol: &'a Symbol,
    /// Length of one bar.
    pub timeframe: Timeframe,
    /// The test window overlaps this one.
    pub window: Window,
    /// The run ended after this time; `None` for all runs.
    pub ended_after: Option<Timestamp>,
}

/// The trials that a query asks for, oldest first.
///
/// # Errors
/// Those of the database.
pub fn select(conn: &Conn, query: &TrialQuery<'_>) -> Result<Vec<Trial>, StoreError> {
    let param = |key: &str| {
        format!("(SELECT p.value FROM params p WHERE p.run_uuid = r.run_uuid AND p.key = '{key}')")
    };
    let sql = format!(
        "SELECT r.run_uuid, (SELECT s.value FROM latest_metrics s WHERE s.run_uuid = r.run_uuid
                AND s.key = 'portfolio/sharpe_per_bar' AND s.is_nan = FALSE), {}, {}, {}
         FROM tags t CROSS JOIN runs r
         WHERE t.key = 'timeframe' AND {} AND r.run_uuid = t.run_uuid AND coalesce(r.end_time, ?4) >= ?4
           AND EXISTS (SELECT 1 FROM latest_metrics m WHERE m.run_uuid = r.run_uuid
                AND m.key = 'portfolio/total_return')
           AND EXISTS (SELECT 1 FROM params p WHERE p.run_uuid = r.run_uuid
                AND p.key = ?2 AND {})
         ORDER BY r.start_time, r.run_uuid",
        param("data.test_start"),
        param("data.test_end"),
        param(window_params::BARS_SHA256),
        conn.dialect().tag_is("t.value", "?1"),
        is_symbol("p.value", "?3")
    );
    let after = query.ended_after.map_or(i64::MIN, Timestamp::millis);
    let asked =
        params![query.timeframe.as_str(), window_params::SYMBOL, query.symbol.as_str(), after];
    let trials = conn.query(&sql, asked, |row| {
        let moment = |text: Option<String>| Timestamp::parse(&text?).ok();
        let run_id: String = row.readable(0)?.unwrap_or_default();
        let (start, end) = (moment(row.readable(2)?), moment(row.readable(3)?));
        let (Some(start), Some(end), Ok(run_id)) = (start, end, RunId::parse(&run_id)) else {
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
        Ok(test.overlaps(query.window).then_some(trial))
    })?;
    Ok(trials.into_iter().flatten().collect())
}
