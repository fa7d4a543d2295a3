//! Checks whether candidates were measured on the same bars, windows and costs. If not, their values cannot be compared.

use herdbook_domain::{MetricName, RunId, window_params};

use super::candidates::Condition;
use super::walk::VERSIONS_AND_RUNS;
use crate::engine::db::{Conn, ToValue, params};
use crate::error::StoreError;
use crate::tables::metric::FINITE;
use crate::tables::tag;

/// The params about their data in which a candidate with the metric differs from the found run.
pub(super) fn differing_data(
    conn: &Conn,
    condition: &Condition,
    metric: &MetricName,
    found: Option<&RunId>,
) -> Result<Vec<String>, StoreError> {
    let Some(found) = found else { return Ok(Vec::new()) };
    let fingerprint: Option<String> = conn
        .query_first(
            "SELECT value FROM tags WHERE run_uuid = ?1 AND key = ?2",
            params![found.as_str(), window_params::FINGERPRINT],
            |row| row.get(0),
        )?
        .flatten();
    // Runs of other programs have no fingerprint.
    if let Some(fingerprint) = fingerprint
        && !others_exist(conn, condition, metric, &fingerprint)?
    {
        return Ok(Vec::new());
    }
    differing_params(conn, condition, metric, found)
}

/// Whether a candidate has another fingerprint of its data. Fast because it never reads the candidates that have the same one,
/// as a rule all of them: it searches the index on run tags below this fingerprint, then above it.
fn others_exist(
    conn: &Conn,
    condition: &Condition,
    metric: &MetricName,
    fingerprint: &str,
) -> Result<bool, StoreError> {
    let Some((prefix, _)) = fingerprint.rsplit_once('/') else { return Ok(true) };
    // In the order of bytes `0` follows `/`: all fingerprints of this timeframe and type lie between the two.
    let (lowest, highest) = (format!("{prefix}/"), format!("{prefix}0"));
    let value = conn.dialect().indexed("d.value");
    let sql = format!(
        "SELECT EXISTS (SELECT 1 FROM tags d CROSS JOIN {VERSIONS_AND_RUNS}
         WHERE d.key = :key AND {value} > :above AND {value} < :below AND {}
           AND EXISTS (SELECT 1 FROM metrics m
                WHERE m.run_uuid = r.run_uuid AND m.key = :metric AND {FINITE}))",
        condition.sql(conn.dialect(), "d.run_uuid")
    );
    let (key, metric) = (window_params::FINGERPRINT, metric.as_str());
    for (above, below) in [(lowest.as_str(), fingerprint), (fingerprint, highest.as_str())] {
        let mut params = condition.params();
        params.extend([
            (":key", &key as &dyn ToValue),
            (":metric", &metric),
            (":above", &above),
            (":below", &below),
        ]);
        if conn.query_row(&sql, params.as_slice(), |row| row.get(0))? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Compares every param about the data of every candidate with that of the found run, in one pass over all last values of the
/// metric.
fn differing_params(
    conn: &Conn,
    condition: &Condition,
    metric: &MetricName,
    found: &RunId,
) -> Result<Vec<String>, StoreError> {
    let params_of_found = tag::params_of_run(conn, found.as_str())?;
    let keys: Vec<&str> = window_params::of_data().collect();
    let values: Vec<&str> =
        keys.iter().map(|key| params_of_found.get(*key).map_or("", String::as_str)).collect();
    let columns: Vec<String> = keys
        .iter()
        .enumerate()
        .map(|(idx, key)| {
            format!(
                "coalesce(max(CASE WHEN coalesce((SELECT value FROM params
                    WHERE run_uuid = r.run_uuid AND key = '{key}'), '') <> :value{idx}
                 THEN 1 ELSE 0 END), 0)"
            )
        })
        .collect();
    let sql = format!(
        "SELECT {} FROM latest_metrics m CROSS JOIN {VERSIONS_AND_RUNS}
         WHERE m.key = :metric AND {}
           AND ({FINITE} OR EXISTS (SELECT 1 FROM metrics m
                WHERE m.run_uuid = r.run_uuid AND m.key = :metric AND {FINITE}))",
        columns.join(", "),
        condition.sql(conn.dialect(), "m.run_uuid")
    );
    let metric = metric.as_str();
    let names: Vec<String> = (0..keys.len()).map(|idx| format!(":value{idx}")).collect();
    let mut params: Vec<(&str, &dyn ToValue)> = condition.params();
    params.push((":metric", &metric));
    params.extend(names.iter().map(String::as_str).zip(values.iter().map(|v| v as &dyn ToValue)));
    let differs = conn.query_row(&sql, params.as_slice(), |row| {
        (0..keys.len()).map(|column| row.get::<bool>(column)).collect::<Result<Vec<_>, _>>()
    })?;
    Ok(keys
        .into_iter()
        .zip(differs)
        .filter(|(_, differs)| *differs)
        .map(|(key, _)| key.to_owned())
        .collect())
}
