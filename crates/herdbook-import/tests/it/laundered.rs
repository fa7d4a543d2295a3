//! Imports of a source that another program altered after herdbook wrote it: the history there counts, not the tags.

use herdbook_domain::tags::key;
use herdbook_domain::{Honesty, PromotionRequest, Reason, RunId, Seal, Stage};
use herdbook_import::ImportReport;
use herdbook_store::{Effect, EventQuery, Session, StoreError};

use crate::herd::{Herd, MODEL_FILE, finish, promotion, version};
use crate::odd_sources::{import_of, lines};

/// A clean model and its contaminated child.
fn herd() -> (Herd, RunId) {
    let herd = Herd::new();
    let parent = herd.train(None, 1.0);
    let (child, origin) = herd.start(Some(&parent));
    herd.store.store_artifact(&child, "models/1H/model.zip", MODEL_FILE).unwrap();
    let mut finish = finish(&child, origin, &[("portfolio/sharpe_ratio", -3.25)]);
    finish.registration.honesty = Honesty::Contaminated;
    herd.store.finish_and_register(&finish).unwrap();
    (herd, child)
}

/// Imports the herd after a change by another program.
fn imported_after(herd: &Herd, change: &str) -> (Session, ImportReport) {
    herd.foreign().execute_batch(change).unwrap();
    // The target's folder stays until the process ends: the session reads files in it.
    let folder = tempfile::tempdir().unwrap().keep();
    import_of(herd, &folder)
}

fn honesty(store: &Session, of: i64) -> String {
    store.version(&version(of)).unwrap().tags[key::HONESTY].clone()
}

fn seal(store: &Session, of: i64) -> Seal {
    Seal::among(
        &store
            .events(&EventQuery::default())
            .unwrap()
            .into_iter()
            .filter(|event| event.what.version == Some(version(of).version))
            .collect::<Vec<_>>(),
    )
    .unwrap()
    .unwrap()
}

fn promoted(store: &Session, of: i64) -> Result<(), StoreError> {
    store.promote(&promotion(of, Stage::Beta), Effect::Commit).map(drop)
}

#[test]
fn contaminated_model_stays_contaminated_whatever_its_tags_say() {
    let (herd, child) = herd();
    let (store, report) = imported_after(
        &herd,
        "UPDATE model_version_tags SET value = 'clean' WHERE key = 'honesty';
         UPDATE tags SET value = 'clean' WHERE key = 'honesty';
         UPDATE metrics SET value = 9.9 WHERE key = 'portfolio/sharpe_ratio';
         UPDATE latest_metrics SET value = 9.9 WHERE key = 'portfolio/sharpe_ratio'",
    );
    assert_eq!(
        (honesty(&store, 1).as_str(), honesty(&store, 2).as_str()),
        ("clean", "contaminated")
    );
    let lines = lines(&report);
    let said = "`1H_trading_model` version 2: its tag `honesty` is `clean`; the source's history says \
                `contaminated`, which counts";
    assert!(lines.contains(said), "{lines}");
    let said = "its run differs from its seal: `portfolio/sharpe_ratio` is 9.9, sealed was -3.25; \
                the sealed values count";
    assert!(lines.contains(said), "{lines}");
    let seal = seal(&store, 2);
    assert_eq!(seal.facts.honesty, Honesty::Contaminated);
    assert_eq!(seal.facts.metric("portfolio/sharpe_ratio"), Some(-3.25));
    let refused = promoted(&store, 2).unwrap_err().to_string();
    assert!(refused.contains("contaminated"), "{refused}");
    let forced = PromotionRequest {
        force: true,
        reason: Some(Reason::parse("known").unwrap()),
        ..promotion(2, Stage::Beta)
    };
    store.promote(&forced, Effect::Commit).unwrap();
    assert_eq!(store.run(&child).unwrap().tags[key::HONESTY], "contaminated");
}

