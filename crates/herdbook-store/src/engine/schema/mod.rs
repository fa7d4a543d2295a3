//! The tables and indexes of a database: MLflow's, created or found, and ours beside them.

mod ours;
pub(crate) mod registrations;
pub(crate) mod seals;

pub(crate) use ours::{
    disagree_with_log, faults, had_seals, has_registrations, has_seals, state_of,
};

use std::collections::BTreeMap;
use std::path::Path;

use herdbook_domain::Timestamp;
use ours::{
    LAYOUTS, drop_altered_indexes, drop_altered_projections, faulty, layout, objects, our_objects,
    seal_indexes, tables,
};

use crate::engine::db::{Conn, Dialect, params};
use crate::engine::opening::{Opened, PutBack, SecondChampion};
use crate::engine::place;
use crate::error::StoreError;
use crate::location::Location;

/// The Alembic revision of MLflow 3.17.0 to 3.17.2. A new database gets it.
const MLFLOW_HEAD: &str = "dc11669786a5";
/// Newest layout of our own tables that this program knows. Layout 2 added `herdbook_registrations`, layout 3
/// `herdbook_seals`, `herdbook_sealed_metrics` and `herdbook_place`.
const HERDBOOK_SCHEMA: i64 = 3;

/// The index by which the database refuses a second champion.
const ONE_CHAMPION: &str = "herdbook_one_champion";

/// The statements that create MLflow's tables, as its migrations leave them.
const fn mlflow_tables(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => include_str!("mlflow-3.17.2-sqlite.sql"),
        Dialect::Postgres => include_str!("mlflow-3.17.2-postgres.sql"),
    }
}

/// The tables of MLflow that we read or write, and the columns that we use.
const USED_COLUMNS: [(&str, &str); 13] = [
    (
        "experiments",
        "experiment_id name artifact_location lifecycle_stage creation_time last_update_time workspace",
    ),
    (
        "runs",
        "run_uuid name source_type source_name entry_point_name user_id status start_time end_time source_version lifecycle_stage artifact_uri experiment_id",
    ),
    ("experiment_tags", "key value experiment_id"),
    ("metrics", "key value timestamp run_uuid step is_nan"),
    ("latest_metrics", "key value timestamp step is_nan run_uuid"),
    ("params", "key value run_uuid"),
    ("tags", "key value run_uuid"),
    ("registered_models", "name creation_time last_updated_time description workspace"),
    ("registered_model_aliases", "alias version name workspace"),
    (
        "model_versions",
        "name version creation_time last_updated_time description user_id current_stage source run_id status status_message run_link storage_location workspace",
    ),
    ("model_version_tags", "key value name version workspace"),
    ("alembic_version", "version_num"),
    ("workspaces", "name description"),
];

/// The state of the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// The database is empty.
    Empty,
    /// MLflow's tables exist, but not all of ours.
    WithoutOurs,
    /// All tables and indexes exist.
    Complete,
}

/// Reads the state of the tables.
///
/// # Errors
/// [`StoreError::Schema`] if it is not MLflow's, or of a layout that this program does not know.
pub(crate) fn inspect(conn: &Conn, location: &Location) -> Result<Found, StoreError> {
    let objects = objects(conn)?;
    if objects.is_empty() {
        return Ok(Found::Empty);
    }
    check_tables(location, &objects)?;
    check_mlflow(conn, location, &objects)?;
    if objects.contains_key(LAYOUTS) {
        check_ours(conn, location)?;
    }
    let is_complete = faulty(conn.dialect(), &objects).next().is_none();
    Ok(if is_complete { Found::Complete } else { Found::WithoutOurs })
}

