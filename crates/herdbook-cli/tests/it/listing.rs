//! Lists that leave out versions which cannot be read say so.

use insta::assert_snapshot;

use crate::binary::Folder;

/// A version of this system, and some of models with names that it cannot parse.
fn with_unreadable(n_unreadable: usize) -> Folder {
    let folder = Folder::new();
    folder.done("train --timeframe 1H --timesteps 1");
    let conn = rusqlite::Connection::open(folder.path().join("mlflow.db")).unwrap();
    for idx in 0..n_unreadable {
        conn.execute_batch(&format!(
            "INSERT INTO registered_models (name, workspace) VALUES (char(10) || '{idx}', 'default');
             INSERT INTO model_versions (name, version, creation_time, current_stage, workspace)
             VALUES (char(10) || '{idx}', 1, {idx}, 'None', 'default');"
        ))
        .unwrap();
    }
    folder
}

#[test]
fn list_counts_the_versions_that_cannot_be_read_and_names_the_first() {
    let folder = with_unreadable(5);
    let listed = folder.run("list --json");
    assert_eq!(listed.json().as_array().unwrap().len(), 1);
    // The problems are the names' own, so only the places are shown here.
    let lines: Vec<_> = listed.stderr.lines().filter_map(|line| line.split(": ").next()).collect();
    assert_snapshot!(lines.join("\n"), @r"
    store
    note
      `\n4` version 1
      `\n3` version 1
      `\n2` version 1
      and 2 more
    ");
    let count = "note: 5 versions are not shown: their names or numbers cannot be read\n";
    assert!(listed.stderr.contains(count), "{}", listed.stderr);
    assert_eq!(folder.run("list --quiet").stderr, "");
}

#[test]
fn one_version_that_cannot_be_read_is_named_by_other_lists_too() {
    let folder = with_unreadable(1);
    for command in ["list", "status", "lineage"] {
        let ran = folder.done(command);
        let note = "1 version is not shown: its name or number cannot be read";
        assert!(ran.stderr.contains(note), "{command}: {}", ran.stderr);
    }
}

#[test]
fn lists_without_such_versions_say_nothing() {
    let folder = with_unreadable(0);
    assert!(!folder.done("list").stderr.contains("not shown"));
}
