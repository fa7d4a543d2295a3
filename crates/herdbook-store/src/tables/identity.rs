//! Which events belong to a version or model whose name may have changed.
//!
//! MLflow can rename a registered model, also back and forth, and give the old name to another model. Events keep the name
//! of their time. So the identity of a version is its run and its number: an event of another name belongs to a version if
//! run and number are the same, and no version has these under the name in the event.

use herdbook_domain::{ModelName, RunId, VersionKey};

use crate::engine::db::{Conn, params};
use crate::error::StoreError;

/// The condition that no version has the run and number of an event under the event's name.
const HAS_MOVED: &str = "NOT EXISTS (SELECT 1 FROM model_versions o WHERE o.workspace = 'default'
    AND o.name = herdbook_events.name AND o.version = herdbook_events.version
    AND o.run_id = herdbook_events.run_id)";

/// The condition on events of a version, with its name as `name` and its number as `version`: two parameters such as `?1`
/// and `?2`.
///
/// # Errors
/// Those of the database.
pub(super) fn scope_of_version(
    conn: &Conn,
    key: &VersionKey,
    (name, version): (&str, &str),
) -> Result<String, StoreError> {
    Ok(match renamed_run(conn, key)? {
        None => format!("name = {name} AND version = {version}"),
        // A run id has only hexadecimal digits, so it can stand in a statement.
        Some(run_id) => format!(
            "run_id = '{run_id}' AND version = {version} AND (name = {name} OR {HAS_MOVED})"
        ),
    })
}

/// The condition on events of a model, with its name as the parameter `name`.
pub(super) fn scope_of_model(name: &str) -> String {
    let row_of = |condition: &str| {
        format!(
            "EXISTS (SELECT 1 FROM model_versions v WHERE v.workspace = 'default'
                AND v.run_id = herdbook_events.run_id AND v.version = herdbook_events.version
                AND {condition})"
        )
    };
    let (here, anywhere) = (row_of(&format!("v.name = {name}")), row_of("TRUE"));
    format!(
        "((name = {name} AND (version IS NULL OR {here} OR NOT {anywhere}))
          OR (name <> {name} AND version IS NOT NULL AND run_id IN (SELECT m.run_id FROM model_versions m
                WHERE m.workspace = 'default' AND m.name = {name} AND m.run_id IS NOT NULL)
              AND {here} AND {HAS_MOVED}))"
    )
}

/// The run of a version that was registered under another name; `None` for a version that was not renamed.
fn renamed_run(conn: &Conn, key: &VersionKey) -> Result<Option<RunId>, StoreError> {
    let run_id: Option<Option<String>> = conn.query_first(
        "SELECT run_id FROM model_versions
         WHERE workspace = 'default' AND name = ?1 AND version = ?2",
        params![key.name.as_str(), key.version.get()],
        |row| row.readable(0),
    )?;
    let Some(run_id) = run_id.flatten().and_then(|run_id| RunId::parse(&run_id).ok()) else {
        return Ok(None);
    };
    let sql = format!(
        "SELECT 1 FROM herdbook_events
         WHERE run_id = ?1 AND version = ?2 AND name <> ?3 AND {HAS_MOVED} LIMIT 1"
    );
    let is_renamed = conn
        .query_first(&sql, params![run_id.as_str(), key.version.get(), key.name.as_str()], |_| {
            Ok(())
        })?
        .is_some();
    Ok(is_renamed.then_some(run_id))
}

/// Whether the history has an event of a model with this name.
///
/// # Errors
/// Those of the database.
pub(crate) fn is_in_history(conn: &Conn, name: &ModelName) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM herdbook_events WHERE name = ?1 LIMIT 1";
    Ok(conn.query_first(sql, params![name.as_str()], |_| Ok(()))?.is_some())
}

/// The names that a model had before, as far as its versions with a run show.
///
/// # Errors
/// Those of the database.
pub(crate) fn former_names(conn: &Conn, name: &ModelName) -> Result<Vec<String>, StoreError> {
    let sql = format!(
        "SELECT DISTINCT name FROM herdbook_events
         WHERE name <> ?1 AND version IS NOT NULL
           AND run_id IN (SELECT m.run_id FROM model_versions m
               WHERE m.workspace = 'default' AND m.name = ?1 AND m.run_id IS NOT NULL)
           AND EXISTS (SELECT 1 FROM model_versions v WHERE v.workspace = 'default' AND v.name = ?1
               AND v.run_id = herdbook_events.run_id AND v.version = herdbook_events.version)
           AND {HAS_MOVED}"
    );
    conn.query(&sql, params![name.as_str()], |row| row.get(0))
}

/// The names that a model had before, as far as its oldest version with a run shows.
///
/// # Errors
/// Those of the database.
pub(super) fn past_names(conn: &Conn, name: &ModelName) -> Result<Vec<String>, StoreError> {
    let sql = format!(
        "SELECT DISTINCT name FROM herdbook_events
         WHERE run_id = ?1 AND version = ?2 AND name <> ?3 AND {HAS_MOVED}"
    );
    let oldest: Option<(Option<String>, i64)> = conn.query_first(
        "SELECT run_id, version FROM model_versions
         WHERE workspace = 'default' AND name = ?1 AND run_id IS NOT NULL
           AND current_stage IS DISTINCT FROM 'Deleted_Internal' ORDER BY version LIMIT 1",
        params![name.as_str()],
        |row| Ok((row.readable(0)?, row.get(1)?)),
    )?;
    let Some((Some(run_id), version)) = oldest else { return Ok(Vec::new()) };
    conn.query(&sql, params![run_id, version, name.as_str()], |row| row.get(0))
}
