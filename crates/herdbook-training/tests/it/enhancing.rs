//! Enhancements: choice of the parent, improvement of the child, differences between the four kinds.

use herdbook_domain::tags::key;
use herdbook_domain::{
    Enhancement, MetricName, ModelType, ParentSelector, Symbol, Timeframe, Timestamp, VersionNumber,
};
use herdbook_store::EventQuery;
use herdbook_training::{
    Boundaries, ContaminatedTest, DataSource, ExcludedCandidates, ImprovementBasis, TrainRequest,
    TrainingError,
};

use crate::fixture::{Fixture, Listener, child, request};

const CONTINUED: Enhancement = Enhancement::Continued;

#[test]
fn child_goes_on_from_its_parent_and_turns_it_old() {
    let fixture = Fixture::new();
    let parent = fixture.train(request()).unwrap();
    let report = fixture.train(child(ParentSelector::Best, CONTINUED)).unwrap();
    let tags = fixture.version(2).tags;
    assert_eq!(tags[key::BASE_MODEL_PATH], parent.run.model_path());
    assert_eq!(tags[key::PREVIOUS_TIMESTEPS], "768");
    assert_eq!(tags[key::TOTAL_TIMESTEPS], "1536");
    assert_eq!(fixture.version(1).tags[key::VERSION_TYPE], "old");
    let improvement = report.run.improvement.unwrap();
    assert_eq!(improvement.basis, ImprovementBasis::SameWindows);
    let run = fixture.store.run(&report.run.run_id).unwrap();
    assert_eq!(run.tags[key::IMPROVEMENT_BASIS], "same_windows");
    let logged = run.metric("improvement_final/mean_reward").unwrap();
    assert!((logged - improvement.metrics["final/mean_reward"].percent.unwrap()).abs() < 1e-9);
}

#[test]
fn parent_is_run_again_where_the_costs_differ() {
    let fixture = Fixture::new();
    fixture.train(request()).unwrap();
    let costly = TrainRequest { cost_bps: 5.0, ..child(ParentSelector::Best, CONTINUED) };
    let report = fixture.train(costly).unwrap();
    let run = fixture.store.run(&report.run.run_id).unwrap();
    assert_eq!(run.tags[key::IMPROVEMENT_BASIS], "reevaluated");
    let reevaluated = run.metric("parent/final/mean_reward").unwrap();
    assert!(
        reevaluated < fixture.version(1).metric("final/mean_reward").unwrap(),
        "costs were not charged"
    );
}

#[test]
fn the_four_ways_differ() {
    let fixture = Fixture::new();
    let parent = fixture.train(request()).unwrap().run.run_id;
    let mut files = Vec::new();
    for enhancement in Enhancement::ALL {
        let request = TrainRequest {
            timesteps: 3_000,
            ..child(ParentSelector::Run(parent.clone()), *enhancement)
        };
        let report = fixture.train(request).unwrap();
        assert_eq!(report.run.model_type, enhancement.model_type());
        files.push(fixture.model_file(&report));
    }
    for (idx, file) in files.iter().enumerate() {
        assert!(!files[..idx].contains(file), "{} equals another", Enhancement::ALL[idx]);
    }
    let metrics = |version: i64| fixture.version(version).metrics;
    assert!(metrics(4).get("training/curriculum_cost_bps").is_some());
    assert!(metrics(5).get("training/ent_coef").is_some());
}

#[test]
fn missing_type_falls_back_to_a_base_model_even_an_old_one_and_says_so() {
    let fixture = Fixture::new();
    fixture.train(request()).unwrap();
    fixture.train(child(ParentSelector::Latest, CONTINUED)).unwrap();
    for selector in [ParentSelector::Latest, ParentSelector::Best] {
        let mut request = child(selector, CONTINUED);
        request.enhance.as_mut().unwrap().model_type = ModelType::Replay;
        let mut listener = Listener::default();
        let report = fixture.train_listening(request, &mut listener).unwrap();
        assert_eq!(report.run.parent.unwrap().key.version, VersionNumber::FIRST);
        assert_eq!(
            listener.notices,
            [
                "there is no `replay` model to enhance: using the base model `1H_trading_model` version 1 as parent"
            ]
        );
    }
}

#[test]
fn nothing_to_fall_back_to_is_an_error_and_trains_nothing() {
    let fixture = Fixture::new();
    for selector in [ParentSelector::Latest, ParentSelector::Best, ParentSelector::Champion] {
        assert!(fixture.train(child(selector, CONTINUED)).is_err());
    }
    assert!(fixture.store.events(&EventQuery::default()).unwrap().is_empty());
}

#[test]
fn parent_of_another_symbol_is_an_error() {
    let fixture = Fixture::new();
    fixture.train(request()).unwrap();
    let mut other = child(ParentSelector::Version(VersionNumber::FIRST), CONTINUED);
    other.data.symbol = Symbol::parse("OTHER").unwrap();
    let error = fixture.train(other).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the parent `1H_trading_model` version 1 was trained on symbol `WALK`, but this training uses `OTHER`: both must \
         have the same symbol"
    );
}

