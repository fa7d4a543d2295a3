//! Versions that cannot be used: they do not rise, do not return, are not found, and the doctor names them.

use herdbook_domain::{
    BreachKind, Obstacle, PassedOver, Reason, Refusal, RollbackRequest, RunId, Stage,
};
use herdbook_store::{Candidates, Effect, StoreError};

use crate::herd::{Herd, candidates, model, promotion, version};

/// What other programs do to the version of a run, and how the version is described then.
const HARMS: [(&str, &str); 5] = [
    ("UPDATE runs SET lifecycle_stage = 'deleted' WHERE run_uuid = '{run}'", "belongs to a deleted run"),
    (
        "UPDATE experiments SET lifecycle_stage = 'deleted'
         WHERE experiment_id = (SELECT experiment_id FROM runs WHERE run_uuid = '{run}')",
        "belongs to a run of the deleted experiment `stock_trading_rl_1H`",
    ),
    ("UPDATE model_versions SET run_id = NULL WHERE run_id = '{run}'", "was registered without a run"),
    (
        "UPDATE model_versions SET status = 'FAILED_REGISTRATION' WHERE run_id = '{run}'",
        "has the status `FAILED_REGISTRATION` in MLflow, not `READY`",
    ),
    (
        "DELETE FROM tags WHERE run_uuid = '{run}'; DELETE FROM params WHERE run_uuid = '{run}';
         DELETE FROM metrics WHERE run_uuid = '{run}'; DELETE FROM latest_metrics WHERE run_uuid = '{run}';
         DELETE FROM runs WHERE run_uuid = '{run}'",
        "which does not exist",
    ),
];

fn harm(herd: &Herd, sql: &str, run_id: &RunId) {
    herd.foreign().execute_batch(&sql.replace("{run}", run_id.as_str())).unwrap();
}

fn rollback(force: bool) -> RollbackRequest {
    RollbackRequest { name: model(), reason: Reason::parse("worse").unwrap(), force }
}

#[test]
fn version_that_cannot_be_used_does_not_rise_is_not_found_and_is_named_by_the_doctor() {
    for (sql, words) in HARMS {
        let herd = Herd::new();
        let run_id = herd.train(None, 1.0);
        harm(&herd, sql, &run_id);
        for target in [Stage::Beta, Stage::Champion] {
            let request = herdbook_domain::PromotionRequest { force: true, ..promotion(1, target) };
            let refused = herd.store.promote(&request, Effect::Commit).unwrap_err().to_string();
            assert!(refused.contains(words), "{words}: {refused}");
            assert!(refused.contains("so it cannot be used and may not go to"), "{refused}");
        }
        let record = herd.store.version(&version(1)).unwrap();
        let why = herd.store.obstacle_to_use(&record).unwrap().unwrap();
        assert!(why.to_string().contains(words), "{why}");
        assert!(herd.store.find_latest(&candidates()).unwrap().is_none(), "{words}");
        let breaches = herd.store.diagnose().unwrap();
        // A row that names another run than the history is named as such.
        let is_named = |breach: &herdbook_domain::Breach| {
            breach.is_of(&version(1))
                && (breach.kind == BreachKind::VersionRow || breach.message.contains(words))
        };
        assert!(breaches.iter().any(is_named), "{words}: {breaches:#?}");
        // It can always be put away.
        herd.promote(1, Stage::Archived).unwrap();
    }
}

#[test]
fn former_champion_that_cannot_be_used_does_not_return() {
    for (sql, words) in HARMS {
        let herd = Herd::new();
        let first = herd.train(None, 1.0);
        herd.train(None, 2.0);
        for version in [1, 2] {
            herd.promote(version, Stage::Beta).unwrap();
            herd.promote(version, Stage::Champion).unwrap();
        }
        harm(&herd, sql, &first);
        let refused = herd.store.rollback(&rollback(true), Effect::Commit).unwrap_err();
        assert!(refused.to_string().contains(words), "{words}: {refused}");
    }
}

#[test]
fn version_is_usable_again_once_its_run_was_restored() {
    let herd = Herd::new();
    let run_id = herd.train(None, 1.0);
    harm(&herd, HARMS[0].0, &run_id);
    assert!(herd.promote(1, Stage::Beta).is_err());
    harm(&herd, "UPDATE runs SET lifecycle_stage = 'active' WHERE run_uuid = '{run}'", &run_id);
    herd.promote(1, Stage::Beta).unwrap();
    assert!(herd.store.diagnose().unwrap().is_empty());
}

