//! `cargo xtask bench enhancements`: compares each enhancement with plain `continued`, from the same parent, on the case
//! that it is meant for. Costs are charged, and all figures come from bars that no model was trained on.

#![expect(clippy::print_stdout, reason = "figures are for the terminal")]

#[path = "../../../crates/herdbook-training/tests/it/costly.rs"]
mod costly;
#[path = "../../../crates/herdbook-training/tests/it/regimes.rs"]
mod regimes;
#[path = "../shared/store.rs"]
mod store;

use std::sync::atomic::AtomicBool;

use herdbook_domain::{
    Enhancement, ExperimentName, MetricName, ModelName, ModelType, ParentSelector, RunId, Symbol,
    Timeframe,
};
use herdbook_ppo::Rng;
use herdbook_store::Session;
use herdbook_training::{
    Boundaries, ContaminatedTest, DataSource, EnhanceRequest, Observer, PpoConfig, Progress,
    RegisteredPolicy, Schedules, TrainRequest, train,
};

const N_SEEDS: u64 = 16;
/// These seeds were not used while the markets and the enhancements were designed.
const FIRST_SEED: u64 = 2_000;
const DEFAULT_COSTS: f64 = 1.0;

/// A comparison: the training of the parent, the training of the children, and the score.
struct Contest {
    enhancement: Enhancement,
    aim: &'static str,
    parent: Training,
    child: Training,
    score: Score,
}

/// Bars, costs and length of a training.
struct Training {
    bars: fn(u64) -> (Vec<u8>, regimes::Borders),
    cost_bps: f64,
    timesteps: u64,
}

impl Training {
    /// The default costs, and as many timesteps as the common regime needs to be learned.
    const fn usual(bars: fn(u64) -> (Vec<u8>, regimes::Borders)) -> Self {
        Self { bars, cost_bps: DEFAULT_COSTS, timesteps: 40_000 }
    }
}

#[derive(Clone, Copy)]
enum Score {
    /// Mean reward of the five episodes of the test window.
    Test,
    /// Mean over the training of the mean reward on the validation window. Faster learning scores higher.
    AreaUnderValidation,
}

const CONTESTS: [Contest; 5] = [
    Contest {
        enhancement: Enhancement::Replay,
        aim: "reward on the rare regime",
        parent: Training::usual(regimes::common),
        child: Training::usual(regimes::rare),
        score: Score::Test,
    },
    Contest {
        enhancement: Enhancement::Adaptive,
        aim: "area under the curve after the switch",
        parent: Training::usual(regimes::common),
        child: Training::usual(regimes::switched),
        score: Score::AreaUnderValidation,
    },
    direct("reward at 250 bp a side, unskilled parent", costly::HIDDEN_COSTS),
    direct("reward at 150 bp a side, unskilled parent", 150.0),
    Contest {
        enhancement: Enhancement::Curriculum,
        aim: "reward at 60 bp a side, skilled parent",
        parent: Training::usual(clear),
        child: Training { bars: clear, cost_bps: 60.0, timesteps: 40_000 },
        score: Score::Test,
    },
];

/// Compares with direct training: the parent has trained for one rollout only.
const fn direct(aim: &'static str, cost_bps: f64) -> Contest {
    Contest {
        enhancement: Enhancement::Curriculum,
        aim,
        parent: Training { bars: costly::hidden, cost_bps, timesteps: 2_048 },
        child: Training { bars: costly::hidden, cost_bps, timesteps: 100_000 },
        score: Score::Test,
    }
}

/// Each trend is worth 300 basis points and is visible at once; entering and leaving costs 120.
fn clear(seed: u64) -> (Vec<u8>, regimes::Borders) {
    let trends = costly::Trends { n_bars: 12_000, drift: 0.0005, noise: 0.0006, length: 60.0 };
    (trends.bars(seed), (8_000, 10_000))
}

fn main() -> anyhow::Result<()> {
    println!("{N_SEEDS} seeds; better by: mean difference with its 95 % bootstrap interval");
    for contest in &CONTESTS {
        let (_folder, store) = store::temporary()?;
        let mut pairs = Vec::new();
        for seed in FIRST_SEED..FIRST_SEED + N_SEEDS {
            pairs.push(contest.run(&store, seed)?);
        }
        contest.print(&pairs);
    }
    Ok(())
}

