//! The doctor compares every fact in MLflow's rows that an event knows, and repairs those that it can.

use herdbook_domain::{Breach, BreachKind, Remedy};
use herdbook_store::{EventQuery, VersionQuery};

use crate::doctor::{foreign, herd, kinds, set_tag};
use crate::herd::{Herd, number};

/// Checks that one breach of this kind is found with this text, and that the repair leaves a healthy store.
fn assert_restored(herd: &Herd, sql: &str, kind: BreachKind, text: &str) {
    foreign(herd, sql);
    let found = herd.store.diagnose().unwrap();
    assert_eq!(kinds(&found), [kind], "{sql}: {found:#?}");
    assert!(found[0].message.contains(text), "{sql}: {}", found[0].message);
    let repaired = herd.store.repair().unwrap();
    assert_eq!(kinds(&repaired), [kind], "{sql}: {repaired:#?}");
    assert!(!repaired[0].is_open());
    assert_eq!(herd.store.diagnose().unwrap(), [], "{sql}");
    herd.assert_invariants();
}

#[test]
fn columns_of_a_version_are_compared_with_its_registration() {
    let herd = herd();
    let columns = [
        ("run_id", "'ffffffffffffffffffffffffffffffff'"),
        ("run_id", "NULL"),
        ("source", "'/elsewhere'"),
        ("source", "NULL"),
        ("storage_location", "'/elsewhere'"),
        ("creation_time", "1"),
        ("creation_time", "NULL"),
        ("user_id", "'mallory'"),
    ];
    for (column, value) in columns {
        let sql = format!("UPDATE model_versions SET {column} = {value} WHERE version = 2");
        assert_restored(&herd, &sql, BreachKind::VersionRow, &format!("`{column}` is "));
    }
}

#[test]
fn columns_of_a_run_are_compared_with_its_events() {
    let herd = herd();
    let of_version = "(SELECT run_id FROM model_versions WHERE version = 2)";
    let columns = [
        ("status", "'FAILED'"),
        ("status", "NULL"),
        ("end_time", "1"),
        ("start_time", "NULL"),
        ("user_id", "'mallory'"),
    ];
    for (column, value) in columns {
        let sql = format!("UPDATE runs SET {column} = {value} WHERE run_uuid = {of_version}");
        assert_restored(&herd, &sql, BreachKind::RunRow, &format!("`{column}` is "));
    }
}

#[test]
fn tags_that_registration_and_promotion_wrote_are_compared() {
    let herd = herd();
    let version_tags = [
        ("honesty", "contaminated", BreachKind::VersionTags),
        ("total_timesteps", "9", BreachKind::VersionTags),
        ("previous_timesteps", "9", BreachKind::VersionTags),
        ("enhancement_timestamp", "20200101_0000", BreachKind::VersionTags),
        ("last_promoted_at", "20200101_0000", BreachKind::HistoryTags),
        ("promotion_reason", "because", BreachKind::HistoryTags),
    ];
    for (tag, value, kind) in version_tags {
        let of_tag = format!("WHERE key = '{tag}' AND version = 2");
        let changed = format!("UPDATE model_version_tags SET value = '{value}' {of_tag}");
        assert_restored(&herd, &changed, kind, &format!("`{tag}` is `{value}`, recorded as `"));
        let removed = format!("DELETE FROM model_version_tags {of_tag}");
        assert_restored(&herd, &removed, kind, &format!("`{tag}` is missing, recorded as `"));
    }
    let change = "UPDATE model_version_tags SET value = 'beta -> archived' WHERE value = 'development -> beta' AND version = 2";
    assert_restored(&herd, change, BreachKind::HistoryTags, "recorded as `development -> beta`");
    let invented = "INSERT INTO model_version_tags (key, value, name, version, workspace)
         VALUES ('promotion_20200101_0000', 'beta -> champion', '1H_trading_model', 2, 'default'),
                ('demotion_reason', 'it lost', '1H_trading_model', 2, 'default')";
    assert_restored(&herd, invented, BreachKind::HistoryTags, "the history has no such value");
}

#[test]
fn sealed_params_and_metrics_are_compared() {
    let herd = herd();
    let run = "run_uuid = (SELECT run_id FROM model_versions WHERE version = 2)";
    let metric = format!("key = 'evaluation/best_mean_reward' AND {run}");
    for (sql, kind, text) in [
        (
            format!("UPDATE params SET value = 'GOLD' WHERE key = 'data.symbol' AND {run}"),
            BreachKind::Params,
            "`data.symbol` is `GOLD`, recorded as `EURUSD`",
        ),
        (
            format!("DELETE FROM params WHERE key = 'data.symbol' AND {run}"),
            BreachKind::Params,
            "`data.symbol` is missing",
        ),
        (
            format!("UPDATE latest_metrics SET value = 9.9 WHERE {metric}"),
            BreachKind::Metrics,
            "is `9.9`, recorded as `2`",
        ),
        (
            format!("UPDATE latest_metrics SET is_nan = TRUE WHERE {metric}"),
            BreachKind::Metrics,
            "is `NaN`, recorded as `2`",
        ),
        (
            format!("UPDATE latest_metrics SET step = 77 WHERE {metric}"),
            BreachKind::Metrics,
            "2 at step 77",
        ),
        (
            format!("UPDATE metrics SET value = 9.9 WHERE {metric}"),
            BreachKind::Metrics,
            "recorded as `2",
        ),
        (
            format!("DELETE FROM latest_metrics WHERE {metric}"),
            BreachKind::Metrics,
            "is missing, recorded as `2`",
        ),
    ] {
        assert_restored(&herd, &sql, kind, text);
    }
}

