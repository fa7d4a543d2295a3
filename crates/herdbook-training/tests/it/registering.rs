//! Registration of models that scripts trained in runs of their own.

use std::collections::BTreeMap;

use herdbook_domain::tags::{Tags, key};
use herdbook_domain::{
    EnhancedFrom, Enhancement, ExperimentName, Honesty, ModelType, Origin, RunId, RunStatus,
    Timeframe, VersionType, hex_sha256,
};
use herdbook_store::tables::tag::set_on_run;
use herdbook_store::{Metric, RunStart, now};
use herdbook_training::{
    Boundaries, EnvFactory, ImprovementBasis, MissingParent, RegisterRequest, RegisteredRun,
    TrainingError, UnregisteredRun, register_run,
};

use crate::fixture::{Fixture, model, request};

const FILE: &str = "script/model.zip";

/// A run as a script starts it, with a model file and some metrics.
fn script_run(
    fixture: &Fixture,
    params: BTreeMap<String, String>,
    metrics: &[(&str, f64)],
    file: &[u8],
) -> RunId {
    let start = RunStart {
        name: None,
        user_tags: Tags::new(),
        experiment: ExperimentName::parse("script").unwrap(),
        model: model(),
        origin: Origin { timeframe: Timeframe::Hour1, enhanced: None },
        params,
        tags: Tags::new(),
    };
    let run_id = fixture.store.start_run(&start).unwrap();
    let metric = |(key, value): &(&str, f64)| Metric {
        key: (*key).to_owned(),
        value: *value,
        at: now(),
        step: 1,
    };
    let metrics: Vec<Metric> = metrics.iter().map(metric).collect();
    fixture.store.log_metrics(&run_id, &metrics).unwrap();
    fixture.store.store_artifact(&run_id, FILE, file).unwrap();
    run_id
}

fn asked(run_id: &RunId) -> RegisterRequest {
    RegisterRequest {
        run_id: run_id.clone(),
        timeframe: Timeframe::Hour1,
        model: model(),
        model_type: ModelType::Base,
        parent: None,
        artifact: FILE.to_owned(),
        trained_timesteps: None,
        version_tags: Tags::new(),
        missing_parent: MissingParent::Refuse,
    }
}

fn registered(
    fixture: &Fixture,
    request: &RegisterRequest,
) -> Result<RegisteredRun, TrainingError> {
    register_run(&fixture.store, request, None)
}

/// Params of the bars and costs of the default request.
fn params_of_request(cost_bps: f64) -> BTreeMap<String, String> {
    let data = request().data;
    let boundaries = Boundaries::default();
    EnvFactory::prepare(&data, Timeframe::Hour1, boundaries, cost_bps, None).unwrap().params()
}

#[test]
fn base_model_without_recorded_windows_has_unknown_honesty_and_keeps_its_file() {
    let fixture = Fixture::new();
    let run_id = script_run(&fixture, BTreeMap::new(), &[], b"not a zip");
    let done = registered(&fixture, &asked(&run_id)).unwrap();
    assert_eq!((done.honesty, done.model_type), (Honesty::Unknown, ModelType::Base));
    assert!(done.improvement.is_none());
    assert!(done.notes[0].starts_with("herdbook cannot run or enhance"), "{:?}", done.notes);
    assert_eq!(fixture.store.run(&run_id).unwrap().status, RunStatus::Finished);
    let stored = fixture.store.read_artifact(&run_id, "models/1H/model.zip").unwrap();
    assert_eq!(stored, b"not a zip");
    let details = &done.registered.events[0].what.details;
    assert!(details.contains(&hex_sha256(b"not a zip")), "{details}");
}

#[test]
fn child_is_compared_with_its_parent_and_makes_it_old() {
    let fixture = Fixture::new();
    let parent = fixture.train(request()).unwrap();
    let file = fixture.model_file(&parent);
    let parent_reward = parent.run.metrics["final/mean_reward"];
    let metrics = [("final/mean_reward", parent_reward + 1.0), ("current_run_timesteps", 500.0)];
    let run_id = script_run(&fixture, params_of_request(1.0), &metrics, &file);
    let request = RegisterRequest { parent: Some(parent.run.run_id.clone()), ..asked(&run_id) };
    let done = registered(&fixture, &request).unwrap();
    assert_eq!((done.honesty, done.model_type), (Honesty::Clean, ModelType::Continued));
    let improvement = done.improvement.unwrap();
    assert_eq!(improvement.basis, ImprovementBasis::SameWindows);
    let reward = improvement.metrics["final/mean_reward"];
    assert!((reward.child - reward.parent - 1.0).abs() < 1e-12 && reward.better == Some(true));
    assert_eq!(fixture.version(1).tag(key::VERSION_TYPE), Some(VersionType::Old));
    let child = fixture.version(2);
    assert_eq!(child.tags[key::PREVIOUS_TIMESTEPS], "768");
    assert_eq!(child.tags[key::TOTAL_TIMESTEPS], "1268");
}

