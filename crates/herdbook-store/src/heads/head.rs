//! The end of a history, compared with a remembered one.

use crate::engine::db::{Conn, params};
use crate::error::StoreError;
use crate::history_change::{ChangeKind, HeadOnRecord};

/// The present end of the history, and whether it still has the event of a remembered end: one query for both.
///
/// # Errors
/// Those of the database.
pub(super) fn look(
    conn: &Conn,
    remembered: Option<&HeadOnRecord>,
) -> Result<(HeadOnRecord, Option<ChangeKind>), StoreError> {
    let event = remembered.map_or(0, |head| head.event);
    let rows: Vec<(i64, Option<String>)> = conn.query(
        "SELECT id, hash FROM herdbook_events WHERE id = ?1
         UNION ALL
         SELECT id, hash FROM (SELECT id, hash FROM herdbook_events ORDER BY id DESC LIMIT 1) AS last",
        params![event],
        |row| Ok((row.get(0)?, row.get::<Option<String>>(1).unwrap_or(None))),
    )?;
    let found = rows.iter().max_by_key(|(event, _)| *event).map_or_else(
        HeadOnRecord::none,
        |(event, hash)| HeadOnRecord { event: *event, hash: hash.clone().unwrap_or_default() },
    );
    let change = remembered.filter(|head| head.event > 0).and_then(|head| {
        match rows.iter().find(|(id, _)| *id == head.event) {
            None => Some(ChangeKind::Shortened),
            Some((_, hash)) if hash.as_deref() != Some(&head.hash) => Some(ChangeKind::Rewritten),
            Some(_) => None,
        }
    });
    Ok((found, change))
}
