//! Versions that clients of MLflow create, or give their first stage: they enter the life cycle in one act.

use std::collections::BTreeMap;

use herdbook_domain::tags::{Tags, key};
use herdbook_domain::{EventKind, Refusal, RunId, VersionKey};
use herdbook_store::{StoreError, VersionEntry, VersionRow, new_id};

use crate::herd::{Herd, MODEL_FILE, model};

/// A run of MLflow's client that finished, with tags.
fn run(herd: &Herd, status: &str, tags: &[(&str, &str)]) -> RunId {
    let id = new_id();
    let mut sql = format!(
        "INSERT INTO runs (run_uuid, name, source_type, user_id, status, start_time, lifecycle_stage,
            artifact_uri, experiment_id)
         SELECT '{id}', 'theirs', 'UNKNOWN', 'them', '{status}', 1, 'active',
            artifact_location || '/{id}/artifacts', experiment_id
         FROM experiments WHERE experiment_id = 0;"
    );
    for (key, value) in tags {
        sql += &format!(
            "INSERT INTO tags (key, value, run_uuid) VALUES ('{key}', '{value}', '{id}');"
        );
    }
    herd.foreign().execute_batch(&sql).unwrap();
    RunId::parse(&id).unwrap()
}

const BASE: [(&str, &str); 2] = [("timeframe", "1H"), ("model_type", "base")];

