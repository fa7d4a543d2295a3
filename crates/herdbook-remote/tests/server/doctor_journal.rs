//! The doctor on a server, where the history is a journal and no index refuses a second champion.

use herdbook_domain::{Breach, BreachKind, Remedy, Stage};
use herdbook_store::{Missing, StoreError};

use crate::doctor::{foreign, herd, kinds, set_tag};
use crate::herd::{options, session};

#[test]
fn two_champions_stop_every_act_until_a_person_has_chosen() {
    let herd = herd();
    set_tag(&herd, 2, "promotion_stage", "champion");
    let refused = herd.promote(1, Stage::Archived);
    assert!(matches!(refused, Err(StoreError::TwoChampions { .. })), "{refused:?}");
    let ailing =
        herdbook_remote::open_for_doctor(herd.store.location().clone(), &options(Missing::Refuse));
    let ailing = session(&ailing.unwrap());
    let found = ailing.repair().unwrap();
    assert_eq!(kinds(&found), [BreachKind::TwoChampions, BreachKind::Stage], "{found:#?}");
    assert!(found.iter().all(Breach::is_open));
    set_tag(&herd, 2, "promotion_stage", "archived");
    let repaired = ailing.repair().unwrap();
    assert_eq!(kinds(&repaired), [BreachKind::Stage]);
    assert!(repaired.iter().all(|breach| !breach.is_open()), "{repaired:#?}");
    assert_eq!(herd.store.diagnose().unwrap(), []);
    herd.assert_invariants();
}

#[test]
fn nothing_is_set_back_to_a_journal_that_was_altered() {
    let herd = herd();
    set_tag(&herd, 1, "version_type", "latest");
    foreign(
        &herd,
        "UPDATE params SET value = replace(value, '\"reason\":\"tested\"', '\"reason\":\"altered\"')
         WHERE key = 'act.5'",
    );
    let found = herd.another_store().repair().unwrap();
    assert!(found[0].line().starts_with("the history is broken: event "), "{found:#?}");
    assert!(found.iter().all(|breach| matches!(breach.remedy, Remedy::None(_))), "{found:#?}");
}
