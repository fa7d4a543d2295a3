//! The event with which the history of a version of another program begins.

use herdbook_domain::tags::key;
use herdbook_domain::{
    EventDraft, ModelName, Refusal, RunId, SealOrigin, Stage, Timestamp, Unsealed, VersionFacts,
    VersionKey, adopted_event,
};

use crate::engine::db::Conn;
use crate::error::StoreError;
use crate::tables::unsealed::{self, ServedFiles};
use crate::tables::{alias, tag, version};

/// The event that adopts a version in development and seals what MLflow holds of it.
pub(super) fn adopted(
    conn: &Conn,
    key: &VersionKey,
    run_id: Option<&RunId>,
    served: &ServedFiles,
    at: Timestamp,
) -> Result<EventDraft, StoreError> {
    let facts = unsealed::collect(conn, key, served, at)?.facts;
    Ok(adopted_event(&VersionFacts {
        key: key.clone(),
        run_id: run_id.cloned(),
        stage_tag: Some(Stage::Development.to_string()),
        history_end: None,
        honesty: facts.honesty,
        promotion_keys: Vec::new(),
        obstacle: None,
        symbol: None,
        deleted: false,
        unsealed: Some(Unsealed { origin: SealOrigin::Elsewhere, facts }),
    }))
}

/// Fails if the alias `champion` of a model points at a version that is not its champion.
pub(super) fn require_alias_of_champion(conn: &Conn, name: &ModelName) -> Result<(), StoreError> {
    let champion = version::champion_of(conn, name)?.map(|version| i64::from(version.get()));
    match alias::champion(conn, name)?.filter(|version| champion != Some(*version)) {
        Some(version) => {
            let name = name.clone();
            Err(StoreError::Refused(Refusal::AliasWithoutChampion { name, version }))
        }
        None => Ok(()),
    }
}

/// Fails if a version of a run is under the life cycle, apart from one.
pub(super) fn require_free(
    conn: &Conn,
    run_id: &RunId,
    apart: Option<&VersionKey>,
) -> Result<(), StoreError> {
    for key in version::keys_of_run(conn, run_id)? {
        let is_managed = tag::of_version(conn, &key)?.contains_key(key::PROMOTION_STAGE);
        if is_managed && Some(&key) != apart {
            return Err(StoreError::AlreadyRegistered { run_id: run_id.clone(), key });
        }
    }
    Ok(())
}
