//! The honesty rule, end to end.

use herdbook_domain::tags::key;
use herdbook_domain::{
    Enhancement, Honesty, ParentSelector, PromotionRequest, Reason, Stage, Timestamp, VersionKey,
    VersionNumber,
};
use herdbook_store::{Effect, EventQuery};
use herdbook_training::{Boundaries, ContaminatedTest, TrainRequest, TrainingError};

use crate::fixture::{Fixture, child, model, request};

/// A child whose test window overlaps the training window of its parent.
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
    let fixture = Fixture::new();
    assert_eq!(fixture.train(request()).unwrap().run.honesty, Honesty::Clean);
    for _ in 0..2 {
        let report = fixture.train(child(ParentSelector::Latest, Enhancement::Continued)).unwrap();
        assert_eq!(report.run.honesty, Honesty::Clean);
    }
}

#[test]
fn contaminated_request_is_refused_before_training_starts() {
    let fixture = Fixture::new();
    fixture.train(request()).unwrap();
    let before = fixture.store.events(&EventQuery::default()).unwrap().len();
    let error = fixture.train(overlapping(ContaminatedTest::Refused)).unwrap_err();
    assert!(matches!(error, TrainingError::Contaminated { .. }), "{error}");
    assert_eq!(fixture.store.events(&EventQuery::default()).unwrap().len(), before);
}

#[test]
fn allowed_contamination_is_marked_skipped_as_a_parent_and_kept_from_rising() {
    let fixture = Fixture::new();
    fixture.train(request()).unwrap();
    let report = fixture.train(overlapping(ContaminatedTest::Marked)).unwrap();
    assert_eq!(report.run.honesty, Honesty::Contaminated);
    let objection = report.run.evidence.objection();
    assert_eq!(objection.as_deref(), Some("bars were seen in training"));
    assert_eq!(fixture.version(2).tags[key::HONESTY], "contaminated");

    let mut best = child(ParentSelector::Best, Enhancement::Continued);
    best.enhance.as_mut().unwrap().model_type = herdbook_domain::ModelType::Continued;
    let parent = fixture.train(best).unwrap().run.parent.unwrap();
    assert_eq!(parent.key.version, VersionNumber::FIRST, "the contaminated one is skipped");

    let mut promotion = PromotionRequest {
        key: VersionKey { name: model(), version: VersionNumber::new(2).unwrap() },
        target: Stage::Beta,
        reason: Some(Reason::parse("to look at it").unwrap()),
        expected_champion: None,
        force: false,
    };
    let refusal = fixture.store.promote(&promotion, Effect::Commit).unwrap_err();
    assert!(refusal.to_string().contains("is contaminated"), "{refusal}");
    promotion.force = true;
    fixture.store.promote(&promotion, Effect::Commit).unwrap();
}

#[test]
fn grandchild_is_judged_by_its_grandparent_too() {
    let fixture = Fixture::new();
    fixture.train(request()).unwrap();
    let late = Timestamp::parse("2017-09-10").unwrap();
    let boundaries = Boundaries { test_from_ms: Some(late.millis()), ..Boundaries::default() };
    let request = child(ParentSelector::Latest, Enhancement::Continued);
    fixture.train(TrainRequest { boundaries, ..request }).unwrap();
    // The default split is clean for the grandparent, but the parent was validated on later bars.
    let mut grandchild =
        child(ParentSelector::Version(VersionNumber::new(2).unwrap()), Enhancement::Continued);
    grandchild.boundaries = Boundaries::default();
    let error = fixture.train(grandchild).unwrap_err();
    assert!(matches!(error, TrainingError::Contaminated { .. }), "{error}");
}

#[test]
fn tag_taken_away_makes_no_ancestor_forgotten_and_no_contamination() {
    let fixture = Fixture::new();
    fixture.train(request()).unwrap();
    fixture.train(overlapping(ContaminatedTest::Marked)).unwrap();
    let database = rusqlite::Connection::open(fixture.folder.path().join("mlflow.db")).unwrap();
    let forced = fixture.version(2).run_id.unwrap();
    let forget = format!(
        "DELETE FROM tags WHERE run_uuid = '{forced}' AND key = 'base_model_run_id';
         DELETE FROM tags WHERE run_uuid = '{forced}' AND key = 'honesty';
         UPDATE model_version_tags SET value = 'clean' WHERE key = 'honesty' AND version = 2;"
    );
    database.execute_batch(&forget).unwrap();
    let ancestors = fixture.store.ancestors(&forced).unwrap();
    assert_eq!(ancestors[0].as_ref().map(|run| &run.run_id), fixture.version(1).run_id.as_ref());
    let promotion = PromotionRequest {
        key: fixture.version(2).key,
        target: Stage::Beta,
        reason: None,
        expected_champion: None,
        force: false,
    };
    let refusal = fixture.store.promote(&promotion, Effect::Commit).unwrap_err();
    assert!(refusal.to_string().contains("is contaminated"), "{refusal}");
    let mut best = child(ParentSelector::Best, Enhancement::Continued);
    best.enhance.as_mut().unwrap().model_type = herdbook_domain::ModelType::Continued;
    let parent = fixture.train(best).unwrap().run.parent.unwrap();
    assert_eq!(parent.key.version, VersionNumber::FIRST);
}
