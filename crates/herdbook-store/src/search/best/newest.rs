//! The plans that find the newest candidate. Each has one statement for versions with a seal and one for the others.

use super::candidates::{Condition, SEALED};
use super::walk::{
    NEWEST_FIRST, SEALED_VERSIONS_AND_RUNS, VERSIONS_AND_RUNS, WALK_LIMIT, Walked, first_readable,
};
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
        format!("(SELECT v.* FROM model_versions v ORDER BY {NEWEST_FIRST} LIMIT {WALK_LIMIT}) v");
    let found = either(
        conn,
        condition,
        &format!("{newest} CROSS JOIN herdbook_seals s CROSS JOIN runs r WHERE {SEALED}"),
        &format!("{newest} CROSS JOIN runs r WHERE {}", condition.sql(conn.dialect(), "v.run_id")),
    )?;
    if let Some(record) = found {
        return Ok(Walked::Found(record));
    }
    let beyond_limit = "SELECT 1 FROM model_versions LIMIT 1 OFFSET ?1";
    let has_more = conn.query_first(beyond_limit, params![WALK_LIMIT], |_| Ok(()))?.is_some();
    Ok(if has_more { Walked::ToTheLimit } else { Walked::ToTheEnd })
}

/// Takes the seals, and the runs without one, that have both timeframe and model type of a candidate, joins their versions and
/// sorts. For kinds of models of which none was registered lately: its cost grows with their number, not with that of all
/// versions.
pub(super) fn intersect_kinds(
    conn: &Conn,
    condition: &Condition,
) -> Result<Option<VersionRecord>, StoreError> {
    either(
        conn,
        condition,
        &format!("{SEALED_VERSIONS_AND_RUNS} WHERE {SEALED}"),
        &format!(
            "{} CROSS JOIN {VERSIONS_AND_RUNS} WHERE {}",
            Condition::runs_with_both_tags(conn.dialect()),
            condition.sql(conn.dialect(), "c.run_uuid")
        ),
    )
}

/// The newest version of two sources, each given as the end of a statement.
fn either(
    conn: &Conn,
    condition: &Condition,
    sealed: &str,
    unsealed: &str,
) -> Result<Option<VersionRecord>, StoreError> {
    let newest = |from: &str| {
        let sql = format!("SELECT {COLUMNS} FROM {from} ORDER BY {NEWEST_FIRST}");
        first_readable(conn, &sql, &condition.params(), version::from_row)
    };
    let sealed = if condition.has_seals() { newest(sealed)? } else { None };
    let age = |record: &VersionRecord| (record.created_at, record.key.version);
    Ok(match (sealed, newest(unsealed)?) {
        (Some(sealed), Some(unsealed)) if age(&unsealed) > age(&sealed) => Some(unsealed),
        (Some(sealed), _) => Some(sealed),
        (None, unsealed) => unsealed,
    })
}
