//! `train`: a base model, or a child of an existing one.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context as _;
use herdbook_domain::{Departure, ExperimentName, HEADLINE_METRICS, Honesty, Symbol, Timestamp};
use herdbook_store::Missing;
use herdbook_training::{
    Boundaries, ContaminatedTest, DataSource, EnhanceRequest, PpoConfig, TrainReport, TrainRequest,
    TrainingError, train,
};
use serde_json::{Value, json};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

use crate::args::{Global, TrainArgs};
use crate::bars;
use crate::context::open_store;
use crate::failure::{Code, Failure};
use crate::format::{self, count};
use crate::output::Output;
use crate::progress::Bar;
use crate::results;
use crate::shell::{model_flag, quoted};
use crate::table::{Align, Columns};

pub(crate) fn run(args: TrainArgs, global: &Global, output: &mut Output) -> Result<(), Failure> {
    let family = args.family.clone();
    let is_sample = args.data.is_none();
    let is_base = args.enhance.is_none();
    let base_command = output.command(&base_command(&args));
    let request = request(args, output)?;
    let timesteps = request.timesteps;
    let rollout_len = request.config.rollout_len() as u64;
    let prepared = request.prepare().map_err(Failure::from)?;
    // What the samples' columns are called is no news.
    for remark in prepared.market().tape.remarks.iter().filter(|_| !is_sample) {
        output.note(&format!("bars: {remark}"));
    }
    if timesteps * 2 < rollout_len {
        output.note(&format!(
            "note: one rollout has {} timesteps: that many are trained, not {}",
            count(rollout_len),
            count(timesteps)
        ));
    }
    // A child needs a store that has its parent.
    let missing = if is_base { Missing::Create } else { Missing::Refuse };
    let trains_a_base = || format!("`{base_command}` trains a base model");
    let store = open_store(global, missing, output).map_err(|failure| match failure.code() {
        Code::NotFound => failure.with_hint(trains_a_base()),
        _ => failure,
    })?;

    let cancelled = cancel_on_signal()?;
    let mut bar = Bar::new(timesteps, output.is_quiet());
    let outcome = train(&store, &prepared, &mut bar, &cancelled);
    bar.finish();
    let report = outcome.map_err(|error| match error {
        TrainingError::NoParent { .. } => Failure::from(error).with_hint(trains_a_base()),
        _ => error.into(),
    })?;
    let next = output.command(&next_command(&report, &family));
    output.data(|| to_json(&report), || summary(&report, &next))
}

/// The command that trains a base model where this one found no parent.
fn base_command(args: &TrainArgs) -> String {
    let mut command = format!("herdbook train --timeframe {}", args.family.timeframe);
    command += &model_flag(&args.family);
    if let Some(data) = &args.data {
        command += &format!(" --data {}", quoted(&data.display().to_string()));
    }
    if let Some(symbol) = &args.symbol {
        command += &format!(" --symbol {}", quoted(symbol.as_str()));
    }
    command
}

fn request(args: TrainArgs, output: &mut Output) -> Result<TrainRequest, Failure> {
    let timeframe = args.family.timeframe;
    let data = match &args.data {
        Some(path) => bars::read(path, args.symbol)?,
        None => sample(timeframe, args.symbol, output)?,
    };
    let enhance = args.enhance.map(|selector| EnhanceRequest {
        selector,
        model_type: args.enhance_model_type,
        metric: args.enhance_metric,
        enhancement: args.enhance_type,
    });
    Ok(TrainRequest {
        timeframe,
        data,
        boundaries: Boundaries {
            validation_from_ms: args.validation_from.map(Timestamp::millis),
            test_from_ms: args.test_from.map(Timestamp::millis),
        },
        timesteps: args.timesteps,
        seed: args.seed,
        cost_bps: args.cost_bps,
        config: PpoConfig { n_envs: args.n_envs, ..PpoConfig::default() },
        model: args.family.name()?,
        experiment: ExperimentName::of_timeframe(&args.experiment, timeframe)?,
        enhance,
        contaminated: if args.allow_contaminated {
            ContaminatedTest::Marked
        } else {
            ContaminatedTest::Refused
        },
    })
}

fn sample(
    timeframe: herdbook_domain::Timeframe,
    symbol: Option<Symbol>,
    output: &mut Output,
) -> Result<DataSource, Failure> {
    let (source, sample) = DataSource::sample(timeframe)?;
    if let Some(symbol) = symbol.filter(|symbol| *symbol != source.symbol) {
        return Err(Failure::usage(&format!(
            "the sample for {timeframe} is {}, not {symbol}: give the bars of {symbol} with `--data`",
            source.symbol
        )));
    }
    output.note(&format!(
        "bars: sample {} ({}; {})",
        sample.file_name, sample.source, sample.licence
    ));
    Ok(source)
}

