//! Behaviour that only a database server has.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use herdbook_domain::Stage;
use herdbook_store::{Effect, EventQuery, Location, Missing, Opened, Store, StoreError};

use crate::herd::{Herd, model, options, promotion, session};

fn cut_connections(herd: &Herd) {
    let others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                  WHERE datname = current_database() AND pid <> pg_backend_pid()";
    herd.foreign().execute_batch(others).unwrap();
}

#[test]
fn store_is_made_only_where_that_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let database = crate::backend::Database::new(folder.path());
    let open = |missing| Store::open(database.location.clone(), &options(missing));
    assert!(matches!(open(Missing::Refuse), Err(StoreError::NoStore { .. })));
    assert_eq!(open(Missing::Create).unwrap().opened(), Opened::Created);
    assert_eq!(open(Missing::Create).unwrap().opened(), Opened::AsItWas);
}

#[test]
fn database_of_something_else_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let database = crate::backend::Database::new(folder.path());
    database.foreign().execute_batch("CREATE TABLE invoices (id integer)").unwrap();
    let error = Store::open(database.location.clone(), &options(Missing::Create)).unwrap_err();
    assert!(error.to_string().contains("it is not an MLflow database"), "{error}");
    let tables = "SELECT count(*)::int FROM pg_class WHERE relnamespace = 'public'::regnamespace";
    assert_eq!(crate::backend::number(&database.foreign(), tables), Some(1));
}

#[test]
fn index_recreated_by_others_is_restored() {
    let herd = Herd::new();
    for sql in [
        "DROP INDEX herdbook_one_champion",
        "DROP INDEX herdbook_best_metrics;
         CREATE INDEX herdbook_best_metrics ON latest_metrics (key, is_nan, value, run_uuid)",
    ] {
        herd.foreign().execute_batch(sql).unwrap();
        assert_eq!(herd.another_store().opened(), Opened::Completed);
        assert_eq!(herd.another_store().opened(), Opened::AsItWas);
    }
}

#[test]
fn act_whose_connection_was_cut_begins_again() {
    let herd = Herd::new();
    herd.train(None, 1.0);
    cut_connections(&herd);
    herd.promote(1, Stage::Beta).unwrap();
    cut_connections(&herd);
    assert!(herd.store.champion(&model()).unwrap().is_none());
    herd.assert_invariants();
}

/// Connections are cut at any time during acts. An act that succeeded has happened once, and no act is half-done.
#[test]
fn connections_cut_at_any_moment_leave_whole_acts() {
    let herd = Herd::new();
    herd.train(None, 1.0);
    let is_over = AtomicBool::new(false);
    let mut succeeded = 0;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // The pauses differ, so that acts are cut at different moments and some come through.
            for pause_ms in (0..).map(|number| 7 * number % 50) {
                if is_over.load(Ordering::Relaxed) {
                    break;
                }
                cut_connections(&herd);
                std::thread::sleep(Duration::from_millis(pause_ms));
            }
        });
        for round in 0..30 {
            let target = if round % 2 == 0 { Stage::Beta } else { Stage::Development };
            // After a final error the act may not have happened. Then the next one is refused.
            succeeded += usize::from(herd.promote(1, target).is_ok());
        }
        is_over.store(true, Ordering::Relaxed);
    });
    herd.assert_invariants();
    let query = EventQuery {
        kind: Some(herdbook_domain::EventKind::StageChanged),
        ..EventQuery::default()
    };
    let happened = herd.store.events(&query).unwrap().len();
    assert!(succeeded <= happened, "{succeeded} acts succeeded, {happened} happened");
    assert!(succeeded > 0, "no act came through");
}

