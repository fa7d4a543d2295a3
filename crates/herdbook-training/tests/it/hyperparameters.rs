//! Effect of hyperparameters and schedules on a training.

use herdbook_domain::{Enhancement, ParentSelector};
use herdbook_ppo::{Model, NetArch};
use herdbook_training::{PpoConfig, Schedules, TrainRequest, TrainingError};

use crate::fixture::{Fixture, child, request};

fn model(fixture: &Fixture, run_id: &herdbook_domain::RunId) -> Model {
    let bytes = fixture.store.read_artifact(run_id, "models/1H/model.zip").unwrap();
    Model::from_zip(&bytes, "model.zip").unwrap()
}

#[test]
fn schedules_reach_their_ends_and_are_recorded() {
    let fixture = Fixture::new();
    let schedules = Schedules { learning_rate: Some(1e-5), clip_range: Some(0.1) };
    let report = fixture.train(TrainRequest { schedules, ..request() }).unwrap();
    let config = model(&fixture, &report.run.run_id).config;
    assert!((config.learning_rate - 1e-5).abs() < 1e-18);
    assert!((config.clip_range - 0.1).abs() < 1e-15);
    let run = fixture.store.run(&report.run.run_id).unwrap();
    assert_eq!(run.params["learning_rate"], "0.0003");
    assert_eq!(run.params["learning_rate_final"], "0.00001");

    let run = fixture.store.run(&report.run.run_id).unwrap();
    let rate = run.metric("training/learning_rate").unwrap();
    assert!((rate - 1e-5).abs() < 1e-18);
}

#[test]
fn child_of_other_networks_is_refused_and_one_that_asks_for_none_has_its_parents() {
    let fixture = Fixture::new();
    let net_arch = NetArch { pi: vec![32], vf: vec![16, 16] };
    let config = PpoConfig { net_arch: net_arch.clone(), ..request().config };
    fixture.train(TrainRequest { config: config.clone(), ..request() }).unwrap();
    let like_parent = child(ParentSelector::Latest, Enhancement::Continued);
    let report = fixture.train(like_parent.clone()).unwrap();
    assert_eq!(*model(&fixture, &report.run.run_id).policy.net_arch(), net_arch);
    let other = NetArch { pi: vec![8], vf: vec![8] };
    let request = TrainRequest { config: PpoConfig { net_arch: other, ..config }, ..like_parent };
    let refused = fixture.train(request).unwrap_err();
    assert!(matches!(refused, TrainingError::NetworkMismatch { .. }), "{refused}");
}

#[test]
fn adaptive_child_with_a_schedule_of_the_learning_rate_is_refused() {
    let fixture = Fixture::new();
    let schedules = Schedules { learning_rate: Some(0.0), clip_range: None };
    let child = child(ParentSelector::Latest, Enhancement::Adaptive);
    let refused = fixture.train(TrainRequest { schedules, ..child }).unwrap_err();
    assert!(matches!(refused, TrainingError::LearningRateConflict), "{refused}");
}
