//! Stores of an older herdbook, whose events hold no seals: they open unchanged, and the first act that rests on a version
//! seals it.

use herdbook_domain::{
    Event, EventKind, GENESIS_HASH, Honesty, MetricName, SealOrigin, Stage, VersionType,
    window_params,
};
use herdbook_store::{Candidates, Effect, EventQuery, Opened, RunStart, Session, StoreError};

use crate::backend;
use crate::herd::{Herd, candidates, promotion, start, version};
use crate::sealed::seal;

const METRIC: &str = "evaluation/best_mean_reward";

/// Rewrites the history as layout 2 had it, with a whole chain, and opens the store again.
fn as_of_an_older_herdbook(herd: &Herd) -> Session {
    let mut previous = GENESIS_HASH.to_owned();
    for mut event in herd.store.events(&EventQuery::default()).unwrap() {
        let mut details: serde_json::Value = serde_json::from_str(&event.what.details).unwrap();
        details.as_object_mut().unwrap().remove("sealed");
        details["v"] = 1.into();
        event.what.details = details.to_string();
        event.previous_hash.clone_from(&previous);
        event.hash = event.compute_hash();
        previous.clone_from(&event.hash);
        let Event { id, previous_hash, hash, .. } = &event;
        let details = event.what.details.replace('\'', "''");
        let update = format!(
            "UPDATE herdbook_events SET details = '{details}', previous_hash = '{previous_hash}',
                hash = '{hash}' WHERE id = {id}"
        );
        herd.foreign().execute_batch(&update).unwrap();
    }
    herd.foreign()
        .execute_batch(
            "DROP TABLE herdbook_seals; DROP TABLE herdbook_sealed_metrics;
             DELETE FROM herdbook_schema WHERE version > 2;
             INSERT INTO herdbook_schema VALUES (2)",
        )
        .unwrap_or_else(|_| {
            // The row of layout 2 is there if the store was upgraded.
            let rest = "DELETE FROM herdbook_schema WHERE version > 2";
            herd.foreign().execute_batch(rest).unwrap();
        });
    herd.another_store()
}

fn best(store: &Session) -> Option<(i64, f64)> {
    let best = store.find_best(&candidates(), &MetricName::parse(METRIC).unwrap()).unwrap()?;
    Some((best.version.key.version.get().into(), best.value))
}

fn log_later(herd: &Herd, of: i64, value: f64) {
    let update = format!(
        "UPDATE latest_metrics SET value = {value:?} WHERE key = '{METRIC}' AND run_uuid =
            (SELECT run_id FROM model_versions WHERE version = {of})"
    );
    herd.foreign().execute_batch(&update).unwrap();
}

#[test]
fn store_of_layout_2_opens_and_works_as_before() {
    let herd = Herd::new();
    for reward in [1.0, 3.0, 2.0] {
        herd.train(None, reward);
    }
    let store = as_of_an_older_herdbook(&herd);
    assert_eq!(store.opened(), Opened::Completed);
    assert_eq!(store.diagnose().unwrap(), [], "an upgrade is not a fault");
    assert_eq!(best(&store), Some((2, 3.0)));
    let latest = Candidates { version_type: Some(VersionType::Latest), ..candidates() };
    assert_eq!(store.find_latest(&latest).unwrap().unwrap().key, version(3));
    assert_eq!(store.version(&version(2)).unwrap().sealed, None);
    let layout = "SELECT max(version) FROM herdbook_schema";
    assert_eq!(backend::number(&herd.foreign(), layout), Some(3));
    assert_eq!(herd.another_store().opened(), Opened::AsItWas);
}

#[test]
fn first_act_that_rests_on_a_version_seals_it_and_later_values_do_not_count() {
    let herd = Herd::new();
    herd.train(None, 1.0);
    herd.train(None, 2.0);
    let store = as_of_an_older_herdbook(&herd);
    store.promote(&promotion(1, Stage::Beta), Effect::Commit).unwrap();
    let found = seal(&herd, 1).unwrap();
    assert_eq!((found.origin, found.facts.metric(METRIC)), (SealOrigin::OlderHerdbook, Some(1.0)));
    assert_eq!(found.facts.honesty, Honesty::Clean);
    assert_eq!(found.facts.files.keys().collect::<Vec<_>>(), ["model.zip"]);
    log_later(&herd, 1, 9.9);
    assert_eq!(best(&store), Some((2, 2.0)));
    // Of a version without a seal MLflow's value counts, until an act rests on it.
    log_later(&herd, 2, 5.0);
    assert_eq!(best(&store), Some((2, 5.0)));
    assert_eq!(seal(&herd, 2), None);
    // The doctor names the value that was logged after the seal.
    let found = store.diagnose().unwrap();
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].message.contains("is `9.9`, recorded as `1`"), "{}", found[0].message);
    herd.assert_invariants();
}

