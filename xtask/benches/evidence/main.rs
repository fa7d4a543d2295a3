//! `cargo xtask bench evidence`: how often evidence is found where there is none, and where there is some.
//!
//! First simulated returns with known Sharpe ratios, then a register of models without skill against a gate, then how well bars
//! are recognised. At last each seed creates a market from real returns: a base model is trained and judged on it as a user's
//! model would be.

#![expect(clippy::print_stdout, reason = "figures are for the terminal")]

#[path = "../../../crates/herdbook-training/tests/it/markets.rs"]
mod markets;
mod rates;
mod recognition;
mod register;
mod samples;
#[path = "../shared/store.rs"]
mod store;

use std::path::Path;
use std::sync::atomic::AtomicBool;

use anyhow::Context;
use herdbook_domain::{EVIDENCE_PROBABILITY, ExperimentName, ModelName, Symbol, Timeframe};
use herdbook_training::{
    Boundaries, ContaminatedTest, DataSource, Observer, PpoConfig, Progress, RegisteredPolicy,
    Schedules, TrainRequest, train,
};

/// The same value as in the tests.
const TIMESTEPS: u64 = 20_480;
const N_SHUFFLED: u64 = 200;
const N_PLANTED: u64 = 20;

/// Number of samples of simulated returns per setting, by default.
const N_SAMPLES: u64 = 2_000;
/// Number of models without skill, by default.
const N_MODELS: u64 = 200;
/// Number of pairs of simulated markets for each correlation, by default.
const N_PAIRS: u64 = 40;

fn main() -> anyhow::Result<()> {
    let n_samples = number("--samples", N_SAMPLES)?;
    let n_models = number("--models", N_MODELS)?;
    if n_samples > 0 {
        rates::false_evidence(n_samples);
        rates::power(n_samples.div_ceil(2));
        rates::many_looks(n_samples.div_ceil(2));
    }
    if n_models > 0 {
        register::attack(n_models)?;
    }
    let n_pairs = number("--pairs", N_PAIRS)?;
    if n_pairs > 0 {
        recognition::rates(n_pairs)?;
    }
    if let Some(folder) = given("--files") {
        recognition::files(Path::new(&folder))?;
    }
    let n_seeds = number("--seeds", N_SHUFFLED)?;
    if n_seeds > 0 {
        let found = count("no signal", n_seeds, markets::shuffled)?;
        println!("\nno signal: evidence with {found} of {n_seeds} seeds   (at most 18 of 200)");
        let n_planted = n_seeds.min(N_PLANTED);
        let found = count("planted signal", n_planted, markets::planted)?;
        println!("planted signal: evidence with {found} of {n_planted} seeds   (all of them)");
    }
    Ok(())
}

/// The text after a flag.
fn given(flag: &str) -> Option<String> {
    std::env::args().skip_while(|argument| argument != flag).nth(1)
}

/// The number after a flag, or the default.
fn number(flag: &str, default: u64) -> anyhow::Result<u64> {
    let parse = |text: String| text.parse().with_context(|| format!("{flag} must be a number"));
    given(flag).map_or(Ok(default), parse)
}

fn count(what: &str, n_seeds: u64, bars: fn(u64) -> Vec<u8>) -> anyhow::Result<usize> {
    let (_folder, store) = store::temporary()?;
    let mut found = 0;
    for seed in 0..n_seeds {
        let request = request(seed, bars(seed))?;
        let report = train(&store, &request.prepare()?, &mut Silence, &AtomicBool::new(false))
            .with_context(|| format!("{what}, seed {seed}"))?;
        let probability = report.run.evidence.figures.probability;
        found += usize::from(probability.is_some_and(|found| found > EVIDENCE_PROBABILITY));
    }
    Ok(found)
}

fn request(seed: u64, bytes: Vec<u8>) -> anyhow::Result<TrainRequest> {
    Ok(TrainRequest {
        timeframe: Timeframe::Hour1,
        data: DataSource::new("made.csv", Symbol::parse(&format!("MADE{seed}"))?, bytes),
        boundaries: Boundaries::default(),
        timesteps: TIMESTEPS,
        seed,
        cost_bps: 0.0,
        config: PpoConfig::default(),
        schedules: Schedules::default(),
        model: ModelName::parse("1H_made")?,
        experiment: ExperimentName::parse("made_1H")?,
        enhance: None,
        contaminated: ContaminatedTest::Refused,
        membership: None,
        register: RegisteredPolicy::Best,
    })
}

struct Silence;

impl Observer for Silence {
    fn notice(&mut self, _text: &str) {}

    fn stage(&mut self, _text: &str) {}

    fn progress(&mut self, _progress: &Progress) {}
}
