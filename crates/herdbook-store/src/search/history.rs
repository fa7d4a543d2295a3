//! Pages of the event log.

use herdbook_domain::{Event, EventKind, ModelName, RunId, Timestamp};

use crate::engine::backend::Scope;
use crate::engine::db::{Conn, ToValue};
use crate::error::StoreError;
use crate::store::Store;
use crate::tables::event::{self, COLUMNS, EventQuery};

/// The order of events by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// Newest first.
    #[default]
    NewestFirst,
    /// Oldest first.
    OldestFirst,
}

/// Which events to read, and how many.
#[derive(Debug, Clone, Default)]
pub struct HistoryQuery {
    /// Which model, version, run and kind.
    pub events: EventQuery,
    /// Only those of this actor.
    pub actor: Option<String>,
    /// Only those at this time or later.
    pub from: Option<Timestamp>,
    /// Only those before this time.
    pub until: Option<Timestamp>,
    /// Only those with a higher number.
    pub after: Option<i64>,
    /// Only those with a lower number.
    pub before: Option<i64>,
    /// In which order.
    pub order: Order,
    /// At most so many rows.
    pub limit: usize,
}

/// A page of the event log.
#[derive(Debug, Clone, Default)]
pub struct HistoryPage {
    /// The events.
    pub events: Vec<Event>,
    /// What is wrong with rows that cannot be parsed as an event.
    pub unreadable: Vec<String>,
    /// The number of the last row, readable or not.
    pub last: Option<i64>,
    /// Whether more rows follow it.
    pub has_more: bool,
}

impl Store {
    /// A page of the event log.
    ///
    /// # Errors
    /// Those of the database.
    pub fn history(&self, query: &HistoryQuery) -> Result<HistoryPage, StoreError> {
        self.read_in(Scope::History, |conn| page(conn, query))
    }

    /// The number of the last event; 0 if there is none.
    ///
    /// # Errors
    /// Those of the database.
    pub fn last_event_id(&self) -> Result<i64, StoreError> {
        self.read_in(Scope::History, event::last_id)
    }
}

fn page(conn: &Conn, query: &HistoryQuery) -> Result<HistoryPage, StoreError> {
    let subject = event::subject(conn, &query.events)?;
    let (from, until) = (query.from.map(Timestamp::millis), query.until.map(Timestamp::millis));
    let bounds = [
        (query.actor.is_some(), "actor = :actor"),
        (from.is_some(), "at_ms >= :from"),
        (until.is_some(), "at_ms < :until"),
        (query.after.is_some(), "id > :after"),
        (query.before.is_some(), "id < :before"),
    ];
    let asked = bounds.into_iter().filter(|(is_asked, _)| *is_asked).map(|(_, sql)| sql);
    let conditions: Vec<&str> = std::iter::once(subject.as_str()).chain(asked).collect();
    let order = match query.order {
        Order::NewestFirst => "DESC",
        Order::OldestFirst => "ASC",
    };
    let sql = format!(
        "SELECT {COLUMNS} FROM herdbook_events WHERE {} ORDER BY id {order} LIMIT :limit",
        conditions.join(" AND ")
    );
    let events = &query.events;
    let name = events.name.as_ref().map(ModelName::as_str);
    let version = events.version.map(|version| i64::from(version.get()));
    let run_id = events.run_id.as_ref().map(RunId::as_str);
    let kind = events.kind.map(EventKind::as_str);
    let actor = query.actor.as_deref();
    let n_wanted = query.limit as i64 + 1;
    let values: [(&str, &dyn ToValue); 10] = [
        (":name", &name),
        (":version", &version),
        (":run_id", &run_id),
        (":kind", &kind),
        (":actor", &actor),
        (":from", &from),
        (":until", &until),
        (":after", &query.after),
        (":before", &query.before),
        (":limit", &n_wanted),
    ];
    let mut rows = conn.query(&sql, values.as_slice(), |row| {
        let id: i64 = row.readable(0)?.unwrap_or_default();
        Ok((id, event::from_row(row)))
    })?;
    let has_more = rows.len() > query.limit;
    rows.truncate(query.limit);
    let last = rows.last().map(|(id, _)| *id);
    let mut page = HistoryPage { last, has_more, ..HistoryPage::default() };
    for (id, event) in rows {
        match event {
            Ok(event) => page.events.push(event),
            Err(error @ StoreError::BrokenRecord { .. }) => {
                page.unreadable.push(format!("event {id} cannot be read: {error}"));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(page)
}
