//! Acts that clients of a server submit: by the hash of a plan, and with an id.

use herdbook_domain::{Conditions, Event, EventKind, Reason, RollbackRequest, Stage};
use herdbook_store::{
    ActId, Effect, EventQuery, HistoryQuery, MetricSelection, ModelPageQuery, Order, Planned,
    StoreError, Submission, Submitted, VersionOrder,
};

use crate::herd::{Herd, metric, model, promotion, version};

fn submission(act_id: Option<&str>, plan_hash: Option<&str>) -> Submission {
    let act_id: Option<ActId> = act_id.map(|text| text.repeat(16).parse().unwrap());
    Submission { act_id, plan_hash: plan_hash.map(str::to_owned) }
}

/// Submits the promotion of a version to champion.
fn submit(
    herd: &Herd,
    of: i64,
    effect: Effect,
    submission: &Submission,
) -> Result<Submitted, StoreError> {
    let request = promotion(of, Stage::Champion);
    herd.store.submit_promotion(&Conditions::default(), &request, effect, submission)
}

fn now(submitted: Submitted) -> Planned {
    match submitted {
        Submitted::Now(planned) => *planned,
        Submitted::Before(events) => panic!("done before: {events:?}"),
    }
}

fn before(submitted: Submitted) -> Vec<Event> {
    match submitted {
        Submitted::Before(events) => events,
        Submitted::Now(planned) => panic!("done now: {planned:?}"),
    }
}

/// Version 1 is champion, version 2 in beta.
fn herd() -> Herd {
    let herd = Herd::new();
    let base = herd.train(None, 1.0);
    herd.promote(1, Stage::Beta).unwrap();
    herd.promote(1, Stage::Champion).unwrap();
    herd.train(Some(&base), 2.0);
    herd.promote(2, Stage::Beta).unwrap();
    herd
}

fn n_events(herd: &Herd) -> usize {
    herd.store.events(&EventQuery::default()).unwrap().len()
}

#[test]
fn submitted_act_is_done_once_also_through_another_connection() {
    let herd = herd();
    let once = submission(Some("a1"), None);
    let done = now(submit(&herd, 2, Effect::Commit, &once).unwrap());
    let n = n_events(&herd);
    let again = before(submit(&herd, 2, Effect::Commit, &once).unwrap());
    assert_eq!(again, done.promotion.events);
    assert!(again.iter().all(|event| event.act_id == "a1".repeat(16)));
    let request = promotion(2, Stage::Champion);
    let elsewhere = herd
        .another_store()
        .submit_promotion(&Conditions::default(), &request, Effect::Commit, &once)
        .unwrap();
    assert_eq!((before(elsewhere), n_events(&herd)), (done.promotion.events, n));
    herd.assert_invariants();
}

#[test]
fn refused_act_leaves_its_id_free() {
    let herd = herd();
    let once = submission(Some("a2"), Some("another plan"));
    let refused = submit(&herd, 2, Effect::Commit, &once).unwrap_err();
    assert!(matches!(refused, StoreError::PlanChanged { .. }), "{refused}");
    now(submit(&herd, 2, Effect::Commit, &submission(Some("a2"), None)).unwrap());
    herd.assert_invariants();
}

#[test]
fn plan_has_the_same_hash_until_facts_change() {
    let herd = herd();
    let none = Submission::default();
    let plan = || now(submit(&herd, 2, Effect::DryRun, &none).unwrap()).plan_hash;
    let first = plan();
    assert_eq!(plan(), first);
    herd.promote(1, Stage::Archived).unwrap();
    let second = plan();
    assert_ne!(second, first);
    let refused = submit(&herd, 2, Effect::Commit, &submission(None, Some(&first))).unwrap_err();
    assert!(
        matches!(&refused, StoreError::PlanChanged { found, .. } if *found == second),
        "{refused}"
    );
    let done = submit(&herd, 2, Effect::Commit, &submission(None, Some(&second))).unwrap();
    assert_eq!(now(done).plan_hash, second);
    herd.assert_invariants();
}