/// Creates the missing tables and indexes and returns which of ours were missing or altered. Runs in the caller's transaction,
/// under its lock, and inspects the database again, because another process may have completed it in the meantime.
///
/// # Errors
/// As [`inspect`] and [`complete`].
pub(crate) fn complete_what_is_missing(
    conn: &Conn,
    location: &Location,
    now: Timestamp,
    second_champion: SecondChampion,
) -> Result<(Opened, PutBack), StoreError> {
    let found = inspect(conn, location)?;
    let faults = faults(conn)?;
    complete(conn, found, &location.artifact_root, now, second_champion)?;
    place::record(conn, location)?;
    let put_back = faults
        .into_iter()
        .map(|object| Ok((object, state_of(conn, object)?)))
        .collect::<Result<PutBack, StoreError>>()?;
    let opened = match found {
        Found::Empty => Opened::Created,
        Found::WithoutOurs => Opened::Completed,
        Found::Complete => Opened::AsItWas,
    };
    Ok((opened, put_back))
}

/// Creates the missing tables and indexes, in the caller's transaction, and fills those that repeat facts from the log if they were
/// missing.
///
/// # Errors
/// [`StoreError::TwoChampions`] if a model has two and `second_champion` refuses that.
pub(crate) fn complete(
    conn: &Conn,
    found: Found,
    artifact_root: &Path,
    now: Timestamp,
    second_champion: SecondChampion,
) -> Result<(), StoreError> {
    if found == Found::Empty {
        conn.execute_batch(mlflow_tables(conn.dialect()))?;
        let default_location = artifact_root.join("0").display().to_string();
        conn.execute("INSERT INTO alembic_version VALUES (?1)", params![MLFLOW_HEAD])?;
        conn.execute(
            "INSERT INTO workspaces (name, description)
             VALUES ('default', 'Default workspace for legacy resources')",
            params![],
        )?;
        conn.execute(
            "INSERT INTO experiments (experiment_id, name, artifact_location, lifecycle_stage,
                creation_time, last_update_time, workspace)
             VALUES (0, 'Default', ?1, 'active', ?2, ?2, 'default')",
            params![default_location, now.millis()],
        )?;
    }
    drop_altered_indexes(conn)?;
    drop_altered_projections(conn)?;
    let (has_registrations, has_seals) = (has_registrations(conn)?, has_seals(conn)?);
    let mut tables = tables(conn.dialect());
    if let Some((name, versions)) = two_champions(conn)?.pop_first() {
        if second_champion == SecondChampion::Refuse {
            return Err(StoreError::TwoChampions { name, versions });
        }
        for (_, sql) in our_objects().filter(|(name, _)| *name == ONE_CHAMPION) {
            tables = tables.replace(sql, "");
        }
    }
    conn.execute_batch(&tables)?;
    if !has_registrations {
        registrations::refill(conn)?;
    }
    if !has_seals {
        seals::refill(conn)?;
    }
    seal_indexes(conn)
}

/// Checks that each table of MLflow's and ours is a table and not a view, and that MLflow's exist.
fn check_tables(location: &Location, objects: &BTreeMap<String, String>) -> Result<(), StoreError> {
    let schema_error = |problem| Err(StoreError::Schema { store: location.name(), problem });
    let of_mlflow = USED_COLUMNS.iter().map(|(table, _)| *table);
    for name in of_mlflow.chain(our_objects().map(|(name, _)| name)) {
        if objects.get(name).is_some_and(|sql| sql.starts_with("CREATE VIEW")) {
            return schema_error(format!(
                "`{name}` is a view and should be a table: another program replaced it; drop the view and put the \
                 table back, or restore the database from a backup"
            ));
        }
    }
    Ok(())
}

