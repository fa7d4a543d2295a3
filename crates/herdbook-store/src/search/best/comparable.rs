//! Checks whether candidates were measured on the same bars, windows and costs. If not, their values cannot be compared.

use std::collections::{BTreeMap, BTreeSet};

use herdbook_domain::{MetricName, RunId, window_params};

use super::candidates::Condition;
use super::walk::{SEALED_VERSIONS_AND_RUNS, VERSIONS_AND_RUNS};
use crate::engine::db::{Conn, ToValue, params};
use crate::error::StoreError;
use crate::tables::metric::FINITE;
use crate::tables::version::VersionRecord;
use crate::tables::{seal, tag};

/// The data of the found model.
struct Data {
    /// Its params about bars and windows.
    params: BTreeMap<String, String>,
    /// `None` for a run of another program without a seal.
    fingerprint: Option<String>,
}

/// The params about their data in which a candidate with the metric differs from the found model.
pub(super) fn differing_data(
    conn: &Conn,
    condition: &Condition,
    metric: &MetricName,
    found: &VersionRecord,
) -> Result<Vec<String>, StoreError> {
    let Some(run_id) = &found.run_id else { return Ok(Vec::new()) };
    let data = match seal::of_version(conn, &found.key)? {
        Some(seal) => Data { fingerprint: seal.facts.fingerprint(), params: seal.facts.params },
        None => unsealed_data(conn, run_id)?,
    };
    let mut differing = BTreeSet::new();
    if condition.has_seals() {
        differing.extend(differing_seals(conn, condition, metric, &data)?);
    }
    let has_others = match &data.fingerprint {
        Some(fingerprint) => others_exist(conn, condition, metric, fingerprint)?,
        None => true,
    };
    if has_others {
        differing.extend(differing_params(conn, condition, metric, &data)?);
    }
    // In the order of the params, which is the order in which users know them.
    Ok(window_params::of_data()
        .filter(|key| differing.contains(*key))
        .map(ToOwned::to_owned)
        .collect())
}

fn unsealed_data(conn: &Conn, run_id: &RunId) -> Result<Data, StoreError> {
    let fingerprint: Option<String> = conn
        .query_first(
            "SELECT value FROM tags WHERE run_uuid = ?1 AND key = ?2",
            params![run_id.as_str(), window_params::FINGERPRINT],
            |row| row.get(0),
        )?
        .flatten();
    Ok(Data { params: tag::params_of_run(conn, run_id.as_str())?, fingerprint })
}

/// The keys in which sealed candidates differ: compares one candidate of each fingerprint, because candidates with the same one
/// have the same data. Seeks below and above the fingerprint of the found model, and so never reads the candidates that have it,
/// as a rule all of them.
fn differing_seals(
    conn: &Conn,
    condition: &Condition,
    metric: &MetricName,
    data: &Data,
) -> Result<Vec<&'static str>, StoreError> {
    let others = match &data.fingerprint {
        Some(_) => &["s.fingerprint < :fingerprint", "s.fingerprint > :fingerprint"][..],
        None => &["TRUE"][..],
    };
    let (metric, sealed) = (metric.as_str(), condition.sealed_sql());
    let mut differing = Vec::new();
    for other in others {
        let sql = format!(
            "SELECT min(s.event_id) FROM {SEALED_VERSIONS_AND_RUNS} WHERE {sealed} AND {other}
               AND EXISTS (SELECT 1 FROM herdbook_sealed_metrics m
                    WHERE m.name = s.name AND m.version = s.version AND m.metric = :metric)
             GROUP BY s.fingerprint"
        );
        let mut params = condition.params();
        params.extend([
            (":metric", &metric as &dyn ToValue),
            (":fingerprint", &data.fingerprint as &dyn ToValue),
        ]);
        for event_id in conn.query(&sql, params.as_slice(), |row| row.get(0))? {
            let Some(seal) = seal::in_event(conn, event_id)? else { continue };
            let differs = |key: &&str| seal.facts.params.get(*key) != data.params.get(*key);
            differing.extend(window_params::of_data().filter(differs));
        }
    }
    Ok(differing)
}

/// Whether a candidate without a seal has another fingerprint of its data. Fast because it never reads the candidates that have the same one,
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

/// Compares every param about the data of every candidate without a seal with that of the found model, in one pass over all last
/// values of the metric.
fn differing_params(
    conn: &Conn,
    condition: &Condition,
    metric: &MetricName,
    data: &Data,
) -> Result<Vec<&'static str>, StoreError> {
    let keys: Vec<&str> = window_params::of_data().collect();
    let values: Vec<&str> =
        keys.iter().map(|key| data.params.get(*key).map_or("", String::as_str)).collect();
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
    Ok(keys.into_iter().zip(differs).filter(|(_, differs)| *differs).map(|(key, _)| key).collect())
}
