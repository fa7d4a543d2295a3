//! Rows with values that their columns do not allow, which SQLite takes: every read goes on, and the doctor names them.

use herdbook_domain::{BreachKind, Stage};
use herdbook_store::{EngineCheck, EventQuery, Store, StoreError, VersionQuery};

use crate::doctor::{foreign, herd, kinds};
use crate::herd::{Herd, model, options, version};

/// Calls every look-up that lists or shows records.
fn read_everything(herd: &Herd) {
    let store = herd.another_store();
    let versions = store.versions(&VersionQuery::default()).unwrap();
    assert_eq!(versions.records.len() + versions.unreadable.len(), 2);
    store.summaries().unwrap();
    store.numbers_by_stage(&model()).unwrap();
    store.champion(&model()).unwrap();
    store.running().unwrap();
    store.readable_events(&EventQuery::default()).unwrap();
    store.version(&version(2)).unwrap();
}

#[test]
fn bad_value_in_any_row_is_named_and_ends_no_read() {
    for (table, column, value) in [
        ("model_versions", "creation_time", "'yesterday'"),
        ("model_versions", "run_id", "x'ff'"),
        ("model_versions", "source", "CAST(x'fffe' AS TEXT)"),
        ("model_versions", "current_stage", "x'ff'"),
        ("model_versions", "last_updated_time", "1e300"),
        ("model_version_tags", "value", "x'ff'"),
        ("tags", "value", "x'ff'"),
        ("params", "value", "x'ff'"),
        ("runs", "user_id", "x'ff'"),
        ("runs", "artifact_uri", "x'ff'"),
        ("runs", "start_time", "'x'"),
        ("latest_metrics", "value", "'many'"),
        ("latest_metrics", "step", "'x'"),
        ("registered_model_aliases", "version", "'x'"),
        ("herdbook_events", "details", "x'ff'"),
        ("herdbook_events", "at_ms", "'x'"),
        ("herdbook_registrations", "event_id", "'x'"),
        ("herdbook_seals", "honesty", "x'ff'"),
    ] {
        let herd = herd();
        foreign(
            &herd,
            &format!(
                "PRAGMA ignore_check_constraints = on; UPDATE {table} SET {column} = {value} WHERE rowid = (SELECT max(rowid) FROM {table})"
            ),
        );
        read_everything(&herd);
        let store = herd.another_store();
        let found = store.diagnose().unwrap();
        let named = found.iter().find(|breach| breach.kind == BreachKind::UnreadableRow);
        let line = named.unwrap_or_else(|| panic!("{table}.{column}: {found:#?}")).line();
        assert!(line.contains(&format!("of `{table}` has ")), "{line}");
        assert!(line.contains(&format!("in the column `{column}`")), "{line}");
        assert!(!store.verify().unwrap().breaches.is_empty());
        // A repair restores the value if the history knows it.
        store.repair().unwrap();
    }
}

#[test]
fn nullable_columns_are_read_as_nullable() {
    let herd = herd();
    foreign(
        &herd,
        "UPDATE model_versions SET creation_time = NULL, last_updated_time = NULL, description = NULL, user_id = NULL,
             current_stage = NULL, source = NULL, run_id = NULL, status = NULL, storage_location = NULL;
         UPDATE runs SET name = NULL, user_id = NULL, start_time = NULL, artifact_uri = NULL, experiment_id = NULL;
         UPDATE tags SET value = NULL; UPDATE latest_metrics SET timestamp = NULL;
         UPDATE model_version_tags SET value = NULL WHERE key <> 'promotion_stage';
         UPDATE registered_models SET creation_time = NULL, last_updated_time = NULL, description = NULL;",
    );
    read_everything(&herd);
    let found = herd.store.repair().unwrap();
    let is_repaired = |kind| found.iter().any(|breach| breach.kind == kind && !breach.is_open());
    assert!(
        is_repaired(BreachKind::VersionRow) && is_repaired(BreachKind::VersionTags),
        "{found:#?}"
    );
    // The location of the files of a run is not in the history.
    let left = herd.store.diagnose().unwrap();
    assert!(kinds(&left).iter().all(|kind| *kind == BreachKind::ModelFile), "{left:#?}");
}

#[test]
fn row_that_refers_to_nothing_is_named() {
    let herd = herd();
    foreign(
        &herd,
        "PRAGMA foreign_keys = off; INSERT INTO tags (key, value, run_uuid) VALUES ('a', 'b', 'c')",
    );
    let found = herd.store.diagnose().unwrap();
    assert_eq!(kinds(&found), [BreachKind::Database]);
    assert!(
        found[0].message.contains("1 row of `tags` refers to a row of `runs`"),
        "{}",
        found[0].message
    );
}

/// Each page is overwritten in turn. Small stores have few free pages, on which nothing is stored.
#[test]
fn every_overwritten_page_is_noticed() {
    let herd = herd();
    let file = herd.folder.path().join("mlflow.db");
    foreign(&herd, "PRAGMA wal_checkpoint(TRUNCATE)");
    let location = herd.store.location().clone();
    drop(herd.store);
    let whole = std::fs::read(&file).unwrap();
    let page_size = usize::from(u16::from_be_bytes([whole[16], whole[17]]));
    for (page, start) in (0..whole.len()).step_by(page_size).enumerate() {
        let mut damaged = whole.clone();
        for (idx, byte) in damaged[start..start + page_size].iter_mut().enumerate() {
            // A fixed pattern without a valid page type.
            *byte = (idx * 31 + page * 7 + 3) as u8;
        }
        std::fs::write(&file, &damaged).unwrap();
        match Store::open_for_doctor(location.clone(), &options(herdbook_store::Missing::Refuse)) {
            Ok(store) => {
                let found = store.examination().unwrap();
                assert!(found.engine.has_problems(), "page {page}");
                assert!(
                    matches!(&found.engine, EngineCheck::Done(problems) if problems.len() <= 40)
                );
                assert!(found.breaches.iter().any(|one| one.kind == BreachKind::Database));
                assert!(
                    crate::herd::session(&store)
                        .repair()
                        .unwrap()
                        .iter()
                        .all(herdbook_domain::Breach::is_open)
                );
            }
            Err(StoreError::Damaged { .. } | StoreError::NotADatabase { .. }) => {}
            Err(error) => panic!("page {page}: {error}"),
        }
    }
}

#[test]
fn act_whose_event_the_database_drops_or_alters_is_refused() {
    let drop = "BEGIN SELECT RAISE(IGNORE); END";
    let alter = "BEGIN UPDATE herdbook_events SET reason = 'another' WHERE id = NEW.id; END";
    let remove = "BEGIN DELETE FROM herdbook_events WHERE id = NEW.id; END";
    for (time, body) in [("BEFORE", drop), ("AFTER", alter), ("AFTER", remove)] {
        let herd = Herd::new();
        herd.train(None, 1.0);
        let before = herd.store.events(&EventQuery::default()).unwrap();
        let trigger = format!("CREATE TRIGGER t {time} INSERT ON herdbook_events {body}");
        herd.foreign().execute_batch(&trigger).unwrap();
        let refused = herd.promote(1, Stage::Beta).unwrap_err().to_string();
        assert!(refused.contains("a trigger or rule of another program"), "{body}: {refused}");
        herd.foreign().execute_batch("DROP TRIGGER t").unwrap();
        assert_eq!(herd.store.events(&EventQuery::default()).unwrap(), before, "{body}");
        assert_eq!(herd.tag(1, "promotion_stage").unwrap(), "development", "{body}");
        assert_eq!(herd.store.diagnose().unwrap(), [], "{body}");
    }
}
