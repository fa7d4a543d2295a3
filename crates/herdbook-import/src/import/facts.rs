//! The facts about source and target on which the rulebook decides.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use herdbook_domain::import::{SourceRecords, SourceVersion, TargetFacts, TargetVersion};
use herdbook_domain::tags::{Tags, key};
use herdbook_domain::{ModelName, RunId, Timestamp, VersionKey, VersionNumber};
use herdbook_store::artifacts::place::local_folder;
use herdbook_store::engine::db::{Conn, params};
use herdbook_store::tables::batch::Versions;
use herdbook_store::tables::event;
use herdbook_store::tables::tag::{self, SealedTags, TagSelection};
use herdbook_store::tables::version::{self, VersionRecord};
use herdbook_store::{Store, StoreError, now};

use crate::source::{ModelRecord, ModelVersionRecord, RunInfo};

/// The names of the experiments and registered models in a store.
#[derive(Debug, Default)]
pub(super) struct KnownNames {
    pub(super) experiments: BTreeSet<String>,
    pub(super) models: BTreeSet<String>,
}

/// Reads the names of the experiments and registered models.
pub(super) fn known_names(conn: &Conn) -> Result<KnownNames, StoreError> {
    let names = |table| {
        let sql = format!("SELECT name FROM {table} WHERE workspace = 'default'");
        conn.query(&sql, params![], |row| row.get(0))
    };
    Ok(KnownNames {
        experiments: names("experiments")?.into_iter().collect(),
        models: names("registered_models")?.into_iter().collect(),
    })
}

/// Model name and time of every registration in the store.
pub(super) fn known_registrations(
    store: &Store,
) -> Result<BTreeSet<(String, Timestamp)>, StoreError> {
    let known = store.read(versions)?;
    Ok(known.into_iter().map(|it| (it.key.name.to_string(), it.created_at)).collect())
}

/// The folder of an imported run's artifacts; `None` if the store does not have the run.
pub(super) fn artifact_folder(
    store: &Store,
    info: &RunInfo,
) -> Result<Option<PathBuf>, StoreError> {
    let uri: Option<String> = store.read(|conn| {
        let sql = "SELECT artifact_uri FROM runs WHERE run_uuid = ?1";
        conn.query_first(sql, params![info.id], |row| row.get(0))
    })?;
    Ok(uri.and_then(|uri| local_folder(&uri)))
}

/// A version of the source, for the rulebook; `None` if its name or number is not valid.
pub(super) fn version(name: &str, found: &ModelVersionRecord) -> Option<SourceVersion> {
    let name = ModelName::parse(name).ok()?;
    let version = VersionNumber::new(found.number)?;
    Some(SourceVersion {
        key: VersionKey { name, version },
        run_id: found.run_id.as_deref().and_then(|id| RunId::parse(id).ok()),
        created_at: Timestamp::from_millis(found.created_at.unwrap_or(0)),
        tags: found.tags.clone(),
        mlflow_stage: found.stage.clone(),
        model_file: None,
    })
}

/// Adds a model's aliases, and the parents of its deleted versions.
pub(super) fn add_model(records: &mut SourceRecords, model: &ModelRecord) {
    let Ok(name) = ModelName::parse(&model.name) else { return };
    for version in model.versions.iter().filter(|version| version.is_deleted()) {
        let parent = version.tags.get(key::BASE_MODEL_RUN_ID);
        if let Some(parent) = parent.and_then(|id| RunId::parse(id).ok()) {
            let at = Timestamp::from_millis(version.created_at.unwrap_or(0));
            let first = records.deleted_children.entry(parent).or_insert(at);
            *first = at.min(*first);
        }
    }
    let aliases: BTreeMap<String, VersionNumber> = model
        .aliases
        .iter()
        .filter_map(|(alias, number)| Some((alias.clone(), VersionNumber::new(*number)?)))
        .collect();
    records.aliases.insert(name, aliases);
}

/// The facts about the target.
pub(super) fn gather(conn: &Conn, records: &SourceRecords) -> Result<TargetFacts, StoreError> {
    let mut facts = TargetFacts { now: now(), versions: versions(conn)?, ..TargetFacts::default() };
    let mut tags = tag::of_versions(conn, Versions::All, TagSelection::All, SealedTags::Read)?;
    for version in &mut facts.versions {
        version.tags = tags.take(&version.key).unwrap_or_default();
        let number = version.key.version;
        let highest = facts.highest.entry(version.key.name.clone()).or_insert(number);
        *highest = number.max(*highest);
    }
    for name in records.aliases.keys() {
        let ever = event::highest_version(conn, name)?.and_then(VersionNumber::new);
        if let Some(number) = ever {
            let highest = facts.highest.entry(name.clone()).or_insert(number);
            *highest = number.max(*highest);
        }
        facts.aliases.extend(aliases(conn, name)?.into_iter().map(|alias| (name.clone(), alias)));
    }
    for parent in records.parents() {
        if !records.runs.contains_key(&parent) && run_exists(conn, &parent)? {
            facts.runs.insert(parent);
        }
    }
    Ok(facts)
}

fn versions(conn: &Conn) -> Result<Vec<TargetVersion>, StoreError> {
    let sql = format!(
        "SELECT {} FROM model_versions v WHERE v.workspace = 'default' ORDER BY v.name, v.version",
        version::COLUMNS
    );
    let records = conn.query(&sql, params![], version::from_row)?;
    let version = |record: VersionRecord| TargetVersion {
        key: record.key,
        run_id: record.run_id,
        created_at: record.created_at,
        deleted: record.deleted,
        tags: Tags::new(),
    };
    Ok(records.into_iter().filter_map(Result::ok).map(version).collect())
}

fn aliases(conn: &Conn, name: &ModelName) -> Result<Vec<String>, StoreError> {
    conn.query(
        "SELECT alias FROM registered_model_aliases WHERE workspace = 'default' AND name = ?1",
        params![name.as_str()],
        |row| row.get(0),
    )
}

fn run_exists(conn: &Conn, run_id: &RunId) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM runs WHERE run_uuid = ?1)";
    conn.query_row(sql, params![run_id.as_str()], |row| row.get(0))
}
