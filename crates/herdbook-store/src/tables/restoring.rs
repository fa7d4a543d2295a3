//! Values of single columns that a repair restores from the history.

use herdbook_domain::{
    RunColumn, RunId, SealedMetric, Timestamp, VersionColumn, VersionKey, VersionNumber,
};

use crate::engine::db::{Conn, ToValue, params};
use crate::error::StoreError;

/// Sets a column of a version's row.
///
/// # Errors
/// Those of the database.
pub(crate) fn set_version_column(
    conn: &Conn,
    key: &VersionKey,
    column: &VersionColumn,
    at: Timestamp,
) -> Result<(), StoreError> {
    let created_ms;
    let (name, value): (&str, &dyn ToValue) = match column {
        VersionColumn::RunId(run_id) => ("run_id", &run_id.as_str()),
        VersionColumn::Source(uri) => ("source", uri),
        VersionColumn::StorageLocation(uri) => ("storage_location", uri),
        VersionColumn::CreatedAt(created_at) => {
            created_ms = created_at.millis();
            ("creation_time", &created_ms)
        }
        VersionColumn::User(user) => ("user_id", user),
    };
    conn.execute(
        &format!(
            "UPDATE model_versions SET {name} = ?1, last_updated_time = ?2
             WHERE workspace = 'default' AND name = ?3 AND version = ?4"
        ),
        &[value, &at.millis(), &key.name.as_str(), &key.version.get()],
    )?;
    Ok(())
}

/// Gives a version another number; its tags follow by the foreign key, its aliases do not.
///
/// # Errors
/// Those of the database, also if the number is taken.
pub(crate) fn renumber(
    conn: &Conn,
    key: &VersionKey,
    number: VersionNumber,
) -> Result<(), StoreError> {
    conn.execute(
        "UPDATE model_versions SET version = ?1
         WHERE workspace = 'default' AND name = ?2 AND version = ?3",
        params![number.get(), key.name.as_str(), key.version.get()],
    )?;
    Ok(())
}

/// Sets a column of a run's row.
///
/// # Errors
/// Those of the database.
pub(crate) fn set_run_column(
    conn: &Conn,
    run_id: &RunId,
    column: &RunColumn,
) -> Result<(), StoreError> {
    let millis;
    let (name, value): (&str, &dyn ToValue) = match column {
        RunColumn::Status(status) => ("status", &status.as_str()),
        RunColumn::StartedAt(at) => {
            millis = at.millis();
            ("start_time", &millis)
        }
        RunColumn::EndedAt(at) => {
            millis = at.millis();
            ("end_time", &millis)
        }
        RunColumn::ArtifactUri(uri) => ("artifact_uri", uri),
        RunColumn::User(user) => ("user_id", user),
    };
    conn.execute(
        &format!("UPDATE runs SET {name} = ?1 WHERE run_uuid = ?2"),
        &[value, &run_id.as_str()],
    )?;
    Ok(())
}

/// Sets a param of a run, or removes it. MLflow itself never changes a param; this undoes the change of another program.
///
/// # Errors
/// Those of the database.
pub(crate) fn set_param(
    conn: &Conn,
    run_id: &RunId,
    key: &str,
    value: Option<&str>,
) -> Result<(), StoreError> {
    match value {
        Some(value) => conn.execute(
            "INSERT INTO params (key, value, run_uuid) VALUES (?1, ?2, ?3)
             ON CONFLICT (key, run_uuid) DO UPDATE SET value = excluded.value",
            params![key, value, run_id.as_str()],
        )?,
        None => conn.execute(
            "DELETE FROM params WHERE key = ?1 AND run_uuid = ?2",
            params![key, run_id.as_str()],
        )?,
    };
    Ok(())
}

/// Makes a sealed value the last one of a metric, and adds it to all values if it is not among them. Values of other programs
/// stay among all values.
///
/// # Errors
/// Those of the database.
pub(crate) fn restore_metric(
    conn: &Conn,
    run_id: &RunId,
    name: &str,
    sealed: SealedMetric,
    at: Timestamp,
) -> Result<(), StoreError> {
    let row = params![name, sealed.value, at.millis(), run_id.as_str(), sealed.step, false];
    conn.execute(
        "INSERT INTO metrics (key, value, timestamp, run_uuid, step, is_nan)
         SELECT ?1, ?2, ?3, ?4, ?5, ?6 WHERE NOT EXISTS (SELECT 1 FROM metrics
            WHERE key = ?1 AND value = ?2 AND run_uuid = ?4)
         ON CONFLICT DO NOTHING",
        row,
    )?;
    conn.execute(
        "INSERT INTO latest_metrics (key, value, timestamp, step, is_nan, run_uuid)
         VALUES (?1, ?2, ?3, ?5, ?6, ?4)
         ON CONFLICT (key, run_uuid) DO UPDATE SET value = excluded.value,
            timestamp = excluded.timestamp, step = excluded.step, is_nan = excluded.is_nan",
        row,
    )?;
    Ok(())
}
