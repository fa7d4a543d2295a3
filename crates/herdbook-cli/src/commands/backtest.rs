//! `backtest`: runs a registered model over any bars.

use anyhow::Context as _;
use herdbook_domain::{Honesty, RunId};
use herdbook_store::{Store, now};
use herdbook_training::{Backtest, BacktestOptions, Performance, RegisteredModel};
use serde_json::{Value, json};

use crate::args::BacktestArgs;
use crate::failure::Failure;
use crate::format::{self, count};
use crate::output::Output;
use crate::output_files::{OutputFiles, Protected, Requested};
use crate::{details, results, running};

/// Names of the pictures, in the order in which they are drawn.
const PICTURES: [&str; 3] = ["equity.svg", "trades.svg", "actions.svg"];

pub(crate) fn run(args: &BacktestArgs, store: &Store, output: &mut Output) -> Result<(), Failure> {
    let requested = requested(args);
    let (model, source) = running::prepare(&args.running, &args.data, store, now(), output)?;
    let mut protected = Protected::of(store).and_input(args.data.clone(), "the file of `--data`");
    let model_file = RunId::model_artifact(model.timeframe);
    if let Ok(path) = store.artifact_path(&model.run.run_id, &model_file) {
        protected = protected.and_input(path, "the model's own file");
    }
    let files = OutputFiles::plan(requested, &protected, args.overwrite)?;
    let terms = BacktestOptions { cost_bps: args.cost_bps, from: args.from };
    let backtest = Backtest::run(store, &model, &source, terms)?;
    for remark in &backtest.tape.remarks {
        output.note(&format!("bars: {remark}"));
    }
    for note in &backtest.notes {
        output.note(&format!("note: {note}"));
    }
    let mut contents = Vec::new();
    if args.equity.is_some() {
        contents.push(equity_to_csv(&backtest));
    }
    if args.trades.is_some() {
        contents.push(trades_to_csv(&backtest));
    }
    if args.report.is_some() {
        contents.push(backtest.page(&name(&model)).to_html().into_bytes());
    }
    if let Some(folder) = &args.pictures {
        contents.extend(drawn(&model, &backtest)?);
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot create `{}` (flag `--pictures`)", folder.display()))?;
    }
    files.write(&contents)?;
    let wants_curves = output.wants_curves();
    let value = || {
        let mut value = to_json(&model, &backtest);
        if wants_curves {
            value["equity"] = equity_to_json(&backtest);
            value["trades"] = trades_to_json(&backtest);
        }
        value
    };
    output.data(value, || summary(&model, &backtest))
}

/// The data of `--equity`, by column.
fn equity_to_json(backtest: &Backtest) -> Value {
    let points: Vec<_> = backtest.equity_curve().collect();
    json!({
        "timestamp": points.iter().map(|point| point.at).collect::<Vec<_>>(),
        "equity": points.iter().map(|point| point.equity).collect::<Vec<_>>(),
        "drawdown": points.iter().map(|point| point.drawdown).collect::<Vec<_>>(),
        "position": points.iter().map(|point| point.position).collect::<Vec<_>>(),
    })
}

/// The data of `--trades`, one object per trade.
fn trades_to_json(backtest: &Backtest) -> Value {
    let trades = backtest.trades().map(|(entered, left, trade)| {
        json!({
            "entered": entered,
            "left": left,
            "side": trade.side.as_str(),
            "entry_price": trade.entry_price,
            "exit_price": trade.exit_price,
            "result": trade.result,
            "equity_at_entry": trade.equity_at_entry,
        })
    });
    trades.collect()
}

fn to_json(model: &RegisteredModel, backtest: &Backtest) -> Value {
    let metrics = |performance: &Performance| -> serde_json::Map<String, Value> {
        let defined = performance.defined().into_iter();
        defined.map(|(name, value)| (name.to_owned(), value.into())).collect()
    };
    json!({
        "name": model.version.key.name,
        "version": model.version.key.version,
        "run_id": model.run.run_id,
        "timeframe": model.timeframe,
        "symbol": backtest.tape.symbol,
        "window": backtest.window,
        "bars_sha256": backtest.tape.bars.sha256(),
        "n_bars": backtest.n_bars(),
        "n_seen": backtest.n_seen,
        "honesty": backtest.honesty,
        "recognised": backtest.recognised,
        "allowed_jumps": backtest.allowed_jumps,
        "cost_bps": backtest.cost_bps,
        "metrics": metrics(&backtest.performance),
        "evidence": results::evidence_to_json(&backtest.evidence()),
        "details": backtest.details,
        "baselines": {
            "buy_and_hold": {"metrics": metrics(&backtest.baselines.buy_and_hold)},
            "flat": {"metrics": metrics(&backtest.baselines.flat)},
        },
    })
}

