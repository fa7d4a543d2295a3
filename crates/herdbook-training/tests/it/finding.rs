//! Search for models: fallbacks, the parent that would be chosen, comparable candidates.

use herdbook_domain::{
    Departure, Enhancement, MetricName, ModelType, ParentSelector, Symbol, Timeframe, Timestamp,
    VersionType,
};
use herdbook_store::Contaminated;
use herdbook_training::{
    Boundaries, FindQuery, FoundModel, TrainRequest, find_best, find_latest, find_parent,
};

use crate::fixture::{Fixture, child, request};

fn query(model_type: ModelType) -> FindQuery {
    FindQuery {
        timeframe: Timeframe::Hour1,
        model_type,
        symbol: None,
        min_timesteps: 0,
        contaminated: Contaminated::Included,
    }
}

/// Version 1 is a base model, 2 its child, 3 a child of 2, and 4 another base model.
fn family() -> Fixture {
    let fixture = Fixture::new();
    let parent = fixture.train(request()).unwrap().run.run_id;
    let continued = |parent| child(ParentSelector::Run(parent), Enhancement::Continued);
    let second = fixture.train(continued(parent)).unwrap().run.run_id;
    fixture.train(continued(second)).unwrap();
    fixture.train(TrainRequest { seed: 8, ..request() }).unwrap();
    fixture
}

fn number(found: Option<FoundModel>) -> Option<u32> {
    found.map(|found| found.version.key.version.get())
}

#[test]
fn latest_of_a_version_type_does_not_fall_back_while_the_type_exists() {
    let fixture = family();
    let latest = |model_type, version_type| {
        find_latest(&fixture.store, &query(model_type), version_type).unwrap()
    };
    assert_eq!(number(latest(ModelType::Continued, None)), Some(3));
    assert_eq!(number(latest(ModelType::Continued, Some(VersionType::Old))), Some(2));
    assert_eq!(number(latest(ModelType::Base, Some(VersionType::Old))), Some(1));
    let fallback = latest(ModelType::Replay, Some(VersionType::Latest)).unwrap();
    assert_eq!((fallback.departure, fallback.model_type), (Departure::BaseModel, ModelType::Base));
    assert_eq!(fallback.version.key.version.get(), 4);

    // The only continued model is old, and base models of version type `latest` exist.
    let only_old = Fixture::new();
    let mut parent = only_old.train(request()).unwrap().run.run_id;
    for enhancement in [Enhancement::Continued, Enhancement::Replay] {
        let child = child(ParentSelector::Run(parent), enhancement);
        parent = only_old.train(child).unwrap().run.run_id;
    }
    only_old.train(TrainRequest { seed: 8, ..request() }).unwrap();
    let query = query(ModelType::Continued);
    let found = find_latest(&only_old.store, &query, Some(VersionType::Latest)).unwrap();
    assert_eq!(number(found), None);
}

#[test]
fn parent_that_is_found_is_the_one_that_an_enhancement_takes() {
    let fixture = family();
    for selector in [ParentSelector::Latest, ParentSelector::Best] {
        for model_type in [ModelType::Base, ModelType::Continued, ModelType::Adaptive] {
            let mut request = child(selector.clone(), Enhancement::Replay);
            let enhance = request.enhance.as_mut().unwrap();
            enhance.model_type = model_type;
            let metric = (selector == ParentSelector::Best).then_some(&enhance.metric);
            let found = find_parent(&fixture.store, &query(model_type), metric).unwrap().unwrap();
            let report = fixture.train(request).unwrap();
            assert_eq!(found.version.key, report.run.parent.unwrap().key, "{model_type}");
            assert_eq!(found.departure, report.run.departure, "{model_type}");
        }
    }
}

#[test]
fn best_names_the_params_in_which_candidates_differ() {
    let fixture = Fixture::new();
    let metric = MetricName::parse("final/mean_reward").unwrap();
    let best = || find_best(&fixture.store, &query(ModelType::Base), &metric).unwrap().unwrap();
    for seed in [7, 8] {
        fixture.train(TrainRequest { seed, ..request() }).unwrap();
    }
    assert_eq!(best().differing, Vec::<String>::new());
    let rewards = [1, 2].map(|number| fixture.version(number).metric("final/mean_reward").unwrap());
    assert!((best().value.unwrap() - rewards[0].max(rewards[1])).abs() < 1e-12);
    let later = Timestamp::parse("2017-09-05").unwrap();
    let boundaries = Boundaries { test_from_ms: Some(later.millis()), ..Boundaries::default() };
    fixture.train(TrainRequest { boundaries, ..request() }).unwrap();
    let differing = best().differing;
    assert!(differing.contains(&"data.test_start".to_owned()), "{differing:?}");
    assert!(!differing.contains(&"data.symbol".to_owned()), "{differing:?}");
}

#[test]
fn symbol_and_timesteps_restrict_the_search() {
    let fixture = Fixture::new();
    fixture.train(request()).unwrap();
    let found = |symbol: Option<&str>, min_timesteps| {
        let symbol = symbol.map(|text| Symbol::parse(text).unwrap());
        let query = FindQuery { symbol, min_timesteps, ..query(ModelType::Base) };
        number(find_latest(&fixture.store, &query, None).unwrap())
    };
    assert_eq!(found(Some("WALK"), 768), Some(1));
    assert_eq!(found(Some("OTHER"), 0), None);
    assert_eq!(found(None, 769), None);
}
