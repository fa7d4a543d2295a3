//! A register of models without skill against an enforced gate, with every trick.
//!
//! Nothing can be learned from the markets: real returns, shuffled by blocks, and a random walk. Every model is trained on the
//! first part of the bars and evaluated on the rest. After each evaluation its rise to champion is tried, as a dry run: so a
//! success of one model does not end the attack of the others.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use anyhow::Context;
use herdbook_domain::{
    Condition, Conditions, EVIDENCE_PROBABILITY, ModelName, PromotionRequest, Requirement, Stage,
    Symbol, Timeframe, VersionKey,
};
use herdbook_ppo::Rng;
use herdbook_store::{Effect, Session};
use herdbook_training::{
    DataSource, EvaluationResult, RegisteredModel, TrainRequest, TrainingError,
    evaluate_and_record, train,
};

use crate::{Silence, markets, request, store};

/// Short: models without skill need no long training.
const TIMESTEPS: u64 = 2_048;
/// Number of bars of each market.
const N_BARS: usize = 4_000;
/// Share of the bars on which the models are trained and tested.
const KNOWN: f64 = 0.6;
const DAY_S: i64 = 86_400;
/// A line of progress is printed after so many models.
const PROGRESS_EVERY: u64 = 20;

/// Attacks a gate with models without skill, on each market at the same time.
pub(crate) fn attack(n_models: u64) -> anyhow::Result<()> {
    let shuffled = String::from_utf8(markets::shuffled(1))?;
    let markets = [("real returns shuffled by blocks", shuffled), ("a random walk", walk())];
    println!("\n{n_models} models without skill attack an enforced gate on each of 2 markets");
    std::thread::scope(|scope| {
        let attacks = markets.map(|(name, csv)| {
            scope.spawn(move || -> anyhow::Result<()> {
                let market = Market::of(name, &csv)?;
                let began = Instant::now();
                market.attack(n_models)?.print(&market, n_models, began);
                Ok(())
            })
        });
        attacks.into_iter().try_for_each(|attack| attack.join().expect("an attack does not panic"))
    })
}

/// What came of an attack.
#[derive(Default)]
struct Attack {
    /// How many models passed after each trick.
    passed: BTreeMap<&'static str, u64>,
    /// Models above the limit on all later bars if each was the only try.
    n_above_alone: u64,
    /// The highest probability on all later bars, as the only try and among all.
    highest: (f64, f64),
    /// The highest number of tries.
    n_tries: u64,
    /// How many pass in the end.
    n_in_the_end: usize,
}

impl Attack {
    fn print(&self, market: &Market, n_models: u64, began: Instant) {
        let mut table = format!(
            "\n{n_models} models without skill, {}, {} later bars: how many pass an enforced gate ({} s)\n",
            market.name,
            market.lines.len() - market.n_known,
            began.elapsed().as_secs()
        );
        for (trick, n) in &self.passed {
            table += &format!("{trick:34} {n:3}\n");
        }
        table += &format!("{:34} {:3}   (none)\n", "in the end", self.n_in_the_end);
        // One call, so that the tables of two markets are not mixed.
        println!(
            "{table}above {EVIDENCE_PROBABILITY} as the only try: {} models; highest probability {:.3} as the only try, {:.3} among all; up to {} tries",
            self.n_above_alone, self.highest.0, self.highest.1, self.n_tries
        );
    }

    fn add(&mut self, trick: &'static str, has_passed: bool) {
        *self.passed.entry(trick).or_default() += u64::from(has_passed);
    }

    fn saw(&mut self, found: &EvaluationResult) {
        let alone = found.evidence.figures.probability.unwrap_or(0.0);
        self.n_above_alone += u64::from(alone > EVIDENCE_PROBABILITY);
        self.highest.0 = self.highest.0.max(alone);
        self.highest.1 = self.highest.1.max(found.standing.probability.unwrap_or(0.0));
        self.n_tries = self.n_tries.max(found.standing.n_tries);
    }
}

/// The bars of an attack.
struct Market {
    name: &'static str,
    /// Header and rows.
    lines: Vec<String>,
    n_known: usize,
}

impl Market {
    fn of(name: &'static str, csv: &str) -> anyhow::Result<Self> {
        let lines: Vec<String> = aligned(csv)?.into_iter().take(N_BARS + 1).collect();
        Ok(Self { name, n_known: (lines.len() as f64 * KNOWN) as usize, lines })
    }

    fn until(&self, n: usize) -> Vec<u8> {
        (self.lines[..n].join("\n") + "\n").into_bytes()
    }

