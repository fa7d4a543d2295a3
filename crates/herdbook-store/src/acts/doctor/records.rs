//! The records that the doctor examines, read in a few queries over all models.

use std::collections::BTreeMap;

use herdbook_domain::tags::{Tags, key};
use herdbook_domain::{
    EventKind, ModelName, Orphan, Process, Records, RunId, RunOnRecord, SchemaState, Seal, Storage,
    Subject, Timestamp, VersionOnRecord, VersionRow,
};

use super::runs;
use crate::clock::now;
use crate::engine::db::{Conn, Row, params};
use crate::engine::opening::Opened;
use crate::engine::schema;
use crate::error::StoreError;
use crate::store::Store;
use crate::tables::alias::CHAMPION_ALIAS;
use crate::tables::batch::Versions;
use crate::tables::event::{self, EventQuery};
use crate::tables::lease::{self, Liveness};
use crate::tables::tag::{self, SealedTags, TagSelection};
use crate::tables::version;

pub(super) fn collect(conn: &Conn, store: &Store) -> Result<Records, StoreError> {
    let now = now();
    let versions = versions(conn)?;
    let events = match event::select(conn, &EventQuery::default()) {
        Ok(events) => Ok(events),
        Err(error @ StoreError::BrokenRecord { .. }) => Err(error.to_string()),
        Err(error) => return Err(error),
    };
    let seals: Vec<Seal> =
        events.iter().flatten().filter_map(|event| Seal::of(event).ok().flatten()).collect();
    Ok(Records {
        now,
        events,
        aliases: aliases(conn)?,
        runs: runs(conn, now)?,
        orphans: orphans(conn, &versions)?,
        schema: schema(conn, store)?,
        models: version::model_names(conn)?
            .iter()
            .filter_map(|name| ModelName::parse(name).ok())
            .collect(),
        run_rows: runs::rows(conn, &seals)?,
        storage: if store.backend().has_our_tables() { Storage::Database } else { Storage::Server },
        versions,
    })
}

/// The columns of every version that the history knows, by name and number as stored.
fn version_rows(conn: &Conn) -> Result<BTreeMap<(String, i64), VersionRow>, StoreError> {
    let rows = conn.query(
        "SELECT name, version, run_id, source, storage_location, creation_time, user_id
         FROM model_versions WHERE workspace = 'default'",
        params![],
        |row| {
            let found = VersionRow {
                run_id: row.shown(2)?,
                source: row.shown(3)?,
                storage_location: row.shown(4)?,
                created_at_ms: row.readable(5)?,
                user: row.shown(6)?,
            };
            Ok(row.readable(0)?.zip(row.readable(1)?).map(|key| (key, found)))
        },
    )?;
    Ok(rows.into_iter().flatten().collect())
}

/// The run from which each version was registered, by the history: the row may name another one.
fn registered_runs(conn: &Conn) -> Result<BTreeMap<(String, i64), String>, StoreError> {
    let rows = conn.query(
        "SELECT name, version, run_id FROM herdbook_events
         WHERE kind IN (?1, ?2) AND run_id IS NOT NULL ORDER BY id",
        params![EventKind::Registered.as_str(), EventKind::Adopted.as_str()],
        |row| Ok(row.readable(0)?.zip(row.readable(1)?).zip(row.readable(2)?)),
    )?;
    Ok(rows.into_iter().flatten().collect())
}

/// Tables and indexes of herdbook that opening restored, and those that are missing now.
fn schema(conn: &Conn, store: &Store) -> Result<Vec<(String, SchemaState)>, StoreError> {
    if !store.backend().has_our_tables() {
        return Ok(Vec::new());
    }
    let state = if store.opened() == Opened::ReadOnly {
        SchemaState::Missing
    } else {
        SchemaState::LeftOut
    };
    let missing = schema::faults(conn)?;
    let put_back = store
        .put_back()
        .iter()
        .filter(|(object, state)| *state != SchemaState::LeftOut && !missing.contains(object));
    let missing = missing.iter().map(|object| ((*object).to_owned(), state));
    let outdated = schema::disagree_with_log(conn)?;
    let outdated =
        outdated.into_iter().map(|object| (object.to_owned(), SchemaState::DisagreesWithLog));
    let put_back = put_back.map(|(object, state)| ((*object).to_owned(), *state));
    Ok(put_back.chain(missing).chain(outdated).collect())
}

fn versions(conn: &Conn) -> Result<Vec<VersionOnRecord>, StoreError> {
    let mut tags = tag::of_versions(conn, Versions::All, TagSelection::All, SealedTags::Read)?;
    let run_tags = run_tags(conn)?;
    let mut rows = version_rows(conn)?;
    let registered = registered_runs(conn)?;
    let sql = format!(
        "SELECT {} FROM model_versions v WHERE v.workspace = 'default'
         ORDER BY v.name, v.version",
        version::COLUMNS
    );
    let records =
        conn.query(&sql, params![], version::from_row)?.into_iter().filter_map(Result::ok);
    let records = records.map(|record| {
        let stored = (record.key.name.to_string(), i64::from(record.key.version.get()));
        let run_id = registered.get(&stored).and_then(|run_id| RunId::parse(run_id).ok());
        let run_id = run_id.or_else(|| record.run_id.clone());
        VersionOnRecord {
            run_tags: run_id.and_then(|run_id| run_tags.get(&run_id).cloned()),
            tags: tags.take(&record.key).unwrap_or_default(),
            row: rows.remove(&stored).unwrap_or_default(),
            key: record.key,
            run_id: record.run_id,
            deleted: record.deleted,
            mlflow_stage: record.mlflow_stage,
        }
    });
    Ok(records.collect())
}

