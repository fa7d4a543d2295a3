//! The records that the doctor examines, read in a few queries over all models.

use std::collections::BTreeMap;

use herdbook_domain::tags::{Tags, key};
use herdbook_domain::{
    ModelName, Orphan, Process, Records, RunId, RunOnRecord, SchemaState, Subject, Timestamp,
    VersionOnRecord,
};

use crate::clock::now;
use crate::engine::db::{Conn, Row, params};
use crate::engine::opening::Opened;
use crate::engine::schema;
use crate::error::StoreError;
use crate::store::Store;
use crate::tables::alias::CHAMPION_ALIAS;
use crate::tables::event::{self, EventQuery};
use crate::tables::lease::{Lease, Liveness};
use crate::tables::{tag, version};

pub(super) fn collect(conn: &Conn, store: &Store) -> Result<Records, StoreError> {
    let now = now();
    let versions = versions(conn)?;
    Ok(Records {
        now,
        events: match event::select(conn, &EventQuery::default()) {
            Ok(events) => Ok(events),
            Err(error @ StoreError::BrokenRecord { .. }) => Err(error.to_string()),
            Err(error) => return Err(error),
        },
        aliases: aliases(conn)?,
        runs: runs(conn, now)?,
        orphans: orphans(conn, &versions)?,
        schema: schema(conn, store)?,
        versions,
    })
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
    let mut tags = tag::of_all_versions(conn)?;
    let run_tags = run_tags(conn)?;
    let sql = format!(
        "SELECT {} FROM model_versions v WHERE v.workspace = 'default'
         ORDER BY v.name, v.version",
        version::COLUMNS
    );
    let records =
        conn.query(&sql, params![], version::from_row)?.into_iter().filter_map(Result::ok);
    let records = records.map(|record| VersionOnRecord {
        run_tags: record.run_id.as_ref().and_then(|run_id| run_tags.get(run_id).cloned()),
        tags: tags.take(&record.key),
        key: record.key,
        run_id: record.run_id,
        deleted: record.deleted,
        mlflow_stage: record.mlflow_stage,
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
              'base_model_run_id', 'version_type', 'promotion_stage')
         WHERE r.run_uuid IN (SELECT run_id FROM model_versions WHERE workspace = 'default')",
        params![],
        |row| {
            if let Ok(run_id) = RunId::parse(&row.get::<String>(0)?) {
                let tags = runs.entry(run_id).or_default();
                if let Some(key) = row.get::<Option<String>>(1)? {
                    tags.insert(key, row.get(2)?);
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
        |row| Ok((row.get::<String>(0)?, row.get(1)?)),
    )?;
    Ok(rows
        .into_iter()
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
                run_id: row.get(0)?,
                is_running: row.get(1)?,
                process: process(row, at)?,
            })
        },
    )
}

fn process(row: &Row<'_>, at: Timestamp) -> Result<Process, StoreError> {
    let Some(host) = row.get(2)? else {
        return Ok(Process::Unknown);
    };
    let lease = Lease {
        host,
        pid: row.get(3)?,
        process_started: row.get(4)?,
        refreshed_at: Timestamp::from_millis(row.get(5)?),
    };
    Ok(match lease.liveness(at) {
        Some(Liveness::Alive) => Process::Alive,
        Some(Liveness::Dead) => Process::Dead,
        None => Process::OfTheFuture,
    })
}

/// Versions, and runs without a version, whose parent does not exist.
fn orphans(conn: &Conn, versions: &[VersionOnRecord]) -> Result<Vec<Orphan>, StoreError> {
    let missing: Vec<String> = conn.query(
        "SELECT DISTINCT t.value FROM model_version_tags t LEFT JOIN runs r ON r.run_uuid = t.value
         WHERE t.workspace = 'default' AND t.key = ?1 AND t.value IS NOT NULL AND r.run_uuid IS NULL",
        params![key::BASE_MODEL_RUN_ID],
        |row| row.get(0),
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
            let run_id: String = row.get(0)?;
            let subject = Subject { run_id: RunId::parse(&run_id).ok(), ..Subject::default() };
            Ok(Orphan { subject, parent: row.get(1)? })
        },
    )?;
    Ok(of_versions.chain(of_runs).collect())
}