/// Ctrl-C, SIGTERM and SIGHUP end the training at its next iteration; a second one ends the process.
fn cancel_on_signal() -> Result<Arc<AtomicBool>, Failure> {
    let cancelled = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        // In this order: the first signal finds the flag down, raises it and goes on.
        flag::register_conditional_shutdown(signal, 1, Arc::clone(&cancelled))
            .and_then(|_| flag::register(signal, Arc::clone(&cancelled)))
            .context("cannot catch signals")?;
    }
    Ok(cancelled)
}

fn to_json(report: &TrainReport) -> Value {
    let improvement: serde_json::Map<String, Value> = report
        .improvement
        .iter()
        .flat_map(|improvement| &improvement.metrics)
        .map(|(name, improvement)| (name.clone(), json!(improvement)))
        .collect();
    json!({
        "run_id": report.run_id,
        "model_name": report.registered.key.name,
        "version": report.registered.key.version,
        "model_path": report.model_path(),
        "model_type": report.model_type,
        "parent": report.parent.as_ref().map(|parent| json!({
            "name": parent.key.name,
            "version": parent.key.version,
            "run_id": parent.run_id,
        })),
        "fallback": report.departure == Departure::BaseModel,
        "previous_timesteps": report.previous_timesteps,
        "current_run_timesteps": report.trained_timesteps,
        "total_timesteps": report.previous_timesteps + report.trained_timesteps,
        "metrics": report.metrics,
        "improvement": improvement,
        "improvement_basis": report.improvement.as_ref().map(|improvement| improvement.basis),
        "honesty": report.honesty,
        "windows": report.windows,
        "cost_bps": report.cost_bps,
        "seed": report.seed,
        "steps_per_second": report.steps_per_second,
    })
}

fn summary(report: &TrainReport, next: &str) -> String {
    let key = &report.registered.key;
    let mut text = format!(
        "{} version {} ({}) is registered in development\nrun {} · seed {} · {} timesteps · {} steps/s\n",
        key.name,
        key.version,
        report.model_type,
        report.run_id,
        report.seed,
        count(report.trained_timesteps),
        count(report.steps_per_second as u64),
    );
    if let Some(parent) = &report.parent {
        text += &format!(
            "parent {}{} version {} · {} + {} = {} timesteps\n",
            if report.departure == Departure::BaseModel { "(fallback) " } else { "" },
            parent.key.name,
            parent.key.version,
            count(report.previous_timesteps),
            count(report.trained_timesteps),
            count(report.previous_timesteps + report.trained_timesteps),
        );
    }
    text += &format!(
        "\n{}\n{}",
        window_line(report),
        results::table(&report.performance, &report.baselines)
    );
    text += &format!(
        "\n{}\n",
        results::verdict(&report.performance, &report.baselines, report.honesty)
    );
    if let Some(improvement) = &report.improvement {
        text += &format!("\n{}", improvements(improvement));
    }
    text + &format!("\nnext: {next}")
}

fn window_line(report: &TrainReport) -> String {
    let test = &report.windows.test;
    let mark = match report.honesty {
        Honesty::Clean => "unseen in training (clean)",
        Honesty::Contaminated => "CONTAMINATED: seen in training, these results mean nothing",
        Honesty::Unknown => "unknown whether an ancestor saw them",
    };
    format!(
        "test window {} to {}, {} bars of {} {}, costs {} bp a side; {mark}",
        format::moment(test.start),
        format::moment(test.end),
        report.performance.n_returns + 1,
        report.windows.symbol,
        report.timeframe,
        report.cost_bps,
    )
}

fn improvements(report: &herdbook_training::ImprovementReport) -> String {
    let mut table = Columns::new(&[
        ("metric", Align::Left),
        ("parent", Align::Right),
        ("child", Align::Right),
        ("improvement", Align::Right),
        ("", Align::Left),
    ]);
    let shown = HEADLINE_METRICS.iter().filter_map(|name| report.metrics.get_key_value(*name));
    for (name, improvement) in shown {
        table.row([
            name.clone(),
            format::metric(name, improvement.parent),
            format::metric(name, improvement.child),
            improvement.percent_text(),
            improvement.verdict().to_owned(),
        ]);
    }
    let basis = match report.basis {
        herdbook_training::ImprovementBasis::SameWindows => "same windows for both",
        herdbook_training::ImprovementBasis::Reevaluated => {
            "the parent run again on the child's windows and costs"
        }
    };
    format!("improvement over the parent ({basis})\n{table}")
}

fn next_command(report: &TrainReport, family: &crate::args::Family) -> String {
    format!(
        "herdbook promote --timeframe {}{} --model-version {} --target-stage beta --reason \"…\"",
        family.timeframe,
        model_flag(family),
        report.registered.key.version
    )
}
