//! The row of a version that an act creates.

use herdbook_domain::{Registration, RunId, Stage, Timestamp, VersionKey};

use crate::acts::description::describe;
use crate::engine::db::{Conn, params};
use crate::error::StoreError;
use crate::session::Act;
use crate::tables::run;

/// The columns of a version's row that a client of MLflow decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionRow {
    /// The URI of its files, as the client names it.
    pub source: String,
    /// The URI of the folder that MLflow serves.
    pub storage_location: String,
    /// Its description.
    pub description: Option<String>,
    /// A link to its run on another server.
    pub run_link: Option<String>,
}

/// The columns that the client of MLflow decides, or else herdbook.
pub(crate) fn of(
    conn: &Conn,
    request: &Registration,
    given: Option<&VersionRow>,
) -> Result<VersionRow, StoreError> {
    if let Some(row) = given {
        return Ok(row.clone());
    }
    let folder = folder(conn, request)?;
    Ok(VersionRow {
        source: folder.clone(),
        storage_location: folder,
        description: Some(describe(conn, request)?),
        run_link: Some(String::new()),
    })
}

/// The location of the folder with the model, not of its file: `models:/<name>@champion` is a folder to MLflow.
fn folder(conn: &Conn, request: &Registration) -> Result<String, StoreError> {
    let artifacts = run::artifact_uri(conn, &request.run_id)?;
    Ok(format!("{artifacts}/models/{}", request.origin.timeframe))
}

/// Inserts a version, and its registered model if there is none.
pub(crate) fn insert(
    act: &Act<'_>,
    (key, run_id): (&VersionKey, &RunId),
    row: &VersionRow,
    at: Timestamp,
) -> Result<(), StoreError> {
    let name = key.name.as_str();
    act.tx.execute(
        "INSERT INTO registered_models
            (name, creation_time, last_updated_time, description, workspace)
         VALUES (?1, ?2, ?2, '', 'default')
         ON CONFLICT (workspace, name) DO UPDATE SET last_updated_time = excluded.last_updated_time",
        params![name, at.millis()],
    )?;
    act.tx.execute(
        "INSERT INTO model_versions (name, version, creation_time, last_updated_time, description,
            user_id, current_stage, source, run_id, status, status_message, run_link,
            storage_location, workspace)
         VALUES (?1, ?2, ?3, ?3, ?8, ?4, ?5, ?6, ?7, 'READY', NULL, ?9, ?10, 'default')",
        params![
            name,
            key.version.get(),
            at.millis(),
            act.context.actor.as_str(),
            Stage::Development.mlflow_stage(),
            row.source,
            run_id.as_str(),
            row.description,
            row.run_link,
            row.storage_location,
        ],
    )?;
    Ok(())
}
