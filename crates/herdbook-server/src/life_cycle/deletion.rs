//! Deletion and renaming of models under the life cycle.

use herdbook_domain::tags::key;
use herdbook_domain::{
    EventDraft, Honesty, ModelName, Refusal, VersionFacts, VersionKey, plan_deletion, renamed_event,
};
use herdbook_mlflow::registry::{self, RegisteredModel};
use herdbook_mlflow::{MlflowError, write};
use herdbook_store::engine::db::Conn;
use herdbook_store::tables::{event, version};
use herdbook_store::{StoreError, now, params};

use super::rules::Records;

/// Deletes a version. Its deletion is recorded in the history.
pub(crate) fn delete_version(records: Records<'_>, of: (&str, i64)) -> Result<(), MlflowError> {
    let rules = records.life_cycle();
    write(records.session(), |act| {
        registry::require_version(act.tx, of)?;
        let Some(key) = rules.managed(act.tx, of)? else {
            return registry::delete_version(act.tx, of, now());
        };
        let at = act.time_for([&key.name])?;
        let deleted = match plan_deletion(&facts(act.tx, &key)?) {
            Ok(deleted) => Some(deleted),
            Err(refusal) => {
                rules.refuse(refusal)?;
                None
            }
        };
        registry::delete_version(act.tx, of, at)?;
        if let Some(deleted) = deleted.filter(|_| rules.is_enforced()) {
            act.append(at, [deleted])?;
        }
        Ok(())
    })?;
    Ok(())
}

/// The facts on which a deletion depends.
fn facts(conn: &Conn, key: &VersionKey) -> Result<VersionFacts, StoreError> {
    let record = version::load(conn, key)?;
    Ok(VersionFacts {
        key: key.clone(),
        stage_tag: record.tags.get(key::PROMOTION_STAGE).cloned(),
        history_end: event::history_end(conn, key)?,
        run_id: record.run_id,
        honesty: Honesty::Unknown,
        promotion_keys: Vec::new(),
        obstacle: None,
        symbol: None,
        deleted: record.deleted,
        unsealed: None,
    })
}

/// Deletes a registered model that was never under the life cycle.
pub(crate) fn delete_model(records: Records<'_>, name: &str) -> Result<(), MlflowError> {
    let rules = records.life_cycle();
    write(records.session(), |act| {
        registry::require_model(act.tx, name)?;
        if let Ok(name) = ModelName::parse(name)
            && rules.covers(act.tx, name.as_str())?
            && version::is_under_life_cycle(act.tx, name.as_str())?
        {
            rules.refuse(Refusal::ModelNotDeletable { name })?;
        }
        registry::delete_model(act.tx, name)
    })?;
    Ok(())
}

/// Gives a registered model another name. For a model under the life cycle this is recorded in the history.
pub(crate) fn rename_model(
    records: Records<'_>,
    name: &str,
    new_name: &str,
) -> Result<RegisteredModel, MlflowError> {
    let rules = records.life_cycle();
    let renamed = write(records.session(), |act| {
        let is_covered = rules.covers(act.tx, name)?
            && version::is_under_life_cycle(act.tx, name)?
            && name != new_name;
        if !is_covered {
            return registry::rename_model(act.tx, name, new_name, now());
        }
        let of =
            |name| ModelName::parse(name).map_err(|error| MlflowError::invalid(error.to_string()));
        let (old, new) = (of(name)?, of(new_name)?);
        let at = act.time_for([&old, &new])?;
        if !is_known_by_a_version(act.tx, name)? {
            rules.refuse(Refusal::NotRenamable { name: old.clone() })?;
        }
        let renamed = registry::rename_model(act.tx, name, new_name, at)?;
        if rules.is_enforced() {
            act.append(at, [renamed_event(&old, &new)] as [EventDraft; 1])?;
        }
        Ok(renamed)
    })?;
    Ok(renamed)
}

/// Whether a version shows by its run which history belongs to a model.
fn is_known_by_a_version(conn: &Conn, name: &str) -> Result<bool, StoreError> {
    conn.query_row(
        "SELECT EXISTS (SELECT 1 FROM model_versions v JOIN model_version_tags t
             ON t.workspace = 'default' AND t.name = v.name AND t.version = v.version AND t.key = ?2
         WHERE v.workspace = 'default' AND v.name = ?1 AND v.run_id IS NOT NULL AND v.run_id <> ''
           AND v.current_stage IS DISTINCT FROM 'Deleted_Internal')",
        params![name, key::PROMOTION_STAGE],
        |row| row.get(0),
    )
}