#[test]
fn champion_that_is_sealed_late_keeps_its_stage_and_its_time_in_beta() {
    let herd = Herd::new();
    herd.train(None, 1.0);
    herd.promote(1, Stage::Beta).unwrap();
    let store = as_of_an_older_herdbook(&herd);
    store.promote(&promotion(1, Stage::Champion), Effect::Commit).unwrap();
    let query = EventQuery { name: Some(version(1).name), ..EventQuery::default() };
    let adopted = EventQuery { kind: Some(EventKind::Adopted), ..query };
    let adopted = store.events(&adopted).unwrap().pop().unwrap();
    assert_eq!(adopted.what.to.as_deref(), Some("beta"));
    herd.assert_invariants();
    let down = promotion(1, Stage::Beta);
    store.promote(&down, Effect::Commit).unwrap();
    assert_eq!(store.diagnose().unwrap(), []);
}

#[test]
fn parent_is_sealed_when_the_training_of_its_child_starts() {
    let herd = Herd::new();
    let parent = herd.train(None, 1.0);
    let store = as_of_an_older_herdbook(&herd);
    let start: RunStart = start(Some(&parent));
    let run_id = store.start_run(&start).unwrap();
    log_later(&herd, 1, 9.9);
    let found = seal(&herd, 1).unwrap();
    assert_eq!(found.facts.metric(METRIC), Some(1.0));
    herd.finish(&run_id, start.origin, 2.0);
    let sealed = store.run(&parent).unwrap().seal.unwrap();
    assert_eq!(sealed.facts, found.facts);
    let kind = Some(EventKind::Adopted);
    assert_eq!(store.events(&EventQuery { kind, ..EventQuery::default() }).unwrap().len(), 1);
}

#[test]
fn altered_seal_is_not_believed() {
    let herd = Herd::new();
    herd.train(None, -1.0);
    herd.foreign()
        .execute_batch(&format!(
            "UPDATE herdbook_events SET details = replace(details, '\"{METRIC}\":[-1.0', '\"{METRIC}\":[9.0')
             WHERE kind = 'registered'"
        ))
        .unwrap();
    let store = herd.another_store();
    // It is shown without facts, and nothing is decided on it.
    let shown = store.version(&version(1)).unwrap();
    assert!(shown.seal_problem.is_some());
    assert_eq!((shown.metric(METRIC), shown.honesty()), (None, Honesty::Unknown));
    assert!(shown.check_seal().is_err());
    let error = store.promote(&promotion(1, Stage::Beta), Effect::DryRun).unwrap_err();
    assert!(matches!(error, StoreError::BrokenRecord { .. }), "{error}");
    assert!(error.to_string().contains("run `herdbook verify`"), "{error}");
}

#[test]
fn table_that_differs_from_the_history_is_not_believed_and_is_repaired() {
    let herd = Herd::new();
    herd.train(None, 1.0);
    herd.train(None, 2.0);
    for change in [
        "UPDATE herdbook_sealed_metrics SET value = 9.0 WHERE version = 1",
        "DELETE FROM herdbook_sealed_metrics WHERE version = 2",
        "DELETE FROM herdbook_seals WHERE version = 2",
        "UPDATE herdbook_seals SET honesty = 'unknown'",
        "INSERT INTO herdbook_sealed_metrics VALUES ('another', 1, 'm', 1.0)",
    ] {
        herd.foreign().execute_batch(change).unwrap();
        let store = herd.another_store();
        let found = store.diagnose().unwrap();
        assert_eq!(found.len(), 1, "{change}: {found:#?}");
        assert!(found[0].message.contains("differ from the history"), "{}", found[0].message);
        if change.contains("9.0") {
            let metric = MetricName::parse(METRIC).unwrap();
            let error = store.find_best(&candidates(), &metric).unwrap_err();
            assert!(error.to_string().contains("herdbook doctor --repair"), "{error}");
        }
        store.repair().unwrap();
        assert_eq!(store.diagnose().unwrap(), [], "{change}");
        assert_eq!(best(&store), Some((2, 2.0)), "{change}");
    }
}

#[test]
fn params_of_unsealed_versions_are_compared_only_where_fingerprints_of_the_data_differ() {
    let herd = Herd::new();
    herd.train(None, 1.0);
    herd.train(None, 2.0);
    let store = as_of_an_older_herdbook(&herd);
    let first = "(SELECT run_id FROM model_versions WHERE version = 1)";
    let fingerprint = window_params::FINGERPRINT;
    herd.foreign()
        .execute_batch(&format!(
            "UPDATE params SET value = 'IBM' WHERE run_uuid = {first};
             INSERT INTO tags (key, value, run_uuid)
             SELECT '{fingerprint}', '1H/base/b', run_id FROM model_versions"
        ))
        .unwrap();
    let metric = MetricName::parse("evaluation/best_mean_reward").unwrap();
    for (of_first, expected) in [
        ("1H/base/b", vec![]),
        ("1H/base/a", vec!["data.symbol"]),
        ("1H/base/c", vec!["data.symbol"]),
    ] {
        let set = format!(
            "UPDATE tags SET value = '{of_first}' WHERE key = '{fingerprint}' AND run_uuid = {first}"
        );
        herd.foreign().execute_batch(&set).unwrap();
        let found = store.find_best(&candidates(), &metric);
        assert_eq!(found.unwrap().unwrap().differing, expected, "{of_first}");
    }
}