#[test]
fn search_passes_over_versions_whose_file_is_missing_or_altered() {
    let herd = Herd::new();
    let runs: Vec<RunId> = (1..=3).map(|reward| herd.train(None, f64::from(reward))).collect();
    let file = |run_id| herd.database.file_of(&herd.store, run_id, "models/1H/model.zip");
    std::fs::remove_file(file(&runs[2])).unwrap();
    std::fs::write(file(&runs[1]), b"something else").unwrap();
    let mut passed = Vec::new();
    let search = |passed_over| herd.store.find_latest(&Candidates { passed_over, ..candidates() });
    let found = herd.store.first_usable(&mut passed, search, |found| found).unwrap().unwrap();
    assert_eq!(found.key, version(1));
    assert!(matches!(
        &passed[..],
        [(first, Obstacle::FileMissing { .. }), (second, Obstacle::FileAltered { .. })]
            if *first == version(3) && *second == version(2)
    ));
}

#[test]
fn champion_of_another_symbol_stays_unless_force_is_given() {
    let herd = Herd::new();
    for (symbol, reward) in [("EURUSD", 1.0), ("IBM", 2.0), ("eurusd", 3.0)] {
        herd.train_with(&[("data.symbol", symbol)], reward);
    }
    for version in 1..=3 {
        herd.promote(version, Stage::Beta).unwrap();
    }
    herd.promote(1, Stage::Champion).unwrap();
    let refused = herd.promote(2, Stage::Champion).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "`1H_trading_model` version 2 may not go to `champion`: it is of IBM, but the champion, version 1, is of EURUSD"
    );
    let forced = herdbook_domain::PromotionRequest { force: true, ..promotion(2, Stage::Champion) };
    let promoted = herd.store.promote(&forced, Effect::Commit).unwrap();
    let words = herdbook_domain::overrides_of(promoted.events.last().unwrap());
    assert_eq!(words, ["symbol: value IBM, limit EURUSD (the champion, version 1)"]);
    // The way back is to another symbol as well.
    let refused = herd.store.rollback(&rollback(false), Effect::Commit).unwrap_err();
    let StoreError::Refused(refusal) = &refused else { panic!("{refused}") };
    let Refusal::NoFormerChampion { passed, .. } = refusal else { panic!("{refused}") };
    assert!(matches!(passed[..], [PassedOver { why: Obstacle::OtherSymbol(_), .. }]));
    herd.store.rollback(&rollback(true), Effect::Commit).unwrap();
    herd.promote(3, Stage::Champion).unwrap();
    assert_eq!(herd.store.version(&version(2)).unwrap().symbol().unwrap().as_str(), "IBM");
    herd.assert_invariants();
}

/// Renames a registered model as MLflow 3.17.2 does.
pub(crate) fn rename(herd: &Herd, from: &str, to: &str) {
    let rows = ["model_versions", "model_version_tags", "registered_model_aliases"]
        .map(|table| format!("UPDATE {table} SET name = '{to}' WHERE name = '{from}';"))
        .concat();
    let sql = format!(
        "INSERT INTO registered_models (name, creation_time, last_updated_time, workspace)
         SELECT '{to}', creation_time, last_updated_time, workspace FROM registered_models
         WHERE name = '{from}'; {rows} DELETE FROM registered_models WHERE name = '{from}';"
    );
    herd.foreign().execute_batch(&sql).unwrap();
}

fn named(name: &str, of: i64) -> herdbook_domain::VersionKey {
    let name = herdbook_domain::ModelName::parse(name).unwrap();
    herdbook_domain::VersionKey { name, ..version(of) }
}

pub(crate) fn promote_named(
    herd: &Herd,
    name: &str,
    of: i64,
    target: Stage,
) -> Result<usize, StoreError> {
    let request =
        herdbook_domain::PromotionRequest { key: named(name, of), ..promotion(of, target) };
    Ok(herd.store.promote(&request, Effect::Commit)?.events.len())
}

