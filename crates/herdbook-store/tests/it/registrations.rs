//! The table of registrations: filled from the log when it is new, missing or changed by other programs.

use herdbook_domain::{Breach, BreachKind, Honesty};
use herdbook_store::Opened;

use crate::backend;
use crate::doctor::{foreign, kinds};
use crate::herd::{Herd, MODEL_FILE, finish};

/// Version 1 is clean, version 2 contaminated.
fn herd() -> Herd {
    let herd = Herd::new();
    herd.train(None, 1.0);
    let (run_id, origin) = herd.start(None);
    herd.store.store_artifact(&run_id, "models/1H/model.zip", MODEL_FILE).unwrap();
    let mut contaminated = finish(&run_id, origin, &[]);
    contaminated.registration.honesty = Honesty::Contaminated;
    herd.store.finish_and_register(&contaminated).unwrap();
    herd
}

/// The version in the table with an honesty, by the event that registered it.
fn registered(herd: &Herd, honesty: &str) -> Option<i64> {
    let sql = format!(
        "SELECT g.version FROM herdbook_registrations g JOIN herdbook_events e ON e.id = g.event_id
         WHERE e.kind = 'registered' AND e.version = g.version AND e.name = g.name
           AND g.honesty = '{honesty}'"
    );
    backend::number(&herd.foreign(), &sql)
}

fn assert_filled(herd: &Herd) {
    assert_eq!((registered(herd, "clean"), registered(herd, "contaminated")), (Some(1), Some(2)));
}

#[test]
fn registration_writes_its_row() {
    let herd = herd();
    assert_filled(&herd);
    assert_eq!(herd.store.diagnose().unwrap(), []);
}

#[test]
fn store_of_layout_1_gets_the_table_filled_from_its_log() {
    let herd = herd();
    foreign(
        &herd,
        "DROP TABLE herdbook_registrations; DROP TABLE herdbook_seals;
         DROP TABLE herdbook_sealed_metrics; DELETE FROM herdbook_schema WHERE version > 1",
    );
    foreign(&herd, "INSERT INTO herdbook_schema VALUES (1)");
    let upgraded = herd.another_store();
    assert_eq!(upgraded.opened(), Opened::Completed);
    assert_filled(&herd);
    let layout = "SELECT max(version) FROM herdbook_schema";
    assert_eq!(backend::number(&herd.foreign(), layout), Some(3));
    assert_eq!(upgraded.diagnose().unwrap(), [], "an upgrade is not a fault");
    assert_eq!(herd.another_store().opened(), Opened::AsItWas);
}

#[test]
fn event_without_details_of_ours_leaves_the_honesty_open() {
    let herd = herd();
    foreign(
        &herd,
        "DROP TABLE herdbook_registrations;
         UPDATE herdbook_events SET details = 'not JSON' WHERE kind = 'registered' AND version = 1",
    );
    herd.another_store();
    assert_eq!((registered(&herd, "clean"), registered(&herd, "contaminated")), (None, Some(2)));
    let n_rows = "SELECT CAST(count(*) AS INTEGER) FROM herdbook_registrations";
    assert_eq!(backend::number(&herd.foreign(), n_rows), Some(2));
}

#[test]
fn dropped_table_is_filled_again_at_opening() {
    let herd = herd();
    foreign(&herd, "DROP TABLE herdbook_registrations");
    let opened = herd.another_store();
    assert_filled(&herd);
    let found = opened.diagnose().unwrap();
    assert_eq!(kinds(&found), [BreachKind::Schema]);
    assert!(!found[0].is_open(), "{}", found[0].line());
}

#[test]
fn rows_changed_by_other_programs_are_named_and_filled_again() {
    for change in [
        "DELETE FROM herdbook_registrations",
        "DELETE FROM herdbook_registrations WHERE version = 1",
        "UPDATE herdbook_registrations SET honesty = 'clean' WHERE version = 2",
        "UPDATE herdbook_registrations SET honesty = NULL",
        "INSERT INTO herdbook_registrations VALUES ('another', 1, 99, 'clean')",
    ] {
        let herd = herd();
        foreign(&herd, change);
        let found = herd.store.diagnose().unwrap();
        assert_eq!(kinds(&found), [BreachKind::Registrations], "{change}");
        let repaired = herd.store.repair().unwrap();
        assert_eq!(kinds(&repaired), [BreachKind::Registrations], "{change}");
        assert!(repaired.iter().all(|breach| !breach.is_open()), "{repaired:#?}");
        assert_filled(&herd);
        assert_eq!(herd.store.diagnose().unwrap(), []);
    }
}

#[test]
fn rows_are_not_filled_from_a_broken_history() {
    let herd = herd();
    foreign(
        &herd,
        "UPDATE herdbook_events SET details = '{\"v\":1,\"honesty\":\"clean\"}' WHERE kind = 'registered'",
    );
    let left = herd.store.repair().unwrap();
    let kinds = kinds(&left);
    assert_eq!(kinds[0], BreachKind::EventChain);
    assert!(kinds.ends_with(&[BreachKind::Registrations, BreachKind::Registrations]), "{kinds:?}");
    assert!(left.iter().all(Breach::is_open), "{left:#?}");
    assert_filled(&herd);
}