fn child_of(parent: &RunId) -> [(&'static str, String); 3] {
    [
        ("timeframe", "1H".to_owned()),
        ("model_type", "continued".to_owned()),
        ("base_model_run_id", parent.to_string()),
    ]
}

fn child(herd: &Herd, parent: &RunId) -> RunId {
    let tags = child_of(parent);
    let tags: Vec<(&str, &str)> = tags.iter().map(|(key, value)| (*key, value.as_str())).collect();
    run(herd, "FINISHED", &tags)
}

fn entry(run_id: &RunId, source: &str, tags: &[(&str, &str)]) -> VersionEntry {
    VersionEntry {
        name: model(),
        run_id: run_id.clone(),
        row: VersionRow {
            source: source.to_owned(),
            storage_location: source.to_owned(),
            description: Some("theirs".to_owned()),
            run_link: Some(String::new()),
        },
        tags: tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
    }
}

fn stored(herd: &Herd, run_id: &RunId) -> String {
    herd.store.store_artifact(run_id, "models/1H/model.zip", MODEL_FILE).unwrap();
    format!("runs:/{run_id}/models/1H")
}

fn tags_of(herd: &Herd, key: &VersionKey) -> BTreeMap<String, String> {
    herd.store.version(key).unwrap().tags
}

#[test]
fn version_on_a_run_with_our_tags_enters_with_its_lineage_and_improvement() {
    let herd = Herd::new();
    let first = herd.train(None, 1.0);
    let run_id = child(&herd, &first);
    herd.foreign()
        .execute_batch(&format!(
            "INSERT INTO latest_metrics (key, value, timestamp, run_uuid, step, is_nan)
                VALUES ('evaluation/best_mean_reward', 1.5, 1, '{run_id}', 1, {no});
             INSERT INTO metrics (key, value, timestamp, run_uuid, step, is_nan)
                VALUES ('evaluation/best_mean_reward', 1.5, 1, '{run_id}', 1, {no});",
            no = "FALSE"
        ))
        .unwrap();
    let source = stored(&herd, &run_id);
    let (registered, overruled) = herd
        .store
        .enter_version(&entry(&run_id, &source, &[("desk", "fx"), ("total_timesteps", "7")]))
        .unwrap();
    assert_eq!(overruled, ["total_timesteps"]);
    let version = herd.store.version(&registered.key).unwrap();
    assert_eq!(version.source.as_deref(), Some(source.as_str()));
    assert_eq!(version.description.as_deref(), Some("theirs"));
    for (tag, value) in [
        ("desk", "fx"),
        (key::PROMOTION_STAGE, "development"),
        (key::VERSION_TYPE, "latest"),
        (key::MODEL_TYPE, "continued"),
        (key::BASE_MODEL_RUN_ID, first.as_str()),
    ] {
        assert_eq!(version.tags[tag], value, "{tag}");
    }
    assert_eq!(herd.tag(1, key::VERSION_TYPE).unwrap(), "old");
    let run = herd.store.run(&run_id).unwrap();
    assert_eq!(run.tags[key::PROMOTION_STAGE], "development");
    assert!(run.metric("improvement_evaluation/best_mean_reward").is_some(), "{:?}", run.metrics);
    let kinds: Vec<EventKind> = registered.events.iter().map(|event| event.what.kind).collect();
    assert_eq!(kinds, [EventKind::Registered, EventKind::Superseded]);
    herd.assert_invariants();
}

#[test]
fn version_whose_files_are_elsewhere_is_adopted() {
    let herd = Herd::new();
    let first = herd.train(None, 1.0);
    let run_id = child(&herd, &first);
    let (registered, _) = herd.store.enter_version(&entry(&run_id, "s3://b/x", &[])).unwrap();
    let kinds: Vec<EventKind> = registered.events.iter().map(|event| event.what.kind).collect();
    assert_eq!(kinds, [EventKind::Adopted, EventKind::Superseded]);
    assert_eq!(tags_of(&herd, &registered.key)[key::PROMOTION_STAGE], "development");
    assert_eq!(herd.tag(1, key::VERSION_TYPE).unwrap(), "old");
    herd.assert_invariants();
}

#[test]
fn refused_entry_changes_nothing() {
    let herd = Herd::new();
    let first = herd.train(None, 1.0);
    let refused = |run_id: &RunId, tags: &[(&str, &str)]| {
        let before = herd.store.run(run_id).unwrap();
        let error =
            herd.store.enter_version(&entry(run_id, &stored(&herd, run_id), tags)).unwrap_err();
        let after = herd.store.run(run_id).unwrap();
        assert_eq!((before.tags, before.status), (after.tags, after.status));
        error.to_string()
    };
    let taken = refused(&first, &[]);
    assert!(taken.contains("is already registered as `1H_trading_model` version 1"), "{taken}");
    let orphan = run(&herd, "FINISHED", &[("timeframe", "1H"), ("model_type", "replay")]);
    assert!(refused(&orphan, &[]).contains("names no parent"));
    let mut of_other_bars = child_of(&first);
    of_other_bars[0].1 = "4H".to_owned();
    let tags: Vec<(&str, &str)> =
        of_other_bars.iter().map(|(key, value)| (*key, value.as_str())).collect();
    let other = run(&herd, "FINISHED", &tags);
    assert!(refused(&other, &[]).contains("its timeframe is `4H`"));
    let failed = run(&herd, "FAILED", &BASE);
    assert!(refused(&failed, &[]).contains("not `FINISHED`"));
    let running = run(&herd, "RUNNING", &BASE);
    assert!(
        refused(&running, &[("promotion_stage", "champion")])
            .contains("cannot be set to `champion`")
    );
    assert_eq!(herd.tag(1, key::VERSION_TYPE).unwrap(), "latest");
    herd.assert_invariants();
}

#[test]
fn version_on_record_enters_once_with_what_its_tags_tell() {
    let herd = Herd::new();
    herd.train(None, 1.0);
    let run_id = run(&herd, "FINISHED", &[]);
    let source = stored(&herd, &run_id);
    herd.foreign()
        .execute_batch(&format!(
            "INSERT INTO registered_models (name, creation_time, workspace) VALUES ('theirs', 1, 'default');
             INSERT INTO model_versions (name, version, creation_time, current_stage, source, storage_location,
                run_id, status, workspace)
             VALUES ('theirs', 1, 1, 'None', '{source}', '{source}', '{run_id}', 'READY', 'default');
             INSERT INTO model_version_tags (key, value, name, version, workspace)
             VALUES ('timeframe', '1H', 'theirs', 1, 'default'), ('model_type', 'base', 'theirs', 1, 'default');
             INSERT INTO registered_model_aliases (alias, version, name, workspace)
             VALUES ('champion', 1, 'theirs', 'default');"
        ))
        .unwrap();
    let key = VersionKey { name: "theirs".parse().unwrap(), version: "1".parse().unwrap() };
    let refused = herd.store.enter_existing(&key).unwrap_err();
    assert!(
        matches!(refused, StoreError::Refused(Refusal::AliasWithoutChampion { .. })),
        "{refused}"
    );
    herd.foreign()
        .execute_batch("DELETE FROM registered_model_aliases WHERE name = 'theirs'")
        .unwrap();
    herd.store.enter_existing(&key).unwrap();
    let tags = tags_of(&herd, &key);
    let expected = [(key::PROMOTION_STAGE, "development"), (key::VERSION_TYPE, "latest")];
    assert!(expected.iter().all(|(tag, value)| tags[*tag] == **value), "{tags:?}");
    herd.store.enter_existing(&key).unwrap();
    let events = herd
        .store
        .events(&herdbook_store::EventQuery { name: Some(key.name.clone()), ..Default::default() });
    assert_eq!(events.unwrap().len(), 1);
    herd.assert_invariants();
}

#[test]
fn version_without_origin_or_run_enters_in_development() {
    let herd = Herd::new();
    herd.train(None, 1.0);
    herd.foreign()
        .execute_batch(
            "INSERT INTO registered_models (name, creation_time, workspace) VALUES ('theirs', 1, 'default');
             INSERT INTO model_versions (name, version, creation_time, current_stage, source, status, workspace)
             VALUES ('theirs', 1, 1, 'None', 's3://b/x', 'READY', 'default');",
        )
        .unwrap();
    let key = VersionKey { name: "theirs".parse().unwrap(), version: "1".parse().unwrap() };
    herd.store.enter_existing(&key).unwrap();
    let expected: Tags = [(key::PROMOTION_STAGE, "development"), (key::VERSION_TYPE, "latest")]
        .map(|(tag, value)| (tag.to_owned(), value.to_owned()))
        .into();
    assert_eq!(tags_of(&herd, &key), expected);
    let examination = herd.store.examination().unwrap();
    assert!(examination.breaches.is_empty(), "{:?}", examination.breaches);
}