#[test]
fn parent_of_another_timeframe_is_an_error() {
    let fixture = Fixture::new();
    let (data, _) = DataSource::sample(Timeframe::Hour1).unwrap();
    let parent =
        fixture.train(TrainRequest { data: data.clone(), ..request() }).unwrap().run.run_id;
    let other = TrainRequest {
        timeframe: Timeframe::Hour4,
        data,
        ..child(ParentSelector::Run(parent), CONTINUED)
    };
    let error = fixture.train(other).unwrap_err().to_string();
    assert!(error.contains("timeframe `1H`") && error.contains("`4H`"), "{error}");
}

#[test]
fn altered_parent_file_is_refused() {
    let fixture = Fixture::new();
    let parent = fixture.train(request()).unwrap();
    let path = fixture.store.artifact_path(&parent.run.run_id, "models/1H/model.zip").unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    bytes.push(0);
    std::fs::write(&path, bytes).unwrap();
    let error = fixture.train(child(ParentSelector::Latest, CONTINUED)).unwrap_err();
    assert!(matches!(error, TrainingError::Unusable { .. }), "{error}");
    let named = ParentSelector::Run(parent.run.run_id);
    let error = fixture.train(child(named, CONTINUED)).unwrap_err();
    assert!(matches!(error, TrainingError::AlteredModel { .. }), "{error}");
}

#[test]
fn validation_window_with_bars_of_the_parents_training_is_reported() {
    let fixture = Fixture::new();
    let windows = fixture.train(request()).unwrap().run.windows;
    let notices_of = |request: TrainRequest| {
        let mut listener = Listener::default();
        fixture.train_listening(request, &mut listener).unwrap();
        listener.notices
    };
    let about_validation = |text: &String| text.starts_with("the validation window has bars");
    let continued = child(ParentSelector::Version(VersionNumber::FIRST), CONTINUED);
    assert!(!notices_of(continued.clone()).iter().any(about_validation));
    let early = Timestamp::parse("2017-08-10").unwrap();
    let boundaries = Boundaries {
        validation_from_ms: Some(early.millis()),
        test_from_ms: Some(windows.test.start.millis()),
        test_until_ms: None,
    };
    let overlapping = notices_of(TrainRequest { boundaries, ..continued });
    assert!(overlapping.iter().any(about_validation), "{overlapping:?}");
}

#[test]
fn parent_chosen_by_a_test_metric_is_reported() {
    let fixture = Fixture::new();
    fixture.train(request()).unwrap();
    for (metric, is_reported) in
        [("final/mean_reward", true), ("evaluation/best_mean_reward", false)]
    {
        let mut best = child(ParentSelector::Best, CONTINUED);
        best.enhance.as_mut().unwrap().metric = MetricName::parse(metric).unwrap();
        let mut listener = Listener::default();
        fixture.train_listening(best, &mut listener).unwrap();
        let found = listener.notices.iter().any(|text| text.contains("not measured on the valid"));
        assert_eq!(found, is_reported, "{:?}", listener.notices);
    }
}

#[test]
fn best_with_only_contaminated_candidates_says_how_to_name_one() {
    let fixture = Fixture::new();
    fixture.train(request()).unwrap();
    let early = Timestamp::parse("2017-08-01").unwrap();
    let contaminated = TrainRequest {
        boundaries: Boundaries { test_from_ms: Some(early.millis()), ..Boundaries::default() },
        contaminated: ContaminatedTest::Marked,
        ..child(ParentSelector::Latest, CONTINUED)
    };
    fixture.train(contaminated).unwrap();
    // Without the base model, only the contaminated child is left.
    let database = rusqlite::Connection::open(fixture.folder.path().join("mlflow.db")).unwrap();
    let delete = "UPDATE model_versions SET current_stage = 'Deleted_Internal' WHERE version = 1";
    database.execute_batch(delete).unwrap();
    let mut best = child(ParentSelector::Best, CONTINUED);
    best.enhance.as_mut().unwrap().model_type = ModelType::Continued;
    let error = fixture.train(best).unwrap_err();
    let TrainingError::NoParent { excluded, .. } = &error else { panic!("{error}") };
    assert_eq!(*excluded, ExcludedCandidates::Contaminated);
    assert!(error.to_string().ends_with("give its version number"), "{error}");
}

#[test]
fn adaptive_starts_with_the_requested_entropy_coefficient_and_says_so() {
    let fixture = Fixture::new();
    fixture.train(request()).unwrap();
    let mut adaptive = child(ParentSelector::Latest, Enhancement::Adaptive);
    adaptive.config.ent_coef = 0.2;
    let mut listener = Listener::default();
    let report = fixture.train_listening(adaptive, &mut listener).unwrap();
    let told = listener.notices.iter().any(|notice| notice.contains("starts with `ent_coef` 0.2"));
    assert!(told, "{:?}", listener.notices);
    let run = fixture.store.run(&report.run.run_id).unwrap();
    assert_eq!(run.params["ent_coef"], "0.2");
    // Three rollouts change it by at most 30 % each.
    let controlled = run.metric("training/ent_coef").unwrap();
    assert!((0.2 / 2.2..=0.2).contains(&controlled), "{controlled}");
}
