//! Import of models that were trained elsewhere.

use herdbook_domain::{Enhancement, Honesty, ModelName, ParentSelector, Symbol};
use herdbook_training::{
    ImportedModel, ImprovementBasis, ModelImportRequest, RegisteredModel, TrainingError,
    import_model,
};

use crate::fixture::{Fixture, Listener, child, model, request};

/// Written by stable-baselines3 2.9.2: 35 inputs, three actions.
const FOREIGN: &[u8] = include_bytes!("../../../herdbook-ppo/src/fixtures/sb3_tanh.zip");

const SEVERAL_CHOICES: &[u8] =
    include_bytes!("../../../herdbook-ppo/tests/data/multi_discrete_tanh.zip");

fn asked(bytes: &[u8]) -> ModelImportRequest {
    ModelImportRequest {
        timeframe: request().timeframe,
        model: model(),
        experiment: request().experiment,
        symbol: Some(request().data.symbol),
        file: "model.zip".to_owned(),
        bytes: bytes.to_vec(),
    }
}

fn imported(fixture: &Fixture, bytes: &[u8]) -> Result<ImportedModel, TrainingError> {
    import_model(&fixture.store, &asked(bytes).prepare()?)
}

#[test]
fn foreign_model_joins_the_register_with_an_unknown_past_and_cannot_be_run() {
    let fixture = Fixture::new();
    let found = imported(&fixture, FOREIGN).unwrap();
    assert!(found.obstacle.unwrap().contains("does not describe its environment"));
    let version = fixture.version(1);
    assert_eq!(version.tag::<Honesty>("honesty"), Some(Honesty::Unknown));
    assert_eq!(version.tags["total_timesteps"], found.timesteps.to_string());
    let stored = fixture.store.read_artifact(&found.run_id, "models/1H/model.zip").unwrap();
    assert!(stored == FOREIGN, "the file is kept as it is");
    let loaded = RegisteredModel::load(&fixture.store, version).unwrap_err();
    assert!(matches!(loaded, TrainingError::ForeignEnvironment { .. }), "{loaded}");
}

#[test]
fn model_of_an_unknown_environment_is_a_parent_where_its_networks_fit() {
    let fixture = Fixture::new();
    let found = imported(&fixture, FOREIGN).unwrap();
    assert!(found.is_enhanceable);
    let mut listener = Listener::default();
    let asked = child(ParentSelector::Latest, Enhancement::Continued);
    let report = fixture.train_listening(asked, &mut listener).unwrap();
    assert_eq!(report.run.honesty, Honesty::Unknown);
    assert_eq!(report.run.previous_timesteps, found.timesteps);
    let improvement = report.run.improvement.unwrap();
    assert_eq!(improvement.basis, ImprovementBasis::Logged);
    assert!(improvement.metrics.is_empty(), "nothing was logged of the parent");
    let notice = "Its networks fit, so training continues from it";
    assert!(listener.notices.iter().any(|text| text.contains(notice)), "{:?}", listener.notices);
    // The file of the child describes its environment, so herdbook can run it.
    assert!(RegisteredModel::load(&fixture.store, fixture.version(2)).is_ok());
}

#[test]
fn model_of_another_shape_joins_the_register_and_is_no_parent() {
    let fixture = Fixture::new();
    let found = imported(&fixture, SEVERAL_CHOICES).unwrap();
    assert!(!found.is_enhanceable);
    let [note] = &found.notes[..] else { panic!("{:?}", found.notes) };
    assert!(note.contains("no `model.onnx`"), "{note}");
    let refused = fixture.train(child(ParentSelector::Latest, Enhancement::Continued)).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "herdbook can neither run nor enhance the model of `1H_trading_model` version 1: its networks take 7 inputs \
         and have actions [3, 2], but herdbook's environment has 35 inputs and actions [3]"
    );
}

