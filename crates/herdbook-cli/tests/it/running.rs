//! Output, files and refusals of `backtest` and `predict`.

use insta::assert_snapshot;

use crate::binary::Folder;

/// Hourly bars of a sine wave, starting on 2024-01-01.
pub(crate) fn bars(n_bars: u64) -> String {
    let mut csv = String::from("timestamp,open,high,low,close\n");
    for idx in 0..n_bars {
        let price = |idx: u64| 100.0 + (idx as f64 * 0.1).sin();
        let (open, close) = (price(idx), price(idx + 1));
        let (high, low) = (open.max(close), open.min(close));
        csv += &format!("{},{open},{high},{low},{close}\n", 1_704_067_200 + idx * 3_600);
    }
    csv
}

fn herd() -> Folder {
    let folder = Folder::new();
    folder.write("WAVE.csv", bars(1_000));
    folder.done("train -t 1H --timesteps 1 --data WAVE.csv");
    folder
}

/// The path of an artifact of version 1.
fn artifact(folder: &Folder, name: &str) -> std::path::PathBuf {
    let shown = folder.done("show 1 -t 1H --json").json();
    let run_id = shown["run_id"].as_str().unwrap();
    folder.path().join("mlruns/1").join(run_id).join("artifacts").join(name)
}

#[test]
fn backtest_reports_how_many_bars_were_seen() {
    let folder = herd();
    let seen = folder.done("backtest -t 1H 1 --data WAVE.csv");
    assert!(
        seen.stdout
            .contains("CONTAMINATED: 700 of 900 bars were seen in training; this is no evidence"),
        "{}",
        seen.stdout
    );
    assert!(seen.stdout.contains("no verdict"), "{}", seen.stdout);
    let clean =
        folder.done("backtest -t 1H 1 --data WAVE.csv --from 2024-02-03T08:00Z --json").json();
    assert_eq!((&clean["honesty"], &clean["n_seen"]), (&"clean".into(), &0.into()));
    assert_eq!((&clean["n_bars"], &clean["cost_bps"]), (&200.into(), &1.0.into()));
    let trained = folder.done("show 1 -t 1H --json").json();
    for metric in ["total_return", "max_drawdown", "n_returns"] {
        let reported = &trained["metrics"][format!("portfolio/{metric}")];
        assert_eq!(&clean["metrics"][metric], reported, "{metric}");
    }
    assert_eq!(clean["baselines"]["flat"]["metrics"]["total_return"], 0.0);
}

#[test]
fn equity_and_trades_are_written_where_asked() {
    let folder = herd();
    folder.done("backtest -t 1H --stage development --data WAVE.csv --equity e.csv --trades t.csv");
    let read = |name| std::fs::read_to_string(folder.path().join(name)).unwrap();
    assert!(read("e.csv").starts_with(
        "timestamp,equity,drawdown,position\n2024-01-05T04:00:00Z,10000,0,flat\n2024-01-05T05:00:00Z,"
    ));
    assert_eq!(read("e.csv").lines().count(), 901);
    assert!(
        read("t.csv")
            .starts_with("entered,left,side,entry_price,exit_price,result,equity_at_entry\n")
    );
    let ran = folder.run("backtest -t 1H 1 --data WAVE.csv --equity no/e.csv");
    assert_eq!(ran.status, 2);
    assert!(ran.stderr.contains("cannot write `no/e.csv` (flag `--equity`)"), "{}", ran.stderr);
}

#[test]
fn reports_are_single_files_in_which_nothing_runs() {
    let folder = herd();
    let hostile = "<script>alert(1)</script>";
    folder.run_args([
        "promote",
        "--timeframe=1H",
        "--model-version=1",
        "--target-stage=beta",
        &format!("--reason={hostile}"),
        &format!("--actor={hostile}"),
    ]);
    let read = |name| std::fs::read_to_string(folder.path().join(name)).unwrap();
    folder.done("show 1 -t 1H --report v.html");
    let page = read("v.html");
    assert!(!page.contains(hostile), "{page}");
    assert_eq!(page.matches("&lt;script&gt;alert(1)&lt;/script&gt;").count(), 3);
    assert_eq!(page.matches("<svg").count(), 4);
    assert!(page.contains("default-src 'none'") && page.contains("in beta"));
    folder.done("backtest 1 -t 1H --data WAVE.csv --report b.html");
    assert!(read("b.html").contains("<h1>1H_trading_model version 1: backtest</h1>"));
    let again = folder.run("show 1 -t 1H --report v.html");
    assert_eq!((again.status, again.stderr.contains("(flag `--report`)")), (2, true));
    folder.done("show 1 -t 1H --report v.html --overwrite");
    // A picture that someone replaced does not get into the page.
    let picture = artifact(&folder, "pictures/equity.svg");
    std::fs::write(picture, "<svg onload=\"alert(1)\"></svg>").unwrap();
    folder.done("show 1 -t 1H --report v.html --overwrite");
    assert!(
        read("v.html").contains("equity.svg is left out") && !read("v.html").contains("onload")
    );
    let details = artifact(&folder, "evaluation/details.json");
    std::fs::remove_file(details).unwrap();
    folder.done("show 1 -t 1H --report v.html --overwrite");
    assert!(read("v.html").contains("its run has no file `evaluation/details.json`"));
}

