//! The store's tests of acts on a stock `mlflow server`, without those of a database's tables.

#![expect(clippy::unwrap_used, reason = "a broken test stops where it breaks")]

mod backend;
mod calls;
mod deaths;
mod doctor_journal;
mod proxy;
mod register;

#[path = "../../../herdbook-store/tests/it/chance.rs"]
mod chance;
#[path = "../../../herdbook-store/tests/it/doctor.rs"]
mod doctor;
#[path = "../../../herdbook-store/tests/it/finding.rs"]
mod finding;
#[path = "../../../herdbook-store/tests/it/foreign_runs.rs"]
mod foreign_runs;
#[path = "../../../herdbook-store/tests/it/herd.rs"]
mod herd;
#[path = "../../../herdbook-store/tests/it/life.rs"]
mod life;
#[path = "../../../herdbook-store/tests/it/sealed.rs"]
mod sealed;

use herd::Herd;
use herdbook_domain::{ModelName, RunId, Stage};
use herdbook_store::{Effect, StoreError, UnfinishedEnd, VersionQuery};

#[test]
fn nothing_is_written_on_this_side() {
    let herd = Herd::new();
    herd.train(None, 1.0);
    assert_eq!(std::fs::read_dir(herd.folder.path()).unwrap().count(), 0);
}

#[test]
fn runs_of_other_programs_are_found_by_their_id_with_their_parents() {
    let herd = Herd::new();
    herd.train(None, 1.0);
    let run_id = |digit: &str| RunId::parse(&digit.repeat(32)).unwrap();
    let (child, parent, grandparent) = (run_id("a"), run_id("b"), run_id("c"));
    for id in [&child, &parent, &grandparent] {
        let sql = format!(
            "INSERT INTO runs (run_uuid, name, status, start_time, end_time, user_id, lifecycle_stage,
                artifact_uri, experiment_id, source_type)
             VALUES ('{id}', 'theirs', 'FINISHED', 0, 1, 'them', 'active', '', 0, 'UNKNOWN')"
        );
        herd.foreign().execute_batch(&sql).unwrap();
    }
    for (id, parent) in [(&child, &parent), (&parent, &grandparent)] {
        let sql = format!("INSERT INTO tags VALUES ('base_model_run_id', '{parent}', '{id}')");
        herd.foreign().execute_batch(&sql).unwrap();
    }
    let store = herd.another_store();
    assert_eq!(store.run(&child).unwrap().run_id, child);
    let ancestors = store.ancestors(&child).unwrap();
    let ids: Vec<_> = ancestors.into_iter().map(|run| run.unwrap().run_id).collect();
    assert_eq!(ids, [parent, grandparent]);
    assert_eq!(herd.store.diagnose().unwrap(), []);
}

#[test]
fn fields_of_a_version_come_whole_from_a_server() {
    let herd = Herd::new();
    herd.train(None, 1.0);
    herd.foreign()
        .execute_batch(
            "UPDATE model_versions SET description = 'ours', status = 'FAILED_REGISTRATION',
                status_message = 'no space', run_link = 'https://elsewhere/run', user_id = 'grace'",
        )
        .unwrap();
    let version = herd.another_store().version(&herd::version(1)).unwrap();
    let texts = [
        version.description,
        version.status,
        version.status_message,
        version.run_link,
        version.user,
    ];
    assert_eq!(
        texts.map(Option::unwrap_or_default),
        ["ours", "FAILED_REGISTRATION", "no space", "https://elsewhere/run", "grace"]
    );
}

#[test]
fn training_that_was_deleted_through_mlflow_stops_no_command() {
    let herd = Herd::new();
    let (run_id, _) = herd.start(None);
    let sql = format!("UPDATE runs SET lifecycle_stage = 'deleted' WHERE run_uuid = '{run_id}'");
    herd.foreign().execute_batch(&sql).unwrap();
    herd.store.end_run(&run_id, &herd::model(), UnfinishedEnd::Failed, "deleted").unwrap();
    let store = herd.another_store();
    assert_eq!(store.versions(&VersionQuery::default()).unwrap().records.len(), 0);
    assert_eq!(store.diagnose().unwrap(), []);
    herd.train(None, 1.0);
    herd.assert_invariants();
}

#[test]
fn lease_that_was_taken_away_comes_back_with_the_next_sign_of_life() {
    let herd = Herd::new();
    let (run_id, _) = herd.start(None);
    let taken = format!("DELETE FROM tags WHERE run_uuid = '{run_id}' AND key = 'herdbook.lease'");
    herd.foreign().execute_batch(&taken).unwrap();
    assert!(herd.another_store().running().unwrap().is_empty());
    herd.store.refresh_lease(&run_id).unwrap();
    assert_eq!(herd.another_store().running().unwrap().len(), 1);
    herd.store.end_run(&run_id, &herd::model(), UnfinishedEnd::Failed, "enough").unwrap();
    herd.store.refresh_lease(&run_id).unwrap();
    assert!(herd.another_store().running().unwrap().is_empty());
    herd.assert_invariants();
}

#[test]
fn second_champion_of_one_model_stops_no_training_of_another() {
    let herd = Herd::new();
    herd.train(None, 1.0);
    herd.foreign()
        .execute_batch(
            "INSERT INTO registered_models (name, workspace, creation_time, last_updated_time)
             VALUES ('other', 'default', 0, 0);
             INSERT INTO model_versions (name, version, current_stage, run_id, status, source,
                creation_time, last_updated_time, workspace)
             VALUES ('other', 1, 'None', '', 'READY', '', 0, 0, 'default'),
                ('other', 2, 'None', '', 'READY', '', 0, 0, 'default');
             INSERT INTO model_version_tags (key, value, name, version, workspace)
             VALUES ('promotion_stage', 'champion', 'other', 1, 'default'),
                ('promotion_stage', 'champion', 'other', 2, 'default');",
        )
        .unwrap();
    let second = herd.train(None, 2.0);
    herd.promote(2, Stage::Beta).unwrap();
    // A training can also end if its own model has two champions: only changes of stage are refused.
    let (run_id, origin) = herd.start(Some(&second));
    herd.foreign()
        .execute_batch(
            "UPDATE model_version_tags SET value = 'champion'
             WHERE key = 'promotion_stage' AND name <> 'other'",
        )
        .unwrap();
    herd.finish(&run_id, origin, 3.0);
    let refused = herd.store.promote(&herd::promotion(3, Stage::Beta), Effect::Commit);
    assert!(matches!(refused, Err(StoreError::TwoChampions { .. })), "{refused:?}");
    let mut other = herd::promotion(1, Stage::Archived);
    other.key.name = ModelName::parse("other").unwrap();
    let refused = herd.store.promote(&other, Effect::Commit).unwrap_err();
    assert!(matches!(refused, StoreError::TwoChampions { .. }), "{refused}");
}
