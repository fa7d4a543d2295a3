//! The doctor: each kind of breach is made by hand, found, and repaired if that is safe.

use herdbook_domain::tags::key;
use herdbook_domain::{
    Breach, BreachKind, EventKind, Reason, Remedy, RollbackRequest, RunStatus, Stage,
};
use herdbook_store::{Effect, EventQuery, StoreError};

use crate::backend;
use crate::herd::{Herd, model, number, promotion, version};

/// Versions 1 (champion, a parent) and 2 (its child, in beta).
pub(crate) fn herd() -> Herd {
    let herd = Herd::new();
    let parent = herd.train(None, 1.0);
    herd.train(Some(&parent), 2.0);
    for (version, stage) in [(1, Stage::Beta), (1, Stage::Champion), (2, Stage::Beta)] {
        herd.promote(version, stage).unwrap();
    }
    herd
}

pub(crate) fn kinds(breaches: &[Breach]) -> Vec<BreachKind> {
    breaches.iter().map(|breach| breach.kind).collect()
}

/// Checks that one breach of this kind is found, and that the repair leaves a healthy store.
fn assert_repaired(herd: &Herd, kind: BreachKind) -> Breach {
    let found = herd.store.diagnose().unwrap();
    assert_eq!(kinds(&found), [kind], "{found:#?}");
    assert!(matches!(found[0].remedy, Remedy::Possible(_)), "{}", found[0].line());
    let repaired = herd.store.repair().unwrap();
    assert_eq!(kinds(&repaired), [kind], "{repaired:#?}");
    assert!(!repaired[0].is_open());
    assert_eq!(herd.store.diagnose().unwrap(), []);
    herd.assert_invariants();
    repaired[0].clone()
}

/// Checks that one breach of this kind is found, and that the repair changes nothing.
fn assert_left_alone(herd: &Herd, kind: BreachKind) -> String {
    let events = || herd.store.events(&EventQuery::default()).unwrap().len();
    let before = events();
    let found = herd.store.repair().unwrap();
    assert_eq!(kinds(&found), [kind], "{found:#?}");
    assert!(matches!(found[0].remedy, Remedy::None(_)), "{}", found[0].line());
    assert_eq!(events(), before);
    found[0].line()
}

pub(crate) fn foreign(herd: &Herd, sql: &str) {
    herd.foreign().execute_batch(sql).unwrap();
}

pub(crate) fn set_tag(herd: &Herd, of: i64, key: &str, value: &str) {
    let sql = format!(
        "UPDATE model_version_tags SET value = '{value}' WHERE key = '{key}' AND version = {of}"
    );
    foreign(herd, &sql);
}

fn delete_as_mlflow(herd: &Herd, version: i64) {
    foreign(
        herd,
        &format!(
            "DELETE FROM registered_model_aliases WHERE version = {version};
             UPDATE model_versions SET current_stage = 'Deleted_Internal',
                run_id = 'REDACTED-RUN-ID' WHERE version = {version};"
        ),
    );
}

fn newest_event(herd: &Herd) -> herdbook_domain::EventDraft {
    herd.store.events(&EventQuery::default()).unwrap().pop().unwrap().what
}

#[test]
fn what_herdbook_did_is_healthy() {
    let herd = Herd::new();
    assert_eq!(herd.store.diagnose().unwrap(), []);
    let (_running, _) = herd.start(None);
    let parent = herd.train(None, 1.0);
    herd.train(Some(&parent), 2.0);
    assert_eq!(herd.store.diagnose().unwrap(), []);
    for (version, stage) in
        [(1, Stage::Beta), (1, Stage::Champion), (2, Stage::Beta), (2, Stage::Champion)]
    {
        herd.promote(version, stage).unwrap();
        assert_eq!(herd.store.diagnose().unwrap(), []);
    }
    let reason = Reason::parse("losses").unwrap();
    let request = RollbackRequest { name: model(), reason, force: false };
    herd.store.rollback(&request, Effect::Commit).unwrap();
    assert_eq!(herd.store.diagnose().unwrap(), []);
    assert_eq!(herd.store.repair().unwrap(), []);
    herd.assert_invariants();
}

#[test]
fn model_without_stage_tags_is_not_examined() {
    let herd = herd();
    foreign(
        &herd,
        "INSERT INTO registered_models (name, creation_time, last_updated_time, workspace)
         VALUES ('other', 0, 0, 'default');
         INSERT INTO model_versions (name, version, creation_time, last_updated_time, current_stage, status, workspace)
         VALUES ('other', 1, 0, 0, 'Production', 'READY', 'default');
         INSERT INTO registered_model_aliases (alias, version, name, workspace)
         VALUES ('champion', 1, 'other', 'default');",
    );
    assert_eq!(herd.store.diagnose().unwrap(), []);
}