impl Contest {
    /// The scores of `continued` and of the enhancement with one seed.
    fn run(&self, store: &Session, seed: u64) -> anyhow::Result<(f64, f64)> {
        let parent = request(&self.parent, seed)?;
        let (parent, _) = trained(store, &parent, self.score)?;
        let child = |enhancement| {
            let mut request = request(&self.child, seed)?;
            request.enhance = Some(EnhanceRequest {
                selector: ParentSelector::Run(parent.clone()),
                model_type: ModelType::Base,
                metric: MetricName::parse("final/mean_reward")?,
                enhancement,
            });
            anyhow::Ok(trained(store, &request, self.score)?.1)
        };
        Ok((child(Enhancement::Continued)?, child(self.enhancement)?))
    }

    fn print(&self, pairs: &[(f64, f64)]) {
        let n = pairs.len() as f64;
        let mean = |side: fn(&(f64, f64)) -> f64| pairs.iter().map(side).sum::<f64>() / n;
        let differences: Vec<f64> = pairs.iter().map(|(plain, other)| other - plain).collect();
        let (low, high) = interval(&differences);
        let n_better = differences.iter().filter(|difference| **difference > 0.0).count();
        println!(
            "{:<11} {:<42} continued {:>7.2}   {} {:>7.2}   better by {:+.2} ({low:+.2} to {high:+.2}), with {n_better} of {} seeds",
            self.enhancement.as_str(),
            self.aim,
            mean(|pair| pair.0),
            self.enhancement.as_str(),
            mean(|pair| pair.1),
            differences.iter().sum::<f64>() / n,
            pairs.len(),
        );
        let each: Vec<String> =
            pairs.iter().map(|(plain, other)| format!("{plain:.1}/{other:.1}")).collect();
        println!("            each seed: {}", each.join(" "));
    }
}

fn request(training: &Training, seed: u64) -> anyhow::Result<TrainRequest> {
    let (bytes, (validation, test)) = (training.bars)(seed);
    Ok(TrainRequest {
        timeframe: Timeframe::Hour1,
        data: DataSource::new("made.csv", Symbol::parse("MADE")?, bytes),
        boundaries: Boundaries {
            validation_from_ms: Some(regimes::open_time_ms(validation)),
            test_from_ms: Some(regimes::open_time_ms(test)),
            test_until_ms: None,
        },
        timesteps: training.timesteps,
        seed,
        cost_bps: training.cost_bps,
        config: PpoConfig::default(),
        schedules: Schedules::default(),
        model: ModelName::parse("1H_made")?,
        experiment: ExperimentName::parse("made_1H")?,
        enhance: None,
        // Parent and child have different markets with the same times.
        contaminated: ContaminatedTest::Marked,
        membership: None,
        register: RegisteredPolicy::Last,
    })
}

/// Returns the run and its score.
fn trained(store: &Session, request: &TrainRequest, score: Score) -> anyhow::Result<(RunId, f64)> {
    let mut curve = Curve(Vec::new());
    let prepared = request.clone().prepare()?;
    let report = train(store, &prepared, &mut curve, &AtomicBool::new(false))?;
    let score = match score {
        Score::Test => report.run.metrics["final/mean_reward"],
        Score::AreaUnderValidation => curve.0.iter().sum::<f64>() / curve.0.len() as f64,
    };
    Ok((report.run.run_id, score))
}

/// Percentile interval of the mean from 10,000 bootstrap resamples.
fn interval(values: &[f64]) -> (f64, f64) {
    let mut rng = Rng::new(0);
    let mut mean = || {
        let drawn = (0..values.len()).map(|_| values[rng.below(values.len())]);
        drawn.sum::<f64>() / values.len() as f64
    };
    let mut means: Vec<f64> = (0..10_000).map(|_| mean()).collect();
    means.sort_by(f64::total_cmp);
    (means[250], means[9_749])
}

/// The mean rewards on the validation window during a training.
struct Curve(Vec<f64>);

impl Observer for Curve {
    fn notice(&mut self, _text: &str) {}

    fn stage(&mut self, _text: &str) {}

    fn progress(&mut self, progress: &Progress) {
        self.0.extend(progress.validation_reward);
    }
}