#[test]
fn history_of_a_renamed_model_goes_on_under_its_new_name() {
    let herd = Herd::new();
    for version in 1..=2 {
        herd.train(None, 1.0);
        herd.promote(version, Stage::Beta).unwrap();
        herd.promote(version, Stage::Champion).unwrap();
    }
    rename(&herd, "1H_trading_model", "renamed");
    assert_eq!(herd.store.diagnose().unwrap(), []);
    // Every rule holds as before: the table of transitions, the former champions, the file.
    assert!(matches!(
        promote_named(&herd, "renamed", 1, Stage::Champion),
        Err(StoreError::Refused(Refusal::ForbiddenTransition { .. }))
    ));
    // No version is adopted anew: one event for each change.
    assert_eq!(promote_named(&herd, "renamed", 1, Stage::Beta).unwrap(), 1);
    let request = RollbackRequest { name: named("renamed", 1).name, ..rollback(false) };
    let promoted = herd.store.rollback(&request, Effect::Commit).unwrap();
    assert_eq!(promoted.plan.requested().unwrap().key, named("renamed", 1));
    assert_eq!(herd.store.diagnose().unwrap(), []);
    let history = |key: &herdbook_domain::VersionKey| {
        let query = herdbook_store::EventQuery {
            name: Some(key.name.clone()),
            version: Some(key.version),
            ..herdbook_store::EventQuery::default()
        };
        herd.store.events(&query).unwrap().len()
    };
    assert_eq!(history(&named("renamed", 1)), 6);
    assert_eq!(history(&named("renamed", 2)), 4);
    // Back again, and to a third name.
    rename(&herd, "renamed", "1H_trading_model");
    assert_eq!(history(&version(1)), 6);
    rename(&herd, "1H_trading_model", "third");
    assert_eq!(history(&named("third", 1)), 6);
    assert_eq!(promote_named(&herd, "third", 1, Stage::Archived).unwrap(), 1);
    assert_eq!(herd.store.diagnose().unwrap(), []);
}

#[test]
fn file_altered_after_a_rename_is_noticed_and_honesty_is_kept() {
    let herd = Herd::new();
    let run_id = herd.train(None, 1.0);
    rename(&herd, "1H_trading_model", "renamed");
    herd.store.store_artifact(&run_id, "models/1H/model.zip", b"something else").unwrap();
    let refused = promote_named(&herd, "renamed", 1, Stage::Beta).unwrap_err().to_string();
    assert!(refused.contains("has an altered model file"), "{refused}");
}

#[test]
fn models_that_exchange_their_names_keep_their_histories() {
    let herd = Herd::new();
    for version in 1..=2 {
        herd.train(None, 1.0);
        herd.promote(version, Stage::Beta).unwrap();
    }
    rename(&herd, "1H_trading_model", "a");
    // Numbers go on after the highest that the name ever had; the new model's version is moved to number 1.
    herd.train(None, 2.0);
    rename(&herd, "a", "b");
    rename(&herd, "1H_trading_model", "a");
    rename(&herd, "b", "1H_trading_model");
    assert_eq!(herd.store.diagnose().unwrap(), []);
    herd.promote(1, Stage::Champion).unwrap();
    promote_named(&herd, "a", 3, Stage::Beta).unwrap();
    assert_eq!(herd.store.diagnose().unwrap(), []);
}

/// Deletes a version as MLflow 3.17.2 does.
pub(crate) fn delete(herd: &Herd, name: &str, of: i64) {
    let sql = format!(
        "DELETE FROM model_version_tags WHERE name = '{name}' AND version = {of};
         DELETE FROM registered_model_aliases WHERE name = '{name}' AND version = {of};
         UPDATE model_versions SET current_stage = 'Deleted_Internal', description = NULL, user_id = NULL,
             source = 'REDACTED-SOURCE-PATH', run_id = 'REDACTED-RUN-ID', run_link = 'REDACTED-RUN-LINK'
         WHERE name = '{name}' AND version = {of}"
    );
    herd.foreign().execute_batch(&sql).unwrap();
}

#[test]
fn version_deleted_after_its_model_was_renamed_is_not_missing() {
    let herd = Herd::new();
    for version in 1..=2 {
        herd.train(None, 1.0);
        herd.promote(version, Stage::Beta).unwrap();
    }
    rename(&herd, "1H_trading_model", "a");
    promote_named(&herd, "a", 2, Stage::Champion).unwrap();
    promote_named(&herd, "a", 1, Stage::Archived).unwrap();
    delete(&herd, "a", 1);
    assert_eq!(herd.store.diagnose().unwrap(), []);
    rename(&herd, "a", "1H_trading_model");
    assert_eq!(herd.store.diagnose().unwrap(), []);
}
