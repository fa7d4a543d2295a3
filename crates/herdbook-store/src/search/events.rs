//! Look-ups in the event log.

use std::collections::BTreeSet;

use herdbook_domain::{Event, EventKind, VersionNumber};

use crate::engine::backend::Scope;
use crate::engine::db::{Conn, params};
use crate::error::StoreError;
use crate::store::Store;
use crate::tables::event::{EventQuery, select, select_readable};

impl Store {
    /// The events that a query asks for, oldest first. Those of a model include the ones that its versions got under an earlier
    /// name of the model.
    ///
    /// # Errors
    /// Those of the database; [`StoreError::BrokenRecord`] if a row cannot be parsed as an event.
    pub fn events(&self, query: &EventQuery) -> Result<Vec<Event>, StoreError> {
        self.events_by(query, select)
    }

    /// As [`Store::events`], for display: rows that cannot be parsed as an event are described beside the others.
    ///
    /// # Errors
    /// Those of the database.
    pub fn readable_events(
        &self,
        query: &EventQuery,
    ) -> Result<(Vec<Event>, Vec<String>), StoreError> {
        self.events_by(query, select_readable)
    }

    fn events_by<T>(
        &self,
        query: &EventQuery,
        read: impl Fn(&Conn, &EventQuery) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let hides_rows = self.backend().hides_what_is_out_of_scope();
        let (events, is_whole) = self.read_in(Scope::History, |conn| {
            let events = read(conn, query)?;
            let is_whole = !hides_rows || is_under_one_name(conn, query)?;
            Ok((events, is_whole))
        })?;
        if is_whole {
            return Ok(events);
        }
        // The log alone does not show where the rest is: the rows of the versions do.
        self.read(|conn| read(conn, query))
    }
}

/// Whether the log has the whole history of each version under the name that a query gives. If not, the model had another
/// name at some time.
fn is_under_one_name(conn: &Conn, query: &EventQuery) -> Result<bool, StoreError> {
    let Some(name) = &query.name else { return Ok(true) };
    let (events, _) = select_readable(
        conn,
        &EventQuery { name: Some(name.clone()), version: query.version, ..EventQuery::default() },
    )?;
    let begun: BTreeSet<VersionNumber> = events
        .iter()
        .filter(|event| matches!(event.what.kind, EventKind::Registered | EventKind::Adopted))
        .filter_map(|event| event.what.version)
        .collect();
    let mut versions = events.iter().filter_map(|event| event.what.version);
    if events.is_empty() || !versions.all(|version| begun.contains(&version)) {
        return Ok(false);
    }
    let under_another = conn.query_first(
        "SELECT 1 FROM herdbook_events e JOIN herdbook_events o
            ON o.run_id = e.run_id AND o.version = e.version AND o.name <> e.name
         WHERE e.name = ?1 LIMIT 1",
        params![name.as_str()],
        |_| Ok(()),
    )?;
    Ok(under_another.is_none())
}