fn summary(model: &RegisteredModel, backtest: &Backtest) -> String {
    let key = &model.version.key;
    format!(
        "{} version {} · run {}\n{} to {}, {} bars of {} {}, costs {} bp per side\n{}\n\n{}",
        key.name,
        key.version,
        model.run.run_id,
        format::moment(backtest.window.start),
        format::moment(backtest.window.end),
        count(backtest.n_bars() as u64),
        backtest.tape.symbol,
        model.timeframe,
        backtest.cost_bps,
        evidence(backtest),
        details::text(
            &backtest.details,
            (backtest.honesty, backtest.cost_bps),
            &backtest.evidence()
        ),
    )
}

/// One sentence on how many of the bars were seen in training.
fn evidence(backtest: &Backtest) -> String {
    let (seen, all) = (count(backtest.n_seen as u64), count(backtest.n_bars() as u64));
    match backtest.honesty {
        Honesty::Clean => {
            "clean: none of these bars was seen in training by the model or an ancestor".to_owned()
        }
        Honesty::Contaminated => {
            let recognised = backtest.recognised.as_ref();
            let known_as = recognised.map(|it| format!(" (they are {it})")).unwrap_or_default();
            format!(
                "CONTAMINATED: {seen} of {all} bars were seen in training{known_as}; this is no evidence"
            )
        }
        Honesty::Unknown => {
            "unknown whether these bars were seen in training: of the model or an ancestor the windows or bars are not \
             recorded"
                .to_owned()
        }
    }
}

/// The files to write, in the order of their contents.
fn requested(args: &BacktestArgs) -> Vec<Requested> {
    let single =
        [(&args.equity, "--equity"), (&args.trades, "--trades"), (&args.report, "--report")];
    let single = single
        .into_iter()
        .filter_map(|(path, flag)| path.clone().map(|path| Requested { path, flag }));
    let pictures = args.pictures.iter().flat_map(|folder| {
        PICTURES.map(|name| Requested { path: folder.join(name), flag: "--pictures" })
    });
    single.chain(pictures).collect()
}

/// The name of the model in headings.
fn name(model: &RegisteredModel) -> String {
    let key = &model.version.key;
    format!("{} version {}", key.name, key.version)
}

/// The pictures, in the order of [`PICTURES`].
fn drawn(model: &RegisteredModel, backtest: &Backtest) -> Result<Vec<Vec<u8>>, Failure> {
    let pictures = backtest.pictures(&name(model));
    assert!(pictures.iter().map(|(name, _)| *name).eq(PICTURES), "the pictures that were planned");
    let pictures = pictures.into_iter().map(|(name, drawn)| {
        let svg = drawn.map_err(|problem| anyhow::anyhow!("cannot draw `{name}`: {problem}"))?;
        Ok(svg.into_bytes())
    });
    pictures.collect()
}

fn equity_to_csv(backtest: &Backtest) -> Vec<u8> {
    let mut csv = "timestamp,equity,drawdown,position\n".to_owned();
    for point in backtest.equity_curve() {
        csv += &format!("{},{},{},{}\n", point.at, point.equity, point.drawdown, point.position);
    }
    csv.into_bytes()
}

fn trades_to_csv(backtest: &Backtest) -> Vec<u8> {
    let mut csv = "entered,left,side,entry_price,exit_price,result,equity_at_entry\n".to_owned();
    for (entered, left, trade) in backtest.trades() {
        let (side, result, equity) = (trade.side.as_str(), trade.result, trade.equity_at_entry);
        let (entry, exit) = (trade.entry_price, trade.exit_price);
        csv += &format!("{entered},{left},{side},{entry},{exit},{result},{equity}\n");
    }
    csv.into_bytes()
}
