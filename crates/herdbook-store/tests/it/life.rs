//! The life of a model: trained, enhanced, promoted, displaced.

use herdbook_domain::tags::key;
use herdbook_domain::{EventKind, Reason, Refusal, RollbackRequest, RunStatus, Stage, champion_at};
use herdbook_store::{Effect, EventQuery, FileState, StoreError, UnfinishedEnd};

use crate::backend::RACE_ROUNDS;
use crate::herd::{Herd, MODEL_FILE, finish, model, number, promotion, version};

#[test]
fn finished_training_is_registered_in_development() {
    let herd = Herd::new();
    let run_id = herd.train(None, 1.0);
    let record = herd.store.version_of_run(&run_id).unwrap().unwrap();
    assert_eq!(record.key.version, number(1));
    assert_eq!(record.tags[key::PROMOTION_STAGE], "development");
    assert_eq!(record.tags[key::TOTAL_TIMESTEPS], "2048");
    assert_eq!(herd.store.run(&run_id).unwrap().status, RunStatus::Finished);
    herd.assert_invariants();
}

#[test]
fn enhancement_turns_the_parent_old_in_the_act_that_registers_the_child() {
    let herd = Herd::new();
    let parent = herd.train(None, 1.0);
    let (child, origin) = herd.start(Some(&parent));
    assert_eq!(herd.tag(1, key::VERSION_TYPE).unwrap(), "latest");
    herd.finish(&child, origin, 2.0);
    assert_eq!(herd.tag(1, key::VERSION_TYPE).unwrap(), "old");
    assert_eq!(herd.tag(2, key::BASE_MODEL_RUN_ID).unwrap(), parent.to_string());
    assert_eq!(herd.tag(2, key::PREVIOUS_TIMESTEPS).unwrap(), "2048");
    assert_eq!(herd.tag(2, key::TOTAL_TIMESTEPS).unwrap(), "4096");
    herd.train(Some(&parent), 3.0);
    let superseded = herd
        .store
        .events(&EventQuery::default())
        .unwrap()
        .into_iter()
        .filter(|event| event.what.kind == EventKind::Superseded);
    assert_eq!(superseded.count(), 1, "a parent is superseded once");
    herd.assert_invariants();
}

#[test]
fn failed_training_registers_nothing_and_leaves_the_parent_latest() {
    let herd = Herd::new();
    let parent = herd.train(None, 1.0);
    let (child, origin) = herd.start(Some(&parent));
    herd.store.end_run(&child, &model(), UnfinishedEnd::Failed, "out of\nmemory").unwrap();
    assert_eq!(herd.store.run(&child).unwrap().status, RunStatus::Failed);
    assert!(herd.store.version_of_run(&child).unwrap().is_none());
    assert_eq!(herd.tag(1, key::VERSION_TYPE).unwrap(), "latest");
    let late = herd.store.finish_and_register(&finish(&child, origin, &[]));
    assert!(matches!(late, Err(StoreError::RunNotRunning { .. })));
    herd.assert_invariants();
}

#[test]
fn second_champion_displaces_the_first_in_one_act() {
    let herd = Herd::new();
    herd.train(None, 1.0);
    herd.train(None, 2.0);
    for (version, stage) in [(1, Stage::Beta), (1, Stage::Champion), (2, Stage::Beta)] {
        herd.promote(version, stage).unwrap();
        herd.assert_invariants();
    }
    let promoted = herd.promote(2, Stage::Champion).unwrap();
    assert_eq!(promoted.plan.displaced().unwrap().key.version, number(1));
    assert_eq!(promoted.events.len(), 2);
    assert_eq!(promoted.events[0].act_id, promoted.events[1].act_id);
    assert_eq!(herd.tag(1, key::PROMOTION_STAGE).unwrap(), "archived");
    assert_eq!(herd.tag(1, key::PROMOTION_REASON).unwrap(), "tested");
    assert_eq!(herd.tag(1, key::DEMOTION_REASON).unwrap(), "New champion promoted");
    herd.assert_invariants();
}

#[test]
fn refused_promotion_and_dry_run_write_nothing() {
    let herd = Herd::new();
    herd.train(None, 1.0);
    let events = || herd.store.events(&EventQuery::default()).unwrap().len();
    let before = events();
    let refused = herd.promote(1, Stage::Champion).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "`1H_trading_model` version 1 is in `development` and may go to `beta` or `archived`, \
         not to `champion`"
    );
    let planned = herd.store.promote(&promotion(1, Stage::Beta), Effect::DryRun).unwrap();
    assert_eq!(planned.plan.requested().unwrap().transition.to(), Stage::Beta);
    assert_eq!(herd.tag(1, key::PROMOTION_STAGE).unwrap(), "development");
    assert_eq!(events(), before);
}

#[test]
fn champion_that_leaves_takes_the_alias_with_it() {
    let herd = Herd::new();
    herd.train(None, 1.0);
    for stage in [Stage::Beta, Stage::Champion, Stage::Beta] {
        herd.promote(1, stage).unwrap();
        herd.assert_invariants();
    }
    assert!(herd.store.champion(&model()).unwrap().is_none());
}

#[test]
fn version_without_the_file_that_was_registered_cannot_become_champion() {
    let herd = Herd::new();
    let run_id = herd.train(None, 1.0);
    herd.promote(1, Stage::Beta).unwrap();
    herd.store.store_artifact(&run_id, "models/1H/model.zip", b"something else").unwrap();
    let refused = herd.promote(1, Stage::Champion).unwrap_err().to_string();
    let (begin, end) = (
        "`1H_trading_model` version 1 has an altered model file: `",
        "models/1H/model.zip` is not the registered one, so it cannot be used and may not go to `champion`",
    );
    assert!(refused.starts_with(begin) && refused.ends_with(end), "{refused}");
    herd.store.store_artifact(&run_id, "models/1H/model.zip", b"a model").unwrap();
    herd.promote(1, Stage::Champion).unwrap();
}

