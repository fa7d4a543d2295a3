//! The end of the history is remembered outside of the store, and a changed history is noticed.

use std::path::Path;
use std::sync::{Arc, Mutex};

use herdbook_domain::{BreachKind, EventKind, Reason, Stage};
use herdbook_store::{
    Effect, EventQuery, Level, Missing, Notices, OpenOptions, Session, StoreError,
};

use crate::backend;
use crate::herd::{Herd, options, promotion};

/// The messages that a store passed on.
type Heard = Arc<Mutex<Vec<(Level, String)>>>;

/// Opens the herd's store with a memory in a folder.
fn remembering(herd: &Herd, memory: &Path) -> (Session, Heard) {
    let heard = Heard::default();
    let list = Arc::clone(&heard);
    let receive = move |level, text: &str| list.lock().unwrap().push((level, text.to_owned()));
    let options = OpenOptions {
        state_folder: Some(memory.to_owned()),
        notices: Notices::new(receive),
        ..options(Missing::Refuse)
    };
    (backend::open_with(herd.store.location(), &options).unwrap(), heard)
}

fn warnings(heard: &Heard) -> Vec<String> {
    let heard = heard.lock().unwrap();
    let warnings = heard.iter().filter(|(level, _)| *level == Level::Warning);
    warnings.map(|(_, text)| text.clone()).collect()
}

#[test]
fn shortened_history_warns_look_ups_and_refuses_acts_until_it_is_accepted() {
    let herd = Herd::new();
    let memory = tempfile::tempdir().unwrap();
    let (store, heard) = remembering(&herd, memory.path());
    herd.train(None, 1.0);
    let n_before = store.events(&EventQuery::default()).unwrap().len();
    assert!(store.history_change().is_none());
    store.promote(&promotion(1, Stage::Beta), Effect::Commit).unwrap();
    drop(store);
    herd.foreign().execute_batch(backend::SHORTENED).unwrap();

    let (store, heard_later) = remembering(&herd, memory.path());
    let n_left = store.events(&EventQuery::default()).unwrap().len();
    assert!(n_left < n_before);
    let warning = &warnings(&heard_later)[0];
    let text = format!("but had {} events when it was last seen", n_before + 1);
    assert!(warning.contains(&text), "{warning}");
    let change = store.history_change().unwrap();
    assert_eq!((change.remembered.event, change.found.event), (n_before as i64 + 1, n_left as i64));
    let refused = store.promote(&promotion(1, Stage::Beta), Effect::Commit).unwrap_err();
    assert!(matches!(refused, StoreError::HistoryChanged { .. }), "{refused}");

    let reason = Reason::parse("a test").unwrap();
    assert_eq!(store.accept_history(&reason).unwrap(), Some(change));
    assert_eq!(store.accept_history(&reason).unwrap(), None);
    let events = store.events(&EventQuery::default()).unwrap();
    assert_eq!(events.last().unwrap().what.kind, EventKind::HistoryAccepted);
    let (store, heard_last) = remembering(&herd, memory.path());
    store.events(&EventQuery::default()).unwrap();
    assert_eq!((warnings(&heard), warnings(&heard_last)), (vec![], vec![]));
}

