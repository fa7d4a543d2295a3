//! The event log. An event is appended in the transaction of its act and never changed.

use std::collections::BTreeMap;

use herdbook_domain::{
    ActContext, Cause, Event, EventDraft, EventKind, GENESIS_HASH, Honesty, ModelName, RunId,
    Stage, Timestamp, VersionKey, VersionNumber,
};
use serde::Serialize;

use crate::engine::db::{Conn, Row, ToValue, params};
use crate::engine::schema::{registrations, seals};
use crate::error::StoreError;
use crate::tables::batch::OfRuns;
use crate::tables::identity::{past_names, scope_of_model, scope_of_version};
use crate::tables::row::{checked, optional};

const COLUMNS: &str = "id, act_id, at_ms, actor, channel, kind, name, version, run_id, from_state, \
                       to_state, reason, parent_run_id, details, previous_hash, hash";

/// A query for the runs from which versions were registered, or which an adopted version has.
pub(crate) const VERSIONED_RUNS: &str = "SELECT e.run_id FROM herdbook_events e
    WHERE e.version IS NOT NULL AND e.run_id IS NOT NULL";

/// The model file with which a version was registered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RegisteredFile {
    /// The run that has it among its artifacts.
    pub run_id: RunId,
    /// Its path there.
    pub artifact: String,
    /// Lower-case hex SHA-256 of its content.
    pub sha256: String,
}

/// Which events to read. Without any field, all.
#[derive(Debug, Clone, Default)]
pub struct EventQuery {
    /// Events of this registered model.
    pub name: Option<ModelName>,
    /// Events of this version of it.
    pub version: Option<VersionNumber>,
    /// Events of this run.
    pub run_id: Option<RunId>,
    /// Events of this kind.
    pub kind: Option<EventKind>,
}

/// The events that a query asks for, oldest first.
///
/// # Errors
/// Those of the database; [`StoreError::BrokenRecord`] if a row cannot be parsed as an event.
pub fn select(conn: &Conn, query: &EventQuery) -> Result<Vec<Event>, StoreError> {
    select_with(conn, query, from_row)
}

fn select_with<T>(
    conn: &Conn,
    query: &EventQuery,
    read: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let name = query.name.as_ref().map(ModelName::as_str);
    let version = query.version.map(VersionNumber::get);
    let run_id = query.run_id.as_ref().map(RunId::as_str);
    let kind = query.kind.map(EventKind::as_str);
    // Only the conditions that are asked for: with `name IS NULL OR …` the database would use no index.
    let of_subject = match (&query.name, query.version) {
        (Some(name), Some(version)) => scope_of_version(
            conn,
            &VersionKey { name: name.clone(), version },
            (":name", ":version"),
        )?,
        (Some(_), None) => scope_of_model(":name"),
        (None, _) => "version = :version".to_owned(),
    };
    let conditions = [
        (name.is_some() || version.is_some(), of_subject.as_str()),
        (run_id.is_some(), "run_id = :run_id"),
        (kind.is_some(), "kind = :kind"),
    ];
    let asked: Vec<&str> =
        conditions.into_iter().filter(|(is_asked, _)| *is_asked).map(|(_, sql)| sql).collect();
    let asked = if asked.is_empty() { "TRUE".to_owned() } else { asked.join(" AND ") };
    let values: [(&str, &dyn ToValue); 4] =
        [(":name", &name), (":version", &version), (":run_id", &run_id), (":kind", &kind)];
    conn.query(
        &format!("SELECT {COLUMNS} FROM herdbook_events WHERE {asked} ORDER BY id"),
        values.as_slice(),
        read,
    )
}

/// As [`select`], without the rows that cannot be parsed as an event; what is wrong with each of those is returned beside.
///
/// # Errors
/// Those of the database.
pub fn select_readable(
    conn: &Conn,
    query: &EventQuery,
) -> Result<(Vec<Event>, Vec<String>), StoreError> {
    let (mut events, mut unreadable) = (Vec::new(), Vec::new());
    select_with(conn, query, |row| {
        match readable(row)? {
            Ok(event) => events.push(event),
            Err(problem) => unreadable.push(problem),
        }
        Ok(())
    })?;
    Ok((events, unreadable))
}

/// The events that can hold a seal and fulfil a condition, oldest first.
///
/// # Errors
/// As [`select`].
pub(crate) fn with_seals(
    conn: &Conn,
    condition: &str,
    values: &[&dyn ToValue],
) -> Result<Vec<Event>, StoreError> {
    of_kinds(conn, &[EventKind::Registered, EventKind::Adopted], condition, values)
}

