//! The doctor on runs, leases, missing parents, the schema and a broken log.

use std::collections::{BTreeMap, BTreeSet};

use herdbook_domain::tags::{Tags, key};
use herdbook_domain::{
    ActContext, Actor, BreachKind, Channel, Event, EventDraft, EventKind, Fix, GENESIS_HASH,
    Orphan, Process, Records, Remedy, RunId, RunOnRecord, SchemaState, Stage, Storage, Subject,
    Timestamp, VersionKey, VersionNumber, VersionOnRecord, VersionRow, examine,
};

use crate::register::model;

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(1_749_565_025_000 + ms)
}

fn run() -> RunId {
    RunId::parse(&"a".repeat(32)).unwrap()
}

fn records() -> Records {
    Records {
        now: at(0),
        events: Ok(Vec::new()),
        versions: Vec::new(),
        aliases: BTreeMap::new(),
        runs: Vec::new(),
        orphans: Vec::new(),
        schema: Vec::new(),
        models: BTreeSet::from([model()]),
        run_rows: BTreeMap::new(),
        storage: Storage::Database,
    }
}

fn event(id: i64, draft: EventDraft, previous: &str) -> Event {
    let context = ActContext {
        act_id: "an act".to_owned(),
        actor: Actor::parse("tester").unwrap(),
        channel: Channel::Cli,
    };
    Event::seal(id, at(id), &context, draft, previous)
}

/// The log of a run that herdbook started.
fn started() -> Vec<Event> {
    let draft = EventDraft {
        name: Some(model()),
        run_id: Some(run()),
        ..EventDraft::new(EventKind::RunStarted, &serde_json::json!({"v": 1}))
    };
    vec![event(1, draft, GENESIS_HASH)]
}

fn run_on_record(is_running: bool, process: Process) -> RunOnRecord {
    RunOnRecord { run_id: run().to_string(), is_running, process }
}

#[test]
fn run_is_examined_by_its_status_its_lease_and_who_started_it() {
    for (is_running, process, is_ours, expected) in [
        (true, Process::Alive, true, None),
        (true, Process::Dead, true, Some((BreachKind::DeadRun, true))),
        (true, Process::Dead, false, Some((BreachKind::DeadRun, true))),
        (true, Process::Unknown, true, Some((BreachKind::DeadRun, false))),
        (true, Process::Unknown, false, None),
        (false, Process::Alive, true, Some((BreachKind::StrayLease, true))),
        (false, Process::Dead, true, Some((BreachKind::StrayLease, true))),
    ] {
        let mut records = records();
        records.events = Ok(if is_ours { started() } else { Vec::new() });
        records.runs = vec![run_on_record(is_running, process)];
        let found = examine(&records);
        let found: Vec<_> = found
            .iter()
            .map(|breach| (breach.kind, matches!(breach.remedy, Remedy::Possible(_))))
            .collect();
        assert_eq!(found, Vec::from_iter(expected), "{is_running} {process:?} {is_ours}");
    }
}

#[test]
fn dead_run_fails_and_the_log_says_so_at_or_after_its_last_event() {
    let mut records = records();
    records.now = at(-5_000);
    records.events = Ok(started());
    records.runs = vec![run_on_record(true, Process::Dead)];
    let [breach] = &examine(&records)[..] else { panic!("one breach") };
    let Remedy::Possible(repair) = &breach.remedy else { panic!("{breach:?}") };
    assert_eq!(repair.fixes, [Fix::FailRun(run())]);
    assert_eq!(repair.at, Some(at(1)), "a clock that was set back does not reorder the log");
    let later = examine(&Records { now: at(5_000), ..records.clone() }).remove(0);
    let Remedy::Possible(at_once) = later.remedy else { panic!("{later:?}") };
    assert_eq!(at_once.at, Some(at(5_000)));
    let [event] = &repair.events[..] else { panic!("{repair:?}") };
    assert_eq!(
        (event.kind, event.from.as_deref(), event.to.as_deref()),
        (EventKind::RunEnded, Some("RUNNING"), Some("FAILED"))
    );
}

#[test]
fn lease_with_an_invalid_run_id_is_removed_as_it_is_written() {
    let mut records = records();
    records.runs = vec![RunOnRecord {
        run_id: "not a\nrun id".to_owned(),
        is_running: false,
        process: Process::Dead,
    }];
    let [breach] = &examine(&records)[..] else { panic!("one breach") };
    let Remedy::Possible(repair) = &breach.remedy else { panic!("{breach:?}") };
    assert_eq!(repair.fixes, [Fix::RemoveLease("not a\nrun id".to_owned())]);
    assert_eq!(breach.message, "run `not a?run id` has a lease and is not RUNNING");
}