#[test]
fn parent_measured_by_the_caller_counts_only_where_windows_or_costs_differ() {
    for (cost_bps, basis) in
        [(1.0, ImprovementBasis::SameWindows), (3.0, ImprovementBasis::Reevaluated)]
    {
        let fixture = Fixture::new();
        let parent = fixture.train(request()).unwrap();
        let file = fixture.model_file(&parent);
        let metrics = [("final/mean_reward", 1.0)];
        let run_id = script_run(&fixture, params_of_request(cost_bps), &metrics, &file);
        let request = RegisterRequest { parent: Some(parent.run.run_id), ..asked(&run_id) };
        let here = BTreeMap::from([("final/mean_reward".to_owned(), -9.0)]);
        let done = register_run(&fixture.store, &request, Some(&here)).unwrap();
        let improvement = done.improvement.unwrap();
        assert_eq!(improvement.basis, basis);
        let used = improvement.metrics["final/mean_reward"].parent;
        assert_eq!(used.total_cmp(&-9.0).is_eq(), basis == ImprovementBasis::Reevaluated);
    }
}

#[test]
fn windows_that_overlap_the_parents_training_make_the_child_contaminated() {
    let fixture = Fixture::new();
    let parent = fixture.train(request()).unwrap();
    let mut params = params_of_request(1.0);
    // The test window of the child is the training window of the parent.
    for edge in ["start", "end"] {
        params.insert(format!("data.test_{edge}"), params[&format!("data.train_{edge}")].clone());
    }
    let run_id = script_run(&fixture, params, &[], b"model");
    let request = RegisterRequest { parent: Some(parent.run.run_id), ..asked(&run_id) };
    let done = registered(&fixture, &request).unwrap();
    assert_eq!(done.honesty, Honesty::Contaminated);
    assert_eq!(fixture.version(2).tags[key::HONESTY], "contaminated");
}

#[test]
fn timesteps_come_from_the_request_then_the_metrics_then_the_file() {
    let elsewhere = Fixture::new();
    let trained = elsewhere.train(request()).unwrap();
    let zip = elsewhere.model_file(&trained);
    let both = [("current_run_timesteps", 300.0), ("total_timesteps", 900.0)];
    let total = [("total_timesteps", 900.0)];
    for (given, metrics, file, expected) in [
        (Some(100), &both[..], &zip[..], "100"),
        (None, &both[..], &zip[..], "300"),
        (None, &total[..], &zip[..], "768"),
        (None, &total[..], b"not a zip", "900"),
        (None, &[][..], b"not a zip", "0"),
    ] {
        let fixture = Fixture::new();
        let run_id = script_run(&fixture, BTreeMap::new(), metrics, file);
        let request = RegisterRequest { trained_timesteps: given, ..asked(&run_id) };
        registered(&fixture, &request).unwrap();
        assert_eq!(fixture.version(1).tags[key::TOTAL_TIMESTEPS], expected);
    }
}

#[test]
fn enhanced_model_without_a_registered_parent_is_refused_and_its_run_stays_running() {
    let fixture = Fixture::new();
    let run_id = script_run(&fixture, BTreeMap::new(), &[], b"model");
    let alone = RegisterRequest { model_type: ModelType::Replay, ..asked(&run_id) };
    let refused = registered(&fixture, &alone).unwrap_err();
    assert!(matches!(refused, TrainingError::NoParentNamed { .. }), "{refused}");
    let other = script_run(&fixture, BTreeMap::new(), &[], b"model");
    let unregistered = RegisterRequest { parent: Some(other), ..asked(&run_id) };
    let refused = registered(&fixture, &unregistered).unwrap_err();
    assert!(matches!(refused, TrainingError::NotRegistered { .. }), "{refused}");
    assert_eq!(fixture.store.run(&run_id).unwrap().status, RunStatus::Running);
}