/// The events of some kinds that fulfil a condition, oldest first.
///
/// # Errors
/// As [`select`].
pub(crate) fn of_kinds(
    conn: &Conn,
    kinds: &[EventKind],
    condition: &str,
    values: &[&dyn ToValue],
) -> Result<Vec<Event>, StoreError> {
    conn.query(&query_of_kinds(kinds, condition), values, from_row)
}

fn query_of_kinds(kinds: &[EventKind], condition: &str) -> String {
    let kinds: Vec<String> = kinds.iter().map(|kind| format!("'{kind}'")).collect();
    let kinds = kinds.join(", ");
    format!(
        "SELECT {COLUMNS} FROM herdbook_events WHERE {condition} AND kind IN ({kinds}) ORDER BY id"
    )
}

/// The events of some kinds of the runs with these ids, by run id, oldest first.
///
/// # Errors
/// As [`select`].
pub(crate) fn of_runs(
    conn: &Conn,
    kinds: &[EventKind],
    run_ids: &[&str],
) -> Result<BTreeMap<RunId, Vec<Event>>, StoreError> {
    let mut found: BTreeMap<RunId, Vec<Event>> = BTreeMap::new();
    let kinds: Vec<String> = kinds.iter().map(|kind| format!("'{kind}'")).collect();
    let query = OfRuns {
        columns: &format!("t.{}", COLUMNS.replace(", ", ", t.")),
        table: "herdbook_events",
        run_id: "run_id",
        condition: &format!("t.kind IN ({})", kinds.join(", ")),
    };
    query.query(conn, run_ids, |row| {
        if let Ok(event) = readable(row)?
            && let Some(run_id) = &event.what.run_id
        {
            found.entry(run_id.clone()).or_default().push(event);
        }
        Ok(())
    })?;
    for events in found.values_mut() {
        events.sort_by_key(|event| event.id);
    }
    Ok(found)
}

/// The event that registered a version; `None` if its history has none.
///
/// # Errors
/// As [`select`].
pub fn registration(conn: &Conn, key: &VersionKey) -> Result<Option<Event>, StoreError> {
    let (name, version) = (Some(key.name.clone()), Some(key.version));
    let kind = Some(EventKind::Registered);
    Ok(select(conn, &EventQuery { name, version, kind, ..EventQuery::default() })?.pop())
}

/// Appends the events of an act, in order. The caller keeps others from appending until its transaction ends.
///
/// # Errors
/// Those of the database; [`StoreError::BrokenRecord`] if the database did not keep an event.
pub fn append(
    tx: &Conn,
    context: &ActContext,
    at: Timestamp,
    drafts: impl IntoIterator<Item = EventDraft>,
) -> Result<Vec<Event>, StoreError> {
    let (mut id, mut hash) = tx
        .query_first(
            "SELECT id, hash FROM herdbook_events ORDER BY id DESC LIMIT 1",
            params![],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?
        .unwrap_or((0_i64, GENESIS_HASH.to_owned()));
    let mut events = Vec::new();
    for draft in drafts {
        id += 1;
        let event = Event::seal(id, at, context, draft, &hash);
        hash.clone_from(&event.hash);
        insert(tx, &event)?;
        check_written(tx, &event)?;
        events.push(event);
    }
    Ok(events)
}

/// Reads an event back. A trigger or rule of another program can drop or alter what is written, without an error.
fn check_written(tx: &Conn, event: &Event) -> Result<(), StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM herdbook_events WHERE id = ?1");
    if tx.query_first(&sql, params![event.id], from_row)?.as_ref() == Some(event) {
        return Ok(());
    }
    Err(StoreError::BrokenRecord {
        what: format!("event {}", event.id),
        problem: "the database did not keep it as it was written, so nothing was changed; a trigger or rule of \
                  another program on the table `herdbook_events` does that: remove it"
            .to_owned(),
    })
}

