//! The event log: the hash chain notices every change, and the past can be read from it.

use herdbook_domain::{
    ActContext, Actor, ChainBreak, Channel, Event, EventDraft, EventKind, GENESIS_HASH, Stage,
    Timestamp, VersionNumber, champion_at, verify_chain,
};
use proptest::prelude::*;

use crate::register::{Register, model};
use crate::rules::{act, perform};

const START_MS: i64 = 1_749_565_025_000;

fn context() -> ActContext {
    ActContext {
        act_id: "an act".to_owned(),
        actor: Actor::parse("tester").unwrap(),
        channel: Channel::Cli,
    }
}

/// Seals drafts as one log.
fn sealed(drafts: &[(Timestamp, EventDraft)]) -> Vec<Event> {
    let mut log: Vec<Event> = Vec::new();
    for (at, draft) in drafts {
        let previous = log.last().map_or(GENESIS_HASH, |event| &event.hash).to_owned();
        let id = log.len() as i64 + 1;
        log.push(Event::seal(id, *at, &context(), draft.clone(), &previous));
    }
    log
}

fn draft(text: &str) -> EventDraft {
    EventDraft {
        name: Some(model()),
        reason: Some(text.to_owned()),
        ..EventDraft::new(EventKind::StageChanged, &serde_json::json!({"v": 1}))
    }
}

fn any_log(n_events: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Event>> {
    prop::collection::vec(("[a-z]{0,6}", 0..10_000_i64), n_events).prop_map(|events| {
        let drafts: Vec<_> = events
            .iter()
            .map(|(text, at)| (Timestamp::from_millis(START_MS + at), draft(text)))
            .collect();
        sealed(&drafts)
    })
}

/// One change to the fields of an event by someone who does not recompute its hash.
fn alter(event: &mut Event, which: usize) {
    match which {
        0 => event.at = Timestamp::from_millis(event.at.millis() + 1),
        1 => event.actor.push('x'),
        2 => event.channel = Channel::Http,
        3 => event.what.kind = EventKind::Evaluated,
        4 => event.what.version = VersionNumber::new(99),
        5 => event.what.reason = Some("another reason".to_owned()),
        6 => event.what.details.push(' '),
        7 => event.act_id.push('x'),
        _ => event.hash.replace_range(0..1, if event.hash.starts_with('0') { "1" } else { "0" }),
    }
}

#[test]
fn empty_log_ends_with_the_genesis_hash() {
    assert_eq!(verify_chain(&[]), Ok(GENESIS_HASH.to_owned()));
}

proptest! {
    #[test]
    fn prop_sealed_log_is_whole_and_ends_with_the_hash_of_its_last_event(log in any_log(1..12)) {
        prop_assert_eq!(verify_chain(&log), Ok(log.last().unwrap().hash.clone()));
    }

    #[test]
    fn prop_altered_event_is_named(log in any_log(1..12), idx in any::<usize>(), which in 0..9_usize) {
        let idx = idx % log.len();
        let mut altered = log.clone();
        alter(&mut altered[idx], which);
        prop_assert_eq!(verify_chain(&altered), Err(ChainBreak::Content { id: altered[idx].id }));
    }

    #[test]
    fn prop_altered_event_with_a_new_hash_breaks_the_link_after_it(
        log in any_log(2..12), idx in any::<usize>(), which in 0..8_usize,
    ) {
        let idx = idx % (log.len() - 1);
        let mut altered = log.clone();
        alter(&mut altered[idx], which);
        altered[idx].hash = altered[idx].compute_hash();
        prop_assert_eq!(verify_chain(&altered), Err(ChainBreak::Link { id: log[idx + 1].id }));
    }

    #[test]
    fn prop_removed_or_exchanged_event_is_a_gap(log in any_log(2..12), idx in any::<usize>()) {
        let idx = idx % (log.len() - 1);
        let gap = Err(ChainBreak::Gap { expected: idx as i64 + 1, found: idx as i64 + 2 });
        let mut removed = log.clone();
        removed.remove(idx);
        prop_assert_eq!(verify_chain(&removed), gap.clone());
        let mut exchanged = log.clone();
        exchanged.swap(idx, idx + 1);
        prop_assert_eq!(verify_chain(&exchanged), gap);
    }

    #[test]
    fn prop_log_that_lost_its_end_has_another_head(log in any_log(2..12), n_left in any::<usize>()) {
        let n_left = n_left % log.len();
        let head = verify_chain(&log).unwrap();
        prop_assert_ne!(verify_chain(&log[..n_left]).unwrap(), head);
    }

    #[test]
    fn prop_champion_of_a_past_moment_is_the_one_there_was(
        acts in prop::collection::vec((act(), 1..90_000_i64), 1..40),
    ) {
        let mut register = Register::default();
        let mut drafts = Vec::new();
        let mut champions = Vec::new();
        let mut at = START_MS;
        for (act, pause) in acts {
            at += pause;
            let now = Timestamp::from_millis(at);
            let n_before = register.events.len();
            let _ = perform(&mut register, &act, now);
            drafts.extend(register.events[n_before..].iter().map(|event| (now, event.clone())));
            champions.push((now, register.champion()));
        }
        let log = sealed(&drafts);
        let champion = |at| champion_at(&log, at).map(|event| {
            assert_eq!(event.what.to.as_deref(), Some(Stage::Champion.as_str()));
            event.what.version.unwrap()
        });
        for (now, expected) in &champions {
            prop_assert_eq!(champion(*now), *expected, "at {}", now);
        }
        prop_assert_eq!(champion(Timestamp::from_millis(START_MS)), None);
    }
}
