//! The tables of the copy: a database in memory with the records of a server, on which the acts and look-ups of the SQL
//! store run.

use herdbook_domain::{Event, EventKind};
use herdbook_store::StoreError;
use herdbook_store::engine::db::Conn;
use herdbook_store::tables::{event, metric};
use rusqlite::{Connection, OptionalExtension, params};

use crate::client::wire::{Experiment, MetricValue, ModelVersion, RegisteredModel, Run, value_of};
use crate::copy::lease;
use crate::copy::records::Records;
use crate::journal::changes::Field;
use crate::journal::fold::Fold;

/// The tag of a version whose registration is not in the journal yet. Look-ups ignore such a version.
pub(crate) const PENDING: &str = "herdbook.pending";
/// MLflow's stage of a deleted version.
const DELETED: &str = "Deleted_Internal";

/// Replaces the copy's records, but not its events.
///
/// # Errors
/// Those of SQLite.
pub(crate) fn fill(conn: &Connection, records: &Records, fold: &Fold) -> Result<(), StoreError> {
    conn.execute_batch(
        "DROP INDEX IF EXISTS herdbook_one_champion;
         DELETE FROM experiments; DELETE FROM runs; DELETE FROM tags; DELETE FROM params;
         DELETE FROM metrics; DELETE FROM latest_metrics; DELETE FROM registered_models;
         DELETE FROM registered_model_aliases; DELETE FROM model_versions;
         DELETE FROM model_version_tags; DELETE FROM herdbook_leases;",
    )?;
    for experiment in &records.experiments {
        insert_experiment(conn, experiment)?;
    }
    for model in &records.models {
        insert_model(conn, model)?;
    }
    for version in &records.versions {
        let number = version.number();
        let is_pending = value_of(&version.tags, PENDING).is_some();
        if !is_pending || fold.is_registered(&version.name, number) {
            insert_version(conn, version, number)?;
        }
    }
    for run in &records.runs {
        insert_run(conn, run)?;
    }
    for (run_id, value) in &records.histories {
        insert_metric(conn, &["metrics"], run_id, value)?;
    }
    Ok(())
}

/// Replaces one run in the copy.
///
/// # Errors
/// Those of SQLite.
pub(crate) fn refill_run(conn: &Connection, run: &Run) -> Result<(), StoreError> {
    for table in ["runs", "tags", "params", "metrics", "latest_metrics", "herdbook_leases"] {
        conn.execute(&format!("DELETE FROM {table} WHERE run_uuid = ?1"), [&run.info.run_id])?;
    }
    insert_run(conn, run)
}

/// Replaces one registered model in the copy, without its versions; removes it if the server does not have it.
///
/// # Errors
/// Those of SQLite.
pub(crate) fn refill_model(
    conn: &Connection,
    name: &str,
    found: Option<&RegisteredModel>,
) -> Result<(), StoreError> {
    conn.execute("DELETE FROM registered_models WHERE name = ?1", [name])?;
    found.map_or(Ok(()), |model| insert_model(conn, model))
}

/// Removes the lease of a run that is not RUNNING. Returns whether there was one.
///
/// # Errors
/// Those of SQLite.
pub(crate) fn end_lease(conn: &Connection, run_id: &str) -> Result<bool, StoreError> {
    let n_ended = conn.execute(
        "DELETE FROM herdbook_leases
         WHERE run_uuid IN (SELECT run_uuid FROM runs WHERE run_uuid = ?1 AND status <> 'RUNNING')",
        [run_id],
    )?;
    Ok(n_ended > 0)
}

/// Adds the lease of a resumed run if it is missing, from the event that resumed it: the process died before it wrote
/// the lease, or a delayed writer removed it.
///
/// # Errors
/// Those of SQLite.
pub(crate) fn add_leases_of_resumed(conn: &Connection) -> Result<(), StoreError> {
    conn.execute(
        "INSERT INTO herdbook_leases (run_uuid, host, pid, process_started, refreshed_at_ms)
         SELECT r.run_uuid, coalesce(json_extract(e.details, '$.host'), ''),
            coalesce(json_extract(e.details, '$.pid'), 0),
            coalesce(json_extract(e.details, '$.process_started'), 0), e.at_ms
         FROM runs r JOIN herdbook_events e ON e.id =
            (SELECT max(id) FROM herdbook_events WHERE run_id = r.run_uuid AND kind = ?1)
         WHERE r.status = 'RUNNING' AND r.lifecycle_stage = 'active'
         ON CONFLICT (run_uuid) DO NOTHING",
        [EventKind::RunResumed.as_str()],
    )?;
    Ok(())
}