/// Inserts a sealed event, and what is kept of it in other tables of ours.
///
/// # Errors
/// Those of the database.
pub fn insert(conn: &Conn, event: &Event) -> Result<(), StoreError> {
    let what = &event.what;
    let sql = format!(
        "INSERT INTO herdbook_events ({COLUMNS})
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)"
    );
    conn.execute(
        &sql,
        params![
            event.id,
            event.act_id,
            event.at.millis(),
            event.actor,
            event.channel.as_str(),
            what.kind.as_str(),
            what.name.as_ref().map(ModelName::as_str),
            what.version.map(VersionNumber::get),
            what.run_id.as_ref().map(RunId::as_str),
            what.from,
            what.to,
            what.reason,
            what.parent.as_ref().map(RunId::as_str),
            what.details,
            event.previous_hash,
            event.hash,
        ],
    )?;
    registrations::insert(conn, event)?;
    seals::insert(conn, event)
}

/// The number of the last event; 0 if there is none.
///
/// # Errors
/// Those of the database.
pub fn last_id(conn: &Conn) -> Result<i64, StoreError> {
    let sql = "SELECT coalesce(max(id), 0) FROM herdbook_events";
    conn.query_row(sql, params![], |row| row.get(0))
}

/// The events with a higher number than `id`, in order.
///
/// # Errors
/// As [`select`].
pub fn after(conn: &Conn, id: i64) -> Result<Vec<Event>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM herdbook_events WHERE id > ?1 ORDER BY id");
    conn.query(&sql, params![id], from_row)
}

/// The event of a row, or what is wrong with the row.
fn readable(row: &Row<'_>) -> Result<Result<Event, String>, StoreError> {
    match from_row(row) {
        Ok(event) => Ok(Ok(event)),
        Err(error @ StoreError::BrokenRecord { .. }) => {
            let id = row.shown(0)?.unwrap_or_default();
            Ok(Err(format!("event {id} cannot be read: {error}")))
        }
        Err(error) => Err(error),
    }
}

fn from_row(row: &Row<'_>) -> Result<Event, StoreError> {
    let what = || format!("event {}", row.get::<i64>(0).unwrap_or_default());
    let number = |column| -> Result<Option<VersionNumber>, StoreError> {
        Ok(row.get::<Option<i64>>(column)?.and_then(VersionNumber::new))
    };
    Ok(Event {
        id: row.get(0)?,
        act_id: row.get(1)?,
        at: Timestamp::from_millis(row.get(2)?),
        actor: row.get(3)?,
        channel: checked(row, 4, what)?,
        what: EventDraft {
            kind: checked(row, 5, what)?,
            name: optional(row, 6, ModelName::parse, what)?,
            version: number(7)?,
            run_id: optional(row, 8, RunId::parse, what)?,
            from: row.get(9)?,
            to: row.get(10)?,
            reason: row.get(11)?,
            parent: optional(row, 12, RunId::parse, what)?,
            details: row.get(13)?,
        },
        previous_hash: row.get(14)?,
        hash: row.get(15)?,
    })
}

/// The time of a model's last event, also under a name that it had before; the epoch if there is none.
///
/// # Errors
/// Those of the database.
pub fn last_time(conn: &Conn, name: &ModelName) -> Result<Timestamp, StoreError> {
    let newest = |name: &str| -> Result<Option<i64>, StoreError> {
        let sql = "SELECT max(at_ms) FROM herdbook_events WHERE name = ?1";
        conn.query_row(sql, params![name], |row| row.get(0))
    };
    let mut millis = newest(name.as_str())?;
    for past in past_names(conn, name)? {
        millis = millis.max(newest(&past)?);
    }
    Ok(Timestamp::from_millis(millis.unwrap_or(0)))
}

/// The stage at the end of a version's history; `None` without a history.
///
/// # Errors
/// Those of the database.
pub fn history_end(conn: &Conn, key: &VersionKey) -> Result<Option<Stage>, StoreError> {
    let scope = scope_of_version(conn, key, ("?1", "?2"))?;
    let stage: Option<String> = conn
        .query_first(
            &format!(
                "SELECT to_state FROM herdbook_events WHERE {scope} AND kind IN (?3, ?4, ?5)
                 ORDER BY id DESC LIMIT 1"
            ),
            params![
                key.name.as_str(),
                key.version.get(),
                EventKind::Registered.as_str(),
                EventKind::Adopted.as_str(),
                EventKind::StageChanged.as_str(),
            ],
            |row| row.get(0),
        )?
        .flatten();
    Ok(stage.and_then(|stage| stage.parse().ok()))
}