#[test]
fn model_of_another_algorithm_is_registered_with_the_facts_of_its_file_alone() {
    let fixture = Fixture::new();
    let a2c = include_bytes!("../../../herdbook-ppo/tests/data/a2c_adam.zip");
    let found = imported(&fixture, a2c).unwrap();
    assert_eq!((found.algorithm, found.timesteps), (Some("A2C"), 130));
    assert!(!found.is_enhanceable);
    assert!(found.obstacle.unwrap().contains("is a model of A2C"));
    let params = fixture.store.run(&found.run_id).unwrap().params;
    assert_eq!((params["algorithm"].as_str(), params["n_steps"].as_str()), ("A2C", "5"));
    for invented in ["n_epochs", "clip_range", "batch_size", "net_arch", "env.obs_len"] {
        assert!(!params.contains_key(invented), "{invented}: {params:?}");
    }
    let refused = fixture.train(child(ParentSelector::Latest, Enhancement::Continued)).unwrap_err();
    assert!(matches!(refused, TrainingError::ForeignEnvironment { .. }), "{refused}");
}

#[test]
fn model_of_ours_comes_back_and_is_enhanced_though_its_past_is_unknown() {
    let elsewhere = Fixture::new();
    let run = elsewhere.train(request()).unwrap().run.run_id;
    let bytes = elsewhere.store.read_artifact(&run, "models/1H/model.zip").unwrap();
    let fixture = Fixture::new();
    assert_eq!(imported(&fixture, &bytes).unwrap().obstacle, None);
    let child = fixture.train(child(ParentSelector::Latest, Enhancement::Continued)).unwrap();
    assert_eq!(child.run.honesty, Honesty::Unknown);
    assert_eq!(child.run.previous_timesteps, 768);
}

#[test]
fn same_file_is_not_registered_twice_and_a_broken_one_not_at_all() {
    let fixture = Fixture::new();
    imported(&fixture, FOREIGN).unwrap();
    let twice = imported(&fixture, FOREIGN).unwrap_err();
    assert!(matches!(twice, TrainingError::AlreadyImported { .. }), "{twice}");
    assert!(imported(&fixture, &FOREIGN[..1_000]).is_err());
    assert_eq!(fixture.store.runs_with_tag("timeframe", "1H").unwrap().len(), 1);
}

#[test]
fn model_that_is_registered_here_does_not_lose_its_past_under_another_name() {
    let fixture = Fixture::new();
    let run = fixture.train(request()).unwrap().run.run_id;
    let bytes = fixture.store.read_artifact(&run, "models/1H/model.zip").unwrap();
    let asked = ModelImportRequest { model: ModelName::parse("other").unwrap(), ..asked(&bytes) };
    let refused = import_model(&fixture.store, &asked.prepare().unwrap()).unwrap_err();
    assert!(matches!(refused, TrainingError::AlreadyImported { .. }), "{refused}");
}

#[test]
fn file_that_says_what_it_is_of_is_taken_for_nothing_else() {
    let elsewhere = Fixture::new();
    let run = elsewhere.train(request()).unwrap().run.run_id;
    let bytes = elsewhere.store.read_artifact(&run, "models/1H/model.zip").unwrap();
    let daily = ModelImportRequest { timeframe: "D".parse().unwrap(), ..asked(&bytes) };
    assert_eq!(
        daily.prepare().unwrap_err().to_string(),
        "`model.zip` holds a model for timeframe `1H`, not `D`: give `1H`"
    );
    let other = ModelImportRequest { symbol: Some(Symbol::parse("SPY").unwrap()), ..asked(&bytes) };
    let imported = import_model(&Fixture::new().store, &other.prepare().unwrap()).unwrap();
    assert!(imported.notes[0].contains("but it is registered for `SPY`"), "{:?}", imported.notes);
    let fixture = Fixture::new();
    let unsaid = ModelImportRequest { symbol: None, ..asked(&bytes) };
    let imported = import_model(&fixture.store, &unsaid.prepare().unwrap()).unwrap();
    let run = fixture.store.run(&imported.run_id).unwrap();
    assert_eq!(run.params["data.symbol"], request().data.symbol.as_str());
}
