//! `doctor` reports and repairs what other programs broke.

use insta::assert_snapshot;

use crate::binary::Folder;

fn herd() -> Folder {
    let folder = Folder::new();
    folder.done("train --timeframe 1H --timesteps 1");
    for stage in ["beta", "champion"] {
        folder.done(&format!("promote -t 1H --model-version 1 --target-stage {stage}"));
    }
    folder
}

/// Writes to the database like another program.
fn break_by_hand(folder: &Folder, sql: &str) {
    let conn = rusqlite::Connection::open(folder.path().join("mlflow.db")).unwrap();
    conn.execute_batch(sql).unwrap();
}

#[test]
fn healthy_store_says_so() {
    let folder = herd();
    assert_snapshot!(folder.run("doctor -q").shown(), @r"
    status 0
    healthy: every rule holds
    ");
    let found = folder.done("doctor --json").json();
    assert_eq!((&found["healthy"], found["breaches"].as_array().unwrap().len()), (&true.into(), 0));
}

#[test]
fn breaches_are_reported_repaired_and_recorded() {
    let folder = herd();
    break_by_hand(
        &folder,
        "DELETE FROM registered_model_aliases;
         UPDATE model_version_tags SET value = 'archived' WHERE key = 'promotion_stage';",
    );
    assert_snapshot!(folder.run("doctor -q").shown(), @r"
    status 1
    stage: `1H_trading_model` version 1 is tagged `archived`, but its history ends in `champion`; `herdbook doctor --repair`: the tag is set back to `champion`
    alias: the alias `champion` of `1H_trading_model` points at nothing; `herdbook doctor --repair`: it points at version 1
    error: 2 breaches are left
    hint: `herdbook doctor --repair` repairs what is safe to repair
    ");
    let found = folder.run("doctor --json");
    assert_eq!(found.status, 1);
    let breach = &found.json()["breaches"][0];
    assert_eq!((&breach["kind"], &breach["version"]), (&"stage".into(), &1.into()));
    assert_eq!(
        (&breach["name"], &breach["repair"]),
        (&"1H_trading_model".into(), &"possible".into())
    );
    assert_eq!(breach["run_id"].as_str().unwrap().len(), 32);
    assert_snapshot!(folder.run("doctor -q --repair").shown(), @r"
    status 0
    stage: `1H_trading_model` version 1 is tagged `archived`, but its history ends in `champion`; repaired: the tag is set back to `champion`
    alias: the alias `champion` of `1H_trading_model` points at nothing; repaired: it points at version 1
    ");
    let history = folder.done("history -t 1H --json").json();
    let newest = history.as_array().unwrap().last().unwrap();
    assert_eq!(
        (&newest["kind"], &newest["details"]["breach"]),
        (&"repaired".into(), &"alias".into())
    );
    folder.done("doctor");
    folder.done("verify");
}

#[test]
fn store_with_two_champions_is_opened_by_the_doctor_alone() {
    let folder = herd();
    folder.done("train --timeframe 1H --timesteps 1");
    break_by_hand(
        &folder,
        "DROP INDEX herdbook_one_champion;
         UPDATE model_version_tags SET value = 'champion' WHERE key = 'promotion_stage';",
    );
    assert_snapshot!(folder.run("list -q").shown(), @r"
    status 1
    error: `1H_trading_model` has more than one champion (version 1, version 2), written outside herdbook: give all but one of them another `promotion_stage` tag with MLflow's client, then try again
    hint: `herdbook doctor` shows what the history records about each
    ");
    let repaired = folder.run("doctor -q --repair");
    assert_snapshot!(repaired.shown(), @r"
    status 1
    two_champions: `1H_trading_model` has more than one champion: version 1 (its history ends in `champion`), version 2 (its history ends in `development`); a person must choose: give all but one another `promotion_stage` tag with MLflow's client, then run `herdbook doctor --repair`
    stage: `1H_trading_model` version 2 is tagged `champion`, but its history ends in `development`; not repaired, because more than one version claims to be champion: give all but one another `promotion_stage` tag with MLflow's client
    schema: `herdbook_one_champion` was missing or altered, for example by a migration; it cannot be created while a model has two champions
    error: 3 breaches are left
    ");
}
