//! Look-ups in the event log.

use herdbook_domain::Event;

use crate::engine::backend::Scope;
use crate::error::StoreError;
use crate::store::Store;
use crate::tables::event::{EventQuery, select, select_readable};

impl Store {
    /// The events that a query asks for, oldest first.
    ///
    /// # Errors
    /// Those of the database; [`StoreError::BrokenRecord`] if a row cannot be parsed as an event.
    pub fn events(&self, query: &EventQuery) -> Result<Vec<Event>, StoreError> {
        self.read_in(Scope::History, |conn| select(conn, query))
    }

    /// As [`Store::events`], for display: rows that cannot be parsed as an event are described beside the others.
    ///
    /// # Errors
    /// Those of the database.
    pub fn readable_events(
        &self,
        query: &EventQuery,
    ) -> Result<(Vec<Event>, Vec<String>), StoreError> {
        self.read_in(Scope::History, |conn| select_readable(conn, query))
    }
}
