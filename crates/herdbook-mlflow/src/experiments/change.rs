//! Experiments: created, renamed, deleted, restored and tagged.

use herdbook_store::engine::db::Conn;
use herdbook_store::{Session, StoreError, now, params};

use super::location;
use super::record::{self, Experiment, no_experiment, parse_id};
use crate::act::write;
use crate::artifact_root::ArtifactRoot;
use crate::error::{Code, MlflowError};
use crate::validate::{MAX_KEY, check_length, check_name};

/// Most characters of a name.
const MAX_NAME: usize = 500;
/// Most characters of a tag's value.
const MAX_TAG: usize = 20_000;
/// Tags with this prefix hold views of MLflow's UI.
const VIEW_TAG: &str = "mlflow.customView.view";
/// Most views of an experiment.
const MAX_VIEWS: usize = 50;

/// An experiment to be created.
#[derive(Debug, Clone, Default)]
pub struct NewExperiment {
    /// Its name.
    pub name: String,
    /// Where its runs keep their artifacts; empty for a place below the artifact root.
    pub artifact_location: String,
    /// Its tags, each key once.
    pub tags: Vec<(String, String)>,
}

/// Creates an experiment and returns its number.
///
/// # Errors
/// [`MlflowError::Refused`] if the name is taken, also by a deleted experiment, or a value is not allowed; those of the
/// store.
pub fn create(
    session: &Session,
    root: &ArtifactRoot,
    new: &NewExperiment,
) -> Result<i64, MlflowError> {
    if new.tags.iter().filter(|(key, _)| key.starts_with(VIEW_TAG)).count() > MAX_VIEWS {
        return Err(too_many_views(None));
    }
    let given = match new.artifact_location.as_str() {
        "" => None,
        location => Some(location::checked(location)?),
    };
    check_experiment_name(&new.name)?;
    for (key, value) in &new.tags {
        check_tag(key, value)?;
    }
    let mut keys: Vec<&String> = new.tags.iter().map(|(key, _)| key).collect();
    keys.sort_unstable();
    if let Some([key, ..]) = keys.windows(2).find(|pair| pair[0] == pair[1]) {
        // MLflow's code and words, wrong as they are.
        let message = format!(
            "Experiment(name={}) already exists. Error: the tag '{key}' is given twice",
            new.name
        );
        return Err(MlflowError::new(Code::ResourceAlreadyExists, message));
    }
    write(session, |act| {
        let id = insert(act.tx, root, &new.name, given.as_deref())?;
        for (key, value) in &new.tags {
            put_tag(act.tx, id, key, value)?;
        }
        Ok(id)
    })
}

fn insert(
    conn: &Conn,
    root: &ArtifactRoot,
    name: &str,
    location: Option<&str>,
) -> Result<i64, MlflowError> {
    let id: i64 =
        conn.query_row(conn.dialect().next_experiment_id(), params![], |row| row.get(0))?;
    let location = location.map_or_else(|| root.join(&id.to_string()), str::to_owned);
    let n_inserted = conn.execute(
        "INSERT INTO experiments (experiment_id, name, artifact_location, lifecycle_stage, creation_time,
            last_update_time, workspace)
         VALUES (?1, ?2, ?3, 'active', ?4, ?4, 'default') ON CONFLICT (workspace, name) DO NOTHING",
        params![id, name, location, now().millis()],
    )?;
    if n_inserted == 0 { Err(name_is_taken(name, Code::ResourceAlreadyExists)) } else { Ok(id) }
}

/// Renames an experiment.
///
/// # Errors
/// [`MlflowError::Refused`] if it does not exist, was deleted, or the name is taken or not allowed; those of the store.
pub fn rename(session: &Session, id: &str, name: &str) -> Result<(), MlflowError> {
    check_experiment_name(name)?;
    let id = parse_id(id)?;
    write(session, |act| {
        if require(act.tx, id)?.lifecycle_stage != "active" {
            let message = "Cannot rename a non-active experiment.";
            return Err(MlflowError::new(Code::InvalidState, message));
        }
        if record::id_of_name(act.tx, name)?.is_some_and(|other| other != id) {
            return Err(name_is_taken(name, Code::BadRequest));
        }
        act.tx.execute(
            "UPDATE experiments SET name = ?2, last_update_time = ?3 WHERE experiment_id = ?1",
            params![id, name, now().millis()],
        )?;
        Ok(())
    })
}

/// Deletes an active experiment and all its runs. They can be restored.
///
/// # Errors
/// [`MlflowError::Refused`] if there is no such active experiment; those of the store.
pub fn delete(session: &Session, id: &str) -> Result<(), MlflowError> {
    move_to(session, id, ("active", "deleted"))
}

/// Restores a deleted experiment and all its runs.
///
/// # Errors
/// [`MlflowError::Refused`] if there is no such deleted experiment; those of the store.
pub fn restore(session: &Session, id: &str) -> Result<(), MlflowError> {
    move_to(session, id, ("deleted", "active"))
}

