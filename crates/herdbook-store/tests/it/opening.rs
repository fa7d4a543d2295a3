//! Opening stores: existing, missing, incomplete and unusable ones.

use std::time::Duration;

use herdbook_store::{Location, Missing, OpenOptions, Opened, Store, StoreError};

use crate::herd::{Herd, model, options, session};

fn open(folder: &std::path::Path, missing: Missing) -> Result<Store, StoreError> {
    Store::open(Location::resolve(None, folder).unwrap(), &options(missing))
}

#[test]
fn store_is_made_only_where_that_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let error = open(folder.path(), Missing::Refuse).unwrap_err();
    assert!(matches!(error, StoreError::NoStore { .. }), "{error}");
    assert!(!folder.path().join("mlflow.db").exists());
    assert_eq!(open(folder.path(), Missing::Create).unwrap().opened(), Opened::Created);
    assert_eq!(open(folder.path(), Missing::Create).unwrap().opened(), Opened::AsItWas);
}

#[test]
fn file_that_is_no_database_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mlflow.db");
    std::fs::write(&path, "this is a text, and a long one, not a database").unwrap();
    let error = open(folder.path(), Missing::Create).unwrap_err();
    assert!(matches!(error, StoreError::NotADatabase { .. }), "{error}");
    assert!(std::fs::read_to_string(&path).unwrap().starts_with("this is a text"));
}

#[test]
fn unknown_schemas_are_refused_with_the_way_out() {
    for (sql, hint) in [
        ("CREATE TABLE orders (id INTEGER)", "not an MLflow database"),
        (
            "CREATE TABLE alembic_version (version_num VARCHAR(32));
             INSERT INTO alembic_version VALUES ('0584bdc529eb');
             CREATE TABLE experiments (experiment_id INTEGER)",
            "mlflow db upgrade sqlite:///",
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let conn = rusqlite::Connection::open(folder.path().join("mlflow.db")).unwrap();
        conn.execute_batch(sql).unwrap();
        let error = open(folder.path(), Missing::Create).unwrap_err();
        assert!(error.to_string().contains(hint), "{error}");
    }
}

#[test]
fn store_that_is_removed_while_it_is_open_takes_no_more_acts() {
    let herd = Herd::new();
    let (run_id, _) = herd.start(None);
    std::fs::remove_file(herd.folder.path().join("mlflow.db")).unwrap();
    let error = herd.store.log_metrics(&run_id, &[]).unwrap_err();
    assert!(matches!(error, StoreError::Replaced { .. }), "{error}");
}

#[test]
fn own_tables_of_a_newer_herdbook_are_refused() {
    let herd = Herd::new();
    herd.foreign().execute_batch("INSERT INTO herdbook_schema VALUES (4)").unwrap();
    let error = open(herd.folder.path(), Missing::Refuse).unwrap_err();
    assert!(error.to_string().contains("use the newer herdbook"), "{error}");
}

#[test]
fn newer_mlflow_revision_is_used_as_long_as_the_columns_fit() {
    let herd = Herd::new();
    herd.foreign()
        .execute_batch("UPDATE alembic_version SET version_num = 'f4a9b2c7d1e6'")
        .unwrap();
    assert_eq!(open(herd.folder.path(), Missing::Refuse).unwrap().opened(), Opened::AsItWas);
}

#[test]
fn dropped_index_is_put_back() {
    let herd = Herd::new();
    herd.foreign().execute_batch("DROP INDEX herdbook_one_champion").unwrap();
    assert_eq!(open(herd.folder.path(), Missing::Refuse).unwrap().opened(), Opened::Completed);
    assert_eq!(open(herd.folder.path(), Missing::Refuse).unwrap().opened(), Opened::AsItWas);
}

#[test]
fn two_champions_written_by_others_are_named() {
    let herd = Herd::new();
    herd.train(None, 1.0);
    herd.train(None, 2.0);
    herd.foreign()
        .execute_batch(
            "DROP INDEX herdbook_one_champion;
             UPDATE model_version_tags SET value = 'champion' WHERE key = 'promotion_stage'",
        )
        .unwrap();
    let error = open(herd.folder.path(), Missing::Refuse).unwrap_err();
    assert!(error.to_string().contains("(version 1, version 2)"), "{error}");
}

#[test]
fn locked_store_is_waited_for_and_then_named() {
    let herd = Herd::new();
    let foreign = herd.foreign();
    foreign.execute_batch("BEGIN IMMEDIATE").unwrap();
    let impatient =
        OpenOptions { busy_timeout: Duration::from_millis(20), ..options(Missing::Refuse) };
    let store = Store::open(herd.store.location().clone(), &impatient).unwrap();
    let store = session(&store);
    assert!(store.champion(&model()).unwrap().is_none(), "readers do not wait");
    let run_id = herdbook_domain::RunId::parse("0123456789abcdef0123456789abcdef").unwrap();
    let error = store.refresh_lease(&run_id).unwrap_err();
    assert!(matches!(error, StoreError::Busy { .. }), "{error}");
}

#[test]
fn table_that_another_program_replaced_by_a_view_is_named() {
    for table in ["latest_metrics", "herdbook_events", "herdbook_seals"] {
        let herd = Herd::new();
        herd.train(None, 1.0);
        let change = format!(
            "PRAGMA foreign_keys = OFF; PRAGMA legacy_alter_table = ON;
             ALTER TABLE {table} RENAME TO other; CREATE VIEW {table} AS SELECT * FROM other"
        );
        herd.foreign().execute_batch(&change).unwrap();
        let opened = crate::backend::open(herd.store.location(), Missing::Refuse);
        let error = opened.unwrap_err().to_string();
        assert!(error.contains(&format!("`{table}` is a view and should be a table")), "{error}");
    }
}

#[test]
fn lost_table_of_layouts_is_created_again_with_its_row() {
    let herd = Herd::new();
    herd.foreign().execute_batch("DROP TABLE herdbook_schema").unwrap();
    let store = herd.another_store();
    let breaches = store.diagnose().unwrap();
    let lines: Vec<String> = breaches.iter().map(herdbook_domain::Breach::line).collect();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].ends_with("repaired: it was created again"), "{lines:?}");
}
