//! How models and runs are named: by the beginning of a run id, and `find` without a type.

use insta::assert_snapshot;
use rusqlite::Connection;

use crate::binary::Folder;

/// Two versions of one model, whose run ids begin differently.
fn herd() -> (Folder, [String; 2]) {
    loop {
        let folder = Folder::new();
        let base = folder.done("train --timeframe 1H --timesteps 1 --json").json();
        let child = folder.done("train -t 1H --timesteps 1 --enhance latest --json").json();
        let ids = [base, child].map(|run| run["run_id"].as_str().unwrap().to_owned());
        if ids[0][..4] != ids[1][..4] {
            return (folder, ids);
        }
    }
}

fn conn_of(folder: &Folder) -> Connection {
    Connection::open(folder.path().join("mlflow.db")).unwrap()
}

/// Gives a run another id in all tables of a store.
fn rename(folder: &Folder, from: &str, to: &str) {
    let conn = conn_of(folder);
    conn.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
    conn.execute("UPDATE runs SET run_uuid = ?2 WHERE run_uuid = ?1", [from, to]).unwrap();
}

#[test]
fn beginning_of_a_run_id_names_the_run_in_every_command() {
    let (folder, [base, child]) = herd();
    let listed = folder.done("list").stdout;
    for id in [&base, &child] {
        assert!(listed.contains(&id[..8]), "{listed}");
    }
    for n_digits in [8, 16, 32] {
        let (base, child) = (&base[..n_digits], &child[..n_digits]);
        assert_eq!(folder.done(&format!("show {base} --json")).json()["version"], 1);
        assert_eq!(folder.done(&format!("show {base} -t 1H --json")).json()["version"], 1);
        let compared = folder.done(&format!("compare {base} {child} --json")).json();
        assert_eq!(compared["second"]["version"], 2);
        assert!(folder.done(&format!("lineage {child}")).stdout.contains("version 2"));
        let events = folder.done(&format!("history --run {child} --json")).json();
        assert!(events.as_array().unwrap().len() >= 2);
        let trained = folder.done(&format!("train -t 1H --timesteps 1 --enhance {base} --json"));
        assert_eq!(trained.json()["parent"]["version"], 1);
        let registered = folder.run(&format!("register {base}"));
        assert!(registered.stderr.contains("is already registered"), "{}", registered.shown());
        let resumed = folder.run(&format!("train --resume {base}"));
        assert!(resumed.stderr.contains("FINISHED"), "{}", resumed.shown());
        let bars = "testdata/EURUSD_1H.csv";
        let backtest = folder.run(&format!("backtest {base} --data {bars}"));
        assert!(backtest.stderr.contains("cannot read"), "{}", backtest.shown());
    }
}

#[test]
fn beginning_of_several_run_ids_is_refused_with_the_candidates() {
    let (folder, [base, child]) = herd();
    let same = format!("{}{}", &base[..8], &child[8..]);
    rename(&folder, &child, &same);
    let ran = folder.run(&format!("show {} -t 1H", &base[..6]));
    assert_eq!(ran.status, 2);
    for shown in
        [base.as_str(), &same, "is the beginning of several run ids", "hint: give more digits"]
    {
        assert!(ran.stderr.contains(shown), "{shown}: {}", ran.stderr);
    }
    let unknown = if base.starts_with("0000") { "ffff" } else { "0000" };
    let ran = folder.run(&format!("show {unknown}"));
    assert_eq!(ran.status, 1);
    assert!(ran.stderr.contains("there is no run whose id begins with `"), "{}", ran.stderr);
}

#[test]
fn digits_that_tables_print_name_a_run_also_if_they_could_be_a_number() {
    let (folder, [base, _]) = herd();
    let renamed = format!("12345678{}", &base[8..]);
    let conn = conn_of(&folder);
    conn.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
    for (table, column) in [
        ("runs", "run_uuid"),
        ("tags", "run_uuid"),
        ("params", "run_uuid"),
        ("metrics", "run_uuid"),
        ("latest_metrics", "run_uuid"),
        ("model_versions", "run_id"),
    ] {
        let sql = format!("UPDATE {table} SET {column} = ?2 WHERE {column} = ?1");
        conn.execute(&sql, [&base, &renamed]).unwrap();
    }
    drop(conn);
    for flags in ["", " -t 1H"] {
        let shown = folder.done(&format!("show 12345678{flags} --json")).json();
        assert_eq!(shown["version"], 1, "{flags}");
    }
    assert_eq!(folder.done("show 12345 -t 1H --json").json()["version"], 1);
    // Both exist: many digits are ambiguous, few mean the version.
    conn_of(&folder)
        .execute_batch(
            "PRAGMA foreign_keys = OFF;
             INSERT INTO model_versions (name, version, creation_time, current_stage, workspace)
             SELECT name, 1234, creation_time, 'None', workspace FROM model_versions WHERE version = 2;
             INSERT INTO model_versions (name, version, creation_time, current_stage, workspace)
             SELECT name, 12345678, creation_time, 'None', workspace FROM model_versions WHERE version = 2;",
        )
        .unwrap();
    assert_eq!(folder.done("show 1234 -t 1H --json").json()["version"], 1234);
    let both = folder.run("show 12345678 -t 1H");
    assert_eq!(both.status, 2);
    assert!(both.stderr.contains("these digits name"), "{}", both.stderr);
    let missing = folder.run("show 87654321 -t 1H");
    assert_snapshot!(missing.stderr.lines().skip(1).collect::<Vec<_>>().join("\n"), @r"
    error: there is no `1H_trading_model` version 87654321: the newest is version 12345678
    hint: `herdbook list` shows every version
    ");
}

#[test]
fn texts_that_name_nothing_are_wrong_usage() {
    let folder = Folder::new();
    assert_snapshot!(folder.run("show abc").stderr.lines().next().unwrap(), @"error: invalid value 'abc' for '[MODEL]': `abc` is not a model version: give a version number, `champion`, `latest`, a run id or at least its first 4 digits");
    assert_snapshot!(folder.run("history --run 12g4").stderr.lines().next().unwrap(), @"error: invalid value '12g4' for '--run <RUN_ID>': `12g4` is not a run id: give its 32 hexadecimal digits, or at least the first 4");
    assert_snapshot!(folder.run("train -t 1H --enhance newest").stderr.lines().next().unwrap(), @"error: invalid value 'newest' for '--enhance <PARENT>': `newest` is not a parent: give `latest`, `best`, `champion`, a version number, a run id (32 hexadecimal digits) or at least its first 4 digits");
}

#[test]
fn find_latest_without_a_type_looks_at_all_types() {
    let (folder, [base, child]) = herd();
    let found = folder.done("find latest -t 1H --json").json();
    assert_eq!((&found["run_id"], &found["model_type"]), (&child.into(), &"continued".into()));
    let old = folder.done("find latest -t 1H --version-type old --json").json();
    assert_eq!(old["run_id"], base);
    let none = folder.run("find latest -t 4H");
    assert_snapshot!(none.shown(), @r"
    status 1
    store: sqlite:///[folder]/mlflow.db
    error: there is no model with version type `latest` at 4H
    hint: `herdbook list --timeframe 4H` shows all models, `herdbook train --timeframe 4H` trains one
    ");
}