#[test]
fn racing_promoters_leave_one_champion_and_a_whole_history() {
    let herd = Herd::new();
    for reward in 0..4 {
        herd.train(None, f64::from(reward));
    }
    let outcomes: Vec<Result<_, StoreError>> = std::thread::scope(|scope| {
        let promoters: Vec<_> = (1..=4)
            .map(|version| {
                let store = herd.another_store();
                scope.spawn(move || {
                    [Stage::Beta, Stage::Champion, Stage::Beta, Stage::Champion]
                        .map(|stage| store.promote(&promotion(version, stage), Effect::Commit))
                })
            })
            .collect();
        promoters.into_iter().flat_map(|promoter| promoter.join().unwrap()).collect()
    });
    for refused in outcomes.iter().filter_map(|outcome| outcome.as_ref().err()) {
        let forbidden = matches!(refused, StoreError::Refused(Refusal::ForbiddenTransition { .. }));
        assert!(forbidden, "{refused}");
    }
    assert!(outcomes.iter().any(Result::is_ok));
    herd.assert_invariants();
}

#[test]
fn racing_trainings_number_their_versions_without_gap_or_duplicate() {
    let herd = Herd::new();
    let parent = herd.train(None, 1.0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let store = herd.another_store();
                for _ in 0..RACE_ROUNDS {
                    let (child, origin) = herd.start(Some(&parent));
                    store.store_artifact(&child, "models/1H/model.zip", MODEL_FILE).unwrap();
                    store.finish_and_register(&finish(&child, origin, &[])).unwrap();
                }
            });
        }
    });
    for version in 1..=1 + 4 * RACE_ROUNDS {
        assert!(herd.tag(version, key::VERSION_TYPE).is_some());
    }
    herd.assert_invariants();
}

/// Versions 1 to 3. Each was champion once, and 3 is now.
fn dynasty() -> Herd {
    let herd = Herd::new();
    for version in 1..=3 {
        herd.train(None, 1.0);
        herd.promote(version, Stage::Beta).unwrap();
        herd.promote(version, Stage::Champion).unwrap();
    }
    herd
}

fn rollback() -> RollbackRequest {
    RollbackRequest { name: model(), reason: Reason::parse("it lost money").unwrap(), force: false }
}

#[test]
fn rollback_brings_the_last_good_champion_back() {
    let herd = dynasty();
    let dry = herd.store.rollback(&rollback(), Effect::DryRun).unwrap();
    assert_eq!(dry.plan.requested().unwrap().key.version, number(2));
    assert_eq!(herd.store.champion(&model()).unwrap().unwrap().key.version, number(3));
    for expected in [2, 1] {
        let promotion = herd.store.rollback(&rollback(), Effect::Commit).unwrap();
        assert_eq!(herd.store.champion(&model()).unwrap().unwrap().key.version, number(expected));
        assert!(promotion.events.iter().all(|event| event.act_id == promotion.events[0].act_id));
        herd.assert_invariants();
    }
    assert!(herd.store.rollback(&rollback(), Effect::Commit).is_err());
}

#[test]
fn rollback_passes_over_an_altered_model_file() {
    let herd = dynasty();
    let second = herd.store.version(&version(2)).unwrap().run_id.unwrap();
    herd.store.store_artifact(&second, "models/1H/model.zip", b"something else").unwrap();
    herd.store.rollback(&rollback(), Effect::Commit).unwrap();
    assert_eq!(herd.store.champion(&model()).unwrap().unwrap().key.version, number(1));
    herd.assert_invariants();
}

#[test]
fn history_knows_the_champion_of_every_moment() {
    let herd = dynasty();
    herd.store.rollback(&rollback(), Effect::Commit).unwrap();
    let events = herd.store.events(&EventQuery::default()).unwrap();
    let end_of_time = herdbook_domain::Timestamp::from_millis(i64::MAX);
    let mut reigns = Vec::new();
    for end in 0..=events.len() {
        let champion = champion_at(&events[..end], end_of_time);
        reigns.extend(
            champion.and_then(|event| event.what.version).map(herdbook_domain::VersionNumber::get),
        );
    }
    reigns.dedup();
    assert_eq!(reigns, [1, 2, 3, 2]);
}

#[test]
fn verification_names_the_first_break() {
    let herd = dynasty();
    let whole = herd.store.verify().unwrap();
    assert_eq!(whole.files.len(), 3);
    assert!(whole.files.iter().all(|(_, state)| *state == FileState::Intact));
    assert!(whole.chain.unwrap().is_ok());

    let first = herd.store.version(&version(1)).unwrap().run_id.unwrap();
    let path = herd.store.artifact_path(&first, "models/1H/model.zip").unwrap();
    std::fs::remove_file(path).unwrap();
    let rewritten = "UPDATE herdbook_events SET reason = 'rewritten' WHERE id = 5";
    herd.foreign().execute_batch(rewritten).unwrap();
    let broken = herd.store.verify().unwrap();
    assert!(matches!(broken.files[0].1, FileState::Missing { .. }));
    assert_eq!(
        broken.chain.unwrap().unwrap_err().to_string(),
        "event 5 was altered: its content does not match its hash"
    );
    herd.foreign().execute_batch("DELETE FROM herdbook_events WHERE id = 3").unwrap();
    assert_eq!(
        herd.store.verify().unwrap().chain.unwrap().unwrap_err().to_string(),
        "event 3 is missing: event 4 stands in its place"
    );
}