#[test]
fn server_that_is_not_there_is_named_without_the_password() {
    let folder = tempfile::tempdir().unwrap();
    let uri = "postgresql://me:secret@127.0.0.1:9/herd";
    let location = Location::resolve(Some(uri), folder.path()).unwrap();
    let error = Store::open(location, &options(Missing::Create)).unwrap_err();
    assert!(matches!(error, StoreError::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains("me:***@127.0.0.1:9"), "{error}");
}

#[test]
fn act_that_waits_too_long_for_another_is_busy() {
    let herd = Herd::new();
    herd.train(None, 1.0);
    let holder = herd.foreign();
    holder.execute_batch("BEGIN; SELECT pg_advisory_xact_lock(1751478884, 0)").unwrap();
    let mut impatient = options(Missing::Refuse);
    impatient.busy_timeout = std::time::Duration::from_millis(20);
    let store = Store::open(herd.store.location().clone(), &impatient).unwrap();
    let store = session(&store);
    let error = store.promote(&promotion(1, Stage::Beta), Effect::Commit).unwrap_err();
    assert!(matches!(error, StoreError::Busy { .. }), "{error}");
    assert!(store.champion(&model()).unwrap().is_none(), "readers do not wait");
}

/// Several stores create the same database at the same time.
#[test]
fn first_openers_of_an_empty_database_share_one_store() {
    let folder = tempfile::tempdir().unwrap();
    let database = crate::backend::Database::new(folder.path());
    let barrier = Barrier::new(4);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                barrier.wait();
                Store::open(database.location.clone(), &options(Missing::Create)).unwrap();
            });
        }
    });
    let store = Store::open(database.location.clone(), &options(Missing::Refuse)).unwrap();
    assert_eq!(store.opened(), Opened::AsItWas);
}

#[test]
fn artifacts_lie_in_the_working_folder() {
    let herd = Herd::new();
    let run_id = herd.train(None, 1.0);
    let path = herd.store.artifact_path(&run_id, "models/1H/model.zip").unwrap();
    assert!(path.starts_with(herd.folder.path().join("mlruns")), "{}", path.display());
}

#[test]
fn table_that_became_a_view_is_named() {
    let herd = Herd::new();
    herd.foreign()
        .execute_batch(
            "ALTER TABLE latest_metrics RENAME TO other;
             CREATE VIEW latest_metrics AS SELECT * FROM other",
        )
        .unwrap();
    let error = Store::open(herd.store.location().clone(), &options(Missing::Refuse)).unwrap_err();
    assert!(error.to_string().contains("`latest_metrics` is a view"), "{error}");
}

#[test]
fn column_with_another_type_is_no_server_that_cannot_be_reached() {
    let herd = Herd::new();
    herd.train(None, 1.0);
    herd.foreign()
        .execute_batch("ALTER TABLE runs ALTER COLUMN start_time TYPE text USING start_time::text")
        .unwrap();
    let run_id = &herd.store.versions(&herdbook_store::VersionQuery::default()).unwrap();
    let run_id = run_id.records[0].run_id.clone().unwrap();
    let read = herd.store.run(&run_id);
    if let Err(error) = &read {
        assert!(matches!(error, StoreError::BrokenRecord { .. }), "{error}");
        assert!(error.to_string().contains("`start_time`"), "{error}");
    }
    let found = herd.store.examination().unwrap();
    assert!(!found.breaches.is_empty());
}

#[test]
fn event_that_a_rule_drops_is_noticed() {
    let herd = Herd::new();
    herd.train(None, 1.0);
    let before = herd.store.events(&EventQuery::default()).unwrap();
    let rule = "CREATE RULE dropped AS ON INSERT TO herdbook_events DO INSTEAD NOTHING";
    herd.foreign().execute_batch(rule).unwrap();
    let refused = herd.store.promote(&promotion(1, Stage::Beta), Effect::Commit).unwrap_err();
    assert!(refused.to_string().contains("a trigger or rule"), "{refused}");
    herd.foreign().execute_batch("DROP RULE dropped ON herdbook_events").unwrap();
    assert_eq!(herd.store.events(&EventQuery::default()).unwrap(), before);
    assert_eq!(herd.store.diagnose().unwrap(), []);
}

#[test]
fn event_that_cannot_be_parsed_is_described_and_hides_no_other() {
    let herd = Herd::new();
    herd.train(None, 1.0);
    herd.foreign().execute_batch("UPDATE herdbook_events SET kind = '{}' WHERE id = 1").unwrap();
    let (events, unreadable) = herd.store.readable_events(&EventQuery::default()).unwrap();
    assert!(!events.is_empty());
    assert!(unreadable.len() == 1 && unreadable[0].contains('1'), "{unreadable:?}");
}
