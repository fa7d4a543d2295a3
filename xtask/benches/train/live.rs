//! The cost of live metrics: the same iterations with and without writing their metrics to the store, in turn, as often
//! and as many as a training logs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use herdbook_domain::tags::Tags;
use herdbook_domain::{ExperimentName, ModelName, Origin, RunId, Timeframe, Timestamp};
use herdbook_market::CostModel;
use herdbook_ppo::{PpoConfig, Trainer};
use herdbook_store::{Metric, RunStart, Session};
use herdbook_training::{Boundaries, DataSource, EPISODE_BARS, MarketData, TradingEnv};

use crate::steps::middle;
use crate::{figure, records};

/// The metrics of an iteration, and how often they are written, as in a training.
const METRICS: [&str; 13] = [
    "approx_kl",
    "clip_fraction",
    "entropy",
    "explained_variance",
    "learning_rate",
    "loss",
    "mean_episode_length",
    "mean_episode_reward",
    "mean_step_reward",
    "n_epochs",
    "policy_loss",
    "steps_per_second",
    "value_loss",
];
const FLUSH_INTERVAL: Duration = Duration::from_secs(1);
/// About two seconds, so two or three writes.
const ITERATIONS: i64 = 180;
const PAIRS: usize = 9;

pub(crate) fn measure() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let store = records::open(folder.path())?;
    let run_id = store.start_run(&RunStart {
        name: None,
        user_tags: Tags::new(),
        experiment: ExperimentName::parse("bench")?,
        model: ModelName::of_timeframe(Timeframe::Hour1, "bench")?,
        origin: Origin { timeframe: Timeframe::Hour1, enhanced: None },
        params: std::collections::BTreeMap::new(),
        tags: Tags::new(),
    })?;
    let (source, _) = DataSource::sample(Timeframe::Hour1)?;
    let market = MarketData::prepare(&source, Timeframe::Hour1, Boundaries::default())?;
    let env = TradingEnv::new(Arc::new(market), CostModel::from_bps(1.0)?, EPISODE_BARS);
    let mut trainer = Trainer::new(PpoConfig::default(), vec![env], 0)?;
    trainer.iterate();
    let (mut slowings, mut writes) = (Vec::new(), Vec::new());
    for _ in 0..PAIRS {
        let (silent, _) = seconds(&mut trainer, None)?;
        let (live, write) = seconds(&mut trainer, Some((&store, &run_id)))?;
        slowings.push(100.0 * (live / silent - 1.0));
        writes.push(100.0 * write / live);
    }
    slowings.sort_by(f64::total_cmp);
    let spread = format!("{:.1} to {:.1} %", slowings[0], slowings[PAIRS - 1]);
    let slowing = format!("{:.2} %", middle(slowings));
    figure::print("slowing by live metrics, paired", &slowing, "at most 2 %");
    figure::print("  from the least to the most of the pairs", &spread, "");
    let write = format!("{:.2} %", middle(writes));
    figure::print("  share of the time spent writing", &write, "");
    Ok(())
}

/// The duration of the iterations in seconds, and how many of them were written to the store.
fn seconds(
    trainer: &mut Trainer<TradingEnv>,
    live: Option<(&Session, &RunId)>,
) -> anyhow::Result<(f64, f64)> {
    let (begun, mut flushed, mut writing) = (Instant::now(), Instant::now(), 0.0);
    let mut pending = Vec::new();
    for step in 0..ITERATIONS {
        let stats = trainer.iterate();
        let Some((store, run_id)) = live else { continue };
        let wrote = Instant::now();
        pending.extend(METRICS.map(|name| Metric {
            key: format!("training/{name}"),
            value: stats.loss,
            at: Timestamp::from_millis(step),
            step: stats.num_timesteps as i64,
        }));
        if flushed.elapsed() >= FLUSH_INTERVAL {
            flushed = Instant::now();
            store.log_metrics(run_id, &pending)?;
            pending.clear();
        }
        writing += wrote.elapsed().as_secs_f64();
    }
    Ok((begun.elapsed().as_secs_f64(), writing))
}