/// The run that a version was registered from, by its history: MLflow erases it when it deletes a version.
///
/// # Errors
/// Those of the database.
pub fn registered_run(conn: &Conn, key: &VersionKey) -> Result<Option<RunId>, StoreError> {
    let scope = scope_of_version(conn, key, ("?1", "?2"))?;
    let run_id: Option<String> = conn.query_first(
        &format!(
            "SELECT run_id FROM herdbook_events
             WHERE {scope} AND run_id IS NOT NULL ORDER BY id DESC LIMIT 1"
        ),
        params![key.name.as_str(), key.version.get()],
        |row| row.get(0),
    )?;
    Ok(run_id.and_then(|run_id| RunId::parse(&run_id).ok()))
}

/// The model file with which a version was registered; `None` if the history does not have it.
///
/// # Errors
/// Those of the database.
pub fn registered_file(
    conn: &Conn,
    key: &VersionKey,
) -> Result<Option<RegisteredFile>, StoreError> {
    let scope = scope_of_version(conn, key, ("?1", "?2"))?;
    let found: Option<(String, String)> = conn.query_first(
        &format!(
            "SELECT run_id, details FROM herdbook_events
             WHERE {scope} AND kind = ?3 ORDER BY id DESC LIMIT 1"
        ),
        params![key.name.as_str(), key.version.get(), EventKind::Registered.as_str()],
        |row| Ok((row.readable(0)?.unwrap_or_default(), row.readable(1)?.unwrap_or_default())),
    )?;
    Ok(found.and_then(|(run_id, details)| {
        let details: serde_json::Value = serde_json::from_str(&details).ok()?;
        let text = |field: &str| Some(details.get(field)?.as_str()?.to_owned());
        Some(RegisteredFile {
            run_id: RunId::parse(&run_id).ok()?,
            artifact: text("model_file")?,
            sha256: text("model_sha256")?,
        })
    }))
}

/// The honesty with which a version was registered; `None` if the history does not have it. Acts read it here, in the
/// sealed event; searches read the table of registrations.
///
/// # Errors
/// As [`select`].
pub fn registered_honesty(conn: &Conn, key: &VersionKey) -> Result<Option<Honesty>, StoreError> {
    let (name, version) = (Some(key.name.clone()), Some(key.version));
    let kind = Some(EventKind::Registered);
    let events = select(conn, &EventQuery { name, version, kind, ..EventQuery::default() })?;
    let honesty = |event: &Event| {
        let details: serde_json::Value = serde_json::from_str(&event.what.details).ok()?;
        details["honesty"].as_str()?.parse().ok()
    };
    Ok(events.iter().rev().find_map(honesty))
}

/// The highest version number in a model's history. In SQLite a text is greater than every number, and not meant.
///
/// # Errors
/// Those of the database.
pub fn highest_version(conn: &Conn, name: &ModelName) -> Result<Option<i64>, StoreError> {
    conn.query_row(
        "SELECT max(version) FROM herdbook_events WHERE name = ?1 AND version <= 2147483647",
        params![name.as_str()],
        |row| row.get(0),
    )
}

/// The versions that were champion and are not any more, the latest to leave that stage first.
///
/// # Errors
/// Those of the database.
pub fn former_champions(conn: &Conn, name: &ModelName) -> Result<Vec<VersionNumber>, StoreError> {
    let versions: Vec<i64> = conn.query(
        &format!(
            "SELECT version FROM herdbook_events
             WHERE {} AND kind = ?2 AND from_state = ?3 AND version IS NOT NULL
             GROUP BY version ORDER BY max(id) DESC",
            scope_of_model("?1")
        ),
        params![name.as_str(), EventKind::StageChanged.as_str(), Stage::Champion.as_str()],
        |row| row.get(0),
    )?;
    Ok(versions.into_iter().filter_map(VersionNumber::new).collect())
}

/// Whether a rollback ever replaced this version as champion.
///
/// # Errors
/// Those of the database.
pub fn was_rolled_back_from(conn: &Conn, key: &VersionKey) -> Result<bool, StoreError> {
    let scope = scope_of_version(conn, key, ("?1", "?2"))?;
    let details: Vec<String> = conn.query(
        &format!(
            "SELECT details FROM herdbook_events WHERE {scope} AND kind = ?3 AND from_state = ?4"
        ),
        params![
            key.name.as_str(),
            key.version.get(),
            EventKind::StageChanged.as_str(),
            Stage::Champion.as_str()
        ],
        |row| row.get(0),
    )?;
    Ok(details.iter().any(|details| {
        serde_json::from_str::<serde_json::Value>(details)
            .is_ok_and(|details| details["cause"] == Cause::RolledBack.as_str())
    }))
}
