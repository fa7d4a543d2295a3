//! Files, streams and addresses as they should not be: nothing is overwritten, no secret is shown, no gate opens.

use std::ffi::CString;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::binary::{Folder, Ran};
use crate::running::bars;

fn herd() -> Folder {
    let folder = Folder::new();
    folder.done("train --timeframe 1H --timesteps 1 -q");
    folder
}

fn refused(ran: &Ran, parts: &[&str]) {
    assert_eq!(ran.status, 2, "{}", ran.shown());
    for part in parts {
        assert!(ran.stderr.contains(part), "`{part}` is missing in: {}", ran.shown());
    }
}

/// Name and content of every file below a folder.
fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.is_symlink() {
            found.extend(contents(&path));
        } else if let Ok(content) = fs::read(&path) {
            found.push((path.display().to_string(), content));
        }
    }
    found.sort();
    found
}

#[test]
fn export_replaces_no_file_that_it_was_not_told_to_replace() {
    let folder = herd();
    let path = |name: &str| folder.path().join(name);
    folder.write("notes.txt", "mine");
    symlink(path("mlflow.db"), path("link")).unwrap();
    fs::hard_link(path("mlflow.db"), path("hard")).unwrap();
    symlink(path("new.jsonl"), path("dangling")).unwrap();
    fs::create_dir(path("folder")).unwrap();
    let before = contents(folder.path());
    for name in ["notes.txt", "./notes.txt", "mlflow.db", "link", "hard"] {
        let ran = folder.run(&format!("history --export {name}"));
        refused(&ran, &["cannot write", name, "flag `--export`", "hint: give the path of a new"]);
    }
    for name in [
        "mlflow.db",
        "./folder/../mlflow.db",
        "link",
        "hard",
        "mlflow.db-journal",
        "mlflow.db-wal",
        "folder",
        "mlruns/new.jsonl",
        "mlruns/1/meta.yaml",
    ] {
        let ran = folder.run(&format!("history --export {name} --overwrite"));
        refused(&ran, &["cannot write", "hint: give the path of a new"]);
    }
    refused(&folder.run("history --export no/such.jsonl"), &["cannot write `no/such.jsonl`"]);
    assert_eq!(contents(folder.path()), before);

    folder.done("history --export dangling");
    assert!(
        fs::read(path("new.jsonl")).unwrap().starts_with(b"{") && path("dangling").is_symlink()
    );
    folder.done("history --export notes.txt --overwrite");
    assert_eq!(fs::read(path("notes.txt")).unwrap(), fs::read(path("new.jsonl")).unwrap());
    folder.done("history --export /dev/null");
    let shown = folder.done("history --export /dev/stdout");
    assert!(shown.stdout.starts_with('{') && shown.stdout.contains("\nhead "), "{}", shown.shown());
    let left = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(left.into_iter().all(|name| !name.to_string_lossy().ends_with(".tmp")));
}

#[test]
fn backtest_overwrites_no_input_and_no_output_of_its_own() {
    let folder = herd();
    folder.write("EURUSD.csv", bars(400));
    let path = |name: &str| folder.path().join(name);
    symlink("EURUSD.csv", path("link.csv")).unwrap();
    fs::hard_link(path("EURUSD.csv"), path("hard.csv")).unwrap();
    symlink("one.csv", path("two.csv")).unwrap();
    fs::create_dir(path("drawn")).unwrap();
    folder.write("drawn/trades.svg", "mine");
    let model = fs::read_dir(path("mlruns/1")).unwrap().next().unwrap().unwrap().path();
    let model = model.join("artifacts/models/1H/model.zip");
    assert!(model.is_file());
    fs::hard_link(&model, path("model.zip")).unwrap();
    let before = contents(folder.path());
    let backtest = "backtest -q -t 1H 1 --data EURUSD.csv";
    for flags in [
        "--equity EURUSD.csv",
        "--equity EURUSD.csv --overwrite",
        "--trades link.csv --overwrite",
        "--trades hard.csv --overwrite",
        "--equity mlflow.db --overwrite",
        "--equity model.zip --overwrite",
        "--equity new.csv --trades new.csv",
        "--equity new.csv --trades ./new.csv --overwrite",
        "--equity new.csv --trades NEW.csv",
        "--equity one.csv --trades two.csv",
        "--equity drawn/equity.svg --pictures drawn --overwrite",
        "--equity new.csv --trades link.csv",
        "--equity new.csv --pictures drawn",
        "--pictures mlruns",
        "--equity new.csv --trades no/such.csv",
    ] {
        refused(&folder.run(&format!("{backtest} {flags}")), &["cannot write"]);
        assert_eq!(contents(folder.path()), before, "{flags}");
    }
    folder.done(&format!("{backtest} --equity new.csv --pictures pictures"));
    assert_eq!(fs::read_dir(path("pictures")).unwrap().count(), 3);
    folder.done(&format!("{backtest} --equity new.csv --pictures pictures --overwrite"));
    let piped = folder.done(&format!("{backtest} --trades /dev/stdout"));
    assert!(piped.stdout.starts_with("entered,left,"), "{}", piped.shown());
}