/// Adds events of the journal.
///
/// # Errors
/// Those of SQLite.
pub(crate) fn add_events<'a>(
    conn: &Conn,
    events: impl IntoIterator<Item = &'a Event>,
) -> Result<(), StoreError> {
    events.into_iter().try_for_each(|event| event::insert(conn, event))
}

/// Adds, as deleted, the versions registered by the first `n_entries` acts that the server does not show: MLflow keeps a
/// deleted version and hides it.
///
/// # Errors
/// Those of SQLite.
pub(crate) fn add_deleted(
    conn: &Connection,
    fold: &Fold,
    n_entries: usize,
) -> Result<(), StoreError> {
    for (name, version) in fold.registered_within(n_entries) {
        conn.execute(
            "INSERT INTO model_versions (name, version, creation_time, last_updated_time, description,
                user_id, current_stage, source, run_id, status, status_message, run_link,
                storage_location, workspace)
             SELECT ?1, ?2, 0, 0, NULL, '', ?3, '', NULL, 'READY', NULL, '', '', 'default'
             WHERE EXISTS (SELECT 1 FROM registered_models WHERE name = ?1)
             ON CONFLICT DO NOTHING",
            params![name, version, DELETED],
        )?;
    }
    Ok(())
}

/// The value of a field in the copy.
pub(crate) struct Held {
    pub(crate) value: Option<String>,
    pub(crate) subject: Subject,
}

/// The state of the run, version or model that a field belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    /// The record was not fetched, or does not exist.
    Missing,
    /// The record is marked as deleted: MLflow refuses changes of it.
    Deleted,
    /// The record exists.
    There,
}

/// Looks a field up.
///
/// # Errors
/// Those of SQLite.
pub(crate) fn held(conn: &Connection, place: &Field) -> Result<Held, StoreError> {
    let text = |sql: &str, params: &[&dyn rusqlite::ToSql]| -> Result<Option<String>, StoreError> {
        Ok(conn
            .prepare_cached(sql)?
            .query_row(params, |row| row.get::<_, Option<String>>(0))
            .optional()?
            .flatten())
    };
    let value = match place {
        Field::Alias { name, alias } => text(
            "SELECT CAST(version AS TEXT) FROM registered_model_aliases
             WHERE name = ?1 AND alias = ?2",
            params![name, alias],
        ),
        Field::RunTag { run, key } => {
            text("SELECT value FROM tags WHERE run_uuid = ?1 AND key = ?2", params![run, key])
        }
        Field::RunStatus { run } => text(
            "SELECT status || ' ' || coalesce(end_time, '') FROM runs WHERE run_uuid = ?1",
            params![run],
        ),
        Field::VersionTag { name, version, key } => text(
            "SELECT value FROM model_version_tags WHERE name = ?1 AND version = ?2 AND key = ?3",
            params![name, version, key],
        ),
        Field::VersionStage { name, version } => text(
            "SELECT current_stage FROM model_versions WHERE name = ?1 AND version = ?2",
            params![name, version],
        ),
    }?;
    let state = match place {
        Field::Alias { name, .. } => {
            text("SELECT 'active' FROM registered_models WHERE name = ?1", params![name])
        }
        Field::RunTag { run, .. } | Field::RunStatus { run } => {
            text("SELECT lifecycle_stage FROM runs WHERE run_uuid = ?1", params![run])
        }
        Field::VersionTag { name, version, .. } | Field::VersionStage { name, version } => text(
            "SELECT current_stage FROM model_versions WHERE name = ?1 AND version = ?2",
            params![name, version],
        ),
    }?;
    let subject = match state.as_deref() {
        None => Subject::Missing,
        Some(DELETED | "deleted") => Subject::Deleted,
        Some(_) => Subject::There,
    };
    Ok(Held { value, subject })
}

