//! The interface for scripts: the shape of the JSON of each command, and the help.

#![expect(clippy::too_many_lines, reason = "snapshots are long")]

use std::collections::BTreeSet;

use insta::assert_snapshot;
use serde_json::Value;

use crate::binary::Folder;

/// Keys and types of a JSON value, one path per line. Keys that are data (metrics, params, tags) are shown as `*`, and
/// items of arrays are merged.
fn shape(value: &Value) -> String {
    let mut lines = BTreeSet::new();
    collect(value, "", &mut lines);
    lines.into_iter().collect::<Vec<_>>().join("\n")
}

fn collect(value: &Value, path: &str, lines: &mut BTreeSet<String>) {
    const OPEN: [&str; 5] = ["metrics", "params", "tags", "improvement", "files"];
    match value {
        Value::Object(fields) => {
            let is_open = OPEN.iter().any(|key| path == *key || path.ends_with(&format!(".{key}")));
            for (key, field) in fields {
                let key = if is_open { "*" } else { key };
                let dot = if path.is_empty() { "" } else { "." };
                collect(field, &format!("{path}{dot}{key}"), lines);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                collect(item, &format!("{path}[]"), lines);
            }
        }
        _ => {
            let kind = match value {
                Value::Null => "null",
                Value::Bool(_) => "bool",
                Value::Number(_) => "number",
                Value::String(_) => "string",
                Value::Array(_) | Value::Object(_) => "empty",
            };
            lines.insert(format!("{path}: {kind}"));
        }
    }
}

fn herd() -> Folder {
    let folder = Folder::new();
    folder.done("train --timeframe 1H --timesteps 1");
    folder.done("train --timeframe 1H --timesteps 1 --enhance best");
    for (version, stage) in [(1, "beta"), (1, "champion"), (2, "beta")] {
        folder.done(&format!("promote -t 1H --model-version {version} --target-stage {stage}"));
    }
    folder
}