/// Moves an experiment with its runs from one life-cycle stage to another.
fn move_to(session: &Session, id: &str, (from, to): (&str, &str)) -> Result<(), MlflowError> {
    let id = parse_id(id)?;
    write(session, |act| {
        let at = now().millis();
        let n_changed = act.tx.execute(
            "UPDATE experiments SET lifecycle_stage = ?3, last_update_time = ?4
             WHERE workspace = 'default' AND experiment_id = ?1 AND lifecycle_stage = ?2",
            params![id, from, to, at],
        )?;
        if n_changed == 0 {
            return Err(no_experiment(id));
        }
        let deleted_at = (to == "deleted").then_some(at);
        act.tx.execute(
            "UPDATE runs SET lifecycle_stage = ?2, deleted_time = ?3 WHERE experiment_id = ?1",
            params![id, to, deleted_at],
        )?;
        Ok(())
    })
}

/// Sets a tag of an active experiment.
///
/// # Errors
/// [`MlflowError::Refused`] if the experiment does not exist or was deleted, or the tag is not allowed; those of the store.
pub fn set_tag(session: &Session, id: &str, key: &str, value: &str) -> Result<(), MlflowError> {
    check_tag(key, value)?;
    let id = parse_id(id)?;
    write(session, |act| {
        let experiment = require(act.tx, id)?;
        require_active(&experiment)?;
        let views = || experiment.tags.iter().filter(|(known, _)| known.starts_with(VIEW_TAG));
        let is_new_view = key.starts_with(VIEW_TAG) && views().all(|(known, _)| known != key);
        if is_new_view && views().count() >= MAX_VIEWS {
            return Err(too_many_views(Some(id)));
        }
        Ok(put_tag(act.tx, id, key, value)?)
    })
}

/// Removes a tag of an active experiment.
///
/// # Errors
/// [`MlflowError::Refused`] if the experiment does not exist or was deleted, or has no such tag; those of the store.
pub fn delete_tag(session: &Session, id: &str, key: &str) -> Result<(), MlflowError> {
    let number = parse_id(id)?;
    write(session, |act| {
        require_active(&require(act.tx, number)?)?;
        let n_removed = act.tx.execute(
            "DELETE FROM experiment_tags WHERE experiment_id = ?1 AND key = ?2",
            params![number, key],
        )?;
        if n_removed > 0 {
            return Ok(());
        }
        Err(MlflowError::missing(format!("No tag with name: {key} in experiment with id {id}")))
    })
}

/// Sets the artifact location of MLflow's default experiment in a new store.
///
/// # Errors
/// Those of the store.
pub fn locate_default(session: &Session, root: &ArtifactRoot) -> Result<(), StoreError> {
    session.write(|act| {
        act.tx.execute(
            "UPDATE experiments SET artifact_location = ?1 WHERE experiment_id = 0",
            params![root.join("0")],
        )?;
        Ok(())
    })
}

fn put_tag(conn: &Conn, id: i64, key: &str, value: &str) -> Result<(), StoreError> {
    conn.execute(
        "INSERT INTO experiment_tags (key, value, experiment_id) VALUES (?2, ?3, ?1)
         ON CONFLICT (key, experiment_id) DO UPDATE SET value = excluded.value",
        params![id, key, value],
    )?;
    Ok(())
}

fn require(conn: &Conn, id: i64) -> Result<Experiment, MlflowError> {
    record::find(conn, id)?.ok_or_else(|| no_experiment(id))
}

/// Fails if an experiment was deleted.
pub(crate) fn require_active(experiment: &Experiment) -> Result<(), MlflowError> {
    let Experiment { id, lifecycle_stage, .. } = experiment;
    if lifecycle_stage == "active" {
        return Ok(());
    }
    Err(MlflowError::invalid(format!(
        "The experiment {id} must be in the 'active' state. Current state is {lifecycle_stage}."
    )))
}

fn check_experiment_name(name: &str) -> Result<(), MlflowError> {
    if name.is_empty() {
        return Err(MlflowError::invalid("Invalid experiment name: ''"));
    }
    check_length("name", name, MAX_NAME)
}

fn check_tag(key: &str, value: &str) -> Result<(), MlflowError> {
    check_name(key, "key")?;
    check_length("key", key, MAX_KEY)?;
    check_length("value", value, MAX_TAG)
}

fn name_is_taken(name: &str, code: Code) -> MlflowError {
    MlflowError::new(
        code,
        format!(
            "Experiment(name={name}) already exists. Error: an experiment, perhaps a deleted one, has this name"
        ),
    )
}

fn too_many_views(id: Option<i64>) -> MlflowError {
    let of = id.map(|id| format!(" for experiment {id}")).unwrap_or_default();
    MlflowError::invalid(format!(
        "Unable to create another custom view{of}; the maximum number of custom views per experiment is {MAX_VIEWS}. \
         Delete an existing custom view before creating a new one."
    ))
}