#[test]
fn clean_tag_without_a_history_proves_nothing() {
    for loss in ["DELETE FROM herdbook_events", "DROP TABLE herdbook_events"] {
        let (herd, _) = herd();
        let (store, report) = imported_after(&herd, &format!("PRAGMA foreign_keys = OFF; {loss}"));
        assert_eq!(honesty(&store, 1), "unknown", "{loss}");
        assert_eq!(honesty(&store, 2), "contaminated", "{loss}");
        let tags = store.version(&version(1)).unwrap().tags;
        assert_eq!(tags["imported_honesty"], "clean", "{loss}");
        let lines = lines(&report);
        assert!(lines.contains("no history of herdbook in the source proves it"), "{lines}");
        assert_eq!(seal(&store, 1).facts.honesty, Honesty::Unknown);
        promoted(&store, 1).unwrap();
    }
}

#[test]
fn altered_history_proves_nothing() {
    let (herd, _) = herd();
    let (store, report) = imported_after(
        &herd,
        "UPDATE herdbook_events SET details = replace(details, 'contaminated', 'clean');
         UPDATE model_version_tags SET value = 'clean' WHERE key = 'honesty'",
    );
    assert_eq!(
        (honesty(&store, 1).as_str(), honesty(&store, 2).as_str()),
        ("unknown", "contaminated")
    );
    let lines = lines(&report);
    let said = "herdbook's history in the source cannot be trusted: event 4 was altered";
    assert!(lines.contains(said), "{lines}");
}

#[test]
fn tags_about_origin_and_stage_are_those_of_the_history() {
    let (herd, _) = herd();
    herd.promote(1, Stage::Beta).unwrap();
    let parent = herd.store.version(&version(1)).unwrap().run_id.unwrap();
    let (store, report) = imported_after(
        &herd,
        "UPDATE model_version_tags SET value = '4H' WHERE key = 'timeframe' AND version = 2;
         UPDATE model_version_tags SET value = 'base' WHERE key = 'model_type' AND version = 2;
         UPDATE model_version_tags SET value = '99' WHERE key = 'total_timesteps' AND version = 1;
         DELETE FROM model_version_tags
             WHERE key IN ('base_model_run_id', 'base_model_path', 'enhancement_type');
         DELETE FROM tags WHERE key IN ('base_model_run_id', 'base_model_path', 'enhancement_type');
         UPDATE model_version_tags SET value = 'archived' WHERE key = 'promotion_stage' AND version = 1;
         INSERT INTO model_version_tags (name, version, key, value, workspace)
             VALUES ('1H_trading_model', 1, 'promotion_20200101_0000', 'beta -> champion', 'default')",
    );
    let tags = store.version(&version(2)).unwrap().tags;
    assert_eq!(tags[key::TIMEFRAME], "1H");
    assert_eq!(tags[key::MODEL_TYPE], "continued");
    assert_eq!(tags[key::ENHANCEMENT_TYPE], "continued");
    assert_eq!(tags[key::BASE_MODEL_RUN_ID], parent.as_str());
    let tags = store.version(&version(1)).unwrap().tags;
    assert_eq!(
        (tags[key::PROMOTION_STAGE].as_str(), tags[key::TOTAL_TIMESTEPS].as_str()),
        ("beta", "2048")
    );
    assert!(!tags.contains_key("promotion_20200101_0000"), "{tags:?}");
    let n_contradicted =
        report.audit.iter().filter(|it| it.kind.as_str() == "history_contradicted").count();
    assert_eq!(n_contradicted, 6, "{}", lines(&report));
    assert_eq!(store.diagnose().unwrap(), []);
}

#[test]
fn exchanged_model_file_is_found_to_be_altered() {
    let (herd, child) = herd();
    let file = herd.store.artifact_path(&child, "models/1H/model.zip").unwrap();
    std::fs::write(file, b"another model").unwrap();
    let (store, report) = imported_after(&herd, "SELECT 1");
    let lines = lines(&report);
    assert!(
        lines.contains("its model file `models/1H/model.zip` is not the sealed one"),
        "{lines}"
    );
    assert_ne!(store.diagnose().unwrap(), []);
    let forced = PromotionRequest {
        force: true,
        reason: Some(Reason::parse("known").unwrap()),
        ..promotion(2, Stage::Beta)
    };
    assert!(store.promote(&forced, Effect::Commit).is_err());
}