#[test]
fn broken_conditions_are_an_error_and_not_their_absence() {
    let folder = herd();
    let file = folder.path().join("herdbook.toml");
    let refuses = |what: &str| {
        let ran = folder.run("promote -t 1H --model-version 1 --target-stage beta");
        assert_eq!(ran.status, 2, "{what}: {}", ran.shown());
        assert!(ran.stderr.contains("herdbook.toml"), "{what}: {}", ran.shown());
    };
    symlink("nowhere.toml", &file).unwrap();
    refuses("broken link");
    fs::remove_file(&file).unwrap();
    symlink("herdbook.toml", &file).unwrap();
    refuses("link to itself");
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    refuses("folder");
    fs::remove_dir(&file).unwrap();
    let status = Command::new("mkfifo").arg(&file).status().unwrap();
    assert!(status.success());
    refuses("pipe");
    fs::remove_file(&file).unwrap();
    for (what, content) in [
        ("not UTF-8", b"[promotion]\nenforce = true # \xff".to_vec()),
        ("empty key", b"\"\" = 1".to_vec()),
        ("misspelt", b"[promotoin]\nenforce = true".to_vec()),
        ("too large", vec![b'#'; (1 << 20) + 1]),
    ] {
        fs::write(&file, content).unwrap();
        refuses(what);
    }
    fs::remove_file(&file).unwrap();
    for value in ["", "nowhere.toml"] {
        let ran = folder.run_with(
            "promote -t 1H --model-version 1 --target-stage beta",
            &[("HERDBOOK_CONFIG", value)],
        );
        refused(&ran, &[if value.is_empty() { "HERDBOOK_CONFIG" } else { value }]);
    }
    assert_eq!(folder.done("list --json").json()[0]["promotion_stage"], "development");
    folder.done("promote -t 1H --model-version 1 --target-stage beta");
}

#[test]
fn forced_promotion_says_what_it_overrode() {
    let folder = herd();
    let contaminated = "train -q -t 1H --timesteps 1 --enhance 1 --test-from 2017-08-01 \
                        --validation-from 2017-07-01 --allow-contaminated --json";
    assert_eq!(folder.done(contaminated).json()["honesty"], "contaminated");
    folder.write(
        "herdbook.toml",
        "[promotion]\nenforce = true\n[[promotion.condition]]\nto = \"beta\"\n\
         metric = \"portfolio/sharpe_ratio\"\nat_least = 99\n",
    );
    let promote = "promote -q -t 1H --target-stage beta --force --reason tested --model-version";
    let shown = folder.done(&format!("{promote} 2")).stdout;
    let forced = shown.split("FORCED against:\n").nth(1).unwrap_or_else(|| panic!("{shown}"));
    assert!(forced.starts_with("  honesty: value contaminated, limit clean"), "{shown}");
    assert!(forced.contains("`portfolio/sharpe_ratio`") && forced.contains("limit 99"), "{shown}");
    assert!(forced.contains("not met"), "{shown}");
    let shown = folder.done(&format!("{promote} 1")).stdout;
    assert!(shown.contains("FORCED") && !shown.contains("contaminated"), "{shown}");
}

#[test]
fn password_of_a_refused_uri_is_not_shown() {
    let folder = Folder::new();
    for flags in [
        "list --tracking-uri mysql://u:s3cret@h/db",
        "list --tracking-uri postgresql://u:s3cret@h",
        "list --tracking-uri postgresql://u:s3cret@h:port/db",
        "list --tracking-uri postgresql://u:x/s3cret@h/db",
        "list --tracking-uri postgresql://u:s3c%72et@h/db?sslmode=s3c",
        "list --tracking-uri redis://h?password=s3cret",
        "list --tracking-uri u:s3cret@h/db",
        "list --tracking-uri mysql%3A%2F%2Fu%3As3cret%40h",
        "import postgresql://u:s3cret@h/db",
        "import mysql://h/db?passwd=s3cret",
        "list mysql://u:s3cret@h/db",
        "list --nonsense=mysql://u:s3cret@h/db",
        "find mysql://u:s3cret@h/db -t 1H",
        "list --tracking-uri http://u:s3cret@127.0.0.1:9",
        "list --tracking-uri http://s3cret@127.0.0.1:9/a?token=s3cret",
        "import http://u:s3cret@127.0.0.1:9",
    ] {
        for flags in [flags.to_owned(), format!("{flags} --json")] {
            let ran = folder.run(&flags);
            assert_eq!(ran.status, 2, "{flags}: {}", ran.shown());
            assert!(!ran.shown().contains("s3cret"), "{flags}: {}", ran.shown());
        }
    }
}

/// Runs a command whose stdout is a full disk.
fn on_full_disk(folder: &Folder, flags: &str) -> Ran {
    let full = File::options().write(true).open("/dev/full").unwrap();
    folder.run_to(flags, Stdio::from(full))
}

