//! The honesty rule, end to end.

use herdbook_domain::tags::key;
use herdbook_domain::{
    Enhancement, Honesty, ParentSelector, PromotionRequest, Reason, Stage, Timestamp, VersionKey,
    VersionNumber,
};
use herdbook_store::{Effect, EventQuery};
use herdbook_training::{Boundaries, ContaminatedTest, TrainRequest, TrainingError};

use crate::barn::{Barn, child, model, request};

/// A child whose test window reaches back into the bars its parent was trained on.
fn overlapping(contaminated: ContaminatedTest) -> TrainRequest {
    let early = Timestamp::parse("2017-08-01").unwrap();
    TrainRequest {
        boundaries: Boundaries { test_from_ms: Some(early.millis()), ..Boundaries::default() },
        contaminated,
        ..child(ParentSelector::Version(VersionNumber::FIRST), Enhancement::Continued)
    }
}

#[test]
fn default_workflow_is_clean_over_generations() {
    let barn = Barn::new();
    assert_eq!(barn.train(request()).unwrap().run.honesty, Honesty::Clean);
    for _ in 0..2 {
        let report = barn.train(child(ParentSelector::Latest, Enhancement::Continued)).unwrap();
        assert_eq!(report.run.honesty, Honesty::Clean);
    }
}

#[test]
fn contaminated_request_is_refused_before_training_starts() {
    let barn = Barn::new();
    barn.train(request()).unwrap();
    let before = barn.store.events(&EventQuery::default()).unwrap().len();
    let error = barn.train(overlapping(ContaminatedTest::Refused)).unwrap_err();
    assert!(matches!(error, TrainingError::Contaminated { .. }), "{error}");
    assert_eq!(barn.store.events(&EventQuery::default()).unwrap().len(), before);
}

#[test]
fn allowed_contamination_is_marked_skipped_as_a_parent_and_kept_from_rising() {
    let barn = Barn::new();
    barn.train(request()).unwrap();
    let report = barn.train(overlapping(ContaminatedTest::Marked)).unwrap();
    assert_eq!(report.run.honesty, Honesty::Contaminated);
    let sure = herdbook_training::Evidence { probability: Some(1.0), ..report.run.evidence };
    assert!(!sure.is_evidence(), "of bars that were seen in training nothing follows");
    assert_eq!(barn.version(2).tags[key::HONESTY], "contaminated");

    let mut best = child(ParentSelector::Best, Enhancement::Continued);
    best.enhance.as_mut().unwrap().model_type = herdbook_domain::ModelType::Continued;
    let parent = barn.train(best).unwrap().run.parent.unwrap();
    assert_eq!(parent.key.version, VersionNumber::FIRST, "the contaminated one is skipped");

    let mut promotion = PromotionRequest {
        key: VersionKey { name: model(), version: VersionNumber::new(2).unwrap() },
        target: Stage::Beta,
        reason: Some(Reason::parse("to look at it").unwrap()),
        expected_champion: None,
        force: false,
    };
    let refusal = barn.store.promote(&promotion, Effect::Commit).unwrap_err();
    assert!(refusal.to_string().contains("is contaminated"), "{refusal}");
    promotion.force = true;
    barn.store.promote(&promotion, Effect::Commit).unwrap();
}

#[test]
fn grandchild_is_judged_by_its_grandparent_too() {
    let barn = Barn::new();
    barn.train(request()).unwrap();
    let late = Timestamp::parse("2017-09-10").unwrap();
    let boundaries = Boundaries { test_from_ms: Some(late.millis()), ..Boundaries::default() };
    let request = child(ParentSelector::Latest, Enhancement::Continued);
    barn.train(TrainRequest { boundaries, ..request }).unwrap();
    // The default split was clean for the grandparent, but its child validated on later bars.
    let mut grandchild =
        child(ParentSelector::Version(VersionNumber::new(2).unwrap()), Enhancement::Continued);
    grandchild.boundaries = Boundaries::default();
    let error = barn.train(grandchild).unwrap_err();
    assert!(matches!(error, TrainingError::Contaminated { .. }), "{error}");
}

#[test]
fn tag_taken_away_makes_no_ancestor_forgotten_and_no_contamination() {
    let barn = Barn::new();
    barn.train(request()).unwrap();
    barn.train(overlapping(ContaminatedTest::Marked)).unwrap();
    let database = rusqlite::Connection::open(barn.folder.path().join("mlflow.db")).unwrap();
    let forced = barn.version(2).run_id.unwrap();
    let forget = format!(
        "DELETE FROM tags WHERE run_uuid = '{forced}' AND key = 'base_model_run_id';
         DELETE FROM tags WHERE run_uuid = '{forced}' AND key = 'honesty';
         UPDATE model_version_tags SET value = 'clean' WHERE key = 'honesty' AND version = 2;"
    );
    database.execute_batch(&forget).unwrap();
    let ancestors = barn.store.ancestors(&forced).unwrap();
    assert_eq!(ancestors[0].as_ref().map(|run| &run.run_id), barn.version(1).run_id.as_ref());
    let promotion = PromotionRequest {
        key: barn.version(2).key,
        target: Stage::Beta,
        reason: None,
        expected_champion: None,
        force: false,
    };
    let refusal = barn.store.promote(&promotion, Effect::Commit).unwrap_err();
    assert!(refusal.to_string().contains("is contaminated"), "{refusal}");
    let mut best = child(ParentSelector::Best, Enhancement::Continued);
    best.enhance.as_mut().unwrap().model_type = herdbook_domain::ModelType::Continued;
    let parent = barn.train(best).unwrap().run.parent.unwrap();
    assert_eq!(parent.key.version, VersionNumber::FIRST);
}
