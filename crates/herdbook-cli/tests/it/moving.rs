//! Stores that were moved, copied or changed, and records with hostile texts.

use std::fs;
use std::path::Path;

use insta::assert_snapshot;

use crate::binary::{Folder, Ran};

/// A folder `home` with a store of one version.
fn herd() -> Folder {
    let folder = Folder::new();
    fs::create_dir(folder.path().join("home")).unwrap();
    folder.done("train --timeframe 1H --timesteps 1 -q --tracking-uri sqlite:///home/mlflow.db");
    fs::rename(folder.path().join("mlruns"), folder.path().join("home/mlruns")).unwrap();
    folder.done("relocate -q --tracking-uri sqlite:///home/mlflow.db");
    folder
}

fn database(folder: &Folder, name: &str) -> rusqlite::Connection {
    rusqlite::Connection::open(folder.path().join(name).join("mlflow.db")).unwrap()
}

fn at(folder: &Folder, name: &str, flags: &str) -> Ran {
    folder.run(&format!("{flags} --tracking-uri sqlite:///{name}/mlflow.db"))
}

/// The output without run ids, store ids and hashes, which differ each time.
fn shown(ran: &Ran) -> String {
    let words = ran.shown();
    let is_id = |word: &str| word.len() >= 32 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let lines = words.lines().map(|line| {
        line.split(' ')
            .map(|word| if is_id(word) { "[id]" } else { word })
            .collect::<Vec<_>>()
            .join(" ")
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

#[test]
fn moved_store_takes_no_acts_until_it_is_relocated() {
    let folder = herd();
    fs::rename(folder.path().join("home"), folder.path().join("moved")).unwrap();
    let promotion = "promote --timeframe 1H --model-version 1 --target-stage beta";
    assert_snapshot!(shown(&at(&folder, "moved", promotion)), @r"
    status 1
    store: sqlite:///[folder]/moved/mlflow.db
    note: the store was moved from `[folder]/home` to `[folder]/moved`, but its records still name the files in the former folder; `herdbook relocate` checks the files and updates the records
    error: the store was moved from `[folder]/home` to `[folder]/moved`, but its records still name the files in the former folder
    hint: `herdbook relocate` checks the files at their new place and updates the records; if the folder is only mounted elsewhere, mount it where it was
    ");
    let relocated = at(&folder, "moved", "relocate -q");
    assert_eq!(relocated.status, 0, "{}", relocated.shown());
    assert!(relocated.stdout.starts_with("[folder]/home -> [folder]/moved\n"));
    assert_eq!(at(&folder, "moved", promotion).status, 0);
    assert_snapshot!(shown(&at(&folder, "moved", "relocate -q")), @r"
    status 0
    nothing to relocate
    ");
}

#[test]
fn copied_store_takes_no_acts_until_it_is_one_of_its_own() {
    let folder = herd();
    copy(&folder.path().join("home"), &folder.path().join("copy"));
    let promotion = "promote --timeframe 1H --model-version 1 --target-stage beta -q";
    assert_snapshot!(shown(&at(&folder, "copy", promotion)), @r"
    status 1
    error: `[folder]/copy/mlflow.db` is a copy of the store `[folder]/home/mlflow.db`: its records name the files of the original, so nothing is written
    hint: `herdbook relocate --copy` makes the copy a store of its own
    ");
    assert_eq!(at(&folder, "copy", "relocate").status, 1, "it would share the original's id");
    assert_eq!(at(&folder, "copy", "relocate --copy").status, 0);
    for name in ["copy", "home"] {
        assert_eq!(at(&folder, name, promotion).status, 0, "{name}");
    }
}

#[test]
fn shortened_history_is_accepted_only_with_a_reason() {
    let folder = herd();
    assert_eq!(at(&folder, "home", "list").status, 0);
    let removed = database(&folder, "home").execute("DELETE FROM herdbook_events WHERE id > 1", []);
    assert!(removed.unwrap() > 0);
    let listed = at(&folder, "home", "list -q");
    assert_eq!(listed.status, 0);
    assert_snapshot!(listed.stderr, @"warning: [folder]/home/mlflow.db: the history ends with event 1, but had 3 events when it was last seen on this machine; `herdbook verify` tells what to do");
    assert_snapshot!(at(&folder, "home", "verify -q").shown(), @r"
    status 1
    warning: [folder]/home/mlflow.db: the history ends with event 1, but had 3 events when it was last seen on this machine; `herdbook verify` tells what to do
    error: the store `sqlite:///[folder]/home/mlflow.db` was changed: the history ends with event 1, but had 3 events when it was last seen on this machine
    hint: restore a newer backup, or accept the present history with `herdbook verify --accept-history --reason …`
    ");
    assert_eq!(at(&folder, "home", "verify --accept-history").status, 2);
    let accepted = at(&folder, "home", "verify --accept-history --reason restored --json");
    assert_eq!(accepted.json()["accepted"], true);
    // What the deleted events recorded is still missing.
    let verified = at(&folder, "home", "verify");
    assert_eq!(verified.status, 1);
    assert!(!verified.shown().contains("last seen on this machine"), "{}", verified.shown());
}

#[test]
fn text_of_a_record_never_begins_a_line() {
    let folder = Folder::new();
    folder.done("train --timeframe 1H --timesteps 1 -q");
    folder.done("train --timeframe 1H --timesteps 1 -q --enhance best");
    let hostile = "x\nFORGED\r\u{1b}[2J\u{202e}\u{85}FORGED";
    let conn = rusqlite::Connection::open(folder.path().join("mlflow.db")).unwrap();
    let kept = "('timeframe', 'base_model_run_id')";
    for sql in [
        format!("UPDATE model_version_tags SET value = ?1 WHERE key NOT IN {kept}"),
        format!("UPDATE tags SET value = ?1 WHERE key NOT IN {kept}"),
        "UPDATE params SET value = ?1 WHERE key NOT LIKE 'data.%'".to_owned(),
        "UPDATE runs SET name = ?1, user_id = ?1".to_owned(),
        "UPDATE experiments SET name = ?1 WHERE experiment_id = 1".to_owned(),
    ] {
        conn.execute(&sql, [hostile]).unwrap();
    }
    let shown = folder.done("show 1 --timeframe 1H --json").json();
    assert_eq!(shown["tags"]["model_type"], hostile, "JSON is exact");
    let events = "UPDATE herdbook_events SET reason = ?1, actor = ?1, to_state = ?1";
    conn.execute(events, [hostile]).unwrap();
    conn.execute("UPDATE runs SET status = 'RUNNING' WHERE rowid = 2", []).unwrap();
    for command in [
        "list",
        "status",
        "lineage",
        "show 1 --timeframe 1H",
        "show 2 --timeframe 1H",
        "history",
        "compare 1 2 --timeframe 1H",
        "doctor",
        "verify",
        "find latest --timeframe 1H",
        "champion --timeframe 1H",
        "promote --timeframe 1H --model-version 1 --target-stage beta",
    ] {
        let ran = folder.run(command);
        let is_active = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        for text in [&ran.stdout, &ran.stderr] {
            assert!(!text.contains(is_active), "{command}: {text:?}");
            assert!(!text.lines().any(|line| line.starts_with("FORGED")), "{command}: {text}");
        }
    }
}