#[test]
fn prediction_names_bar_model_and_starting_position() {
    let folder = herd();
    folder.done("promote -t 1H --model-version 1 --target-stage beta");
    folder.done("promote -t 1H --model-version 1 --target-stage champion");
    let predicted = folder.done("predict -t 1H --data WAVE.csv --json").json();
    assert_eq!(predicted["bar"]["end"], "2024-02-11T16:00:00Z");
    assert_eq!((&predicted["version"], &predicted["from_position"]), (&1.into(), &"flat".into()));
    let shares = predicted["probabilities"].as_object().unwrap();
    let likeliest =
        shares.iter().max_by(|a, b| a.1.as_f64().unwrap().total_cmp(&b.1.as_f64().unwrap()));
    assert_eq!(predicted["action"], likeliest.unwrap().0.as_str());
    let text = folder.done("predict -t 1H --data WAVE.csv").stdout;
    assert!(text.contains("after the 1H bar of WAVE that ended 2024-02-11 16:00 UTC"), "{text}");
}

#[test]
fn runs_that_are_not_possible_are_refused_with_a_hint() {
    let folder = herd();
    assert_snapshot!(folder.run("predict -q -t 1H --data WAVE.csv").shown(), @r"
    status 1
    error: `1H_trading_model` has no champion
    hint: `--model-version` or `--stage` runs another version
    ");
    assert_snapshot!(folder.run("backtest -q -t 1H --stage beta --data WAVE.csv").shown(), @r"
    status 1
    error: `1H_trading_model` has no version in `beta`
    hint: `herdbook list` shows every version
    ");
    folder.write("few.csv", bars(100));
    assert_snapshot!(folder.run("predict -q -t 1H 1 --data few.csv").shown(), @r"
    status 2
    error: 100 bars are too few: a model needs 101 (100 to warm up the features); give more bars from before
    ");
    assert_snapshot!(
        folder.run("backtest -q -t 1H 1 --data WAVE.csv --from 2025-01-01").shown(),
        @r"
    status 2
    error: `--from` 2025-01-01T00:00:00Z is not inside the bars, which go from 2024-01-05T04:00:00Z to 2024-02-11T15:00:00Z
    "
    );
    assert_snapshot!(folder.run("predict -q -t 1H 1 --data WAVE.csv --max-age 2y").shown(), @r"
    status 2
    error: invalid value '2y' for '--max-age <DURATION>': `2y` is not a duration: give a whole number and a unit (m, h, d or w), such as `2h`

    For more information, try '--help'.
    ");
    let old = folder.run("predict -t 1H 1 --data WAVE.csv --max-bar-age 2h --json");
    assert_eq!((old.status, &old.json()["error"]["code"]), (1, &"too_old".into()));
    assert!(folder.run("predict -q -t 1H 1 --data WAVE.csv --max-age 1h").status == 0);
    let old = folder.run("predict -t 1H 1 --data WAVE.csv --max-age 0m --json");
    assert_eq!((old.status, &old.json()["error"]["code"]), (1, &"too_old".into()));
    assert!(old.json()["error"]["message"].to_string().contains("(`--max-age`)"));
}

#[test]
fn position_of_the_account_is_observed() {
    let folder = herd();
    let flat = folder.done("predict -t 1H 1 --data WAVE.csv --json").json();
    assert_eq!(flat["position_since"], serde_json::Value::Null);
    let account = |prediction: &serde_json::Value| -> Vec<f64> {
        let all = prediction["observation"].as_array().unwrap();
        all[32..].iter().map(|value| value.as_f64().unwrap()).collect()
    };
    assert_eq!(account(&flat), [0.0, 0.0, 0.0]);
    let short = folder.done("predict -t 1H 1 --data WAVE.csv --position short --json").json();
    assert_eq!(short["from_position"], "short");
    assert_eq!(short["position_since"], short["bar"]["start"]);
    assert!((account(&short)[0] + 1.0).abs() < 1e-9, "{short}");
    let long = "predict -t 1H 1 --data WAVE.csv --position long --position-since";
    let since = folder.done(&format!("{long} 2024-02-11T06:10Z --json")).json();
    assert_eq!(since["position_since"], "2024-02-11T06:00:00Z");
    assert!((account(&since)[2] - 11_f64.ln()).abs() < 1e-6, "10 bars from 06:00 to 16:00");
    assert_eq!(
        since["observation"].as_array().unwrap()[..32],
        flat["observation"].as_array().unwrap()[..32]
    );
    let text = folder.done(&format!("{long} 2024-02-11T06:00Z")).stdout;
    assert!(text.contains("with an account that is long since 2024-02-11 06:00 UTC"), "{text}");
    assert_snapshot!(folder.run(&format!("{long} 2024-02-11T16:00Z -q")).shown(), @r"
    status 2
    error: a long position cannot be held since 2024-02-11T16:00:00Z: it must be entered in a closed bar, and the bars go from 2024-01-01T00:00:00Z to 2024-02-11T16:00:00Z
    hint: give a time in the bar at whose open the position was entered with `--position-since`; bars that go further back let it be earlier
    ");
    let flat = folder.run("predict -t 1H 1 --data WAVE.csv --position-since 2024-02-11");
    assert_eq!(flat.status, 2, "{}", flat.stderr);
    assert_snapshot!(folder.run("predict -q -t 1H 1 --data WAVE.csv --position up").shown(), @r"
    status 2
    error: invalid value 'up' for '--position <POSITION>': `up` is not a position: give short, flat or long

    For more information, try '--help'.
    ");
}
