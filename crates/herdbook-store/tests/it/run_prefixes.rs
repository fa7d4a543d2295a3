//! Naming a run by the beginning of its id.

use herdbook_domain::{RunId, RunPrefix, VersionKey};
use herdbook_store::{StoreError, VersionOrRun};

use crate::herd::{Herd, model, number};

fn beginning(run_id: &RunId, n_digits: usize) -> RunPrefix {
    RunPrefix::parse(&run_id.as_str()[..n_digits]).unwrap()
}

#[test]
fn run_is_found_by_the_beginning_of_its_id_registered_or_not() {
    let herd = Herd::new();
    let registered = herd.train(None, 1.0);
    let (started, _) = herd.start(None);
    for run_id in [&registered, &started] {
        for n_digits in [8, 20, 32] {
            let found = herd.store.run_id_of(&beginning(run_id, n_digits)).unwrap();
            assert_eq!(found, *run_id, "{n_digits}");
        }
    }
}

#[test]
fn beginning_of_no_run_id_finds_nothing() {
    let herd = Herd::new();
    let run_id = herd.train(None, 1.0);
    let (known, next) = run_id.as_str().split_at(20);
    let text = format!("{known}{}", if next.starts_with('0') { '1' } else { '0' });
    let found = herd.store.run_id_of(&RunPrefix::parse(&text).unwrap());
    assert!(matches!(found, Err(StoreError::NoSuchRunPrefix { .. })), "{found:?}");
}

#[test]
fn version_counts_before_a_run_and_a_run_where_there_is_no_such_version() {
    let herd = Herd::new();
    let run_id = herd.train(None, 1.0);
    let prefix = beginning(&run_id, 8);
    let key = |n| VersionKey { name: model(), version: number(n) };
    let named = herd.store.version_or_run(&key(7), &prefix).unwrap();
    assert!(matches!(named, VersionOrRun::Run(found) if found == run_id));
    let named = herd.store.version_or_run(&key(1), &beginning(&run_id, 4)).unwrap();
    assert!(matches!(named, VersionOrRun::Version(found) if found.key == key(1)));
    let both = herd.store.version_or_run(&key(1), &prefix);
    assert!(matches!(both, Err(StoreError::VersionOrRun { .. })), "{both:?}");
}
