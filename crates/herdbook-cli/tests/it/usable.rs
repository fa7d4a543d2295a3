//! Versions that cannot be used, symbols that differ, and a clock that is behind the history, as the user sees them.

use herdbook_domain::{Actor, Channel, EventDraft, EventKind, ModelName, Timestamp, VersionNumber};
use herdbook_store::{Location, OpenOptions, Session, Store};
use insta::assert_snapshot;

use crate::binary::Folder;
use crate::running::bars;

fn herd() -> Folder {
    let folder = Folder::new();
    folder.done("train --timeframe 1H --timesteps 1 -q");
    folder
}

fn session(folder: &Folder) -> Session {
    let location = Location::resolve(None, folder.path()).unwrap();
    let store = Store::open(location, &OpenOptions::default()).unwrap();
    store.session(Actor::parse("tester").unwrap(), Channel::Cli)
}

/// Appends an event under a clock that is decades ahead.
fn append_in_2040(folder: &Folder) {
    let draft = EventDraft {
        name: Some(ModelName::parse("1H_trading_model").unwrap()),
        version: VersionNumber::new(1),
        ..EventDraft::new(EventKind::Superseded, &serde_json::json!({"v": 1}))
    };
    let at = Timestamp::parse("2040-01-01T00:00:00Z").unwrap();
    session(folder).write(|act| act.append(at, [draft.clone()])).unwrap();
}

