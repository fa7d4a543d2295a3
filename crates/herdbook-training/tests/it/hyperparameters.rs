//! Hyperparameters on their way into a training.

use herdbook_domain::{Enhancement, ParentSelector};
use herdbook_ppo::{Model, NetArch};
use herdbook_training::{PpoConfig, Schedules, TrainRequest, TrainingError};

use crate::barn::{Barn, child, request};

fn model(barn: &Barn, run_id: &herdbook_domain::RunId) -> Model {
    let bytes = barn.store.read_artifact(run_id, "models/1H/model.zip").unwrap();
    Model::from_zip(&bytes, "model.zip").unwrap()
}

#[test]
fn schedules_reach_their_ends_and_are_recorded() {
    let barn = Barn::new();
    let schedules = Schedules { learning_rate: Some(1e-5), clip_range: Some(0.1) };
    let report = barn.train(TrainRequest { schedules, ..request() }).unwrap();
    let config = model(&barn, &report.run.run_id).config;
    assert!((config.learning_rate - 1e-5).abs() < 1e-18);
    assert!((config.clip_range - 0.1).abs() < 1e-15);
    let run = barn.store.run(&report.run.run_id).unwrap();
    assert_eq!(run.params["learning_rate"], "0.0003");
    assert_eq!(run.params["learning_rate_final"], "0.00001");

    let run = barn.store.run(&report.run.run_id).unwrap();
    let rate = run.metric("training/learning_rate").unwrap();
    assert!((rate - 1e-5).abs() < 1e-18);
}

#[test]
fn child_of_other_networks_is_refused_and_one_that_asks_for_none_has_its_parents() {
    let barn = Barn::new();
    let net_arch = NetArch { pi: vec![32], vf: vec![16, 16] };
    let config = PpoConfig { net_arch: net_arch.clone(), ..request().config };
    barn.train(TrainRequest { config: config.clone(), ..request() }).unwrap();
    let like_parent = child(ParentSelector::Latest, Enhancement::Continued);
    let report = barn.train(like_parent.clone()).unwrap();
    assert_eq!(*model(&barn, &report.run.run_id).policy.net_arch(), net_arch);
    let other = NetArch { pi: vec![8], vf: vec![8] };
    let request = TrainRequest { config: PpoConfig { net_arch: other, ..config }, ..like_parent };
    let refused = barn.train(request).unwrap_err();
    assert!(matches!(refused, TrainingError::OtherNetworks { .. }), "{refused}");
}

#[test]
fn adaptive_child_with_a_schedule_of_the_learning_rate_is_refused() {
    let barn = Barn::new();
    let schedules = Schedules { learning_rate: Some(0.0), clip_range: None };
    let child = child(ParentSelector::Latest, Enhancement::Adaptive);
    let refused = barn.train(TrainRequest { schedules, ..child }).unwrap_err();
    assert!(matches!(refused, TrainingError::TwoLearningRates), "{refused}");
}
