//! Runs that another program started: what is logged to them, and how their models are registered.

use std::collections::BTreeMap;

use herdbook_domain::tags::{Tags, key};
use herdbook_domain::{Honesty, Origin, Registration, RunId, RunStatus, Timeframe, hex_sha256};
use herdbook_store::{EventQuery, ForeignFinish, RunEntries, RunStart, StoreError, new_id};

use crate::backend;
use crate::herd::{Herd, MODEL_FILE, metric, model, number, start};

/// A run as `mlflow.start_run` leaves it.
fn foreign_run(herd: &Herd, status: &str) -> RunId {
    let id = new_id();
    let sql = format!(
        "INSERT INTO runs (run_uuid, name, source_type, user_id, status, start_time, lifecycle_stage,
            artifact_uri, experiment_id)
         SELECT '{id}', 'theirs', 'UNKNOWN', 'them', '{status}', 1, 'active',
            artifact_location || '/{id}/artifacts', experiment_id
         FROM experiments WHERE experiment_id = 0"
    );
    herd.foreign().execute_batch(&sql).unwrap();
    RunId::parse(&id).unwrap()
}

fn finish(herd: &Herd, run_id: &RunId, origin: Origin) -> ForeignFinish {
    herd.store.store_artifact(run_id, "models/1H/model.zip", MODEL_FILE).unwrap();
    ForeignFinish {
        registration: Registration {
            run_id: run_id.clone(),
            name: model(),
            origin,
            trained_timesteps: 2048,
            honesty: Honesty::Unknown,
            model_sha256: hex_sha256(MODEL_FILE),
        },
        metrics: vec![metric("evaluation/mean_reward", 1.5, 1)],
        run_tags: Tags::new(),
        version_tags: Tags::from([("desk".to_owned(), "fx".to_owned())]),
        test: None,
    }
}

/// An integer of the type that `backend::number` reads on each database.
const N_RUNS: &str = "SELECT CAST(count(*) AS INTEGER) FROM runs";

fn base() -> Origin {
    Origin { timeframe: Timeframe::Hour1, enhanced: None }
}

fn entries(params: &[(&str, &str)], tags: &[(&str, &str)]) -> RunEntries {
    let owned = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    };
    RunEntries {
        metrics: vec![metric("loss", 0.25, 1)],
        params: owned(params),
        tags: owned(tags).into_iter().collect(),
    }
}

fn tagged(user_tags: &[(&str, &str)]) -> RunStart {
    RunStart {
        user_tags: entries(&[], user_tags).tags,
        name: Some("mine".to_owned()),
        ..start(None)
    }
}

#[test]
fn run_starts_with_name_and_tags_of_the_user() {
    let herd = Herd::new();
    let given = tagged(&[("desk", "fx"), ("version_type", "latest"), ("model_type", "replay")]);
    let run = herd.store.run(&herd.store.start_run(&given).unwrap()).unwrap();
    assert_eq!((run.name.as_str(), run.tags["mlflow.runName"].as_str()), ("mine", "mine"));
    // Until the model is registered, the user may set the tags of its origin.
    assert_eq!((run.tags["desk"].as_str(), run.tags["model_type"].as_str()), ("fx", "replay"));
    assert!(
        !run.tags.contains_key(key::VERSION_TYPE),
        "it only repeats the value that registering will set"
    );
    assert_eq!(run.status, RunStatus::Running);
}

#[test]
fn run_whose_name_or_tag_is_refused_is_not_started() {
    let herd = Herd::new();
    let n_runs = || backend::number(&herd.foreign(), N_RUNS);
    let (runs, events) = (n_runs(), herd.store.events(&EventQuery::default()).unwrap().len());
    let refused = herd.store.start_run(&tagged(&[("desk", "fx"), ("promotion_stage", "champion")]));
    assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
    let text = "x".repeat(8_001);
    let long = herd.store.start_run(&tagged(&[("desk", &text)])).unwrap_err();
    assert_eq!(
        long.to_string(),
        "cannot start a run with the tag `desk`: its value has 8001 characters: at most 8000 are allowed"
    );
    let named = RunStart { name: Some("n".repeat(251)), ..start(None) };
    let long = herd.store.start_run(&named);
    assert!(matches!(long, Err(StoreError::CannotStart { .. })), "{long:?}");
    assert_eq!(n_runs(), runs);
    assert_eq!(herd.store.events(&EventQuery::default()).unwrap().len(), events);
}

