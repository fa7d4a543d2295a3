//! Changes by other programs in the same database.

use herdbook_domain::tags::key;
use herdbook_domain::{Refusal, Stage};
use herdbook_store::StoreError;

use crate::herd::{Herd, model, number};
use crate::usable::{delete, promote_named, rename};

/// Deletes a version as MLflow 3.17.2 does (`store/model_registry/sqlalchemy_store.py`).
fn delete_as_mlflow(herd: &Herd, version: i64) {
    herd.foreign()
        .execute_batch(&format!(
            "DELETE FROM registered_model_aliases WHERE version = {version};
             UPDATE model_versions SET current_stage = 'Deleted_Internal', run_id = 'REDACTED-RUN-ID',
                source = 'REDACTED-SOURCE-PATH' WHERE version = {version};"
        ))
        .unwrap();
}

fn words(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn set_stage_tag(herd: &Herd, version: i64, stage: &str) -> Result<(), String> {
    let sql = format!(
        "UPDATE model_version_tags SET value = '{stage}'
         WHERE key = 'promotion_stage' AND version = {version}"
    );
    herd.foreign().execute_batch(&sql).map_err(words)
}

#[test]
fn database_refuses_a_second_champion_from_any_program() {
    let herd = Herd::new();
    herd.train(None, 1.0);
    herd.train(None, 2.0);
    herd.promote(1, Stage::Beta).unwrap();
    herd.promote(1, Stage::Champion).unwrap();
    let error = set_stage_tag(&herd, 2, "champion").unwrap_err();
    assert!(error.to_lowercase().contains("unique constraint"), "{error}");
}

#[test]
fn champion_deleted_through_mlflow_does_not_block_the_next() {
    let herd = Herd::new();
    let first = herd.train(None, 1.0);
    herd.train(None, 2.0);
    herd.promote(1, Stage::Beta).unwrap();
    herd.promote(1, Stage::Champion).unwrap();
    delete_as_mlflow(&herd, 1);
    assert!(herd.store.champion(&model()).unwrap().is_none());
    herd.promote(2, Stage::Beta).unwrap();
    let promoted = herd.promote(2, Stage::Champion).unwrap();
    assert!(promoted.plan.displaced().is_none());
    assert_eq!(promoted.events.len(), 2);
    assert_eq!(herd.store.champion(&model()).unwrap().unwrap().key.version, number(2));
    let run = herd.store.run(&first).unwrap();
    assert_eq!(run.tags[key::PROMOTION_STAGE], "archived");
    herd.assert_invariants();
}

#[test]
fn deleted_version_that_others_had_tagged_champion_does_not_block_either() {
    let herd = Herd::new();
    herd.train(None, 1.0);
    herd.train(None, 2.0);
    set_stage_tag(&herd, 1, "champion").unwrap();
    delete_as_mlflow(&herd, 1);
    herd.promote(2, Stage::Beta).unwrap();
    herd.promote(2, Stage::Champion).unwrap();
    assert_eq!(herd.store.champion(&model()).unwrap().unwrap().key.version, number(2));
}

#[test]
fn number_of_a_deleted_model_is_never_given_again() {
    let herd = Herd::new();
    herd.train(None, 1.0);
    herd.train(None, 2.0);
    herd.foreign()
        .execute_batch(
            "DELETE FROM model_version_tags; DELETE FROM model_versions;
             DELETE FROM registered_models;",
        )
        .unwrap();
    let run_id = herd.train(None, 3.0);
    let record = herd.store.version_of_run(&run_id).unwrap().unwrap();
    assert_eq!(record.key.version, number(3));
}

#[test]
fn stage_tag_changed_by_others_is_named_not_trusted() {
    let herd = Herd::new();
    herd.train(None, 1.0);
    set_stage_tag(&herd, 1, "beta").unwrap();
    let error = herd.promote(1, Stage::Champion).unwrap_err();
    assert!(matches!(error, StoreError::Refused(Refusal::StageDisagrees { .. })), "{error}");
}

#[test]
fn version_registered_by_others_with_a_stage_tag_enters_the_history() {
    let herd = Herd::new();
    let run_id = herd.train(None, 1.0);
    herd.foreign()
        .execute_batch(
            "INSERT INTO model_versions (name, version, creation_time, last_updated_time,
                current_stage, status, workspace)
             VALUES ('1H_trading_model', 2, 0, 0, 'None', 'READY', 'default');",
        )
        .unwrap();
    let error = herd.promote(2, Stage::Champion).unwrap_err();
    assert!(matches!(error, StoreError::Refused(Refusal::NotManaged { .. })), "{error}");
    herd.foreign()
        .execute_batch(
            "INSERT INTO model_version_tags (key, value, name, version, workspace)
             VALUES ('promotion_stage', 'beta', '1H_trading_model', 2, 'default');",
        )
        .unwrap();
    let error = herd.promote(2, Stage::Champion).unwrap_err();
    assert!(error.to_string().contains("was registered without a run"), "{error}");
    let with_run = format!("UPDATE model_versions SET run_id = '{run_id}' WHERE version = 2;");
    herd.foreign().execute_batch(&with_run).unwrap();
    let promoted = herd.promote(2, Stage::Champion).unwrap();
    assert_eq!(promoted.events.len(), 2);
    assert_eq!(herd.tag(2, key::PROMOTION_STAGE).unwrap(), "champion");
}

