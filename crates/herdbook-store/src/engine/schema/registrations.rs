//! The table `herdbook_registrations`: for each version, the facts of its registration that searches ask for by column.
//!
//! Its source is the log. Each row repeats a part of an event `registered` and is written in the same transaction, so the
//! table can be filled again at any time. A further fact needs a column here, its value in [`Facts`], and a new layout of our
//! tables, with which every store is filled again.

use herdbook_domain::{Event, EventKind, Honesty};
use serde::Deserialize;

use crate::engine::db::{Conn, ToValue, params};
use crate::error::StoreError;

/// Name of the table.
pub(super) const TABLE: &str = "herdbook_registrations";
const COLUMNS: [&str; 4] = ["name", "version", "event_id", "honesty"];
/// Rows in one INSERT: PostgreSQL answers each statement over the network.
const BATCH: usize = 200;

/// The facts in the details of an event `registered`.
#[derive(Debug, Default, Deserialize)]
struct Facts {
    #[serde(default)]
    honesty: Option<String>,
}

/// A row of the table.
#[derive(Debug, PartialEq, Eq)]
struct Registration {
    name: String,
    version: i64,
    event_id: i64,
    /// `None` if the event does not contain it.
    honesty: Option<&'static str>,
}

impl Registration {
    fn new(name: String, version: i64, event_id: i64, details: &str) -> Self {
        let facts: Facts = serde_json::from_str(details).unwrap_or_default();
        let honesty = facts.honesty.and_then(|text| text.parse().ok()).map(Honesty::as_str);
        Self { name, version, event_id, honesty }
    }
}

/// Writes the row of an event that registers a version, and nothing for other events.
///
/// # Errors
/// Those of the database.
pub(crate) fn insert(conn: &Conn, event: &Event) -> Result<(), StoreError> {
    match (&event.what.name, event.what.version) {
        (Some(name), Some(version)) if event.what.kind == EventKind::Registered => {
            let (name, version) = (name.to_string(), version.get().into());
            let row = Registration::new(name, version, event.id, &event.what.details);
            insert_all(conn, &[row])
        }
        _ => Ok(()),
    }
}

/// Fills the table again from the log.
///
/// # Errors
/// Those of the database.
pub(crate) fn refill(conn: &Conn) -> Result<(), StoreError> {
    conn.execute(&format!("DELETE FROM {TABLE}"), params![])?;
    for batch in of_log(conn)?.chunks(BATCH) {
        insert_all(conn, batch)?;
    }
    Ok(())
}

/// Whether the table holds exactly the rows that follow from the log. Reads all of both.
///
/// # Errors
/// Those of the database.
pub(super) fn agree_with_log(conn: &Conn) -> Result<bool, StoreError> {
    let sql = format!("SELECT {} FROM {TABLE} ORDER BY event_id", COLUMNS.join(", "));
    let rows = conn.query(&sql, params![], |row| {
        let honesty: Option<String> = row.get(3)?;
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, honesty))
    })?;
    let expected = of_log(conn)?;
    let same = |(row, of_log): (&(String, i64, i64, Option<String>), &Registration)| {
        let (name, version, event_id, honesty) = row;
        (name, *version, *event_id, honesty.as_deref())
            == (&of_log.name, of_log.version, of_log.event_id, of_log.honesty)
    };
    Ok(rows.len() == expected.len() && rows.iter().zip(&expected).all(same))
}

/// The rows that follow from the log, in its order.
fn of_log(conn: &Conn) -> Result<Vec<Registration>, StoreError> {
    conn.query(
        "SELECT e.name, e.version, e.id, e.details FROM herdbook_events e
         WHERE e.kind = ?1 AND e.name IS NOT NULL AND e.version IS NOT NULL
           AND NOT EXISTS (SELECT 1 FROM herdbook_events later WHERE later.name = e.name
                AND later.version = e.version AND later.id > e.id AND later.kind = e.kind)
         ORDER BY e.id",
        params![EventKind::Registered.as_str()],
        |row| {
            let details: String = row.get(3)?;
            Ok(Registration::new(row.get(0)?, row.get(1)?, row.get(2)?, &details))
        },
    )
}

/// Writes rows. Version numbers are never reused, so a second event for one version is the mistake of another program: the
/// later event counts.
fn insert_all(conn: &Conn, rows: &[Registration]) -> Result<(), StoreError> {
    let values: Vec<String> = (0..rows.len())
        .map(|idx| {
            let numbers: Vec<String> = (1..=COLUMNS.len())
                .map(|column| format!("?{}", idx * COLUMNS.len() + column))
                .collect();
            format!("({})", numbers.join(", "))
        })
        .collect();
    let params: Vec<&dyn ToValue> = rows
        .iter()
        .flat_map(|row| [&row.name as &dyn ToValue, &row.version, &row.event_id, &row.honesty])
        .collect();
    conn.execute(
        &format!(
            "INSERT INTO {TABLE} ({}) VALUES {} ON CONFLICT (name, version)
             DO UPDATE SET event_id = excluded.event_id, honesty = excluded.honesty",
            COLUMNS.join(", "),
            values.join(", ")
        ),
        params.as_slice(),
    )?;
    Ok(())
}
