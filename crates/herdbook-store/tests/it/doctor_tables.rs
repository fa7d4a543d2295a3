//! The doctor on the tables and indexes of herdbook.

use herdbook_domain::tags::key;
use herdbook_domain::{Breach, BreachKind};
use herdbook_store::{Missing, Store};

use crate::doctor::{foreign, herd, kinds, set_tag};
use crate::herd::{options, session};

#[test]
fn two_champions_are_named_and_never_chosen_between() {
    let herd = herd();
    foreign(&herd, "DROP INDEX herdbook_one_champion");
    set_tag(&herd, 2, "promotion_stage", "champion");
    let ailing = Store::open_for_doctor(herd.store.location().clone(), &options(Missing::Refuse));
    let ailing = session(&ailing.unwrap());
    let found = ailing.repair().unwrap();
    let expected = [BreachKind::TwoChampions, BreachKind::Stage, BreachKind::Schema];
    assert_eq!(kinds(&found), expected, "{found:#?}");
    assert!(found.iter().all(Breach::is_open));
    let line = found[0].line();
    assert!(line.contains("version 1 (its history ends in `champion`)"), "{line}");
    assert!(line.contains("version 2 (its history ends in `beta`)"), "{line}");
    // After a person has chosen the champion, the doctor repairs the rest.
    set_tag(&herd, 2, "promotion_stage", "archived");
    let repaired = ailing.repair().unwrap();
    assert_eq!(kinds(&repaired), [BreachKind::Stage, BreachKind::Schema]);
    assert!(repaired.iter().all(|breach| !breach.is_open()), "{repaired:#?}");
    assert_eq!(herd.another_store().opened(), herdbook_store::Opened::AsItWas);
    assert_eq!(herd.store.diagnose().unwrap(), []);
    herd.assert_invariants();
}

#[test]
fn indexes_that_opening_put_back_are_named() {
    let herd = herd();
    foreign(
        &herd,
        "DROP INDEX herdbook_one_champion;
         DROP INDEX herdbook_best_metrics;
         CREATE INDEX herdbook_best_metrics ON latest_metrics (key, is_nan, value, run_uuid);",
    );
    let found = herd.another_store().diagnose().unwrap();
    assert_eq!(kinds(&found), [BreachKind::Schema, BreachKind::Schema]);
    assert!(found.iter().all(|breach| !breach.is_open()), "{found:#?}");
    assert_eq!(herd.another_store().diagnose().unwrap(), []);
}

#[test]
fn nothing_is_set_back_to_a_broken_history() {
    let herd = herd();
    foreign(&herd, "UPDATE herdbook_events SET to_state = 'archived' WHERE id = 8");
    let line = herd.store.repair().unwrap()[0].line();
    assert!(line.starts_with("the history is broken: event 8 was altered"), "{line}");
    assert_eq!(herd.tag(2, key::PROMOTION_STAGE).unwrap(), "beta");
    foreign(&herd, "UPDATE herdbook_events SET kind = 'nonsense' WHERE id = 8");
    let line = herd.store.diagnose().unwrap()[0].line();
    assert!(line.contains("unknown event kind `nonsense`"), "{line}");
}
