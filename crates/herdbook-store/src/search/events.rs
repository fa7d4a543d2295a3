//! Look-ups in the event log.

use herdbook_domain::Event;

use crate::engine::backend::Scope;
use crate::error::StoreError;
use crate::store::Store;
use crate::tables::event::{EventQuery, select};

impl Store {
    /// The events that a query asks for, oldest first.
    ///
    /// # Errors
    /// Those of the database; [`StoreError::BrokenRecord`] if a row cannot be parsed as an event.
    pub fn events(&self, query: &EventQuery) -> Result<Vec<Event>, StoreError> {
        self.read_in(Scope::History, |conn| select(conn, query))
    }
}
