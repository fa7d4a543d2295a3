//! The rows of runs that the doctor compares with the history, with their params and metrics.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use herdbook_domain::{LoggedMetric, RunId, RunRow, Seal, window_params};

use crate::engine::db::{Conn, params};
use crate::error::StoreError;
use crate::tables::event::VERSIONED_RUNS;
use crate::tables::metric;

/// The rows of the runs in the history, and of those that a version names. `seals` are the seals of all versions.
pub(super) fn rows(conn: &Conn, seals: &[Seal]) -> Result<BTreeMap<RunId, RunRow>, StoreError> {
    let mut rows = columns(conn)?;
    for (run_id, key, value) in sealed_params(conn)? {
        if let Some(row) = rows.get_mut(&run_id) {
            row.params.insert(key, value);
        }
    }
    for (run_id, metrics) in metric::of_runs(conn, VERSIONED_RUNS)? {
        if let Some(row) = RunId::parse(&run_id).ok().and_then(|run_id| rows.get_mut(&run_id)) {
            row.metrics = metrics
                .iter()
                .map(|one| (one.key.clone(), LoggedMetric { value: one.value, step: one.step }))
                .collect();
        }
    }
    for (run_id, names) in overwritten(conn, seals)? {
        if let Some(row) = rows.get_mut(&run_id) {
            row.overwritten = names;
        }
    }
    Ok(rows)
}

fn columns(conn: &Conn) -> Result<BTreeMap<RunId, RunRow>, StoreError> {
    let rows = conn.query(
        "SELECT r.run_uuid, r.status, r.start_time, r.end_time, r.user_id, r.artifact_uri FROM runs r
         WHERE r.run_uuid IN (SELECT run_id FROM herdbook_events)
            OR r.run_uuid IN (SELECT run_id FROM model_versions)",
        params![],
        |row| {
            let Some(run_id) = row.shown(0)?.and_then(|id| RunId::parse(&id).ok()) else {
                return Ok(None);
            };
            let found = RunRow {
                status: row.shown(1)?,
                started_at_ms: row.readable(2)?,
                ended_at_ms: row.readable(3)?,
                user: row.shown(4)?,
                artifact_uri: row.shown(5)?,
                ..RunRow::default()
            };
            Ok(Some((run_id, found)))
        },
    )?;
    Ok(rows.into_iter().flatten().collect())
}

/// The params that a seal holds, of every run with a version: run, key and value.
fn sealed_params(conn: &Conn) -> Result<Vec<(RunId, String, String)>, StoreError> {
    let keys: Vec<String> = window_params::sealed().map(|key| format!("'{key}'")).collect();
    let rows = conn.query(
        &format!(
            "SELECT p.run_uuid, p.key, p.value FROM params p
             WHERE p.key IN ({}) AND p.run_uuid IN ({VERSIONED_RUNS})",
            keys.join(", ")
        ),
        params![],
        |row| {
            let run_id = row.shown(0)?.and_then(|id| RunId::parse(&id).ok());
            let (key, value) = (row.readable(1)?, row.shown(2)?.unwrap_or_default());
            Ok(run_id.zip(key).map(|(run_id, key)| (run_id, key, value)))
        },
    )?;
    Ok(rows.into_iter().flatten().collect())
}

/// The bits of a value. SQLite does not keep the sign of zero.
fn bits(value: f64) -> u64 {
    (value + 0.0).to_bits()
}

/// The metrics whose sealed value is not among all logged values of the run any more, by run. The course of a training
/// (`training/…`) has many values, and no rule reads them: only its last values are compared.
fn overwritten(
    conn: &Conn,
    seals: &[Seal],
) -> Result<BTreeMap<RunId, BTreeSet<String>>, StoreError> {
    let logged = conn.query(
        &format!(
            "SELECT m.run_uuid, m.key, m.value FROM metrics m
             WHERE m.key NOT LIKE 'training/%' AND m.run_uuid IN ({VERSIONED_RUNS})"
        ),
        params![],
        |row| {
            let key = row.readable::<String>(0)?.zip(row.readable::<String>(1)?);
            Ok(key.zip(row.readable::<f64>(2)?))
        },
    )?;
    let logged: HashSet<((String, String), u64)> =
        logged.into_iter().flatten().map(|(key, value)| (key, bits(value))).collect();
    let mut missing: BTreeMap<RunId, BTreeSet<String>> = BTreeMap::new();
    for seal in seals {
        let Some(run_id) = &seal.run_id else { continue };
        for (name, metric) in &seal.facts.metrics {
            let entry = ((run_id.to_string(), name.clone()), bits(metric.value));
            if !name.starts_with("training/") && !logged.contains(&entry) {
                missing.entry(run_id.clone()).or_default().insert(name.clone());
            }
        }
    }
    Ok(missing)
}