#[test]
fn acts_and_look_ups_of_many_threads_and_stores_raise_no_alarm() {
    let herd = Herd::new();
    let memory = tempfile::tempdir().unwrap();
    herd.train(None, 1.0);
    let stores: Vec<_> = (0..3).map(|_| remembering(&herd, memory.path())).collect();
    let (herd, memory) = (&herd, memory.path());
    std::thread::scope(|scope| {
        for (store, _) in &stores {
            scope.spawn(move || {
                for stage in [Stage::Beta, Stage::Development].repeat(backend::RACE_ROUNDS as usize)
                {
                    match store.promote(&promotion(1, stage), Effect::Commit) {
                        Ok(_) | Err(StoreError::Refused(_)) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
            });
            scope.spawn(move || {
                for _ in 0..backend::RACE_ROUNDS {
                    store.events(&EventQuery::default()).unwrap();
                    // Another process reads what was remembered up to now.
                    let (other, heard) = remembering(herd, memory);
                    other.events(&EventQuery::default()).unwrap();
                    assert_eq!(warnings(&heard), Vec::<String>::new());
                }
            });
        }
    });
    for (store, heard) in &stores {
        assert!(store.history_change().is_none());
        assert_eq!(warnings(heard), Vec::<String>::new());
    }
}

#[test]
fn dry_run_is_not_remembered() {
    let herd = Herd::new();
    let memory = tempfile::tempdir().unwrap();
    herd.train(None, 1.0);
    let (store, _) = remembering(&herd, memory.path());
    store.promote(&promotion(1, Stage::Beta), Effect::DryRun).unwrap();
    drop(store);
    let (store, heard) = remembering(&herd, memory.path());
    store.promote(&promotion(1, Stage::Beta), Effect::Commit).unwrap();
    assert_eq!(warnings(&heard), Vec::<String>::new());
}

#[test]
fn unusable_memory_is_announced_once_and_harmless() {
    let herd = Herd::new();
    let memory = tempfile::NamedTempFile::new().unwrap();
    let (store, heard) = remembering(&herd, memory.path());
    let (run_id, origin) = herd.start(None);
    herd.finish(&run_id, origin, 1.0);
    store.promote(&promotion(1, Stage::Beta), Effect::Commit).unwrap();
    store.promote(&promotion(1, Stage::Development), Effect::Commit).unwrap();
    let notes = heard.lock().unwrap();
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert!(notes[0].1.contains("may go unnoticed"), "{notes:?}");
}

#[test]
fn damaged_memory_is_no_reason_to_trust_a_shortened_history() {
    for damage in [b"garbage".to_vec(), vec![b' '; 70_000], b"{\"v\":1}".to_vec()] {
        let herd = Herd::new();
        let memory = tempfile::tempdir().unwrap();
        let (store, _) = remembering(&herd, memory.path());
        herd.train(None, 1.0);
        store.promote(&promotion(1, Stage::Beta), Effect::Commit).unwrap();
        drop(store);
        let files: Vec<_> = std::fs::read_dir(memory.path().join("heads"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        assert_eq!(files.len(), 2);
        // One of the two files is enough.
        std::fs::write(&files[0], &damage).unwrap();
        let (store, heard) = remembering(&herd, memory.path());
        store.events(&EventQuery::default()).unwrap();
        assert!(store.history_change().is_none());
        assert_eq!(warnings(&heard), Vec::<String>::new());
        store.promote(&promotion(1, Stage::Development), Effect::Commit).unwrap();
        drop(store);

        for file in &files {
            std::fs::write(file, &damage).unwrap();
        }
        herd.foreign().execute_batch(backend::SHORTENED).unwrap();
        // Reading does not put the shortened history in the place of the damaged memory.
        for _ in 0..2 {
            let (store, heard) = remembering(&herd, memory.path());
            store.events(&EventQuery::default()).unwrap();
            assert!(warnings(&heard)[0].contains("is damaged"), "{:?}", warnings(&heard));
            let kinds: Vec<_> =
                store.examination().unwrap().breaches.iter().map(|it| it.kind).collect();
            assert!(kinds.contains(&BreachKind::RememberedHistory), "{kinds:?}");
            let refused = store.promote(&promotion(1, Stage::Beta), Effect::Commit).unwrap_err();
            assert!(matches!(refused, StoreError::HistoryChanged { .. }), "{refused}");
        }
        let (store, _) = remembering(&herd, memory.path());
        assert!(store.accept_history(&Reason::parse("a test").unwrap()).unwrap().is_some());
        drop(store);
        let (store, heard) = remembering(&herd, memory.path());
        store.events(&EventQuery::default()).unwrap();
        assert_eq!(warnings(&heard), Vec::<String>::new());
    }
}
