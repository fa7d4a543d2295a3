//! Registered models: created, described, renamed.

use herdbook_domain::Timestamp;
use herdbook_store::engine::db::Conn;
use herdbook_store::{Store, params};

use crate::error::{Code, MlflowError};
use crate::python;
use crate::read::read;
use crate::registry::record::{self, RegisteredModel};
use crate::registry::validation::{self, IS_PROMPT, check_model_tag, check_name, check_new_name};

/// A registered model.
///
/// # Errors
/// [`MlflowError::Refused`] if there is none; those of the store.
pub fn get_model(store: &Store, name: &str) -> Result<RegisteredModel, MlflowError> {
    check_name(name)?;
    read(store, |conn| record::model(conn, name))
}

/// Fails if there is no such registered model.
///
/// # Errors
/// [`MlflowError::Refused`]; those of the database.
pub fn require_model(conn: &Conn, name: &str) -> Result<(), MlflowError> {
    check_name(name)?;
    if exists(conn, name)? { Ok(()) } else { Err(record::no_model(name)) }
}

fn exists(conn: &Conn, name: &str) -> Result<bool, MlflowError> {
    let found = conn.query_first(
        "SELECT 1 FROM registered_models WHERE workspace = 'default' AND name = ?1",
        params![name],
        |_| Ok(()),
    )?;
    Ok(found.is_some())
}

/// Creates a registered model.
///
/// # Errors
/// [`MlflowError::Refused`] if the name or a tag is not allowed, or there is a model or prompt with this name; those of the
/// database.
pub fn create_model(
    conn: &Conn,
    name: &str,
    tags: &[(String, String)],
    description: &str,
    at: Timestamp,
) -> Result<RegisteredModel, MlflowError> {
    check_name(name)?;
    for (key, value) in tags {
        check_model_tag(key, value)?;
    }
    let created = conn.execute(
        "INSERT INTO registered_models (name, creation_time, last_updated_time, description, workspace)
         VALUES (?1, ?2, ?2, ?3, 'default') ON CONFLICT (workspace, name) DO NOTHING",
        params![name, at.millis(), description],
    )?;
    if created == 0 {
        return Err(taken(conn, name, tags)?);
    }
    for (key, value) in tags {
        write_tag(conn, name, key, value)?;
    }
    record::model(conn, name)
}

/// Writes a tag of a registered model, in place of its old value.
pub(super) fn write_tag(
    conn: &Conn,
    name: &str,
    key: &str,
    value: &str,
) -> Result<(), MlflowError> {
    conn.execute(
        "INSERT INTO registered_model_tags (key, value, name, workspace) VALUES (?1, ?2, ?3, 'default')
         ON CONFLICT (workspace, key, name) DO UPDATE SET value = excluded.value",
        params![key, value, name],
    )?;
    Ok(())
}

/// The refusal of a name that another model or prompt has.
fn taken(conn: &Conn, name: &str, tags: &[(String, String)]) -> Result<MlflowError, MlflowError> {
    let present = record::model(conn, name)?;
    let kind = |is_prompt: bool| if is_prompt { "Prompt" } else { "Registered Model" };
    // MLflow takes any tag with this key for a prompt's, whatever its value.
    let is_of_prompt = |tags: &[(String, String)]| tags.iter().any(|(key, _)| key == IS_PROMPT);
    let (old, new) = (kind(is_of_prompt(&present.tags)), kind(is_of_prompt(tags)));
    let message = if old == new {
        format!("{new} (name={name}) already exists.")
    } else {
        format!(
            "Tried to create a {} with name {}, but the name is already taken by a {}. MLflow does not allow creating \
             a model and a prompt with the same name.",
            new.to_lowercase(),
            python::text(name),
            old.to_lowercase()
        )
    };
    Ok(MlflowError::Refused { code: Code::ResourceAlreadyExists, message })
}

/// Describes a registered model.
///
/// # Errors
/// [`MlflowError::Refused`] if there is none; those of the database.
pub fn update_model(
    conn: &Conn,
    name: &str,
    description: &str,
    at: Timestamp,
) -> Result<RegisteredModel, MlflowError> {
    require_model(conn, name)?;
    conn.execute(
        "UPDATE registered_models SET description = ?1, last_updated_time = ?2
         WHERE workspace = 'default' AND name = ?3",
        params![description, at.millis(), name],
    )?;
    record::model(conn, name)
}

/// Gives a registered model another name, with its versions, tags and aliases.
///
/// # Errors
/// [`MlflowError::Refused`] if the name is not allowed or taken, or there is no such model; those of the database.
pub fn rename_model(
    conn: &Conn,
    name: &str,
    new_name: &str,
    at: Timestamp,
) -> Result<RegisteredModel, MlflowError> {
    check_new_name(new_name)?;
    require_model(conn, name)?;
    if name != new_name && exists(conn, new_name)? {
        return Err(MlflowError::Refused {
            code: Code::ResourceAlreadyExists,
            message: format!("Registered Model (name={new_name}) already exists."),
        });
    }
    conn.execute(
        "UPDATE registered_models SET name = ?1, last_updated_time = ?2
         WHERE workspace = 'default' AND name = ?3",
        params![new_name, at.millis(), name],
    )?;
    // The foreign keys carry the name on where the database enforces them.
    for table in [
        "model_versions",
        "registered_model_tags",
        "model_version_tags",
        "registered_model_aliases",
    ] {
        conn.execute(
            &format!("UPDATE {table} SET name = ?1 WHERE workspace = 'default' AND name = ?2"),
            params![new_name, name],
        )?;
    }
    conn.execute(
        "UPDATE model_versions SET last_updated_time = ?1 WHERE workspace = 'default' AND name = ?2",
        params![at.millis(), new_name],
    )?;
    record::model(conn, new_name)
}

/// Sets the time of a model's last change.
pub(super) fn touch_model(conn: &Conn, name: &str, at: Timestamp) -> Result<(), MlflowError> {
    conn.execute(
        "UPDATE registered_models SET last_updated_time = ?1 WHERE workspace = 'default' AND name = ?2",
        params![at.millis(), name],
    )?;
    Ok(())
}

/// Whether a registered model is a prompt.
pub(super) fn is_prompt_on_record(model: &RegisteredModel) -> bool {
    validation::is_prompt(&model.tags)
}
