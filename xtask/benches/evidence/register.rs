//! A register of models without skill against an enforced gate, with every trick.
//!
//! The market is real returns, shuffled by blocks, so nothing can be learned. Every model is trained on its first part and
//! evaluated on the rest. After each evaluation its rise to champion is tried, as a dry run: so a success of one model does not
//! end the attack of the others.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;

use anyhow::Context;
use herdbook_domain::{
    Condition, Conditions, EVIDENCE_PROBABILITY, ModelName, PromotionRequest, Requirement, Stage,
    Symbol, Timeframe, VersionKey,
};
use herdbook_store::{Effect, Session};
use herdbook_training::{DataSource, RegisteredModel, TrainRequest, evaluate_and_record, train};

use crate::{Silence, markets, request, store};

/// Short: models without skill need no long training.
const TIMESTEPS: u64 = 2_048;
/// Share of the bars on which the models are trained and tested.
const KNOWN: f64 = 0.6;

pub(crate) fn attack(n_models: u64) -> anyhow::Result<()> {
    let (_folder, store) = store::temporary()?;
    let lines = aligned(&String::from_utf8(markets::shuffled(1))?)?;
    let n_known = (lines.len() as f64 * KNOWN) as usize;
    let n_later = lines.len() - n_known;
    let until = |n: usize| (lines[..n].join("\n") + "\n").into_bytes();
    let mut passed: BTreeMap<&str, u64> = BTreeMap::new();
    let mut versions = Vec::new();
    for seed in 0..n_models {
        // Every tenth model has bars of another length, and some have another name.
        let timeframe = if seed % 10 == 9 { Timeframe::Hour4 } else { Timeframe::Hour1 };
        let name = format!("{timeframe}_{}", if seed % 3 == 0 { "other" } else { "made" });
        let key = trained(&store, seed, timeframe, &name, until(n_known))?;
        let whole = source(until(lines.len()), "MADE")?;
        let tricks = [
            ("a quarter of the bars", source(until(n_known + n_later / 4), "MADE")?, None),
            ("costs of 0.01 bp", whole.clone(), Some(0.01)),
            ("all bars", whole.clone(), None),
            ("a quarter again", source(until(n_known + n_later / 4), "MADE")?, None),
            ("all bars again", whole.clone(), None),
            ("another name of the bars", source(whole.bytes.clone(), "OTHER")?, None),
        ];
        for (trick, data, cost_bps) in tricks {
            evaluated(&store, &key, &data, cost_bps)?;
            *passed.entry(trick).or_default() += u64::from(rises(&store, &key));
        }
        // The same training under a new name, as if nothing was known of the model.
        if seed % 10 == 0 {
            let copy = trained(&store, seed, timeframe, "1H_copy", until(n_known))?;
            evaluated(&store, &copy, &source(until(n_known + n_later / 4), "MADE")?, None)?;
            *passed.entry("a copy under a new name").or_default() +=
                u64::from(rises(&store, &copy));
        }
        versions.push(key);
    }
    println!(
        "\n{n_models} models without skill, real returns shuffled by blocks, {n_later} later bars: how many pass an enforced gate"
    );
    for (trick, n) in &passed {
        println!("{trick:30} {n:3}");
    }
    let n_in_the_end = versions.iter().filter(|key| rises(&store, key)).count();
    println!("{:30} {n_in_the_end:3}   (none)", "in the end");
    Ok(())
}

/// The lines of a file of hourly bars, with times that begin at a multiple of four hours, so that they can be merged.
fn aligned(csv: &str) -> anyhow::Result<Vec<String>> {
    const FOUR_HOURS_S: i64 = 4 * 3_600;
    let mut lines = csv.lines();
    let mut aligned: Vec<String> = lines.next().into_iter().map(str::to_owned).collect();
    let mut offset = None;
    for line in lines {
        let (at, rest) = line.split_once(',').context("a row has columns")?;
        let at: i64 = at.parse().context("times are seconds")?;
        let offset = *offset.get_or_insert(FOUR_HOURS_S - at % FOUR_HOURS_S);
        aligned.push(format!("{},{rest}", at + offset));
    }
    Ok(aligned)
}

fn source(bytes: Vec<u8>, symbol: &str) -> anyhow::Result<DataSource> {
    Ok(DataSource { symbol: Symbol::parse(symbol)?, ..request(0, bytes)?.data })
}

fn trained(
    store: &Session,
    seed: u64,
    timeframe: Timeframe,
    name: &str,
    bytes: Vec<u8>,
) -> anyhow::Result<VersionKey> {
    let request = TrainRequest {
        timeframe,
        data: source(bytes, "MADE")?,
        timesteps: TIMESTEPS,
        seed,
        cost_bps: 1.0,
        model: ModelName::parse(name)?,
        ..request(seed, Vec::new())?
    };
    let report = train(store, &request.prepare()?, &mut Silence, &AtomicBool::new(false))
        .with_context(|| format!("seed {seed}"))?;
    let beta = promotion(&report.registered.key, Stage::Beta);
    store.promote(&beta, Effect::Commit)?;
    Ok(report.registered.key)
}

fn evaluated(
    store: &Session,
    key: &VersionKey,
    data: &DataSource,
    cost_bps: Option<f64>,
) -> anyhow::Result<()> {
    let model = RegisteredModel::load(store, store.version(key)?)?;
    evaluate_and_record(store, &model, data, cost_bps)?;
    Ok(())
}

/// Whether the gate lets the version become champion.
fn rises(store: &Session, key: &VersionKey) -> bool {
    let condition = Condition {
        to: Stage::Champion,
        timeframes: Vec::new(),
        models: Vec::new(),
        requirement: Requirement::Evidence(EVIDENCE_PROBABILITY),
    };
    let gate = Conditions { enforce: true, all: vec![condition] };
    store.promote_under(&gate, &promotion(key, Stage::Champion), Effect::DryRun).is_ok()
}

fn promotion(key: &VersionKey, target: Stage) -> PromotionRequest {
    PromotionRequest {
        key: key.clone(),
        target,
        reason: None,
        expected_champion: None,
        force: false,
    }
}
