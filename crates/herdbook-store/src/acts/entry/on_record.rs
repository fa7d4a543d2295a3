//! Versions on record that get their first stage.

use herdbook_domain::import::told_origin;
use herdbook_domain::tags::{Tags, key};
use herdbook_domain::{Stage, Timestamp, VersionKey, VersionType};

use super::adoption::{adopted, require_alias_of_champion, require_free};
use super::entering::enter;
use super::request::{Entering, Served};
use crate::acts::files::HashedFiles;
use crate::error::StoreError;
use crate::session::Act;
use crate::tables::run::{self, RunRecord};
use crate::tables::unsealed::ServedFiles;
use crate::tables::version::{self, VersionRecord};
use crate::tables::{event, tag};

pub(super) fn enter_on_record(
    act: &Act<'_>,
    key: &VersionKey,
    served: &Served,
    files: &HashedFiles,
) -> Result<(), StoreError> {
    let conn = act.tx;
    let at = act.time_for([&key.name])?;
    let version = version::load(conn, key)?;
    if version.deleted {
        return Err(StoreError::DeletedVersion { key: key.clone() });
    }
    if version.stage().is_some() || event::history_end(conn, key)?.is_some() {
        return Ok(());
    }
    let run = match &version.run_id {
        Some(run_id) => match run::load(conn, run_id) {
            Err(StoreError::NoSuchRun { .. }) => None,
            run => Some(run?),
        },
        None => None,
    };
    if let Some(run) = &run {
        let mut tags = run.tags.clone();
        tags.extend(version.tags.clone());
        if told_origin(&tags).is_some() {
            return enter(act, &Entering::OnRecord(&version), served, files).map(drop);
        }
    }
    adopt_without_origin(act, &version, run.as_ref(), &served.files, at)
}

/// Lets a version enter whose origin nobody told.
fn adopt_without_origin(
    act: &Act<'_>,
    version: &VersionRecord,
    run: Option<&RunRecord>,
    served: &ServedFiles,
    at: Timestamp,
) -> Result<(), StoreError> {
    let (conn, key) = (act.tx, &version.key);
    require_alias_of_champion(conn, &key.name)?;
    if let Some(run) = run {
        require_free(conn, &run.run_id, Some(key))?;
    }
    let is_parent = match &version.run_id {
        Some(run_id) => version::is_parent(conn, run_id)?,
        None => false,
    };
    let version_type = if is_parent { VersionType::Old } else { VersionType::Latest };
    let tags = Tags::from([
        (key::PROMOTION_STAGE.to_owned(), Stage::Development.to_string()),
        (key::VERSION_TYPE.to_owned(), version_type.to_string()),
    ]);
    tag::set_on_version(conn, key, &tags)?;
    if let Some(run) = run {
        tag::set_on_run(conn, &run.run_id, &tags)?;
    }
    version::touch_model(conn, &key.name, at)?;
    version::set_mlflow_stage(conn, key, Stage::Development, at)?;
    let adopted = adopted(conn, key, version.run_id.as_ref(), served, at)?;
    act.append(at, [adopted])?;
    Ok(())
}
