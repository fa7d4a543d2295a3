//! Experiments: found by name, or created.

use std::path::{Path, PathBuf};

use herdbook_domain::{ExperimentName, Timestamp};

use crate::artifacts::place::{local_folder, location_of};
use crate::engine::db::{Conn, params};
use crate::error::StoreError;

/// An experiment whose artifacts lie on this machine.
pub struct Experiment {
    /// Its number.
    pub id: i64,
    /// The folder of its artifacts.
    pub artifacts: PathBuf,
}

/// The experiment of a name; it is created if there is none.
///
/// # Errors
/// [`StoreError::DeletedExperiment`]; [`StoreError::ForeignArtifacts`] if its artifacts are not on this machine.
pub fn find_or_create(
    tx: &Conn,
    artifact_root: &Path,
    name: &ExperimentName,
    at: Timestamp,
) -> Result<Experiment, StoreError> {
    let found: Option<(i64, Option<String>, Option<String>)> = tx.query_first(
        "SELECT experiment_id, artifact_location, lifecycle_stage FROM experiments
         WHERE workspace = 'default' AND name = ?1",
        params![name.as_str()],
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
    )?;
    let Some((id, location, lifecycle)) = found else {
        return create(tx, artifact_root, name, at);
    };
    if lifecycle.as_deref() == Some("deleted") {
        return Err(StoreError::DeletedExperiment { name: name.to_string(), id });
    }
    let location = location.unwrap_or_default();
    let artifacts = local_folder(&location).ok_or_else(|| StoreError::ForeignArtifacts {
        name: name.to_string(),
        location: location.clone(),
    })?;
    Ok(Experiment { id, artifacts })
}

/// Creates an experiment with artifacts in a folder of its own below the root.
///
/// # Errors
/// Those of the database, also if an experiment has the name already.
pub fn create(
    tx: &Conn,
    artifact_root: &Path,
    name: &ExperimentName,
    at: Timestamp,
) -> Result<Experiment, StoreError> {
    let next_id = tx.dialect().next_experiment_id();
    let id: i64 = tx.query_row(next_id, params![], |row| row.get(0))?;
    let artifacts = artifact_root.join(id.to_string());
    let location = location_of(&artifacts);
    tx.execute(
        "INSERT INTO experiments (experiment_id, name, artifact_location, lifecycle_stage,
            creation_time, last_update_time, workspace)
         VALUES (?1, ?2, ?3, 'active', ?4, ?4, 'default')",
        params![id, name.as_str(), location, at.millis()],
    )?;
    // With this tag MLflow's UI shows the experiment with its pages for training, not with those for language models.
    tx.execute(
        "INSERT INTO experiment_tags (key, value, experiment_id)
         VALUES ('mlflow.experimentKind', 'custom_model_development', ?1)",
        params![id],
    )?;
    Ok(Experiment { id, artifacts })
}