#[test]
fn champion_of_another_symbol_is_displaced_only_by_force_and_every_list_shows_the_symbol() {
    let folder = herd();
    folder.write("bars.csv", bars(3_000));
    folder.done("train --timeframe 1H --timesteps 1 -q --symbol IBM --data bars.csv");
    for version in [1, 2] {
        folder.done(&format!("promote -t 1H --model-version {version} --target-stage beta"));
    }
    let promote = "promote -q -t 1H --target-stage champion --model-version";
    folder.done(&format!("{promote} 1"));
    let refused = folder.run(&format!("{promote} 2"));
    assert_snapshot!(refused.shown(), @r"
    status 1
    error: `1H_trading_model` version 2 may not go to `champion`: it is of IBM, but the champion, version 1, is of EURUSD
    hint: `herdbook train --timeframe 1H --model=IBM_model …` gives this symbol a registered model of its own; `--force` with a `--reason` displaces the champion anyway, and the history records that
    ");
    let forced = folder.done(&format!("{promote} 2 --force --reason mine"));
    assert_snapshot!(forced.stdout, @r#"
    1H_trading_model version 2: beta -> champion
    1H_trading_model version 1: champion -> archived  (replaced as champion)
    evidence since training: none
    FORCED against:
      symbol: value IBM, limit EURUSD (the champion, version 1)
    undo: herdbook rollback --timeframe 1H --force --reason "…"
    "#);
    for command in ["list", "status", "lineage -t 1H", "show 2 -t 1H", "find latest -t 1H"] {
        let shown = folder.done(command).stdout;
        assert!(shown.contains("IBM"), "{command}: {shown}");
    }
    for command in ["history -t 1H", "show 2 -t 1H"] {
        let shown = folder.done(command).stdout;
        let expected = "beta -> champion; FORCED against symbol: value IBM, limit EURUSD";
        assert!(shown.contains(expected), "{command}: {shown}");
    }
    let rolled_back = folder.run("rollback -q -t 1H --reason back");
    assert_snapshot!(rolled_back.shown(), @r"
    status 1
    error: `1H_trading_model` has no champion to go back to: version 1 is of EURUSD, but the champion, version 2, is of IBM
    hint: `--force` lets a version of another symbol return
    ");
    let rolled_back = folder.done("rollback -q -t 1H --force --reason back --json").json();
    assert_eq!(rolled_back["version"], 1);
    assert_eq!(
        rolled_back["overridden"][0],
        "symbol: value EURUSD, limit IBM (the champion, version 2)"
    );
}

#[test]
fn act_says_that_the_history_is_ahead_of_the_clock_and_no_limit_on_age_is_passed() {
    let folder = herd();
    append_in_2040(&folder);
    let promote = "promote -t 1H --model-version 1 --target-stage";
    let promoted = folder.done(&format!("{promote} beta"));
    let warning = "warning: the newest event of this model is from 2040-01-01T00:00:00Z, in the future of this \
                   machine's clock (";
    assert!(promoted.stderr.contains(warning), "{}", promoted.shown());
    let json = folder.done(&format!("{promote} champion --json")).json();
    assert_eq!(json["ahead_of_clock"]["newest_event"], "2040-01-01T00:00:00Z");
    let doctor = folder.run("doctor");
    assert_eq!(doctor.status, 1, "{}", doctor.shown());
    let named = "future_events: the newest event of `1H_trading_model` (number 3) is from 2040";
    assert!(doctor.stdout.contains(named), "{}", doctor.shown());
    // A version registered from now on gets that time as well, so its age is unknown.
    folder.done("train --timeframe 1H --timesteps 1 -q");
    folder.write("bars.csv", bars(300));
    let predicted = folder.run("predict 2 -t 1H --data bars.csv --max-age 99999w");
    assert_eq!(predicted.status, 1, "{}", predicted.shown());
    assert!(predicted.stderr.contains("its age is unknown"), "{}", predicted.shown());
    folder.done("predict 2 -t 1H --data bars.csv");
    let status = folder.done("status").stdout;
    assert!(status.contains("in the future of the clock"), "{status}");
}

#[test]
fn model_file_that_is_missing_keeps_a_version_from_rising_and_from_being_found() {
    let folder = herd();
    folder.done("train --timeframe 1H --timesteps 1 -q");
    let listed = folder.done("list --json").json();
    let run = listed[0]["run_id"].as_str().unwrap().to_owned();
    let mut files = Vec::new();
    for experiment in std::fs::read_dir(folder.path().join("mlruns")).unwrap() {
        let file = experiment.unwrap().path().join(&run).join("artifacts/models/1H/model.zip");
        files.extend(file.exists().then_some(file));
    }
    std::fs::remove_file(&files[0]).unwrap();
    let refused = folder.run("promote -q -t 1H --model-version 2 --target-stage beta");
    assert_eq!(refused.status, 1, "{}", refused.shown());
    assert!(refused.stderr.contains("version 2 has no model file: `"), "{}", refused.shown());
    let found = folder.done("find latest -t 1H");
    assert!(found.stdout.starts_with("1H_trading_model version 1"), "{}", found.shown());
    assert!(found.stderr.contains("note: `1H_trading_model` version 2 has no model file"));
}

#[test]
fn run_without_an_artifact_location_is_shown_as_one_whose_files_are_missing() {
    let folder = herd();
    let database = rusqlite::Connection::open(folder.path().join("mlflow.db")).unwrap();
    assert_eq!(database.execute("UPDATE runs SET artifact_uri = NULL", []).unwrap(), 1);
    for command in ["list", "status", "show 1 -t 1H", "lineage -t 1H", "history -t 1H"] {
        folder.done(command);
    }
    let refused = folder.run("promote -q -t 1H --model-version 1 --target-stage beta");
    assert!(refused.stderr.contains("model.zip` is missing"), "{}", refused.stderr);
}

/// Bars with a column that names their instrument.
fn bars_of(symbol: &str, n_bars: u64) -> String {
    let bars = bars(n_bars);
    let mut lines = bars.lines();
    let mut csv = format!("symbol,{}\n", lines.next().unwrap());
    for line in lines {
        csv += &format!("{symbol},{line}\n");
    }
    csv
}

#[test]
fn symbol_that_the_file_contradicts_is_refused() {
    let folder = Folder::new();
    folder.write("ibm.csv", bars_of("IBM", 1_000));
    let train = "train -t 1H --timesteps 1 -q --data ibm.csv --symbol";
    let refused = folder.run(&format!("{train} SPY"));
    assert_snapshot!(refused.shown(), @r"
    status 1
    error: the bars in `ibm.csv` are of `IBM`, as the file itself says, and not of SPY
    hint: `--symbol IBM` names it as the file does; a column that does not name the instrument is left out with `--columns`
    ");
    folder.done(&format!("{train} ibm"));
    for command in ["backtest", "evaluate", "predict"] {
        let refused = folder.run(&format!("{command} 1 -t 1H --data ibm.csv --symbol SPY"));
        assert_eq!(refused.status, 1, "{}", refused.shown());
        assert!(
            refused.stderr.contains("of `IBM`, as the file itself says"),
            "{}",
            refused.shown()
        );
    }
    let columns = "--columns _,time,open,high,low,close";
    folder.done(&format!(
        "train -t 1H --timesteps 1 -q --data ibm.csv --symbol SPY --model=s {columns}"
    ));
}

#[test]
fn file_named_after_another_instrument_is_noted() {
    let folder = Folder::new();
    folder.write("IBM.csv", bars(1_000));
    let trained = folder.done("train -t 1H --timesteps 1 --data IBM.csv --symbol SPY");
    let note =
        "`IBM.csv` is named after IBM, which the register knows, but its bars are recorded as SPY";
    assert!(trained.stderr.contains(note), "{}", trained.shown());
    folder.write("prices.csv", bars_of("XYZ", 1_000));
    let trained = folder.done("train -t 1H --timesteps 1 --data prices.csv --model=p");
    let note =
        "the bars in `prices.csv` are of `XYZ` by their own column, but are recorded as prices";
    assert!(trained.stderr.contains(note), "{}", trained.shown());
    folder.write("quotes.csv", bars_of("XYZ", 1_000));
    let named = folder.done("train -t 1H --timesteps 1 --data quotes.csv --model=x --symbol XYZ");
    assert!(!named.stderr.contains("recorded as"), "{}", named.shown());
}

#[test]
fn symbols_are_trimmed_and_equal_without_regard_to_case() {
    let folder = Folder::new();
    folder.write("SPY.csv", bars(1_000));
    folder.done("train -t 1H --timesteps 1 -q --data SPY.csv --test-from 2024-02-01");
    folder.write("bars.csv", bars(1_500));
    for symbol in ["spy", "SPY ", " Spy"] {
        let backtest = ["backtest", "1", "-t", "1H", "--data", "bars.csv", "--symbol", symbol];
        let ran = folder.run_args(backtest);
        assert_eq!(ran.status, 0, "{}", ran.shown());
        assert!(!ran.stderr.contains("was trained on"), "{}", ran.shown());
        let found = folder.run_args(["find", "latest", "-t", "1H", "--json", "--symbol", symbol]);
        assert_eq!(found.json()["version"], 1, "{symbol}");
    }
    let child = "train -t 1H --timesteps 1 -q --enhance 1 --data bars.csv --symbol spy \
                 --validation-from 2024-02-15 --test-from 2024-02-20 --allow-contaminated";
    folder.done(child);
    let other = folder.run("find latest -t 1H --symbol SPYX");
    assert_eq!(other.status, 1, "{}", other.shown());
}

#[test]
fn condition_on_a_name_that_no_model_has_is_an_error_and_no_condition_is_said() {
    let folder = herd();
    let promote = "promote -t 1H --model-version 1 --target-stage beta --dry-run";
    let condition = |models: &str| {
        format!(
            "[promotion]\nenforce = true\n[[promotion.condition]]\nto = \"beta\"\n\
             metric = \"portfolio/sharpe_ratio\"\nat_least = 99\nmodels = [\"{models}\"]\n"
        )
    };
    folder.write("herdbook.toml", condition("trading_model"));
    let refused = folder.run(&format!("{promote} -q"));
    assert_snapshot!(refused.shown(), @r"
    status 2
    error: a condition on promotion names the model `trading_model`, which was never registered: there are 1H_trading_model
    hint: `models` takes full names of registered models: write `1H_trading_model`
    ");
    folder.write("herdbook.toml", condition("1H_trading_model"));
    assert_eq!(folder.run(promote).status, 1);
    folder.done("train --timeframe 1H --timesteps 1 -q --model=other");
    let other = "promote -t 1H --model=other --model-version 1 --target-stage beta --dry-run";
    let free = folder.done(other);
    let note = "note: no condition applies to the promotion of `1H_other` to beta";
    assert!(free.stderr.contains(note), "{}", free.shown());
    for (content, warning) in [
        (
            "",
            "herdbook.toml` has no `[[promotion.condition]]`: no condition applies to any promotion",
        ),
        (
            "[promotion]\nenforce = true\n",
            "has no `[[promotion.condition]]` although it has `enforce = true`: no condition applies to any",
        ),
    ] {
        folder.write("herdbook.toml", content);
        let free = folder.done(promote);
        assert!(free.stderr.contains(warning), "{}", free.shown());
    }
}

#[cfg(unix)]
#[test]
fn pipe_in_the_place_of_a_model_file_makes_no_command_wait() {
    let folder = herd();
    let json = folder.done("show 1 -t 1H --json").json();
    let run = json["run_id"].as_str().unwrap();
    let runs = std::fs::read_dir(folder.path().join("mlruns")).unwrap();
    let mut models = runs.map(|it| it.unwrap().path().join(run).join("artifacts/models/1H"));
    let models = models.find(|it| it.is_dir()).unwrap();
    for name in ["model.zip", "model.onnx"] {
        std::fs::remove_file(models.join(name)).unwrap();
        let made = std::process::Command::new("mkfifo").arg(models.join(name)).status().unwrap();
        assert!(made.success());
    }
    for command in ["verify", "doctor", "doctor --repair"] {
        let ran = folder.run(command);
        assert_eq!(ran.status, 1, "{}", ran.shown());
        let n_named = ran.shown().matches("cannot be read: it is a pipe, not a file").count();
        assert_eq!(n_named, 2, "{}", ran.shown());
    }
    folder.write("bars.csv", bars(300));
    for command in [
        "promote -t 1H --model-version 1 --target-stage beta",
        "backtest 1 -t 1H --data bars.csv",
        "train -t 1H --timesteps 1 --enhance 1",
    ] {
        let ran = folder.run(command);
        assert_ne!(ran.status, 0, "{}", ran.shown());
        assert!(ran.stderr.contains("model.zip"), "{}", ran.shown());
    }
    assert_eq!(folder.run("find latest -t 1H").status, 1);
}