#[test]
fn latest_with_a_child_turns_old() {
    let herd = herd();
    set_tag(&herd, 1, "version_type", "latest");
    let repaired = assert_repaired(&herd, BreachKind::VersionType);
    assert_eq!((repaired.subject.name, repaired.subject.version), (Some(model()), Some(number(1))));
    assert_eq!(herd.tag(1, key::VERSION_TYPE).unwrap(), "old");
    let event = newest_event(&herd);
    assert_eq!(event.kind, EventKind::Repaired);
    assert_eq!((event.from.as_deref(), event.to.as_deref()), (Some("latest"), Some("old")));
    assert!(event.details.contains("version_type"), "{}", event.details);
}

#[test]
fn old_without_a_child_is_left_to_a_person() {
    let herd = herd();
    set_tag(&herd, 2, "version_type", "old");
    foreign(&herd, "UPDATE tags SET value = 'old' WHERE key = 'version_type'");
    let line = assert_left_alone(&herd, BreachKind::VersionType);
    assert!(line.contains("version 2 is `old`, but no child is known"), "{line}");
}

#[test]
fn child_that_was_deleted_for_good_still_counts() {
    let herd = herd();
    foreign(
        &herd,
        "DELETE FROM model_version_tags WHERE version = 2; DELETE FROM model_versions WHERE version = 2;",
    );
    let line = assert_left_alone(&herd, BreachKind::MissingVersion);
    assert!(line.contains("version 2 has no row: it was registered by event"), "{line}");
    assert_eq!(herd.tag(1, key::VERSION_TYPE).unwrap(), "old");
}

#[test]
fn stage_tag_follows_the_history_with_run_and_mlflow_stage() {
    let herd = herd();
    set_tag(&herd, 2, "promotion_stage", "archived");
    foreign(&herd, "UPDATE model_versions SET current_stage = 'Archived' WHERE version = 2");
    assert_repaired(&herd, BreachKind::Stage);
    assert_eq!(herd.tag(2, key::PROMOTION_STAGE).unwrap(), "beta");
}

#[test]
fn champion_promoted_by_others_goes_back_and_the_right_one_returns() {
    let herd = herd();
    set_tag(&herd, 1, "promotion_stage", "archived");
    set_tag(&herd, 2, "promotion_stage", "champion");
    foreign(&herd, "UPDATE registered_model_aliases SET version = 2");
    let found = herd.store.diagnose().unwrap();
    assert_eq!(kinds(&found), [BreachKind::Stage, BreachKind::Stage, BreachKind::Alias]);
    assert!(herd.store.repair().unwrap().iter().all(|breach| !breach.is_open()));
    assert_eq!(herd.store.champion(&model()).unwrap().unwrap().key.version, number(1));
    assert_eq!(herd.store.diagnose().unwrap(), []);
    herd.assert_invariants();
}

#[test]
fn stage_is_not_set_back_to_a_second_champion() {
    let herd = herd();
    set_tag(&herd, 1, "promotion_stage", "archived");
    foreign(
        &herd,
        "INSERT INTO model_versions (name, version, creation_time, current_stage, status, run_id, workspace)
         SELECT name, 3, 0, 'Production', 'READY', run_id, workspace FROM model_versions WHERE version = 1;
         INSERT INTO model_version_tags (key, value, name, version, workspace)
         VALUES ('promotion_stage', 'champion', '1H_trading_model', 3, 'default');
         UPDATE registered_model_aliases SET version = 3;",
    );
    let found = herd.store.repair().unwrap();
    assert_eq!(kinds(&found), [BreachKind::Stage, BreachKind::NoHistory], "{found:#?}");
    let line = found[0].line();
    assert!(line.contains("more than one version claims to be champion"), "{line}");
}

#[test]
fn mlflow_stage_follows_the_tag() {
    let herd = herd();
    foreign(&herd, "UPDATE model_versions SET current_stage = 'None' WHERE version = 1");
    assert_repaired(&herd, BreachKind::MlflowStage);
}

#[test]
fn run_follows_its_version_and_the_version_its_registration() {
    let herd = herd();
    foreign(&herd, "UPDATE tags SET value = 'champion' WHERE key = 'promotion_stage'");
    assert_eq!(kinds(&herd.store.diagnose().unwrap()), [BreachKind::RunTags]);
    assert_repaired(&herd, BreachKind::RunTags);
    set_tag(&herd, 2, "timeframe", "4H");
    foreign(
        &herd,
        "DELETE FROM model_version_tags WHERE version = 2 AND key = 'base_model_run_id'",
    );
    let repaired = assert_repaired(&herd, BreachKind::VersionTags);
    let message = repaired.message;
    assert!(message.contains("`timeframe` is `4H`, recorded as `1H`"), "{message}");
    assert!(message.contains("`base_model_run_id` is missing, recorded as `"), "{message}");
}

