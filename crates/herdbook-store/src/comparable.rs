//! Whether candidates were measured on the same data: otherwise "the best" among them says little.

use herdbook_domain::{MetricName, RunId, window_params};
use rusqlite::{Connection, OptionalExtension, ToSql, params};

use crate::StoreError;
use crate::metric::FINITE;
use crate::search::{Bound, CONDITIONS, WITH_METRIC};

/// The params of their data in which a candidate that has the metric differs from the one found.
pub(crate) fn differing_data(
    conn: &Connection,
    bound: &Bound,
    metric: &MetricName,
    found: Option<&RunId>,
) -> Result<Vec<String>, StoreError> {
    let Some(found) = found else { return Ok(Vec::new()) };
    let fingerprint: Option<String> = conn
        .query_row(
            "SELECT value FROM tags WHERE run_uuid = ?1 AND key = ?2",
            params![found.as_str(), window_params::FINGERPRINT],
            |row| row.get(0),
        )
        .optional()?
        .flatten();
    // A run of others has none: then every param is looked at.
    if let Some(fingerprint) = fingerprint
        && !others_exist(conn, bound, metric, &fingerprint)?
    {
        return Ok(Vec::new());
    }
    differing_params(conn, bound, metric, found)
}

/// Whether a candidate has another fingerprint: two short walks along the index of tags, below and above.
fn others_exist(
    conn: &Connection,
    bound: &Bound,
    metric: &MetricName,
    fingerprint: &str,
) -> Result<bool, StoreError> {
    let Some((prefix, _)) = fingerprint.rsplit_once('/') else { return Ok(true) };
    // `0` follows `/`: all fingerprints of this timeframe and type lie between the two.
    let (lowest, highest) = (format!("{prefix}/"), format!("{prefix}0"));
    let sql = format!(
        "SELECT EXISTS (SELECT 1 FROM tags d CROSS JOIN model_versions v CROSS JOIN runs r
         WHERE d.key = :key AND d.value > :above AND d.value < :below
           AND v.run_id = d.run_uuid AND r.run_uuid = d.run_uuid AND {CONDITIONS}
           AND EXISTS (SELECT 1 FROM metrics m
                WHERE m.run_uuid = r.run_uuid AND m.key = :metric AND {FINITE}))"
    );
    let (key, metric) = (window_params::FINGERPRINT, metric.as_str());
    let mut statement = conn.prepare_cached(&sql)?;
    for (above, below) in [(lowest.as_str(), fingerprint), (fingerprint, highest.as_str())] {
        let mut params = bound.params();
        params.extend([
            (":key", &key as &dyn ToSql),
            (":metric", &metric),
            (":above", &above),
            (":below", &below),
        ]);
        if statement.query_row(params.as_slice(), |row| row.get(0))? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn differing_params(
    conn: &Connection,
    bound: &Bound,
    metric: &MetricName,
    found: &RunId,
) -> Result<Vec<String>, StoreError> {
    let sql = format!(
        "SELECT EXISTS (SELECT 1 FROM {WITH_METRIC} AND {CONDITIONS}
           AND ({FINITE} OR EXISTS (SELECT 1 FROM metrics m
                WHERE m.run_uuid = r.run_uuid AND m.key = :metric AND {FINITE}))
           AND coalesce((SELECT value FROM params WHERE run_uuid = r.run_uuid AND key = :param), '')
            <> coalesce((SELECT value FROM params WHERE run_uuid = :found AND key = :param), ''))"
    );
    let (metric, found) = (metric.as_str(), found.as_str());
    let mut statement = conn.prepare_cached(&sql)?;
    let mut differing = Vec::new();
    for param in window_params::of_data() {
        let mut params = bound.params();
        params.extend([(":metric", &metric as &dyn ToSql), (":param", &param), (":found", &found)]);
        if statement.query_row(params.as_slice(), |row| row.get(0))? {
            differing.push(param.to_owned());
        }
    }
    Ok(differing)
}