fn check_mlflow(
    conn: &Conn,
    location: &Location,
    objects: &BTreeMap<String, String>,
) -> Result<(), StoreError> {
    let schema_error = |problem| StoreError::Schema { store: location.name(), problem };
    if !objects.contains_key("alembic_version") {
        return Err(schema_error(
            "it is not an MLflow database (no table `alembic_version`): choose another one with `--tracking-uri`"
                .to_owned(),
        ));
    }
    let revision: Option<String> =
        conn.query_first("SELECT version_num FROM alembic_version", params![], |row| row.get(0))?;
    match revision.as_deref() {
        Some(MLFLOW_HEAD) => return Ok(()),
        None => {
            return Err(schema_error(
                "its table `alembic_version` is empty, so MLflow would not open it either"
                    .to_owned(),
            ));
        }
        Some(_) => {}
    }
    for (table, columns) in USED_COLUMNS {
        let present: Vec<String> =
            conn.query(conn.dialect().columns_of_table(), params![table], |row| row.get(0))?;
        let missing: Vec<&str> = columns
            .split(' ')
            .filter(|column| !present.iter().any(|name| name == column))
            .collect();
        if !missing.is_empty() {
            return Err(schema_error(format!(
                "revision `{}` lacks {} in table `{table}`; \
                 take a backup, then run `mlflow db upgrade {}` with MLflow 3.17",
                revision.as_deref().unwrap_or("none"),
                missing.iter().map(|column| format!("`{column}`")).collect::<Vec<_>>().join(", "),
                location.uri(),
            )));
        }
    }
    Ok(())
}

fn check_ours(conn: &Conn, location: &Location) -> Result<(), StoreError> {
    match layout(conn)? {
        Some(version) if version > HERDBOOK_SCHEMA => Err(StoreError::Schema {
            store: location.name(),
            problem: format!(
                "its own tables have layout {version}, this herdbook knows up to {HERDBOOK_SCHEMA}; \
                 use the newer herdbook that wrote it"
            ),
        }),
        _ => Ok(()),
    }
}

/// The registered models with more than one champion, and the numbers of those versions.
///
/// # Errors
/// Those of the database.
pub(crate) fn two_champions(conn: &Conn) -> Result<BTreeMap<String, Vec<i64>>, StoreError> {
    let rows: Vec<(String, i64)> = conn.query(
        "SELECT name, version FROM model_version_tags
         WHERE workspace = 'default' AND key = 'promotion_stage' AND value = 'champion'
         ORDER BY name, version",
        params![],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let mut champions: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for (name, version) in rows {
        champions.entry(name).or_default().push(version);
    }
    champions.retain(|_, versions| versions.len() > 1);
    Ok(champions)
}

#[cfg(test)]
mod tests {
    use herdbook_domain::SchemaState;

    use super::*;

    fn completed(conn: &Conn) -> Result<(Opened, PutBack), StoreError> {
        let now = Timestamp::from_millis(0);
        complete_what_is_missing(conn, &location(), now, SecondChampion::Refuse)
    }

    fn location() -> Location {
        Location::resolve(None, Path::new("/nowhere")).unwrap()
    }

    fn new_database() -> Conn {
        let conn = Conn::Sqlite(rusqlite::Connection::open_in_memory().unwrap());
        assert_eq!(completed(&conn).unwrap(), (Opened::Created, Vec::new()));
        conn
    }

    #[test]
    fn every_object_of_ours_is_recognised_after_it_was_made() {
        assert_eq!(inspect(&new_database(), &location()).unwrap(), Found::Complete);
        assert_eq!(our_objects().count(), 21);
    }

    #[test]
    fn index_that_older_builds_did_not_make_is_added_without_a_finding() {
        let conn = new_database();
        conn.execute_batch("DROP INDEX herdbook_events_kind").unwrap();
        assert_eq!(completed(&conn).unwrap(), (Opened::Completed, Vec::new()));
        assert_eq!(inspect(&conn, &location()).unwrap(), Found::Complete);
    }

    #[test]
    fn altered_index_is_put_back() {
        let conn = new_database();
        conn.execute_batch(
            "DROP INDEX herdbook_best_metrics;
             CREATE INDEX herdbook_best_metrics ON latest_metrics (key, is_nan, value, run_uuid);",
        )
        .unwrap();
        assert_eq!(inspect(&conn, &location()).unwrap(), Found::WithoutOurs);
        let put_back = vec![("herdbook_best_metrics", SchemaState::PutBack)];
        assert_eq!(completed(&conn).unwrap(), (Opened::Completed, put_back));
        assert_eq!(inspect(&conn, &location()).unwrap(), Found::Complete);
    }
}
