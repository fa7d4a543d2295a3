//! `backtest`: runs a registered model over any bars.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use anyhow::Context as _;
use herdbook_domain::Honesty;
use herdbook_store::Store;
use herdbook_training::{Backtest, BacktestOptions, Performance, RegisteredModel};
use serde_json::{Value, json};

use crate::args::BacktestArgs;
use crate::failure::Failure;
use crate::format::{self, count};
use crate::output::Output;
use crate::{results, running};

pub(crate) fn run(args: BacktestArgs, store: &Store, output: &mut Output) -> Result<(), Failure> {
    let (model, source) = running::prepare(args.running, store, output)?;
    let terms = BacktestOptions { cost_bps: args.cost_bps, from: args.from };
    let backtest = Backtest::run(store, &model, &source, terms)?;
    for remark in &backtest.tape.remarks {
        output.note(&format!("bars: {remark}"));
    }
    if let Some(path) = &args.equity {
        write_to(path, "--equity", |file| write_equity(&backtest, file))?;
    }
    if let Some(path) = &args.trades {
        write_to(path, "--trades", |file| write_trades(&backtest, file))?;
    }
    if let Some(folder) = &args.pictures {
        draw_into(folder, &model, &backtest)?;
    }
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
        "cost_bps": backtest.cost_bps,
        "metrics": metrics(&backtest.performance),
        "evidence": results::evidence_to_json(&backtest.evidence()),
        "baselines": {
            "buy_and_hold": {"metrics": metrics(&backtest.baselines.buy_and_hold)},
            "flat": {"metrics": metrics(&backtest.baselines.flat)},
        },
    })
}

fn summary(model: &RegisteredModel, backtest: &Backtest) -> String {
    let key = &model.version.key;
    format!(
        "{} version {} · run {}\n{} to {}, {} bars of {} {}, costs {} bp per side\n{}\n\n{}\n{}\n",
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
        results::table(&backtest.performance, &backtest.baselines, &backtest.evidence()),
        results::verdict(
            &backtest.performance,
            &backtest.baselines,
            (backtest.honesty, backtest.cost_bps)
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
            format!("CONTAMINATED: {seen} of {all} bars were seen in training; this is no evidence")
        }
        Honesty::Unknown => {
            "unknown whether these bars were seen in training: an ancestor has no record of its windows"
                .to_owned()
        }
    }
}

fn draw_into(folder: &Path, model: &RegisteredModel, backtest: &Backtest) -> Result<(), Failure> {
    let key = &model.version.key;
    std::fs::create_dir_all(folder)
        .with_context(|| format!("cannot create `{}` (flag `--pictures`)", folder.display()))?;
    for (name, drawn) in backtest.pictures(&format!("{} version {}", key.name, key.version))? {
        let svg = drawn.map_err(|problem| anyhow::anyhow!("cannot draw `{name}`: {problem}"))?;
        write_to(&folder.join(name), "--pictures", |file| file.write_all(svg.as_bytes()))?;
    }
    Ok(())
}

fn write_to(
    path: &Path,
    flag: &str,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> Result<(), Failure> {
    let written = File::create(path).map(BufWriter::new).and_then(|mut file| {
        write(&mut file)?;
        file.flush()
    });
    Ok(written.with_context(|| format!("cannot write `{}` (flag `{flag}`)", path.display()))?)
}

fn write_equity(backtest: &Backtest, file: &mut impl Write) -> io::Result<()> {
    writeln!(file, "timestamp,equity,drawdown,position")?;
    for point in backtest.equity_curve() {
        writeln!(file, "{},{},{},{}", point.at, point.equity, point.drawdown, point.position)?;
    }
    Ok(())
}

fn write_trades(backtest: &Backtest, file: &mut impl Write) -> io::Result<()> {
    writeln!(file, "entered,left,side,entry_price,exit_price,result,equity_at_entry")?;
    for (entered, left, trade) in backtest.trades() {
        let (side, result, equity) = (trade.side.as_str(), trade.result, trade.equity_at_entry);
        let (entry, exit) = (trade.entry_price, trade.exit_price);
        writeln!(file, "{entered},{left},{side},{entry},{exit},{result},{equity}")?;
    }
    Ok(())
}