#[test]
fn json_of_train_and_promote() {
    let folder = herd();
    let trained = folder.done("train -t 1H --timesteps 1 --enhance champion --json").json();
    assert_snapshot!(shape(&trained), @r"
    cost_bps: number
    current_run_timesteps: number
    deflation.deflated: number
    deflation.deflated_effective: number
    deflation.luck_sharpe_per_bar: number
    deflation.n_compared: number
    deflation.n_effective: number
    deflation.n_trials: number
    deflation.n_tries: number
    deflation.probability: number
    deflation.variance: number
    details.at_costs[].cost_bps: number
    details.at_costs[].model.exposure_time: number
    details.at_costs[].model.max_drawdown: number
    details.at_costs[].model.n_returns: number
    details.at_costs[].model.sharpe_ratio: number
    details.at_costs[].model.total_return: number
    details.at_costs[].model.total_trades: number
    details.at_costs[].model.turnover: number
    details.at_costs[].multiple: number
    details.breakdowns[].by: string
    details.breakdowns[].groups[].buy_and_hold: number
    details.breakdowns[].groups[].exposure_time: number
    details.breakdowns[].groups[].mean_return: number
    details.breakdowns[].groups[].n_bars: number
    details.breakdowns[].groups[].name: string
    details.breakdowns[].groups[].total_return: number
    details.gap.later: number
    details.gap.to: string
    details.gap.training: number
    details.mean_holding_bars: number
    details.one_bar_later.exposure_time: number
    details.one_bar_later.max_drawdown: number
    details.one_bar_later.n_returns: number
    details.one_bar_later.sharpe_ratio: number
    details.one_bar_later.total_return: number
    details.one_bar_later.total_trades: number
    details.one_bar_later.turnover: number
    details.random.high: number
    details.random.low: number
    details.random.median: number
    details.random.median_sharpe_ratio: number
    details.random.n_draws: number
    details.random.share_below_model: number
    details.rules[].choice: string
    details.rules[].kind: string
    details.rules[].result.exposure_time: number
    details.rules[].result.max_drawdown: number
    details.rules[].result.n_returns: number
    details.rules[].result.sharpe_ratio: number
    details.rules[].result.total_return: number
    details.rules[].result.total_trades: number
    details.rules[].result.turnover: number
    details.rules[].validation.exposure_time: number
    details.rules[].validation.max_drawdown: number
    details.rules[].validation.n_returns: number
    details.rules[].validation.sharpe_ratio: number
    details.rules[].validation.total_return: number
    details.rules[].validation.total_trades: number
    details.rules[].validation.turnover: number
    details.windows[].buy_and_hold.exposure_time: number
    details.windows[].buy_and_hold.max_drawdown: number
    details.windows[].buy_and_hold.n_returns: number
    details.windows[].buy_and_hold.sharpe_ratio: number
    details.windows[].buy_and_hold.total_return: number
    details.windows[].buy_and_hold.total_trades: number
    details.windows[].buy_and_hold.turnover: number
    details.windows[].cost_bps: number
    details.windows[].kind: string
    details.windows[].model.exposure_time: number
    details.windows[].model.max_drawdown: number
    details.windows[].model.n_returns: number
    details.windows[].model.sharpe_ratio: number
    details.windows[].model.total_return: number
    details.windows[].model.total_trades: number
    details.windows[].model.turnover: number
    details.windows[].window.end: string
    details.windows[].window.start: string
    evidence.benchmark_sharpe_per_bar: number
    evidence.figures.among[][]: number
    evidence.figures.bars_per_year: number
    evidence.figures.block: number
    evidence.figures.buy_and_hold.difference: number
    evidence.figures.buy_and_hold.high: number
    evidence.figures.buy_and_hold.low: number
    evidence.figures.flat.difference: number
    evidence.figures.flat.high: number
    evidence.figures.flat.low: number
    evidence.figures.n_returns: number
    evidence.figures.n_trades: number
    evidence.figures.probability: number
    evidence.figures.without_best_bar.first: number
    evidence.figures.without_best_bar.n_returns: number
    evidence.figures.without_best_bar.probability: number
    evidence.figures.without_best_trade.first: number
    evidence.figures.without_best_trade.n_returns: number
    evidence.figures.without_best_trade.probability: number
    evidence.is_evidence: bool
    evidence.n_tries: number
    evidence.objection: string
    evidence.probability: number
    fallback: bool
    honesty: string
    improvement.*.better: bool
    improvement.*.better: null
    improvement.*.child: number
    improvement.*.difference: number
    improvement.*.is_parent_near_zero: bool
    improvement.*.parent: number
    improvement.*.percent: number
    improvement_basis: string
    metrics.*: number
    model_name: string
    model_path: string
    model_type: string
    parent.name: string
    parent.run_id: string
    parent.version: number
    previous_timesteps: number
    run_id: string
    seed: number
    steps_per_second: number
    total_timesteps: number
    version: number
    windows.symbol: string
    windows.test.end: string
    windows.test.start: string
    windows.timeframe: string
    windows.train.end: string
    windows.train.start: string
    windows.validation.end: string
    windows.validation.start: string
    ");
    assert_eq!(trained["parent"]["version"], 1);
    let promoted =
        folder.done("promote -t 1H --model-version 2 --target-stage champion --json").json();
    assert_snapshot!(shape(&promoted), @r"
    conditions.enforce: bool
    conditions.verdicts: empty
    displaced.version: number
    dry_run: bool
    event_id: number
    evidence: empty
    from: string
    name: string
    overridden: empty
    standing: null
    to: string
    undo: string
    version: number
    ");
    assert_eq!(promoted["displaced"]["version"], 1);
}

#[test]
fn json_of_list_and_find() {
    let folder = herd();
    assert_snapshot!(shape(&folder.done("list --json").json()), @r"
    [].created_at: string
    [].honesty: string
    [].metrics.*: number
    [].model_type: string
    [].name: string
    [].promotion_stage: string
    [].run_id: string
    [].sealed.at: string
    [].sealed.event: number
    [].sealed.origin: string
    [].symbol: string
    [].timeframe: string
    [].updated_at: string
    [].version: number
    [].version_type: string
    ");
    let listed = folder.done("promote -t 1H --list-models --stage champion --json").json();
    assert_eq!(listed.as_array().unwrap().len(), 1);
    assert_snapshot!(shape(&folder.done("find best -t 1H --json").json()), @r"
    comparable: bool
    differing: empty
    fallback: bool
    honesty: string
    metric.name: string
    metric.value: number
    model_path: string
    model_type: string
    name: string
    passed_over: empty
    run_id: string
    sealed.at: string
    sealed.event: number
    sealed.origin: string
    symbol: string
    version: number
    ");
    let latest = folder.done("find latest -t 1H --model-type continued --json").json();
    assert_eq!((&latest["version"], &latest["metric"]), (&2.into(), &Value::Null));
    let fallback = folder.done("find latest -t 1H --model-type replay --json").json();
    assert_eq!((&fallback["version"], &fallback["fallback"]), (&1.into(), &true.into()));
}

#[test]
fn json_of_show_history_lineage_compare_and_status() {
    let folder = herd();
    assert_snapshot!(shape(&folder.done("show champion -t 1H --json").json()), @r"
    created_at: string
    deflation.deflated: number
    deflation.deflated_effective: number
    deflation.luck_sharpe_per_bar: number
    deflation.n_compared: number
    deflation.n_effective: number
    deflation.n_trials: number
    deflation.n_tries: number
    deflation.probability: number
    deflation.variance: number
    differs_from_mlflow: empty
    evidence: empty
    history[].act_id: string
    history[].actor: string
    history[].at: string
    history[].channel: string
    history[].details.cause: string
    history[].details.child_name: string
    history[].details.child_run_id: string
    history[].details.child_version: number
    history[].details.forced: bool
    history[].details.honesty: string
    history[].details.model_file: string
    history[].details.model_sha256: string
    history[].details.model_type: string
    history[].details.sealed.at: string
    history[].details.sealed.files.*: string
    history[].details.sealed.honesty: string
    history[].details.sealed.metrics.*[]: number
    history[].details.sealed.model_type: string
    history[].details.sealed.params.*: string
    history[].details.sealed.parent: null
    history[].details.sealed.source: string
    history[].details.sealed.storage_location: string
    history[].details.sealed.test.compared_until: number
    history[].details.sealed.test.figures.among[][]: number
    history[].details.sealed.test.figures.bars_per_year: number
    history[].details.sealed.test.figures.block: number
    history[].details.sealed.test.figures.buy_and_hold.difference: number
    history[].details.sealed.test.figures.buy_and_hold.high: number
    history[].details.sealed.test.figures.buy_and_hold.low: number
    history[].details.sealed.test.figures.flat.difference: number
    history[].details.sealed.test.figures.flat.high: number
    history[].details.sealed.test.figures.flat.low: number
    history[].details.sealed.test.figures.n_returns: number
    history[].details.sealed.test.figures.n_trades: number
    history[].details.sealed.test.figures.probability: number
    history[].details.sealed.test.figures.without_best_bar.first: number
    history[].details.sealed.test.figures.without_best_bar.n_returns: number
    history[].details.sealed.test.figures.without_best_bar.probability: number
    history[].details.sealed.test.figures.without_best_trade.first: number
    history[].details.sealed.test.figures.without_best_trade.n_returns: number
    history[].details.sealed.test.figures.without_best_trade.probability: number
    history[].details.sealed.test.files.*: string
    history[].details.sealed.test.shared_with: empty
    history[].details.sealed.timeframe: string
    history[].details.sealed.total_timesteps: number
    history[].details.sealed.v: number
    history[].details.timeframe: string
    history[].details.trained_timesteps: number
    history[].details.v: number
    history[].from: null
    history[].from: string
    history[].hash: string
    history[].id: number
    history[].kind: string
    history[].name: string
    history[].overridden: empty
    history[].parent: null
    history[].reason: null
    history[].run_id: string
    history[].to: string
    history[].version: number
    honesty: string
    metrics.*: number
    mlflow_stage: string
    model_type: string
    name: string
    promotion_stage: string
    run.ended_at: string
    run.experiment: string
    run.name: string
    run.params.*: string
    run.started_at: string
    run.status: string
    run.tags.*: string
    run_id: string
    seal.at: string
    seal.event_id: number
    seal.files.*: string
    seal.honesty: string
    seal.metrics.*[]: number
    seal.model_type: string
    seal.origin: string
    seal.params.*: string
    seal.parent: null
    seal.run_id: string
    seal.source: string
    seal.storage_location: string
    seal.test.compared_until: number
    seal.test.figures.among[][]: number
    seal.test.figures.bars_per_year: number
    seal.test.figures.block: number
    seal.test.figures.buy_and_hold.difference: number
    seal.test.figures.buy_and_hold.high: number
    seal.test.figures.buy_and_hold.low: number
    seal.test.figures.flat.difference: number
    seal.test.figures.flat.high: number
    seal.test.figures.flat.low: number
    seal.test.figures.n_returns: number
    seal.test.figures.n_trades: number
    seal.test.figures.probability: number
    seal.test.figures.without_best_bar.first: number
    seal.test.figures.without_best_bar.n_returns: number
    seal.test.figures.without_best_bar.probability: number
    seal.test.figures.without_best_trade.first: number
    seal.test.figures.without_best_trade.n_returns: number
    seal.test.figures.without_best_trade.probability: number
    seal.test.files.*: string
    seal.test.shared_with: empty
    seal.timeframe: string
    seal.total_timesteps: number
    seal.v: number
    sealed.at: string
    sealed.event: number
    sealed.origin: string
    standing: null
    symbol: string
    tags.*: string
    timeframe: string
    updated_at: string
    version: number
    version_type: string
    windows.symbol: string
    windows.test.end: string
    windows.test.start: string
    windows.timeframe: string
    windows.train.end: string
    windows.train.start: string
    windows.validation.end: string
    windows.validation.start: string
    ");
    assert_snapshot!(shape(&folder.done("history -t 1H --json").json()), @r"
    [].act_id: string
    [].actor: string
    [].at: string
    [].channel: string
    [].details.cause: string
    [].details.child_name: string
    [].details.child_run_id: string
    [].details.child_version: number
    [].details.forced: bool
    [].details.honesty: string
    [].details.model_file: string
    [].details.model_sha256: string
    [].details.model_type: string
    [].details.sealed.at: string
    [].details.sealed.files.*: string
    [].details.sealed.honesty: string
    [].details.sealed.metrics.*[]: number
    [].details.sealed.model_type: string
    [].details.sealed.params.*: string
    [].details.sealed.parent: null
    [].details.sealed.parent: string
    [].details.sealed.source: string
    [].details.sealed.storage_location: string
    [].details.sealed.test.compared_until: number
    [].details.sealed.test.figures.among[][]: number
    [].details.sealed.test.figures.bars_per_year: number
    [].details.sealed.test.figures.block: number
    [].details.sealed.test.figures.buy_and_hold.difference: number
    [].details.sealed.test.figures.buy_and_hold.high: number
    [].details.sealed.test.figures.buy_and_hold.low: number
    [].details.sealed.test.figures.flat.difference: number
    [].details.sealed.test.figures.flat.high: number
    [].details.sealed.test.figures.flat.low: number
    [].details.sealed.test.figures.n_returns: number
    [].details.sealed.test.figures.n_trades: number
    [].details.sealed.test.figures.probability: number
    [].details.sealed.test.figures.without_best_bar.first: number
    [].details.sealed.test.figures.without_best_bar.n_returns: number
    [].details.sealed.test.figures.without_best_bar.probability: number
    [].details.sealed.test.figures.without_best_trade.first: number
    [].details.sealed.test.figures.without_best_trade.n_returns: number
    [].details.sealed.test.figures.without_best_trade.probability: number
    [].details.sealed.test.files.*: string
    [].details.sealed.test.shared_with: empty
    [].details.sealed.timeframe: string
    [].details.sealed.total_timesteps: number
    [].details.sealed.v: number
    [].details.timeframe: string
    [].details.trained_timesteps: number
    [].details.v: number
    [].from: null
    [].from: string
    [].hash: string
    [].id: number
    [].kind: string
    [].name: string
    [].overridden: empty
    [].parent: null
    [].parent: string
    [].reason: null
    [].run_id: string
    [].to: string
    [].version: null
    [].version: number
    ");
    assert_snapshot!(shape(&folder.done("lineage -t 1H --json").json()), @r"
    [].children[].children: empty
    [].children[].honesty: string
    [].children[].improvement: string
    [].children[].improvement_percent: number
    [].children[].model_type: string
    [].children[].name: string
    [].children[].parent_run_id: string
    [].children[].promotion_stage: string
    [].children[].run_id: string
    [].children[].symbol: string
    [].children[].total_timesteps: number
    [].children[].version: number
    [].children[].version_type: string
    [].honesty: string
    [].improvement: null
    [].improvement_percent: null
    [].model_type: string
    [].name: string
    [].parent_run_id: null
    [].promotion_stage: string
    [].run_id: string
    [].symbol: string
    [].total_timesteps: number
    [].version: number
    [].version_type: string
    ");
    assert_snapshot!(shape(&folder.done("compare 1 2 -t 1H --json").json()), @r"
    comparable: bool
    differing: empty
    first.created_at: string
    first.honesty: string
    first.metrics.*: number
    first.model_type: string
    first.name: string
    first.promotion_stage: string
    first.run_id: string
    first.sealed.at: string
    first.sealed.event: number
    first.sealed.origin: string
    first.symbol: string
    first.timeframe: string
    first.updated_at: string
    first.version: number
    first.version_type: string
    metrics.*.change_percent: number
    metrics.*.difference: number
    metrics.*.first: number
    metrics.*.is_first_near_zero: bool
    metrics.*.second: number
    metrics.*.second_is_better: bool
    metrics.*.second_is_better: null
    second.created_at: string
    second.honesty: string
    second.metrics.*: number
    second.model_type: string
    second.name: string
    second.promotion_stage: string
    second.run_id: string
    second.sealed.at: string
    second.sealed.event: number
    second.sealed.origin: string
    second.symbol: string
    second.timeframe: string
    second.updated_at: string
    second.version: number
    second.version_type: string
    ");
    assert_snapshot!(shape(&folder.done("status --json").json()), @r"
    models[].champion.created_at: string
    models[].champion.honesty: string
    models[].champion.metrics.*: number
    models[].champion.model_type: string
    models[].champion.name: string
    models[].champion.promotion_stage: string
    models[].champion.run_id: string
    models[].champion.sealed.at: string
    models[].champion.sealed.event: number
    models[].champion.sealed.origin: string
    models[].champion.symbol: string
    models[].champion.timeframe: string
    models[].champion.updated_at: string
    models[].champion.version: number
    models[].champion.version_type: string
    models[].evidence: empty
    models[].name: string
    models[].newest_version: number
    models[].stages.archived: empty
    models[].stages.beta[]: number
    models[].stages.champion[]: number
    models[].stages.development: empty
    models[].standing: null
    models[].symbol: string
    models[].timeframe: string
    running: empty
    store: string
    ");
}

#[test]
fn exported_history_is_verified_elsewhere() {
    let folder = herd();
    let exported = folder.done("history --export log.jsonl --json").json();
    let head = exported["head"].as_str().unwrap();
    assert_eq!(folder.done("verify --json").json()["head"], head);
    let log = std::fs::read_to_string(folder.path().join("log.jsonl")).unwrap();
    let elsewhere = Folder::new();
    elsewhere.write("log.jsonl", &log);
    elsewhere.done(&format!("verify --log log.jsonl --head {head}"));
    let cut: String = log.split_inclusive('\n').take(3).collect();
    elsewhere.write("cut.jsonl", cut);
    let ran = elsewhere.run(&format!("verify --log cut.jsonl --head {head}"));
    assert_eq!(ran.status, 1);
    assert!(ran.stderr.contains("its end was cut off or rewritten"), "{}", ran.stderr);
    elsewhere.write("altered.jsonl", log.replace("beta", "delta"));
    let ran = elsewhere.run(&format!("verify --log altered.jsonl --head {head}"));
    assert!(ran.stderr.contains("was altered"), "{}", ran.stderr);
}

#[test]
fn champion_answers_from_the_history_and_rollback_brings_one_back() {
    let folder = herd();
    folder.done("promote -t 1H --model-version 2 --target-stage champion");
    let champion = folder.done("champion -t 1H --json").json();
    assert_eq!((&champion["version"], &champion["actor"]), (&2.into(), &"tester".into()));
    assert_eq!(folder.run("champion -t 1H --at 2020-01-01").status, 1);
    let rolled_back = folder.done("rollback -t 1H --reason losses --json").json();
    assert_eq!(rolled_back["displaced"]["version"], 2);
    assert_eq!(folder.done("champion -t 1H --json").json()["version"], 1);
    assert_snapshot!(folder.run("rollback -q -t 1H --reason losses").shown(), @r"
    status 1
    error: `1H_trading_model` has no champion to go back to: version 2 was removed by a rollback
    ");
}

#[test]
fn history_tells_who_what_and_why() {
    let folder = herd();
    let history = folder.done("history -t 1H --json").json();
    let told: Vec<String> = history
        .as_array()
        .unwrap()
        .iter()
        .map(|event| {
            format!(
                "{} {} {} {} {}",
                event["actor"], event["kind"], event["version"], event["from"], event["to"]
            )
            .replace('"', "")
        })
        .collect();
    assert_snapshot!(told.join("\n"), @r"
    tester run_started null null RUNNING
    tester registered 1 null development
    tester run_started null null RUNNING
    tester registered 2 null development
    tester superseded 1 latest old
    tester stage_changed 1 development beta
    tester stage_changed 1 beta champion
    tester stage_changed 2 development beta
    ");
}

#[test]
fn help_of_each_command() {
    let folder = Folder::new();
    assert_snapshot!(folder.done("--help").stdout, @r"
    A register of stock-trading models. Trains, enhances, promotes and finds models, and records where
    each one came from. The records are MLflow's own: tags, registry and database schema

    Usage: herdbook [OPTIONS] <COMMAND>

    Commands:
      train         Train a base model, or enhance an existing model
      backtest      Run a registered model over bars and compare it with buy and hold
      evaluate      Run a registered model over bars it has never seen, and record the result in the
                    history
      predict       Show the position that a registered model takes after the newest closed bar
      import        Import another MLflow store (database, `mlruns` folder or server) and audit its tags
      register      Register the model of a run that another program trained and did not register
      import-model  Register a model.zip that was trained elsewhere with stable-baselines3
      promote       Move a model version to another stage
      rollback      Bring back the previous champion
      champion      Show the champion, now or at an earlier time
      list          List model versions, newest first
      find          Find the newest or the best model
      show          Show everything about one model version
      lineage       Show parents and children as a tree
      history       Show the history: when, who, what and why
      compare       Compare two model versions
      status        Show every registered model with its stages, and the running trainings
      verify        Check that history, MLflow's rows, served files and database are as recorded
      doctor        Check the records against every rule; with `--repair`, repair what is safe to repair
      relocate      Update the artifact locations of a store that was moved or copied, after checking
                    its files
      serve         Serve the store to MLflow's clients over HTTP
      init          Write a commented herdbook.toml, the file of settings, into the current folder
      completions   Print a completion script for a shell
      help          Print this message or the help of the given subcommand(s)

    Options:
      -h, --help
              Print help (see a summary with '-h')

      -V, --version
              Print version

    Global options:
          --tracking-uri <URI>
              Store of the records, such as `sqlite:///mlflow.db`
              
              [default: the environment variable `MLFLOW_TRACKING_URI`, else `store` in herdbook.toml,
              else mlflow.db in the current folder with artifacts in mlruns]

          --json
              Print the data as JSON

          --wide
              Print every column of a table, also beyond the width of the terminal

      -q, --quiet
              Print only data and errors

          --actor <NAME>
              Name recorded in the history [default: the environment variable `HERDBOOK_ACTOR`, else the
              system's user name]

          --lock-timeout <SECONDS>
              How long to wait for a store that another process has locked
              
              [default: 10]
    ");
    assert_snapshot!(folder.done("train --help").stdout, @r"
    Train a base model, or enhance an existing model

    Usage: herdbook train [OPTIONS] --timeframe <TIMEFRAME>
           herdbook train --resume <RUN_ID> [--data <FILE>]

    Options:
      -t, --timeframe <TIMEFRAME>
              Length of one bar: 1M, 5M, 15M, 30M (minutes), 1H, 4H (hours) or D (day)

          --model <NAME>
              Registered model; its full name is `{timeframe}_{NAME}`
              
              [default: trading_model]

          --data <FILE>
              File of bars (CSV, Parquet or JSON, also gzipped or zipped) of the timeframe or finer
              [default: a sample built into this program]

          --columns <NAMES>
              Names of all columns, such as time,open,high,low,close,volume, in place of the file's
              header if it has one; or some by their names in the file, such as close=Last

          --volume-column <NAME>
              Volume column of a file that has several; `none` for no volume

          --time-format <FORMAT>
              Format of the times: day-first, month-first, year-first, excel, s, ms, us, ns, or a
              pattern such as `%d/%m/%Y %H:%M`

          --bar-timezone <ZONE>
              Time zone of timestamps that have none: UTC, +02:00, Europe/Athens or
              `America/New_York+07:00` [default: UTC]

          --bars-stamped <open|close>
              Whether the time of a bar is its open or its close [default: open, unless the file shows
              otherwise]

          --decimal <MARK>
              Decimal mark of the numbers: `.` or `,` [default: as the numbers of the file show]

          --skip-bad-rows
              Leave out rows without valid prices, and record how many

          --member <NAME>
              File to read from a zip archive of several files

          --allow-jump
              Use bars whose price jumps like that of a share that was split, and record the jumps

          --symbol <NAME>
              Instrument of the bars [default: the file's name without its extension]

          --timesteps <N>
              Timesteps to train, rounded up to whole rollouts
              
              [default: 100000]

          --n-envs <N>
              Environments stepped in parallel [default: 1]

          --threads <N>
              Threads to train on. They change the speed, never the resulting model. The update uses at
              most 2 threads; the environments are divided among all
              
              [default: 1]

          --config <FILE>
              TOML file of hyperparameters; flags override it

          --seed <N>
              Seed of the random generator: the same seed and bars give the same model
              
              [default: 0]

          --enhance <PARENT>
              Parent to enhance: `latest`, `best`, `champion`, a run id or a version number

          --enhance-model-type <TYPE>
              Model type that `--enhance latest` and `--enhance best` search
              
              [default: base]

          --enhance-metric <METRIC>
              Metric by which `--enhance best` chooses
              
              [default: evaluation/best_mean_reward]

          --enhance-type <TYPE>
              Type of enhancement: continued, replay, curriculum or adaptive
              
              [default: continued]

          --experiment <NAME>
              Experiment of the run; its full name is `{NAME}_{timeframe}`
              
              [default: stock_trading_rl]

          --cost-bps <X>
              Costs in basis points of the traded notional, per side
              
              [default: 1]

          --validation-from <TIME>
              Start of the validation window (UTC) [default: after 64 % of the bars]

          --test-from <TIME>
              Start of the test window (UTC) [default: after 80 % of the bars]

          --allow-contaminated
              Train even if an ancestor has seen bars of the test window, and mark the model as
              contaminated

          --seeds <N>
              Train with N consecutive seeds, starting at `--seed`, and register the model that is best
              on the validation window

          --walk-forward <N>
              Train on N consecutive folds, each tested on the bars that follow it, and register the
              model of the last fold

          --register <WHICH>
              Policy to register: the best on the validation window, or the last of the training
              
              [default: best]
              [possible values: best, last]

          --resume <RUN_ID>
              Resume a training that crashed or was cancelled, from its last checkpoint and with its own
              settings

      -h, --help
              Print help (see a summary with '-h')

    Global options:
          --tracking-uri <URI>
              Store of the records, such as `sqlite:///mlflow.db`
              
              [default: the environment variable `MLFLOW_TRACKING_URI`, else `store` in herdbook.toml,
              else mlflow.db in the current folder with artifacts in mlruns]

          --json
              Print the data as JSON

          --wide
              Print every column of a table, also beyond the width of the terminal

      -q, --quiet
              Print only data and errors

          --actor <NAME>
              Name recorded in the history [default: the environment variable `HERDBOOK_ACTOR`, else the
              system's user name]

          --lock-timeout <SECONDS>
              How long to wait for a store that another process has locked
              
              [default: 10]

    Examples:
      Train a base model on a file of bars:
        herdbook train -t 1H --data EURUSD.csv
      Train the best model further, on the same bars:
        herdbook train -t 1H --data EURUSD.csv --enhance best --enhance-type continued
      Continue a training that was interrupted:
        herdbook train --resume 5f0c2a91
    ");
    assert_snapshot!(folder.done("promote --help").stdout, @r#"
    Move a model version to another stage

    Usage: herdbook promote [OPTIONS] --timeframe <TIMEFRAME>

    Options:
      -t, --timeframe <TIMEFRAME>
              Length of one bar: 1M, 5M, 15M, 30M (minutes), 1H, 4H (hours) or D (day)

          --model <NAME>
              Registered model; its full name is `{timeframe}_{NAME}`
              
              [default: trading_model]

          --model-version <N>
              Version to move

          --target-stage <STAGE>
              Stage to move it to: development, beta, champion or archived

          --reason <TEXT>
              Reason, recorded in the history (at most 2,000 characters)

          --dry-run
              Show what would change, without changing anything

          --expect-champion <N>
              Refuse unless version N (or `none`) is the present champion

          --force
              Promote even if the model is contaminated or fails a condition; requires `--reason`

          --config-file <FILE>
              File of settings, with the conditions on promotion [default: the environment variable
              `HERDBOOK_CONFIG`, else herdbook.toml in the current folder or the nearest folder above
              it]

          --list-models
              List the versions of the registered model instead

          --stage <STAGE>
              With `--list-models`: list only versions in this stage

      -h, --help
              Print help (see a summary with '-h')

    Global options:
          --tracking-uri <URI>
              Store of the records, such as `sqlite:///mlflow.db`
              
              [default: the environment variable `MLFLOW_TRACKING_URI`, else `store` in herdbook.toml,
              else mlflow.db in the current folder with artifacts in mlruns]

          --json
              Print the data as JSON

          --wide
              Print every column of a table, also beyond the width of the terminal

      -q, --quiet
              Print only data and errors

          --actor <NAME>
              Name recorded in the history [default: the environment variable `HERDBOOK_ACTOR`, else the
              system's user name]

          --lock-timeout <SECONDS>
              How long to wait for a store that another process has locked
              
              [default: 10]

    Examples:
      Move version 2 to beta:
        herdbook promote -t 1H --model-version 2 --target-stage beta --reason "first on trial"
      Show what making it champion would change:
        herdbook promote -t 1H --model-version 2 --target-stage champion --dry-run
      Make it champion, unless another version than 1 is champion by now:
        herdbook promote -t 1H --model-version 2 --target-stage champion --expect-champion 1
    "#);
}