#[test]
fn registration_with_a_refused_tag_leaves_the_run_as_it_was() {
    let herd = Herd::new();
    let parent = herd.train(None, 1.0);
    let run_id = foreign_run(&herd, "RUNNING");
    let mut finish = finish(&herd, &run_id, start(Some(&parent)).origin);
    finish.version_tags.insert(key::PROMOTION_STAGE.to_owned(), "champion".to_owned());
    finish.run_tags.insert("note".to_owned(), "n".to_owned());
    let before = herd.store.run(&run_id).unwrap();
    let refused = herd.store.register_foreign(&finish);
    assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
    let after = herd.store.run(&run_id).unwrap();
    assert_eq!(
        (after.status, after.tags, after.metrics),
        (before.status, before.tags, before.metrics)
    );
    assert!(herd.store.version_of_run(&run_id).unwrap().is_none());
    assert_eq!(herd.tag(1, key::VERSION_TYPE).unwrap(), "latest");
    // The same run registers once the tag is gone.
    finish.version_tags.clear();
    herd.store.register_foreign(&finish).unwrap();
    herd.assert_invariants();
}

#[test]
fn run_of_others_takes_metrics_params_and_tags_or_nothing() {
    let herd = Herd::new();
    let run_id = foreign_run(&herd, "FINISHED");
    herd.store.log_to_run(&run_id, &entries(&[("lr", "0.1")], &[("desk", "fx")])).unwrap();
    let run = herd.store.run(&run_id).unwrap();
    assert_eq!((run.metric("loss"), run.params["lr"].as_str()), (Some(0.25), "0.1"));
    assert_eq!(run.tags["desk"], "fx");
    let changed = herd.store.log_to_run(&run_id, &entries(&[("lr", "0.2")], &[("desk", "rates")]));
    assert!(matches!(changed, Err(StoreError::CannotLog { .. })), "{changed:?}");
    let kept = herd.store.log_to_run(&run_id, &entries(&[], &[("promotion_stage", "champion")]));
    assert!(matches!(kept, Err(StoreError::Refused(_))), "{kept:?}");
    let run = herd.store.run(&run_id).unwrap();
    assert_eq!(run.tags["desk"], "fx");
    assert!(!run.tags.contains_key(key::PROMOTION_STAGE));
}

#[test]
fn model_of_others_is_registered_once_and_turns_its_parent_old() {
    let herd = Herd::new();
    let parent = herd.train(None, 1.0);
    let run_id = foreign_run(&herd, "RUNNING");
    let finish = finish(&herd, &run_id, start(Some(&parent)).origin);
    let (registered, overruled) = herd.store.register_foreign(&finish).unwrap();
    assert_eq!((registered.key.version, overruled), (number(2), Vec::new()));
    assert_eq!(registered.superseded.len(), 1);
    assert_eq!(herd.tag(1, key::VERSION_TYPE).unwrap(), "old");
    assert_eq!(herd.tag(2, "desk").unwrap(), "fx");
    assert_eq!(herd.store.run(&run_id).unwrap().status, RunStatus::Finished);
    let again = herd.store.register_foreign(&finish);
    assert!(matches!(again, Err(StoreError::AlreadyRegistered { .. })), "{again:?}");
    assert_eq!(herd.store.diagnose().unwrap(), []);
    herd.assert_invariants();
}

#[test]
fn run_that_failed_elsewhere_registers_nothing() {
    let herd = Herd::new();
    let run_id = foreign_run(&herd, "FAILED");
    let refused = herd.store.register_foreign(&finish(&herd, &run_id, base()));
    assert!(matches!(refused, Err(StoreError::RunNotFinished { .. })), "{refused:?}");
    assert!(herd.store.version_of_run(&run_id).unwrap().is_none());
    assert_eq!(herd.store.run(&run_id).unwrap().status, RunStatus::Failed);
}

#[test]
fn run_that_others_ended_is_ended_once() {
    let herd = Herd::new();
    let run_id = foreign_run(&herd, "RUNNING");
    for _ in 0..2 {
        herd.store.end_foreign_run(&run_id, &model()).unwrap();
        assert_eq!(herd.store.run(&run_id).unwrap().status, RunStatus::Finished);
    }
    herd.assert_invariants();
}