#[test]
fn missing_parent_is_reported_and_never_repaired() {
    let key = VersionKey { name: model(), version: VersionNumber::FIRST };
    let mut records = records();
    records.orphans = vec![
        Orphan { subject: Subject::of_version(&key, None), parent: "x".repeat(40) },
        Orphan {
            subject: Subject { run_id: Some(run()), ..Subject::default() },
            parent: "p".to_owned(),
        },
    ];
    let lines: Vec<String> =
        examine(&records).iter().map(|breach| breach.message.clone()).collect();
    assert_eq!(
        lines,
        [
            format!(
                "`1H_trading_model` version 1 names `{}…` as its parent, but there is no such run",
                "x".repeat(31)
            ),
            format!("run `{}` names `p` as its parent, but there is no such run", run()),
        ]
    );
    assert!(examine(&records).iter().all(|breach| matches!(breach.remedy, Remedy::None(_))));
}

/// A version of ours, tagged with a stage that its history does not end in.
fn mistagged(number: i64, tag: Stage) -> VersionOnRecord {
    VersionOnRecord {
        key: VersionKey { name: model(), version: VersionNumber::new(number).unwrap() },
        run_id: None,
        deleted: false,
        mlflow_stage: tag.mlflow_stage().to_owned(),
        row: VersionRow::default(),
        tags: Tags::from([
            (key::PROMOTION_STAGE.to_owned(), tag.to_string()),
            (key::VERSION_TYPE.to_owned(), "latest".to_owned()),
        ]),
        run_tags: None,
    }
}

fn adopted(id: i64, number: i64, stage: Stage, previous: &str) -> Event {
    let draft = EventDraft {
        name: Some(model()),
        version: VersionNumber::new(number),
        to: Some(stage.to_string()),
        ..EventDraft::new(EventKind::Adopted, &serde_json::json!({"v": 1}))
    };
    event(id, draft, previous)
}

#[test]
fn schema_is_repaired_unless_two_champions_stand_against_it() {
    for (state, is_contested, is_possible, is_done) in [
        (SchemaState::PutBack, false, false, true),
        (SchemaState::PutBackEmpty, false, false, false),
        (SchemaState::LeftOut, false, true, false),
        (SchemaState::LeftOut, true, false, false),
        (SchemaState::Missing, false, false, false),
    ] {
        let mut records = records();
        records.schema = vec![("herdbook_events".to_owned(), state)];
        if is_contested {
            records.versions = vec![mistagged(1, Stage::Champion), mistagged(2, Stage::Champion)];
        }
        let found = examine(&records);
        let schema = found.iter().find(|breach| breach.kind == BreachKind::Schema).unwrap();
        assert_eq!(matches!(schema.remedy, Remedy::Possible(_)), is_possible, "{state:?}");
        assert_eq!(!schema.is_open(), is_done, "{state:?}");
        let n_champions = found.iter().filter(|it| it.kind == BreachKind::TwoChampions).count();
        assert_eq!(n_champions, usize::from(is_contested));
    }
}

#[test]
fn broken_log_comes_first_and_withdraws_repairs_that_follow_it_but_no_others() {
    let log = vec![adopted(1, 1, Stage::Beta, GENESIS_HASH)];
    let mut records = records();
    records.events = Ok(log.clone());
    records.versions = vec![mistagged(1, Stage::Archived)];
    records.runs = vec![run_on_record(true, Process::Dead)];
    let possible = |records: &Records| -> Vec<BreachKind> {
        let found = examine(records);
        let is_possible = |it: &&_| matches!(it, Remedy::Possible(_));
        found.iter().filter(|it| is_possible(&&it.remedy)).map(|it| it.kind).collect()
    };
    assert_eq!(possible(&records), [BreachKind::Stage, BreachKind::DeadRun]);
    let mut altered = log;
    altered[0].what.reason = Some("altered".to_owned());
    for events in [Ok(altered), Err("it cannot be read".to_owned())] {
        let is_readable = events.is_ok();
        records.events = events;
        assert_eq!(possible(&records), [BreachKind::DeadRun]);
        let found = examine(&records);
        assert_eq!(found[0].kind, BreachKind::EventChain);
        let stage = found.iter().find(|breach| breach.kind == BreachKind::Stage);
        assert_eq!(stage.is_some(), is_readable, "{found:?}");
    }
}

#[test]
fn line_of_a_breach_ends_with_its_remedy() {
    let mut records = records();
    records.runs = vec![run_on_record(false, Process::Dead)];
    let breach = examine(&records).remove(0);
    let message = breach.message.clone();
    assert_eq!(
        breach.line(),
        format!("{message}; `herdbook doctor --repair`: the lease is removed")
    );
    assert_eq!(breach.repaired().line(), format!("{message}; repaired: the lease is removed"));
}
