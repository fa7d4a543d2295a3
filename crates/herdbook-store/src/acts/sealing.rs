//! Seals that an act adds: for versions that an older herdbook or another program registered, by the first act that rests
//! on their facts.

use std::collections::BTreeMap;

use herdbook_domain::{
    EventDraft, Honesty, RunId, Sealed, Timestamp, Unsealed, VersionFacts, VersionKey,
    adopted_event, tags::key,
};

use crate::acts::files::HashedFiles;
use crate::engine::db::Conn;
use crate::error::StoreError;
use crate::session::Session;
use crate::tables::{event, seal, unsealed, version};

/// Maximum number of times that the files of a version are hashed again because they changed between hashing and act.
const ATTEMPTS: u32 = 5;

/// The facts of a version on which an act rests.
#[derive(Debug)]
pub(crate) enum Facts {
    /// Its history holds them.
    Sealed(Sealed),
    /// The act has to seal them.
    Unsealed(Unsealed),
}

impl Facts {
    pub(crate) fn get(&self) -> &Sealed {
        match self {
            Self::Sealed(facts) => facts,
            Self::Unsealed(unsealed) => &unsealed.facts,
        }
    }

    pub(crate) fn unsealed(self) -> Option<Unsealed> {
        match self {
            Self::Sealed(_) => None,
            Self::Unsealed(unsealed) => Some(unsealed),
        }
    }
}

/// The facts of a version, inside a transaction.
///
/// # Errors
/// [`StoreError::FileNotHashed`] if they are not sealed and the version's files were not hashed;
/// [`StoreError::BrokenRecord`] if MLflow names another run than the seal.
pub(crate) fn facts(
    conn: &Conn,
    key: &VersionKey,
    files: &HashedFiles,
    at: Timestamp,
) -> Result<Facts, StoreError> {
    let Some(seal) = seal::of_version(conn, key)? else {
        return unsealed::collect(conn, key, files.served(key)?, at).map(Facts::Unsealed);
    };
    match (version::load(conn, key)?.run_id, seal.run_id) {
        (Some(named), Some(sealed)) if named != sealed => Err(StoreError::BrokenRecord {
            what: format!("the run of {key}"),
            problem: format!(
                "MLflow names run `{named}`, but it was sealed with run `{sealed}`; run `herdbook doctor`"
            ),
        }),
        _ => Ok(Facts::Sealed(seal.facts)),
    }
}

/// The events that seal the versions of a run which are not sealed yet: an act rests on their facts.
///
/// # Errors
/// As [`facts`].
pub(crate) fn seal_versions_of(
    conn: &Conn,
    run_id: &RunId,
    files: &HashedFiles,
    at: Timestamp,
) -> Result<Vec<EventDraft>, StoreError> {
    let mut drafts = Vec::new();
    for key in version::keys_of_run(conn, run_id)? {
        drafts.extend(seal_version(conn, &key, files, at)?);
    }
    Ok(drafts)
}

/// The event that seals a version; `None` if it is sealed.
///
/// # Errors
/// As [`facts`].
pub(crate) fn seal_version(
    conn: &Conn,
    key: &VersionKey,
    files: &HashedFiles,
    at: Timestamp,
) -> Result<Option<EventDraft>, StoreError> {
    let Some(unsealed) = facts(conn, key, files, at)?.unsealed() else { return Ok(None) };
    let record = version::load(conn, key)?;
    let facts = VersionFacts {
        key: key.clone(),
        run_id: record.run_id,
        stage_tag: record.tags.get(key::PROMOTION_STAGE).cloned(),
        history_end: event::history_end(conn, key)?,
        honesty: Honesty::Unknown,
        promotion_keys: Vec::new(),
        file: None,
        deleted: false,
        unsealed: Some(unsealed),
    };
    Ok(Some(adopted_event(&facts)))
}

impl Session {
    /// Runs an act that depends on files of versions. If the act needs files that were not hashed, or that changed since,
    /// the act is rolled back, the files are hashed outside the transaction, and the act is run again.
    pub(crate) fn with_hashed_files<T>(
        &self,
        mut files: HashedFiles,
        act: impl Fn(&HashedFiles) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut changes = BTreeMap::new();
        loop {
            match act(&files) {
                Err(StoreError::FileNotHashed { key }) => {
                    let n_hashed = changes.entry(key.clone()).or_insert(0);
                    *n_hashed += 1;
                    if *n_hashed > ATTEMPTS {
                        return Err(StoreError::FileNotHashed { key });
                    }
                    files.hash(self, &key)?;
                }
                outcome => return outcome,
            }
        }
    }
}