#[test]
fn run_of_a_dead_process_fails() {
    let herd = herd();
    let (run_id, _) = herd.start(None);
    foreign(&herd, backend::OF_ANOTHER_PROCESS);
    let repaired = assert_repaired(&herd, BreachKind::DeadRun);
    assert_eq!(repaired.subject.run_id.as_ref(), Some(&run_id));
    assert_eq!(herd.store.run(&run_id).unwrap().status, RunStatus::Failed);
    let event = newest_event(&herd);
    assert_eq!((event.kind, event.to.as_deref()), (EventKind::RunEnded, Some("FAILED")));
    assert_eq!(event.name, Some(model()));
}

#[test]
fn run_that_lost_its_lease_is_named() {
    let herd = herd();
    herd.start(None);
    foreign(&herd, backend::WITHOUT_LEASES);
    let line = assert_left_alone(&herd, BreachKind::DeadRun);
    assert!(line.contains("set_terminated("), "{line}");
}

#[test]
fn lease_of_a_run_that_ended_is_removed() {
    let herd = herd();
    let (run_id, _) = herd.start(None);
    foreign(&herd, "UPDATE runs SET status = 'KILLED' WHERE status = 'RUNNING'");
    assert_repaired(&herd, BreachKind::StrayLease);
    assert_eq!(herd.store.run(&run_id).unwrap().status, RunStatus::Killed);
}

#[test]
fn parent_that_is_no_run_is_named() {
    let herd = herd();
    let parent = herd.store.version(&version(1)).unwrap().run_id.unwrap();
    delete_as_mlflow(&herd, 1);
    foreign(
        &herd,
        &format!(
            "DELETE FROM tags WHERE run_uuid = '{parent}';
             DELETE FROM params WHERE run_uuid = '{parent}';
             DELETE FROM metrics WHERE run_uuid = '{parent}';
             DELETE FROM latest_metrics WHERE run_uuid = '{parent}';
             DELETE FROM runs WHERE run_uuid = '{parent}';"
        ),
    );
    let found = herd.store.repair().unwrap();
    assert_eq!(kinds(&found), [BreachKind::DeletedChampion, BreachKind::OrphanParent]);
    let line = assert_left_alone(&herd, BreachKind::OrphanParent);
    assert!(line.contains(&format!("version 2 names `{parent}` as its parent")), "{line}");
}

#[test]
fn missing_and_altered_model_files_are_named() {
    let herd = herd();
    let file = |of: i64| {
        let run_id = herd.store.version(&version(of)).unwrap().run_id.unwrap();
        herd.database.file_of(&herd.store, &run_id, "models/1H/model.zip")
    };
    std::fs::write(file(1), "another model").unwrap();
    assert!(assert_left_alone(&herd, BreachKind::ModelFile).contains("was altered"));
    std::fs::write(file(1), crate::herd::MODEL_FILE).unwrap();
    std::fs::remove_file(file(2)).unwrap();
    assert!(assert_left_alone(&herd, BreachKind::ModelFile).contains("version 2 is missing at"));
}

#[test]
fn alias_follows_the_champion() {
    let herd = herd();
    for breach in [
        "DELETE FROM registered_model_aliases",
        "UPDATE registered_model_aliases SET version = 2",
        "UPDATE registered_model_aliases SET version = 9",
    ] {
        foreign(&herd, breach);
        assert_repaired(&herd, BreachKind::Alias);
    }
    herd.promote(1, Stage::Beta).unwrap();
    foreign(
        &herd,
        "INSERT INTO registered_model_aliases (alias, version, name, workspace)
         VALUES ('champion', 2, '1H_trading_model', 'default')",
    );
    let repaired = assert_repaired(&herd, BreachKind::Alias);
    assert!(repaired.line().ends_with("repaired: it is removed"), "{}", repaired.line());
}

#[test]
fn deleted_champion_is_archived() {
    let herd = herd();
    delete_as_mlflow(&herd, 1);
    assert_repaired(&herd, BreachKind::DeletedChampion);
    let event = newest_event(&herd);
    assert_eq!(event.kind, EventKind::StageChanged);
    assert_eq!((event.from.as_deref(), event.to.as_deref()), (Some("champion"), Some("archived")));
    assert!(event.details.contains("deleted_elsewhere"), "{}", event.details);
}

#[test]
fn repair_and_a_writer_at_once_leave_whole_records() {
    let herd = herd();
    let store = herd.another_store();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for _ in 0..30 {
                for stage in [Stage::Development, Stage::Beta] {
                    match store.promote(&promotion(2, stage), Effect::Commit) {
                        Ok(_) | Err(StoreError::Refused(_)) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
            }
        });
        for _ in 0..15 {
            set_tag(&herd, 1, "version_type", "latest");
            set_tag(&herd, 2, "timeframe", "4H");
            foreign(&herd, "UPDATE tags SET value = 'champion' WHERE key = 'promotion_stage'");
            herd.store.repair().unwrap();
        }
    });
    herd.store.repair().unwrap();
    assert_eq!(herd.store.diagnose().unwrap(), []);
    herd.assert_invariants();
}