#[test]
fn what_the_history_does_not_know_is_no_breach() {
    let herd = herd();
    foreign(
        &herd,
        "UPDATE model_versions SET description = 'x', last_updated_time = 1, run_link = 'x';
         UPDATE runs SET name = 'x', source_name = 'x';
         INSERT INTO latest_metrics (key, value, timestamp, step, is_nan, run_uuid)
             SELECT 'mine', 1, 0, 0, FALSE, run_uuid FROM runs;
         INSERT INTO tags (key, value, run_uuid) SELECT 'note', 'x', run_uuid FROM runs;
         INSERT INTO params (key, value, run_uuid) SELECT 'mine', 'x', run_uuid FROM runs;",
    );
    set_tag(&herd, 2, "note", "x");
    assert_eq!(herd.store.diagnose().unwrap(), []);
}

#[test]
fn version_with_another_number_gets_its_own_back() {
    let herd = herd();
    let sql = "UPDATE model_versions SET version = 9 WHERE version = 2";
    let text = "its run was registered as `1H_trading_model` version 2, which has no row";
    assert_restored(&herd, sql, BreachKind::NoHistory, text);
    // The same for the champion: the alias and the stage stay those of the registered number.
    let sql = "UPDATE model_versions SET version = 9 WHERE version = 1";
    let text = "its run was registered as `1H_trading_model` version 1, which has no row";
    assert_restored(&herd, sql, BreachKind::NoHistory, text);
}

#[test]
fn versions_whose_events_were_deleted_are_named_and_nothing_is_repaired() {
    let herd = herd();
    set_tag(&herd, 1, "version_type", "latest");
    foreign(&herd, "DELETE FROM herdbook_events");
    let found = herd.store.repair().unwrap();
    let lost = found.iter().filter(|breach| breach.kind == BreachKind::NoHistory);
    assert_eq!(lost.count(), 2, "{found:#?}");
    assert!(found.iter().all(|one| matches!(one.remedy, Remedy::None(_))), "{found:#?}");
    assert!(found.iter().any(|breach| breach.kind == BreachKind::Registrations));
    // The same after the table itself was dropped: opening creates it again.
    foreign(&herd, "DROP TABLE herdbook_events");
    let found = herd.another_store().diagnose().unwrap();
    assert!(found.iter().any(|breach| breach.kind == BreachKind::NoHistory), "{found:#?}");
    assert!(herd.another_store().diagnose().unwrap().iter().any(Breach::is_open));
}

#[test]
fn each_version_without_a_row_is_named_and_a_model_without_one() {
    let herd = herd();
    foreign(
        &herd,
        "DELETE FROM registered_model_aliases; DELETE FROM model_version_tags; DELETE FROM model_versions;",
    );
    let found = herd.store.diagnose().unwrap();
    let named: Vec<_> = found.iter().map(|one| one.subject.version).collect();
    assert_eq!(named, [Some(number(1)), Some(number(2))], "{found:#?}");
    assert!(found.iter().all(|one| one.kind == BreachKind::MissingVersion), "{found:#?}");
    foreign(&herd, "DELETE FROM registered_models");
    let found = herd.store.diagnose().unwrap();
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].message.contains("has no row: the history has 2 versions of it"));
}

#[test]
fn runs_that_were_deleted_are_named() {
    let herd = herd();
    foreign(
        &herd,
        "DELETE FROM tags; DELETE FROM params; DELETE FROM metrics; DELETE FROM latest_metrics; DELETE FROM runs;",
    );
    let found = herd.store.repair().unwrap();
    let missing = found.iter().filter(|breach| breach.kind == BreachKind::MissingRun);
    assert_eq!(missing.count(), 2, "{found:#?}");
    assert_eq!(herd.store.versions(&VersionQuery::default()).unwrap().records.len(), 2);
}

#[test]
fn every_served_file_is_compared() {
    let herd = Herd::new();
    let (run_id, origin) = herd.start(None);
    herd.store.store_artifact(&run_id, "models/1H/model.onnx", b"a net").unwrap();
    herd.finish(&run_id, origin, 1.0);
    assert_eq!(herd.store.diagnose().unwrap(), []);
    let file =
        |name: &str| herd.database.file_of(&herd.store, &run_id, &format!("models/1H/{name}"));
    std::fs::write(file("model.onnx"), "a nut").unwrap();
    let found = herd.store.diagnose().unwrap();
    assert_eq!(kinds(&found), [BreachKind::ModelFile], "{found:#?}");
    assert!(
        found[0].message.starts_with("the file `model.onnx` of `1H_trading_model` version 1 at `")
    );
    std::fs::remove_file(file("model.onnx")).unwrap();
    assert!(herd.store.diagnose().unwrap()[0].message.contains("is missing at"));
    std::fs::write(file("model.onnx"), "a net").unwrap();
    // MLflow writes this file when it loads a version, and nothing reads it.
    std::fs::write(file("registered_model_meta"), "x").unwrap();
    assert_eq!(herd.store.diagnose().unwrap(), []);
    std::fs::write(file("MLmodel"), "flavors: {}").unwrap();
    let found = herd.store.diagnose().unwrap();
    assert!(found[0].message.contains("was added later"), "{}", found[0].message);
}

#[test]
fn repairs_are_events_with_the_value_found_and_the_value_set() {
    let herd = herd();
    set_tag(&herd, 2, "honesty", "contaminated");
    herd.store.repair().unwrap();
    let event = herd.store.events(&EventQuery::default()).unwrap().pop().unwrap().what;
    assert_eq!((event.from.as_deref(), event.to.as_deref()), (Some("contaminated"), Some("clean")));
    assert!(event.details.contains("version_tags"), "{}", event.details);
}