/// The tags of interest to the rules, of every run that has a version.
fn run_tags(conn: &Conn) -> Result<BTreeMap<RunId, Tags>, StoreError> {
    let mut runs: BTreeMap<RunId, Tags> = BTreeMap::new();
    conn.query(
        "SELECT r.run_uuid, t.key, coalesce(t.value, '')
         FROM runs r LEFT JOIN tags t ON t.run_uuid = r.run_uuid AND t.key IN
             ('timeframe', 'model_type', 'enhancement_type', 'base_model_path',
              'base_model_run_id', 'version_type', 'promotion_stage', 'honesty')
         WHERE r.run_uuid IN (SELECT run_id FROM model_versions WHERE workspace = 'default')
            OR r.run_uuid IN (SELECT run_id FROM herdbook_events WHERE version IS NOT NULL)",
        params![],
        |row| {
            if let Some(run_id) = row.shown(0)?.and_then(|id| RunId::parse(&id).ok()) {
                let tags = runs.entry(run_id).or_default();
                if let Some(key) = row.readable(1)? {
                    tags.insert(key, row.shown(2)?.unwrap_or_default());
                }
            }
            Ok(())
        },
    )?;
    Ok(runs)
}

fn aliases(conn: &Conn) -> Result<BTreeMap<ModelName, i64>, StoreError> {
    let rows = conn.query(
        "SELECT name, version FROM registered_model_aliases
         WHERE workspace = 'default' AND alias = ?1",
        params![CHAMPION_ALIAS],
        |row| Ok(row.readable::<String>(0)?.zip(row.readable(1)?)),
    )?;
    Ok(rows
        .into_iter()
        .flatten()
        .filter_map(|(name, version)| Some((ModelName::parse(&name).ok()?, version)))
        .collect())
}

/// Runs with a lease, of any status, and RUNNING runs without one.
fn runs(conn: &Conn, at: Timestamp) -> Result<Vec<RunOnRecord>, StoreError> {
    conn.query(
        "SELECT l.run_uuid, coalesce(r.status = 'RUNNING', FALSE), l.host, l.pid, l.process_started,
             l.refreshed_at_ms
         FROM herdbook_leases l LEFT JOIN runs r USING (run_uuid)
         UNION ALL
         SELECT run_uuid, TRUE, NULL, NULL, NULL, NULL FROM runs
         WHERE status = 'RUNNING' AND run_uuid NOT IN (SELECT run_uuid FROM herdbook_leases)
         ORDER BY 1",
        params![],
        |row| {
            Ok(RunOnRecord {
                run_id: row.shown(0)?.unwrap_or_default(),
                is_running: row.readable(1)?.unwrap_or_default(),
                process: process(row, at)?,
            })
        },
    )
}

fn process(row: &Row<'_>, at: Timestamp) -> Result<Process, StoreError> {
    Ok(match lease::from_columns(row, 2)?.map(|lease| lease.liveness(at)) {
        None => Process::Unknown,
        Some(Some(Liveness::Alive)) => Process::Alive,
        Some(Some(Liveness::Dead)) => Process::Dead,
        Some(None) => Process::OfTheFuture,
    })
}

/// Versions, and runs without a version, whose parent does not exist.
fn orphans(conn: &Conn, versions: &[VersionOnRecord]) -> Result<Vec<Orphan>, StoreError> {
    let missing: Vec<String> = conn.query(
        "SELECT DISTINCT t.value FROM model_version_tags t LEFT JOIN runs r ON r.run_uuid = t.value
         WHERE t.workspace = 'default' AND t.key = ?1 AND t.value IS NOT NULL AND r.run_uuid IS NULL",
        params![key::BASE_MODEL_RUN_ID],
        |row| Ok(row.shown(0)?.unwrap_or_default()),
    )?;
    let of_versions = versions.iter().filter(|version| !version.deleted).filter_map(|version| {
        let parent = version.tags.get(key::BASE_MODEL_RUN_ID)?;
        let subject = Subject::of_version(&version.key, version.run_id.as_ref());
        missing.contains(parent).then(|| Orphan { subject, parent: parent.clone() })
    });
    let of_runs = conn.query(
        "SELECT t.run_uuid, t.value FROM tags t LEFT JOIN runs r ON r.run_uuid = t.value
         WHERE t.key = ?1 AND t.value IS NOT NULL AND r.run_uuid IS NULL AND NOT EXISTS
             (SELECT 1 FROM model_versions v WHERE v.run_id = t.run_uuid)
         ORDER BY t.run_uuid",
        params![key::BASE_MODEL_RUN_ID],
        |row| {
            let run_id = row.shown(0)?.unwrap_or_default();
            let subject = Subject { run_id: RunId::parse(&run_id).ok(), ..Subject::default() };
            Ok(Orphan { subject, parent: row.shown(1)?.unwrap_or_default() })
        },
    )?;
    Ok(of_versions.chain(of_runs).collect())
}