/// Sets a field in the copy.
///
/// # Errors
/// Those of SQLite.
pub(crate) fn set(conn: &Connection, place: &Field, value: Option<&str>) -> Result<(), StoreError> {
    match (place, value) {
        (Field::Alias { name, alias }, None) => conn.execute(
            "DELETE FROM registered_model_aliases WHERE name = ?1 AND alias = ?2",
            params![name, alias],
        )?,
        (Field::Alias { name, alias }, Some(version)) => conn.execute(
            "INSERT INTO registered_model_aliases (alias, version, name, workspace)
             VALUES (?1, CAST(?2 AS INTEGER), ?3, 'default')
             ON CONFLICT (workspace, name, alias) DO UPDATE SET version = excluded.version",
            params![alias, version, name],
        )?,
        (Field::RunTag { run, key }, None) => {
            conn.execute("DELETE FROM tags WHERE run_uuid = ?1 AND key = ?2", params![run, key])?
        }
        (Field::RunTag { run, key }, Some(value)) => conn.execute(
            "INSERT INTO tags (key, value, run_uuid) VALUES (?1, ?2, ?3)
             ON CONFLICT (key, run_uuid) DO UPDATE SET value = excluded.value",
            params![key, value, run],
        )?,
        (Field::VersionTag { name, version, key }, None) => conn.execute(
            "DELETE FROM model_version_tags WHERE name = ?1 AND version = ?2 AND key = ?3",
            params![name, version, key],
        )?,
        (Field::VersionTag { name, version, key }, Some(value)) => conn.execute(
            "INSERT INTO model_version_tags (key, value, name, version, workspace)
             VALUES (?1, ?2, ?3, ?4, 'default')
             ON CONFLICT (workspace, key, name, version) DO UPDATE SET value = excluded.value",
            params![key, value, name, version],
        )?,
        (Field::VersionStage { name, version }, value) => conn.execute(
            "UPDATE model_versions SET current_stage = ?1
             WHERE name = ?2 AND version = ?3 AND current_stage <> ?4",
            params![value.unwrap_or("None"), name, version, DELETED],
        )?,
        (Field::RunStatus { run }, value) => {
            let (status, ended) = value.unwrap_or_default().split_once(' ').unwrap_or_default();
            conn.execute(
                "UPDATE runs SET status = ?1, end_time = ?2 WHERE run_uuid = ?3",
                params![status, ended.parse::<i64>().ok(), run],
            )?
        }
    };
    Ok(())
}

/// The run of a version. It distinguishes a version from a later one of the same number, created after the registered
/// model had been deleted.
///
/// # Errors
/// Those of SQLite.
pub(crate) fn run_of(
    conn: &Connection,
    name: &str,
    version: i64,
) -> Result<Option<String>, StoreError> {
    Ok(conn
        .prepare_cached("SELECT run_id FROM model_versions WHERE name = ?1 AND version = ?2")?
        .query_row(params![name, version], |row| row.get(0))
        .optional()?
        .flatten())
}

fn insert_experiment(conn: &Connection, experiment: &Experiment) -> Result<(), StoreError> {
    conn.prepare_cached(
        "INSERT OR IGNORE INTO experiments (experiment_id, name, artifact_location, lifecycle_stage,
            creation_time, last_update_time, workspace)
         VALUES (CAST(?1 AS INTEGER), ?2, ?3, ?4, 0, 0, 'default')",
    )?
    .execute(params![
        experiment.id,
        experiment.name,
        experiment.artifact_location,
        experiment.lifecycle_stage
    ])?;
    Ok(())
}

fn insert_model(conn: &Connection, model: &RegisteredModel) -> Result<(), StoreError> {
    conn.prepare_cached(
        "INSERT OR IGNORE INTO registered_models
            (name, creation_time, last_updated_time, description, workspace)
         VALUES (?1, ?2, ?3, '', 'default')",
    )?
    .execute(params![model.name, model.creation_timestamp, model.last_updated_timestamp])?;
    for alias in &model.aliases {
        let place = Field::Alias { name: model.name.clone(), alias: alias.alias.clone() };
        set(conn, &place, Some(&alias.version))?;
    }
    Ok(())
}

