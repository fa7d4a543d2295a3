//! The versions that descend from the same base models as given ones.

use std::collections::{BTreeSet, VecDeque};

use herdbook_domain::tags::key;
use herdbook_domain::{ModelName, RunId, VersionKey, VersionNumber};

use crate::engine::db::{Conn, params};
use crate::error::StoreError;
use crate::store::Store;
use crate::tables::metric::MetricSelection;
use crate::tables::tag;
use crate::tables::version::{VersionRecord, keys_of_run, load, load_for_rules, require_model};

/// The members of some trees of the lineage.
#[derive(Debug, Clone)]
pub struct Relatives {
    /// The versions, parents before their children.
    pub records: Vec<VersionRecord>,
    /// Whether there are more than were asked for.
    pub is_cut: bool,
}

impl Store {
    /// The versions in the trees of some versions: their oldest ancestors with all descendants, at most `limit`. Without a
    /// version, the trees of the newest versions of the model.
    ///
    /// # Errors
    /// [`StoreError::NoSuchModel`], [`StoreError::NoSuchVersion`], [`StoreError::DeletedVersion`].
    pub fn relatives(
        &self,
        name: &ModelName,
        of: Option<&VersionKey>,
        (limit, metrics): (usize, MetricSelection),
    ) -> Result<Relatives, StoreError> {
        self.read(|conn| {
            require_model(conn, name)?;
            let (members, mut is_cut) = match of {
                Some(key) => {
                    if load(conn, key)?.deleted {
                        return Err(StoreError::DeletedVersion { key: key.clone() });
                    }
                    (vec![key.clone()], false)
                }
                None => newest(conn, name, limit)?,
            };
            let (mut known, mut found) = (BTreeSet::new(), Vec::new());
            for member in members {
                if !known.contains(&member) {
                    let root = root(conn, &member)?;
                    is_cut |= add_tree(conn, root, limit, (&mut known, &mut found))?;
                }
            }
            let records = found
                .iter()
                .map(|key| load_for_rules(conn, key, metrics))
                .collect::<Result<_, _>>()?;
            Ok(Relatives { records, is_cut })
        })
    }
}

/// The newest versions of a model, oldest first, and whether there are more.
fn newest(
    conn: &Conn,
    name: &ModelName,
    limit: usize,
) -> Result<(Vec<VersionKey>, bool), StoreError> {
    let rows = conn.query(
        "SELECT v.version FROM model_versions v WHERE v.workspace = 'default' AND v.name = ?1
           AND v.current_stage IS DISTINCT FROM 'Deleted_Internal'
         ORDER BY v.version DESC LIMIT ?2",
        params![name.as_str(), limit as i64 + 1],
        |row| Ok(row.readable::<i64>(0)?.and_then(VersionNumber::new)),
    )?;
    let has_more = rows.len() > limit;
    let keys = rows.into_iter().take(limit).flatten();
    let mut keys: Vec<VersionKey> =
        keys.map(|version| VersionKey { name: name.clone(), version }).collect();
    keys.reverse();
    Ok((keys, has_more))
}

/// The oldest ancestor that is registered.
fn root(conn: &Conn, key: &VersionKey) -> Result<VersionKey, StoreError> {
    let (mut root, mut seen) = (key.clone(), BTreeSet::from([key.clone()]));
    loop {
        let tags = tag::of_version(conn, &root)?;
        let parent = tags.get(key::BASE_MODEL_RUN_ID).and_then(|id| RunId::parse(id).ok());
        let Some(run_id) = parent else { return Ok(root) };
        match keys_of_run(conn, &run_id)?.pop() {
            // Tags that other programs wrote may form a circle.
            Some(parent) if seen.insert(parent.clone()) => root = parent,
            _ => return Ok(root),
        }
    }
}

/// Adds a version and its descendants, parents first. Returns whether some were left out.
fn add_tree(
    conn: &Conn,
    root: VersionKey,
    limit: usize,
    (known, found): (&mut BTreeSet<VersionKey>, &mut Vec<VersionKey>),
) -> Result<bool, StoreError> {
    let mut waiting = VecDeque::from([root]);
    while let Some(key) = waiting.pop_front() {
        if !known.insert(key.clone()) {
            continue;
        }
        if found.len() >= limit {
            return Ok(true);
        }
        if let Some(run_id) = load(conn, &key)?.run_id {
            waiting.extend(children(conn, &run_id)?);
        }
        found.push(key);
    }
    Ok(false)
}

/// The versions whose tag names a run as their parent, oldest first.
fn children(conn: &Conn, run_id: &RunId) -> Result<Vec<VersionKey>, StoreError> {
    let keys = conn.query(
        "SELECT t.name, t.version FROM model_version_tags t
         WHERE t.workspace = 'default' AND t.key = ?1 AND t.value = ?2
           AND NOT EXISTS (SELECT 1 FROM model_versions v
                WHERE v.workspace = 'default' AND v.name = t.name AND v.version = t.version
                  AND v.current_stage = 'Deleted_Internal')
         ORDER BY t.name, t.version",
        params![key::BASE_MODEL_RUN_ID, run_id.as_str()],
        |row| {
            let name = row.readable::<String>(0)?.and_then(|name| ModelName::parse(&name).ok());
            let version = row.readable::<i64>(1)?.and_then(VersionNumber::new);
            Ok(name.zip(version).map(|(name, version)| VersionKey { name, version }))
        },
    )?;
    Ok(keys.into_iter().flatten().collect())
}