    /// The later bars alone, with times moved.
    fn later_moved(&self, days: i64) -> anyhow::Result<Vec<u8>> {
        let mut csv = self.lines[0].clone() + "\n";
        for line in &self.lines[self.n_known..] {
            let (at, rest) = line.split_once(',').context("a row has columns")?;
            csv += &format!("{},{rest}\n", at.parse::<i64>()? + days * DAY_S);
        }
        Ok(csv.into_bytes())
    }

    fn attack(&self, n_models: u64) -> anyhow::Result<Attack> {
        let (_folder, store) = store::temporary()?;
        let n_later = self.lines.len() - self.n_known;
        let whole = source(self.until(self.lines.len()), "MADE")?;
        let quarter = source(self.until(self.n_known + n_later / 4), "MADE")?;
        let half = source(self.until(self.n_known + n_later / 2), "MADE")?;
        let tricks = [
            ("1 a quarter of the bars", quarter.clone(), None),
            ("2 costs of 0.01 bp", whole.clone(), Some(0.01)),
            ("3 the bars of a day later", source(self.later_moved(1)?, "LATER")?, None),
            ("4 half of the bars", half, None),
            ("5 all bars", whole.clone(), None),
            ("6 a quarter again", quarter.clone(), None),
            ("7 all bars again", whole.clone(), None),
            ("8 another name of the bars", source(whole.bytes.clone(), "OTHER")?, None),
            ("9 the bars of 364 days later", source(self.later_moved(364)?, "YEAR")?, None),
        ];
        let mut found = Attack::default();
        let mut versions = Vec::new();
        let began = Instant::now();
        for seed in 0..n_models {
            if seed > 0 && seed % PROGRESS_EVERY == 0 {
                let (name, seconds) = (self.name, began.elapsed().as_secs());
                println!("  {name}: {seed} of {n_models} models after {seconds} s");
            }
            // Every tenth model has bars of another length, and some have another name.
            let timeframe = if seed % 10 == 9 { Timeframe::Hour4 } else { Timeframe::Hour1 };
            let name = format!("{timeframe}_{}", if seed % 3 == 0 { "other" } else { "made" });
            let known = self.until(self.n_known);
            let key = trained(&store, seed, timeframe, &name, known.clone())?;
            for (trick, data, cost_bps) in &tricks {
                if let Some(result) = evaluated(&store, &key, data, *cost_bps)?
                    && trick.starts_with('5')
                {
                    found.saw(&result);
                }
                found.add(trick, rises(&store, &key));
            }
            // The same training under a new name, as if nothing was known of the model.
            if seed % 10 == 0 {
                let copy = trained(&store, seed, timeframe, "1H_copy", known.clone())?;
                evaluated(&store, &copy, &quarter, None)?;
                found.add("a copy under a new name", rises(&store, &copy));
                let copy = trained(&store, seed, timeframe, "1H_moved_copy", known)?;
                evaluated(&store, &copy, &source(self.later_moved(7)?, "MADE")?, None)?;
                found.add("a copy on bars of a week later", rises(&store, &copy));
                versions.push(copy);
            }
            versions.push(key);
        }
        found.n_in_the_end = versions.iter().filter(|key| rises(&store, key)).count();
        Ok(found)
    }
}

/// Independent normal returns with the volatility of hourly EURUSD.
fn walk() -> String {
    const DEVIATION: f64 = 0.001;
    let mut rng = Rng::new(7);
    let (mut csv, mut price) = ("timestamp,open,high,low,close\n".to_owned(), 1.0_f64);
    for idx in 0..=N_BARS {
        let (open, close) = (price, price * (DEVIATION * rng.normal()).exp());
        let (high, low) = (open.max(close) * 1.0002, open.min(close) * 0.9998);
        csv += &format!("{},{open},{high},{low},{close}\n", 1_500_000_000 + idx * 3_600);
        price = close;
    }
    csv
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

/// `None` if the evaluation is refused.
fn evaluated(
    store: &Session,
    key: &VersionKey,
    data: &DataSource,
    cost_bps: Option<f64>,
) -> anyhow::Result<Option<EvaluationResult>> {
    let model = RegisteredModel::load(store, store.version(key)?)?;
    match evaluate_and_record(store, &model, data, cost_bps) {
        Ok((found, _)) => Ok(Some(found)),
        // Bars that are refused are no evidence either.
        Err(error) if is_about_bars(&error) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn is_about_bars(error: &TrainingError) -> bool {
    use TrainingError as E;
    matches!(error, E::ContradictingBars { .. } | E::KnownBars { .. } | E::NoNewBars { .. })
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
