//! Enhancing: how the parent is chosen, what the child gains, what the four ways do.

use herdbook_domain::tags::key;
use herdbook_domain::{Enhancement, ModelType, ParentSelector, Symbol, Timeframe, VersionNumber};
use herdbook_store::EventQuery;
use herdbook_training::{DataSource, ImprovementBasis, TrainRequest, TrainingError};

use crate::barn::{Barn, Listener, child, request};

const CONTINUED: Enhancement = Enhancement::Continued;

#[test]
fn child_goes_on_from_its_parent_and_turns_it_old() {
    let barn = Barn::new();
    let parent = barn.train(request()).unwrap();
    let report = barn.train(child(ParentSelector::Best, CONTINUED)).unwrap();
    let tags = barn.version(2).tags;
    assert_eq!(tags[key::BASE_MODEL_PATH], parent.run.model_path());
    assert_eq!(tags[key::PREVIOUS_TIMESTEPS], "768");
    assert_eq!(tags[key::TOTAL_TIMESTEPS], "1536");
    assert_eq!(barn.version(1).tags[key::VERSION_TYPE], "old");
    let improvement = report.run.improvement.unwrap();
    assert_eq!(improvement.basis, ImprovementBasis::SameWindows);
    let run = barn.store.run(&report.run.run_id).unwrap();
    assert_eq!(run.tags[key::IMPROVEMENT_BASIS], "same_windows");
    let logged = run.metric("improvement_final/mean_reward").unwrap();
    assert!((logged - improvement.metrics["final/mean_reward"].percent.unwrap()).abs() < 1e-9);
}

#[test]
fn parent_is_run_again_where_the_costs_differ() {
    let barn = Barn::new();
    barn.train(request()).unwrap();
    let costly = TrainRequest { cost_bps: 5.0, ..child(ParentSelector::Best, CONTINUED) };
    let report = barn.train(costly).unwrap();
    let run = barn.store.run(&report.run.run_id).unwrap();
    assert_eq!(run.tags[key::IMPROVEMENT_BASIS], "reevaluated");
    let reevaluated = run.metric("parent/final/mean_reward").unwrap();
    assert!(
        reevaluated < barn.version(1).metric("final/mean_reward").unwrap(),
        "costs were not charged"
    );
}

#[test]
fn the_four_ways_differ() {
    let barn = Barn::new();
    let parent = barn.train(request()).unwrap().run.run_id;
    let mut files = Vec::new();
    for enhancement in Enhancement::ALL {
        let request = TrainRequest {
            timesteps: 3_000,
            ..child(ParentSelector::Run(parent.clone()), *enhancement)
        };
        let report = barn.train(request).unwrap();
        assert_eq!(report.run.model_type, enhancement.model_type());
        files.push(barn.model_file(&report));
    }
    for (idx, file) in files.iter().enumerate() {
        assert!(!files[..idx].contains(file), "{} equals another", Enhancement::ALL[idx]);
    }
    let metrics = |version: i64| barn.version(version).metrics;
    assert!(metrics(4).get("training/curriculum_cost_bps").is_some());
    assert!(metrics(5).get("training/ent_coef").is_some());
}

#[test]
fn missing_type_falls_back_to_a_base_model_even_an_old_one_and_says_so() {
    let barn = Barn::new();
    barn.train(request()).unwrap();
    barn.train(child(ParentSelector::Latest, CONTINUED)).unwrap();
    for selector in [ParentSelector::Latest, ParentSelector::Best] {
        let mut request = child(selector, CONTINUED);
        request.enhance.as_mut().unwrap().model_type = ModelType::Replay;
        let mut listener = Listener::default();
        let report = barn.train_listening(request, &mut listener).unwrap();
        assert_eq!(report.run.parent.unwrap().key.version, VersionNumber::FIRST);
        assert_eq!(
            listener.notices,
            [
                "no `replay` model to enhance: falling back to the base model `1H_trading_model` version 1"
            ]
        );
    }
}

#[test]
fn nothing_to_fall_back_to_is_an_error_and_trains_nothing() {
    let barn = Barn::new();
    for selector in [ParentSelector::Latest, ParentSelector::Best, ParentSelector::Champion] {
        assert!(barn.train(child(selector, CONTINUED)).is_err());
    }
    assert!(barn.store.events(&EventQuery::default()).unwrap().is_empty());
}

#[test]
fn parent_of_another_symbol_is_an_error() {
    let barn = Barn::new();
    barn.train(request()).unwrap();
    let mut other = child(ParentSelector::Version(VersionNumber::FIRST), CONTINUED);
    other.data.symbol = Symbol::parse("OTHER").unwrap();
    let error = barn.train(other).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`1H_trading_model` version 1 was trained on symbol `WALK`, but this training is on \
         `OTHER`: a child has its parent's symbol"
    );
}

#[test]
fn parent_of_another_timeframe_is_an_error() {
    let barn = Barn::new();
    let (data, _) = DataSource::sample(Timeframe::Hour1).unwrap();
    let parent = barn.train(TrainRequest { data: data.clone(), ..request() }).unwrap().run.run_id;
    let other = TrainRequest {
        timeframe: Timeframe::Hour4,
        data,
        ..child(ParentSelector::Run(parent), CONTINUED)
    };
    let error = barn.train(other).unwrap_err().to_string();
    assert!(error.contains("timeframe `1H`") && error.contains("`4H`"), "{error}");
}

#[test]
fn altered_parent_file_is_refused() {
    let barn = Barn::new();
    let parent = barn.train(request()).unwrap();
    let path = barn.store.artifact_path(&parent.run.run_id, "models/1H/model.zip").unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    bytes.push(0);
    std::fs::write(&path, bytes).unwrap();
    let error = barn.train(child(ParentSelector::Latest, CONTINUED)).unwrap_err();
    assert!(matches!(error, TrainingError::AlteredModel { .. }), "{error}");
}