#[test]
fn all_versions_deleted_after_their_model_was_renamed_are_not_missing() {
    // One after the other, so that in the end no version is left that shows the new name.
    for (order, is_renamed_again) in
        [([1, 2], true), ([2, 1], true), ([1, 2], false), ([2, 1], false)]
    {
        let herd = Herd::new();
        for version in 1..=2 {
            herd.train(None, 1.0);
            herd.promote(version, Stage::Beta).unwrap();
        }
        rename(&herd, "1H_trading_model", "a");
        promote_named(&herd, "a", 2, Stage::Champion).unwrap();
        if is_renamed_again {
            rename(&herd, "a", "b");
        }
        let name = if is_renamed_again { "b" } else { "a" };
        for of in order {
            delete(&herd, name, of);
            assert_eq!(herd.store.diagnose().unwrap(), [], "{order:?}, version {of}");
        }
        rename(&herd, name, "1H_trading_model");
        assert_eq!(herd.store.diagnose().unwrap(), [], "{order:?}");
    }
}

#[test]
fn row_that_another_program_removed_after_a_rename_is_missing() {
    let herd = Herd::new();
    for version in 1..=2 {
        herd.train(None, 1.0);
        herd.promote(version, Stage::Beta).unwrap();
    }
    rename(&herd, "1H_trading_model", "a");
    let rows = "DELETE FROM model_version_tags WHERE version = 1;
                DELETE FROM model_versions WHERE version = 1";
    herd.foreign().execute_batch(rows).unwrap();
    let kinds: Vec<_> = herd.store.diagnose().unwrap().iter().map(|breach| breach.kind).collect();
    assert_eq!(kinds, [herdbook_domain::BreachKind::MissingVersion]);
}

#[test]
fn seal_of_a_renamed_model_is_found_whatever_happened_since() {
    let herd = Herd::new();
    let run_id = herd.train(None, 1.0);
    herd.promote(1, Stage::Beta).unwrap();
    rename(&herd, "1H_trading_model", "a");
    promote_named(&herd, "a", 1, Stage::Champion).unwrap();
    let found = herd.store.examination().unwrap();
    assert_eq!((found.n_unsealed, found.breaches), (0, Vec::new()));
    // Every served file is compared with the seal, as before the rename.
    herd.store.store_artifact(&run_id, "models/1H/model.zip", b"something else").unwrap();
    let served = |found: herdbook_store::Examination| {
        found.breaches.iter().filter(|it| it.message.contains("model.zip")).count()
    };
    assert!(served(herd.store.examination().unwrap()) > 0);
}
