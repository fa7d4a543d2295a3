//! The parts that all plans share: their last tables, the order of versions, the limit of a walk, and its first readable row.

use crate::engine::db::{Conn, Row, ToValue};
use crate::error::StoreError;
use crate::tables::version::UnreadableVersion;

/// The tables that every plan joins last: the versions `v` of the runs that it walks, and those runs `r`.
pub(super) const VERSIONS_AND_RUNS: &str = "model_versions v CROSS JOIN runs r";

/// As [`VERSIONS_AND_RUNS`], after the seals `s` of the versions.
pub(super) const SEALED_VERSIONS_AND_RUNS: &str =
    "herdbook_seals s CROSS JOIN model_versions v CROSS JOIN runs r";

/// The order in which the newest version comes first.
pub(super) const NEWEST_FIRST: &str = "v.creation_time DESC, v.version DESC, v.name";

/// Maximum number of rows of a walk. If none of them is a candidate, candidates are rare, and another plan looks for them by
/// their tags.
pub(super) const WALK_LIMIT: i64 = 250;

/// How a walk along an index ended.
pub(super) enum Walked<T> {
    /// It found a candidate.
    Found(T),
    /// It reached the last row: there is no candidate.
    ToTheEnd,
    /// It reached the limit without finding a candidate.
    ToTheLimit,
}

/// The first row of a statement without LIMIT that this system can parse. The others are no candidates; lists name them.
pub(super) fn first_readable<T>(
    conn: &Conn,
    sql: &str,
    params: &[(&str, &dyn ToValue)],
    read: impl Fn(&Row<'_>) -> Result<Result<T, UnreadableVersion>, StoreError>,
) -> Result<Option<T>, StoreError> {
    let mut n_unreadable = 0;
    loop {
        // Written out, and left out as a rule: the engines plan worse with an offset that they do not know yet.
        let offset =
            if n_unreadable > 0 { format!("OFFSET {n_unreadable}") } else { String::new() };
        match conn.query_first(&format!("{sql} LIMIT 1 {offset}"), params, &read)? {
            Some(Ok(found)) => return Ok(Some(found)),
            Some(Err(_)) => n_unreadable += 1,
            None => return Ok(None),
        }
    }
}
