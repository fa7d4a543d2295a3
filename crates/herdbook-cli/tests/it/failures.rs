//! Wrong usage and refusals: the message, the status, and that nothing is written.

use insta::assert_snapshot;

use crate::binary::Folder;

fn refused(flags: &str) -> String {
    let folder = Folder::new();
    let ran = folder.run(flags);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "something was written");
    ran.shown()
}

#[test]
fn unknown_timeframe_lists_the_valid_ones() {
    assert_snapshot!(refused("train --timeframe 2H"), @r"
    status 2
    error: invalid value '2H' for '--timeframe <TIMEFRAME>': unknown timeframe `2H`: valid are 1M, 5M, 15M, 30M, 1H, 4H, D

    For more information, try '--help'.
    ");
}

#[test]
fn unknown_stage_lists_the_valid_ones() {
    assert_snapshot!(
        refused("promote --timeframe 1H --model-version 1 --target-stage production"),
        @r"
    status 2
    error: invalid value 'production' for '--target-stage <STAGE>': unknown stage `production`: valid are development, beta, champion, archived

    For more information, try '--help'.
    "
    );
}

#[test]
fn missing_store_names_the_command_that_creates_one() {
    assert_snapshot!(refused("list"), @r"
    status 1
    error: there is no store at `[folder]/mlflow.db`
    hint: `herdbook train --timeframe …` creates one; `--tracking-uri` opens another
    ");
    assert_snapshot!(refused("train --timeframe 1H --enhance best"), @r"
    status 1
    bars: sample eurusd_1h_2017.csv (PyPI gym-anytrading 2.0.0, FOREX_EURUSD_1H_ASK.csv; MIT)
    error: there is no store at `[folder]/mlflow.db`
    hint: `herdbook train --timeframe 1H` trains a base model
    ");
}

#[test]
fn failure_is_json_where_json_was_asked_for() {
    assert_snapshot!(refused("status --json"), @r#"
    status 1
    {
      "error": {
        "code": "not_found",
        "hint": "`herdbook train --timeframe …` creates one; `--tracking-uri` opens another",
        "message": "there is no store at `[folder]/mlflow.db`"
      }
    }
    "#);
    assert_snapshot!(refused("find newest --timeframe 1H --json"), @r#"
    status 2
    {
      "error": {
        "code": "invalid_input",
        "hint": null,
        "message": "invalid value 'newest' for '<WHICH>'\n  [possible values: latest, best]\n\n  tip: a similar value exists: 'best'\n\nFor more information, try '--help'."
      }
    }
    "#);
}

#[test]
fn other_stores_are_refused_by_name() {
    assert_snapshot!(refused("list --tracking-uri mysql://localhost/db"), @r"
    status 2
    error: the tracking URI `mysql://localhost/db` is not supported: give `sqlite:///relative/path.db`, `sqlite:////absolute/path.db`, `postgresql://user@host/database` or `https://mlflow.example`
    ");
}

#[test]
fn missing_file_of_bars_is_named() {
    assert_snapshot!(refused("train --timeframe 1H --data nowhere.csv"), @r"
    status 2
    error: cannot read `nowhere.csv` (flag `--data`): No such file or directory (os error 2)
    ");
}

#[test]
fn negative_costs_are_refused_as_costs() {
    let folder = Folder::new();
    for command in ["train --timeframe 1H --cost-bps -1", "train --timeframe 1H --cost-bps=-1"] {
        let ran = folder.run(command);
        assert_eq!(ran.status, 2, "{}", ran.shown());
        assert!(ran.stderr.contains("costs of `-1` basis points"), "{}", ran.stderr);
    }
}

#[test]
fn broken_bars_are_named_by_line_and_value() {
    let folder = Folder::new();
    let good = "2017-01-01T00:00:00Z,1,2,1,1.5,10";
    for (row, expected) in [
        (
            "2017-01-01T01:00:00Z,1,2,1,nan,10",
            "`bars.csv` line 3, column `close`: `nan` is not a finite number",
        ),
        (
            "2017-01-01T01:00:00Z,1,2,1,-1.5,10",
            "`bars.csv` line 3, column `close`: price `-1.5` is not above zero",
        ),
        (
            "2017-01-01T01:00:00Z,1,0.5,1,1,10",
            "`bars.csv` line 3, column `high`: high `0.5` is below",
        ),
        (
            "2017-01-01T01:00:00Z,1,2,1,1.5,10\n2017-01-01T00:00:00Z,1,2,1,1.7,10",
            "rows with the same time and other values, at 1",
        ),
        ("2017-01-01T00:00:00Z,1,2,1,1.7,10", "line 3"),
    ] {
        folder.write("bars.csv", format!("timestamp,open,high,low,close,volume\n{good}\n{row}\n"));
        let ran = folder.run("train --timeframe 1H --data bars.csv");
        assert_eq!(ran.status, 2, "{}", ran.shown());
        assert!(ran.stderr.contains(expected), "{}", ran.stderr);
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "something was written");
}

#[test]
fn too_few_empty_and_binary_bars_are_named() {
    let folder = Folder::new();
    for (content, expected) in [
        (&b""[..], "is empty"),
        (b"\x00\x01\x02", "is not text"),
        (b"timestamp,open,high,low,close\n", "has a header but no bars"),
        (b"timestamp,open,high,low,close\n2017-01-01,1,1,1,1\n2017-01-02,1,1,1,1\n", "323"),
    ] {
        folder.write("bars.csv", content);
        let ran = folder.run("train --timeframe D --data bars.csv");
        assert_eq!(ran.status, 2, "{}", ran.shown());
        assert!(ran.stderr.contains(expected), "{}", ran.stderr);
    }
}

#[test]
fn illegal_change_names_the_legal_ones_and_unknown_version_the_newest() {
    let folder = Folder::new();
    folder.done("train --timeframe 1H --timesteps 1 -q");
    assert_snapshot!(
        folder.run("promote -q --timeframe 1H --model-version 1 --target-stage champion").shown(),
        @r"
    status 1
    error: `1H_trading_model` version 1 is in `development` and may go to `beta` or `archived`, not to `champion`
    hint: `herdbook history --timeframe 1H --model-version 1` shows how it got there
    "
    );
    assert_snapshot!(
        folder.run("promote -q --timeframe 1H --model-version 9 --target-stage beta --json").shown(),
        @r#"
    status 1
    {
      "error": {
        "code": "not_found",
        "hint": "`herdbook list` shows every version",
        "message": "there is no `1H_trading_model` version 9: the newest is version 1"
      }
    }
    "#
    );
    assert_snapshot!(
        folder.run("promote -q --timeframe 4H --model-version 1 --target-stage beta").shown(),
        @r"
    status 1
    error: there is no registered model `4H_trading_model`: there are 1H_trading_model
    hint: `herdbook list` shows every version
    "
    );
    assert_snapshot!(folder.run("train -q --timeframe 1H --enhance champion").shown(), @r"
    status 1
    error: `1H_trading_model` has no champion to enhance
    hint: `herdbook promote … --target-stage champion` makes a version the champion
    ");
}

#[test]
fn sample_of_another_symbol_is_refused() {
    assert_snapshot!(refused("train --timeframe 1H --symbol IBM"), @r"
    status 2
    error: the sample for 1H is EURUSD, not IBM: give the bars of IBM with `--data`
    ");
}