fn insert_version(
    conn: &Connection,
    version: &ModelVersion,
    number: i64,
) -> Result<(), StoreError> {
    let run_id = Some(&version.run_id).filter(|run_id| !run_id.is_empty());
    conn.prepare_cached(
        "INSERT OR IGNORE INTO model_versions (name, version, creation_time, last_updated_time,
            description, user_id, current_stage, source, run_id, status, status_message, run_link,
            storage_location, workspace)
         VALUES (?1, ?2, ?3, ?4, ?9, ?5, ?6, ?7, ?8, ?10, ?11, ?12, ?7, 'default')",
    )?
    .execute(params![
        version.name,
        number,
        version.creation_timestamp,
        version.last_updated_timestamp,
        version.user_id,
        version.current_stage,
        version.source,
        run_id,
        version.description,
        version.status,
        version.status_message,
        version.run_link,
    ])?;
    let mut tag = conn.prepare_cached(
        "INSERT OR IGNORE INTO model_version_tags (key, value, name, version, workspace)
         VALUES (?1, ?2, ?3, ?4, 'default')",
    )?;
    for pair in version.tags.iter().filter(|pair| pair.key != PENDING) {
        tag.execute(params![pair.key, pair.value, version.name, number])?;
    }
    Ok(())
}

/// Whether the copy knows where the artifacts of a run are. A run that stands in for one that was not fetched has no location.
pub(crate) fn knows_artifacts_of(conn: &Connection, run_id: &str) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM runs WHERE run_uuid = ?1 AND artifact_uri <> ''";
    Ok(conn.prepare_cached(sql)?.exists([run_id])?)
}

fn insert_run(conn: &Connection, run: &Run) -> Result<(), StoreError> {
    let info = &run.info;
    let id = info.run_id.as_str();
    let is_new = conn
        .prepare_cached(
            "INSERT OR IGNORE INTO runs (run_uuid, name, source_type, source_name, entry_point_name,
                user_id, status, start_time, end_time, source_version, lifecycle_stage, artifact_uri,
                experiment_id)
             VALUES (?1, ?2, 'UNKNOWN', '', '', ?3, ?4, ?5, ?6, '', ?7, ?8, CAST(?9 AS INTEGER))",
        )?
        .execute(params![
            id,
            info.run_name,
            info.user_id,
            info.status,
            info.start_time,
            Some(info.end_time).filter(|time| *time != 0),
            info.lifecycle_stage,
            info.artifact_uri,
            info.experiment_id,
        ])?;
    if is_new == 0 {
        return Ok(());
    }
    let mut tag = conn
        .prepare_cached("INSERT OR IGNORE INTO tags (key, value, run_uuid) VALUES (?1, ?2, ?3)")?;
    for pair in &run.data.tags {
        if pair.key == lease::TAG {
            lease::insert(conn, id, &pair.value)?;
        } else {
            tag.execute(params![pair.key, pair.value, id])?;
        }
    }
    let mut param = conn.prepare_cached(
        "INSERT OR IGNORE INTO params (key, value, run_uuid) VALUES (?1, ?2, ?3)",
    )?;
    for pair in &run.data.params {
        param.execute(params![pair.key, pair.value, id])?;
    }
    for value in &run.data.metrics {
        insert_metric(conn, &["metrics", "latest_metrics"], id, value)?;
    }
    Ok(())
}

/// A value of a metric. The table of all values usually has only the last one: the others are not fetched.
fn insert_metric(
    conn: &Connection,
    tables: &[&str],
    run_id: &str,
    metric: &MetricValue,
) -> Result<(), StoreError> {
    let (value, is_nan) = metric::stored(metric.value);
    let row = params![metric.key, value, metric.timestamp, run_id, metric.step, is_nan];
    for table in tables {
        conn.prepare_cached(&format!(
            "INSERT OR IGNORE INTO {table} (key, value, timestamp, run_uuid, step, is_nan)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)"
        ))?
        .execute(row)?;
    }
    Ok(())
}