#[test]
fn parent_of_another_symbol_is_refused() {
    let fixture = Fixture::new();
    let parent = fixture.train(request()).unwrap().run.run_id;
    let mut params = params_of_request(1.0);
    params.insert("data.symbol".to_owned(), "OTHER".to_owned());
    let run_id = script_run(&fixture, params, &[], b"model");
    let request = RegisterRequest { parent: Some(parent), ..asked(&run_id) };
    let refused = registered(&fixture, &request).unwrap_err();
    assert!(matches!(refused, TrainingError::ParentMismatch { .. }), "{refused}");
}

#[test]
fn parent_and_enhancement_are_read_from_the_tags_of_the_run() {
    let fixture = Fixture::new();
    let parent = fixture.train(request()).unwrap().run.run_id;
    let enhanced = EnhancedFrom {
        enhancement: Enhancement::Curriculum,
        parent: parent.clone(),
        previous_timesteps: 768,
    };
    let start = RunStart {
        name: None,
        user_tags: Tags::new(),
        experiment: ExperimentName::parse("script").unwrap(),
        model: model(),
        origin: Origin { timeframe: Timeframe::Hour1, enhanced: Some(enhanced) },
        params: BTreeMap::new(),
        tags: Tags::new(),
    };
    let run_id = fixture.store.start_run(&start).unwrap();
    fixture.store.store_artifact(&run_id, FILE, b"model").unwrap();
    let done = registered(&fixture, &asked(&run_id)).unwrap();
    assert_eq!(done.model_type, ModelType::Curriculum);
    assert_eq!(done.registered.superseded, [fixture.version(1).key]);
    assert_eq!(done.improvement.unwrap().basis, ImprovementBasis::Logged);
}

/// A finished run with the tags of another program and the model of `parent`.
fn ended_run(fixture: &Fixture, tags: &[(&str, &str)], file: &[u8]) -> RunId {
    let run_id = script_run(fixture, BTreeMap::new(), &[], file);
    fixture.store.store_artifact(&run_id, "models/1H/model.zip", file).unwrap();
    fixture.store.end_foreign_run(&run_id, &model()).unwrap();
    let tags: Tags =
        tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    fixture.store.write(|act| set_on_run(act.tx, &run_id, &tags)).unwrap();
    run_id
}

fn unregistered(run_id: &RunId, missing_parent: MissingParent) -> UnregisteredRun {
    UnregisteredRun {
        run_id: run_id.clone(),
        timeframe: None,
        family: "trading_model".to_owned(),
        missing_parent,
    }
}

#[test]
fn run_that_no_script_registered_is_registered_as_its_tags_say() {
    let fixture = Fixture::new();
    let parent = fixture.train(request()).unwrap().run.run_id;
    let file = fixture.store.read_artifact(&parent, "models/1H/model.zip").unwrap();
    let first = ended_run(&fixture, &[(key::MODEL_TYPE, "continued")], &file);
    let done = unregistered(&first, MissingParent::Refuse).register(&fixture.store).unwrap();
    assert_eq!(done.model_type, ModelType::Base);
    assert!(done.notes[0].contains("it is a base model"), "{:?}", done.notes);
    let tags = fixture.store.version(&done.registered.key).unwrap().tags;
    assert_eq!(tags["imported_model_type"], "continued");

    let missing = "f".repeat(32);
    let enhanced = [(key::ENHANCEMENT_TYPE, "replay"), (key::BASE_MODEL_RUN_ID, missing.as_str())];
    let orphan = ended_run(&fixture, &enhanced, &file);
    unregistered(&orphan, MissingParent::Refuse).register(&fixture.store).unwrap_err();
    let done = unregistered(&orphan, MissingParent::Keep).register(&fixture.store).unwrap();
    assert_eq!((done.model_type, done.honesty), (ModelType::Replay, Honesty::Unknown));
    assert!(done.notes[0].contains(&missing), "{:?}", done.notes);

    let running = script_run(&fixture, BTreeMap::new(), &[], &file);
    let error = unregistered(&running, MissingParent::Refuse).register(&fixture.store).unwrap_err();
    assert!(matches!(error, TrainingError::CannotRegister { .. }), "{error}");
}
