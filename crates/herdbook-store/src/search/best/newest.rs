//! The plans that find the newest candidate.

use super::candidates::Condition;
use super::walk::{NEWEST_FIRST, VERSIONS_AND_RUNS, WALK_LIMIT, Walked, first_readable};
use crate::engine::db::{Conn, params};
use crate::error::StoreError;
use crate::tables::version::{self, COLUMNS, VersionRecord};

/// Looks at the newest versions, along the index on their creation time. The usual case: a model of the wanted kind was
/// registered lately.
pub(super) fn walk_from_newest(
    conn: &Conn,
    condition: &Condition,
) -> Result<Walked<VersionRecord>, StoreError> {
    let newest =
        format!("SELECT v.* FROM model_versions v ORDER BY {NEWEST_FIRST} LIMIT {WALK_LIMIT}");
    let sql = format!(
        "SELECT {COLUMNS} FROM ({newest}) v CROSS JOIN runs r WHERE {}
         ORDER BY {NEWEST_FIRST}",
        condition.sql(conn.dialect(), "v.run_id")
    );
    if let Some(record) = first_readable(conn, &sql, &condition.params(), version::from_row)? {
        return Ok(Walked::Found(record));
    }
    let beyond_limit = "SELECT 1 FROM model_versions LIMIT 1 OFFSET ?1";
    let has_more = conn.query_first(beyond_limit, params![WALK_LIMIT], |_| Ok(()))?.is_some();
    Ok(if has_more { Walked::ToTheLimit } else { Walked::ToTheEnd })
}

/// Takes the runs that have both tags of a candidate, joins their versions and sorts. For kinds of models of which none was
/// registered lately: its cost grows with the rarer of the two tags, not with the number of versions.
pub(super) fn intersect_tags(
    conn: &Conn,
    condition: &Condition,
) -> Result<Option<VersionRecord>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM {} CROSS JOIN {VERSIONS_AND_RUNS} WHERE {}
         ORDER BY {NEWEST_FIRST}",
        Condition::runs_with_both_tags(conn.dialect()),
        condition.sql(conn.dialect(), "c.run_uuid")
    );
    first_readable(conn, &sql, &condition.params(), version::from_row)
}
