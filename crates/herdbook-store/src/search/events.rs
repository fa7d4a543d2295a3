//! Look-ups in the event log.

use herdbook_domain::Event;

use crate::error::StoreError;
use crate::store::Store;
use crate::tables::event::{EventQuery, select};

impl Store {
    /// The events that a query asks for, oldest first.
    ///
    /// # Errors
    /// Those of the database; [`StoreError::BrokenRecord`] if a row cannot be parsed as an event.
    pub fn events(&self, query: &EventQuery) -> Result<Vec<Event>, StoreError> {
        self.read(|conn| select(conn, query))
    }
}