#[test]
fn act_whose_output_is_lost_succeeds_so_that_nobody_repeats_it() {
    let folder = Folder::new();
    for flags in [
        "train --timeframe 1H --timesteps 1",
        "promote -t 1H --model-version 1 --target-stage beta --json",
        "promote -q -t 1H --model-version 1 --target-stage champion",
        "history --export log.jsonl",
    ] {
        let ran = on_full_disk(&folder, flags);
        assert_eq!(ran.status, 0, "{flags}: {}", ran.shown());
        assert!(ran.stderr.contains("warning: the act was done, but"), "{flags}: {}", ran.shown());
    }
    assert_eq!(folder.done("list --json").json()[0]["promotion_stage"], "champion");
    for flags in ["list", "promote -t 1H --model-version 1 --target-stage beta --dry-run"] {
        let ran = on_full_disk(&folder, flags);
        assert_eq!(ran.status, 2, "{flags}: {}", ran.shown());
    }
}

#[test]
fn input_without_an_end_is_refused() {
    let folder = herd();
    for flags in [
        "train --timeframe 1H --config /dev/zero",
        "promote -t 1H --model-version 1 --target-stage beta --config-file /dev/zero",
    ] {
        refused(&folder.run(flags), &["/dev/zero", "MiB"]);
    }
    symlink("/dev/zero", folder.path().join("herdbook.toml")).unwrap();
    let ran = folder.run("promote -t 1H --model-version 1 --target-stage beta");
    refused(&ran, &["herdbook.toml", "not a file"]);
}

#[test]
fn terminal_gets_no_escape_sequences_from_outside() {
    let folder = herd();
    let hostile = "\u{1b}[2J\u{9b}31m\u{202e}x";
    let name = format!("{hostile}.csv");
    folder.write(&name, format!("timestamp,open,high,low,close,{hostile}\n{hostile},1,1,1,1,1\n"));
    folder
        .write("cells.csv", format!("timestamp,open,high,low,close\n2024-01-01,{hostile},1,1,1\n"));
    folder.write("c.toml", format!("\"{hostile}\" = 1\n").replace('\u{1b}', "\\u001b"));
    let rusqlite = rusqlite::Connection::open(folder.path().join("mlflow.db")).unwrap();
    rusqlite
        .execute_batch(&format!(
            "UPDATE runs SET name = '{hostile}\nforged: a line';
             UPDATE model_version_tags SET value = '{hostile}' WHERE key = 'honesty';"
        ))
        .unwrap();
    for args in [
        vec!["train", "-t", "1H", "--data", &name],
        vec!["train", "-t", "1H", "--data", &name, "--symbol", "A"],
        vec!["train", "-t", "1H", "--data", "cells.csv"],
        vec!["train", "-t", "1H", "--config", "c.toml"],
        vec!["train", "-t", hostile],
        vec!["list", hostile],
        vec!["list", "--tracking-uri", hostile],
        vec!["import", hostile],
        vec!["list"],
        vec!["show", "-t", "1H", "1"],
        vec!["compare", "-t", "1H", "1", "1"],
        vec!["doctor"],
        vec!["history"],
        vec!["history", "--export", hostile, "--quiet"],
    ] {
        for json in [&[][..], &["--json"]] {
            let ran = folder.run_args(args.iter().chain(json).copied());
            let shown = ran.shown();
            let is_active = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
            assert!(!shown.contains(is_active), "{args:?}: {shown:?}");
            assert!(!shown.contains("\nforged"), "{args:?}: {shown:?}");
        }
    }
}

#[test]
fn export_never_replaces_the_remembered_end_of_a_history() {
    let folder = herd();
    let state = folder.path().join("state");
    let variables = [("XDG_STATE_HOME", state.to_str().unwrap())];
    assert_eq!(folder.run_with("history", &variables).status, 0);
    let heads = state.join("herdbook/heads");
    let before = contents(&heads);
    assert_eq!(before.len(), 2);
    symlink(&heads, folder.path().join("elsewhere")).unwrap();
    let head = fs::read_dir(&heads).unwrap().next().unwrap().unwrap().file_name();
    let head = head.to_string_lossy();
    for path in [
        format!("state/herdbook/heads/{head}"),
        format!("elsewhere/{head}"),
        "state/herdbook/heads/store-new.json".to_owned(),
    ] {
        let ran = folder.run_with(&format!("history --export {path} --overwrite"), &variables);
        refused(&ran, &["cannot write", "in which herdbook remembers the ends of histories"]);
        assert_eq!(contents(&heads), before, "{path}");
    }
}

#[test]
fn path_that_is_not_text_is_refused_by_name() {
    let folder = herd();
    let name = CString::new(*b"bars\xff.csv").unwrap();
    let path = std::ffi::OsStr::from_bytes(name.as_bytes());
    fs::write(folder.path().join(path), "x").unwrap();
    let ran = Command::new(env!("CARGO_BIN_EXE_herdbook"))
        .args(["history", "--export"])
        .arg(path)
        .env("XDG_STATE_HOME", folder.path())
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert_eq!(ran.status.code(), Some(2));
    assert_eq!(fs::read(folder.path().join(path)).unwrap(), b"x");
}