#[test]
fn submitted_rollback_is_done_once() {
    let herd = herd();
    herd.promote(2, Stage::Champion).unwrap();
    let reason = Reason::parse("it lost money").unwrap();
    let request = RollbackRequest { name: model(), reason, force: false };
    let once = submission(Some("b1"), None);
    let roll_back = || herd.store.submit_rollback(&request, Effect::Commit, &once).unwrap();
    let done = now(roll_back()).promotion.events;
    assert_eq!((before(roll_back()), done.len()), (done, 3));
    let other = RollbackRequest { reason: Reason::parse("another").unwrap(), ..request.clone() };
    let refused = herd.store.submit_rollback(&other, Effect::Commit, &once).unwrap_err();
    assert!(matches!(refused, StoreError::ActIdUsed { .. }), "{refused}");
    herd.assert_invariants();
}

#[test]
fn pages_of_the_history_have_every_event_once() {
    let herd = herd();
    let all: Vec<i64> =
        herd.store.events(&EventQuery::default()).unwrap().iter().map(|event| event.id).collect();
    let (mut paged, mut after) = (Vec::new(), None);
    loop {
        let query =
            HistoryQuery { after, order: Order::OldestFirst, limit: 2, ..HistoryQuery::default() };
        let page = herd.store.history(&query).unwrap();
        paged.extend(page.events.iter().map(|event| event.id));
        after = page.last;
        if !page.has_more {
            break;
        }
    }
    assert_eq!(paged, all);
    assert_eq!(herd.store.last_event_id().unwrap(), *all.last().unwrap());
    let events = EventQuery {
        name: Some(model()),
        kind: Some(EventKind::Registered),
        ..EventQuery::default()
    };
    let query = HistoryQuery {
        events,
        actor: Some("tester".to_owned()),
        limit: 9,
        ..HistoryQuery::default()
    };
    assert_eq!(herd.store.history(&query).unwrap().events.len(), 2);
}

#[test]
fn page_of_a_model_is_sorted_by_sealed_values() {
    let herd = herd();
    let page = |order, is_reversed| {
        let query = ModelPageQuery {
            name: model(),
            stage: None,
            model_type: None,
            version_type: None,
            honesty: None,
            order,
            is_reversed,
            offset: 0,
            limit: 10,
        };
        let records = herd.store.model_page(&query).unwrap().records;
        records.iter().map(|record| record.key.version.get()).collect::<Vec<_>>()
    };
    let by_reward = || VersionOrder::Metric("evaluation/best_mean_reward".to_owned());
    assert_eq!((page(by_reward(), false), page(by_reward(), true)), (vec![2, 1], vec![1, 2]));
    assert_eq!(page(VersionOrder::Stage, false), [1, 2]);
}

#[test]
fn curve_and_relatives_are_bounded() {
    let herd = Herd::new();
    let (run_id, _) = herd.start(None);
    let values: Vec<_> = (0..100).map(|step| metric("loss", step as f64, step)).collect();
    herd.store.log_metrics(&run_id, &values).unwrap();
    let curve = herd.store.curve(&run_id, "loss", 4).unwrap();
    let extremes: Vec<_> = curve.points.iter().map(|point| (point.min, point.max)).collect();
    assert_eq!(extremes, [(0.0, 24.0), (25.0, 49.0), (50.0, 74.0), (75.0, 99.0)]);
    let base = herd.train(None, 1.0);
    let child = herd.train(Some(&base), 2.0);
    herd.train(Some(&child), 3.0);
    herd.train(None, 4.0);
    let relatives = |of: Option<i64>, limit| {
        let of = of.map(version);
        let found = herd.store.relatives(&model(), of.as_ref(), (limit, MetricSelection::All));
        let found = found.unwrap();
        let numbers: Vec<_> = found.records.iter().map(|it| it.key.version.get()).collect();
        (numbers, found.is_cut)
    };
    assert_eq!(relatives(Some(3), 10), (vec![1, 2, 3], false));
    assert_eq!(relatives(Some(3), 2), (vec![1, 2], true));
    assert_eq!(relatives(None, 10), (vec![1, 2, 3, 4], false));
}
