//! One opened store used by many threads: actors, the limit on connections, and panics.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Barrier, mpsc};
use std::time::Duration;

use herdbook_domain::{Actor, Channel, EventKind, RunId};
use herdbook_store::{
    EventQuery, Location, Missing, OpenOptions, Store, StoreError, UnfinishedEnd, VersionQuery,
};

use crate::backend::Database;
use crate::herd::{Herd, metric, model, options, session, start};

/// A second opening of a herd's store, with few connections and little patience.
fn narrow(herd: &Herd, max_connections: usize) -> Store {
    let busy_timeout = Duration::from_millis(50);
    let options = OpenOptions { max_connections, busy_timeout, ..options(Missing::Refuse) };
    Store::open(herd.store.location().clone(), &options).unwrap()
}

/// A look-up that uses its connection.
fn is_empty(store: &Store) -> Result<bool, StoreError> {
    Ok(store.versions(&VersionQuery::default())?.records.is_empty())
}

#[test]
fn threads_share_one_store_and_each_acts_under_its_own_name() {
    const THREADS: usize = 8;
    const ROUNDS: usize = 4;
    let folder = tempfile::tempdir().unwrap();
    let database = Database::new(folder.path());
    // Fewer connections than threads: they take turns.
    let options = OpenOptions { max_connections: 3, ..options(Missing::Create) };
    let store = Store::open(database.location.clone(), &options).unwrap();
    let barrier = Barrier::new(THREADS);
    let started: BTreeMap<RunId, String> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let (store, barrier) = (store.clone(), &barrier);
                scope.spawn(move || {
                    let name = format!("actor {thread}");
                    let channel =
                        if thread.is_multiple_of(2) { Channel::Cli } else { Channel::Python };
                    let session = store.session(Actor::parse(&name).unwrap(), channel);
                    barrier.wait();
                    let round = |round: usize| {
                        let run_id = session.start_run(&start(None)).unwrap();
                        session.log_metrics(&run_id, &[metric("loss", round as f64, 1)]).unwrap();
                        let logged = session.run(&run_id).unwrap().metric("loss").unwrap();
                        assert_eq!(logged.to_string(), round.to_string());
                        let (model, end) = (model(), UnfinishedEnd::Killed);
                        session.end_run(&run_id, &model, end, "a test").unwrap();
                        (run_id, name.clone())
                    };
                    (0..ROUNDS).map(round).collect::<Vec<_>>()
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(started.len(), THREADS * ROUNDS);
    let events = store.events(&EventQuery::default()).unwrap();
    assert_eq!(events.len(), 2 * THREADS * ROUNDS);
    for event in events {
        let run_id = event.what.run_id.unwrap();
        assert_eq!(event.actor, started[&run_id], "{:?} of {run_id}", event.what.kind);
        let number: usize = event.actor.trim_start_matches("actor ").parse().unwrap();
        let channel = if number.is_multiple_of(2) { Channel::Cli } else { Channel::Python };
        assert_eq!(event.channel, channel);
        assert_eq!(store.run(&run_id).unwrap().tags["mlflow.user"], event.actor);
    }
}

#[test]
fn look_up_beyond_the_limit_waits_and_is_then_refused_as_busy() {
    let herd = Herd::new();
    let store = narrow(&herd, 2);
    std::thread::scope(|scope| {
        let (held, is_held) = mpsc::channel();
        let mut releases = Vec::new();
        for _ in 0..2 {
            let (release, is_released) = mpsc::channel::<()>();
            releases.push(release);
            let (store, held) = (&store, held.clone());
            scope.spawn(move || {
                store
                    .read(|_| {
                        held.send(()).unwrap();
                        is_released.recv().unwrap();
                        Ok(())
                    })
                    .unwrap();
            });
        }
        is_held.recv().unwrap();
        is_held.recv().unwrap();
        let busy = is_empty(&store).unwrap_err();
        assert!(matches!(busy, StoreError::StoreBusy { limit: 2, waited_s: 0, .. }), "{busy}");
        let text = busy.to_string();
        assert!(text.contains("is busy: all 2 connections were in use for 0 s"), "{text}");
        // A patient caller gets the first connection that is given back.
        let patient = OpenOptions { max_connections: 2, ..options(Missing::Refuse) };
        let other = Store::open(herd.store.location().clone(), &patient).unwrap();
        assert!(is_empty(&other).unwrap(), "another opening has connections of its own");
        for release in releases {
            release.send(()).unwrap();
        }
    });
    assert!(is_empty(&store).unwrap());
}

#[test]
fn look_up_inside_a_look_up_is_refused_as_busy_where_no_connection_is_left() {
    let herd = Herd::new();
    let store = narrow(&herd, 1);
    let nested = store.read(|_| is_empty(&store));
    assert!(matches!(nested, Err(StoreError::StoreBusy { limit: 1, .. })), "{nested:?}");
    let store = narrow(&herd, 2);
    assert!(store.read(|_| is_empty(&store)).unwrap());
}

#[test]
fn panics_in_look_ups_and_acts_leak_no_connection() {
    let herd = Herd::new();
    let run_id = herd.train(None, 1.0);
    let store = session(&narrow(&herd, 1));
    for _ in 0..3 {
        let look_up = || store.read::<()>(|_| resume_unwind(Box::new("look-up")));
        assert!(catch_unwind(AssertUnwindSafe(look_up)).is_err());
        let act = || {
            store.write::<()>(|act| {
                act.append(herdbook_store::now(), [draft()])?;
                resume_unwind(Box::new("act"))
            })
        };
        assert!(catch_unwind(AssertUnwindSafe(act)).is_err());
        assert_eq!(store.run(&run_id).unwrap().run_id, run_id);
    }
    let resumed = EventQuery { kind: Some(EventKind::RunResumed), ..EventQuery::default() };
    assert!(store.events(&resumed).unwrap().is_empty(), "the acts were rolled back");
    store.write(|act| act.append(herdbook_store::now(), [draft()])).unwrap();
    assert_eq!(store.events(&resumed).unwrap().len(), 1);
}

/// An event that no other act here writes.
fn draft() -> herdbook_domain::EventDraft {
    herdbook_domain::EventDraft::new(EventKind::RunResumed, &serde_json::json!({"v": 1}))
}

#[test]
fn store_of_no_connections_has_one() {
    let herd = Herd::new();
    assert!(is_empty(&narrow(&herd, 0)).unwrap());
}

#[test]
fn server_is_not_opened_as_a_database() {
    let folder = tempfile::tempdir().unwrap();
    let location = Location::resolve(Some("http://localhost:5000"), folder.path()).unwrap();
    let refused = Store::open(location, &options(Missing::Create)).unwrap_err();
    assert!(matches!(refused, StoreError::UnsupportedUri { .. }), "{refused}");
}
