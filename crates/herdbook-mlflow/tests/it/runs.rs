//! Runs: created, updated, deleted.

use herdbook_mlflow::Code;
use herdbook_mlflow::runs::{self, NewRun, RunStatus, RunUpdate};
use herdbook_store::params;

use crate::fixture::{Served, pair, refusal};

#[test]
fn run_begins_with_a_name_in_its_row_and_its_tag() {
    let served = Served::new();
    let run = served.run("a", 7);
    assert_eq!(run.info.status, "RUNNING");
    assert_eq!(run.info.start_time, Some(7));
    assert_eq!(run.tags, [pair("mlflow.runName", "a")]);
    let artifacts =
        format!("mlflow-artifacts:/{}/{}/artifacts", served.experiment, run.info.run_id);
    assert_eq!(run.info.artifact_uri, artifacts);
    assert_eq!(served.read(&run.info.run_id), run);
    let unnamed = served.run("", 0);
    assert_eq!(unnamed.tags, [pair("mlflow.runName", &unnamed.info.name)]);
    assert_eq!(unnamed.info.name.split('-').count(), 3);
}

#[test]
fn name_that_contradicts_its_tag_is_refused() {
    let served = Served::new();
    let new = |name: &str, tag: &str| NewRun {
        experiment_id: served.experiment.clone(),
        name: name.to_owned(),
        tags: vec![pair("mlflow.runName", tag)],
        ..NewRun::default()
    };
    let refused = refusal(runs::create(&served.session, &new("a", "b")));
    assert_eq!(refused.0, Code::InvalidParameterValue);
    assert_eq!(runs::create(&served.session, &new("", "b")).unwrap().info.name, "b");
    assert_eq!(runs::create(&served.session, &new("b", "b")).unwrap().info.name, "b");
}

#[test]
fn run_needs_an_active_experiment() {
    let served = Served::new();
    let create = |id: &str| {
        let new = NewRun { experiment_id: id.to_owned(), ..NewRun::default() };
        runs::create(&served.session, &new)
    };
    assert_eq!(refusal(create("77")).1, "No Experiment with id=77 exists");
    assert_eq!(refusal(create("")).0, Code::BadRequest);
    assert_eq!(refusal(create("x")).0, Code::InvalidParameterValue);
    herdbook_mlflow::experiments::delete(&served.session, &served.experiment).unwrap();
    assert!(refusal(create(&served.experiment)).1.contains("must be in the 'active' state"));
}

#[test]
fn only_given_fields_are_updated() {
    let served = Served::new();
    let id = served.run("a", 1).info.run_id;
    let update = RunUpdate { end_time: Some(9), ..RunUpdate::default() };
    let info = runs::update(&served.session, &id, &update).unwrap();
    assert_eq!((info.status.as_str(), info.end_time), ("RUNNING", Some(9)));
    let update = RunUpdate {
        status: Some(RunStatus::Finished),
        name: Some("b".to_owned()),
        ..RunUpdate::default()
    };
    let info = runs::update(&served.session, &id, &update).unwrap();
    assert_eq!(
        (info.status.as_str(), info.end_time, info.name.as_str()),
        ("FINISHED", Some(9), "b")
    );
    assert_eq!(served.read(&id).tags, [pair("mlflow.runName", "b")]);
}

#[test]
fn run_that_ends_loses_its_lease() {
    let served = Served::new();
    let id = served.run("a", 1).info.run_id;
    let insert = "INSERT INTO herdbook_leases VALUES (?1, 'h', 1, 0, 0)";
    served.session.write(|act| act.tx.execute(insert, params![id])).unwrap();
    let leases = || -> i64 {
        let count = "SELECT count(*) FROM herdbook_leases";
        served.session.read(|conn| conn.query_row(count, params![], |row| row.get(0))).unwrap()
    };
    let update = |status| {
        let update = RunUpdate { status: Some(status), ..RunUpdate::default() };
        runs::update(&served.session, &id, &update).unwrap();
    };
    update(RunStatus::Running);
    assert_eq!(leases(), 1);
    update(RunStatus::Killed);
    assert_eq!(leases(), 0);
}

#[test]
fn deleted_run_can_be_read_and_restored_but_not_changed() {
    let served = Served::new();
    let id = served.run("a", 1).info.run_id;
    for _ in 0..2 {
        runs::delete(&served.session, &id).unwrap();
    }
    assert_eq!(served.read(&id).info.lifecycle_stage, "deleted");
    let expected = format!("The run {id} must be in the 'active' state. Current state is deleted.");
    let refusals = [
        refusal(runs::set_tag(&served.session, &id, "k", "v")),
        refusal(runs::delete_tag(&served.session, &id, "k")),
        refusal(runs::log_param(&served.session, &id, "k", "v")),
        refusal(runs::log_inputs(&served.session, &id, &[], &[])),
        refusal(runs::log_outputs(&served.session, &id, &[])),
        refusal(runs::update(&served.session, &id, &RunUpdate::default())),
    ];
    for refused in refusals {
        assert_eq!(refused, (Code::InvalidParameterValue, expected.clone()));
    }
    runs::restore(&served.session, &id).unwrap();
    runs::set_tag(&served.session, &id, "k", "v").unwrap();
    let missing = refusal(runs::delete(&served.session, "nope"));
    assert_eq!(missing, (Code::ResourceDoesNotExist, "Run with id=nope not found".to_owned()));
}
