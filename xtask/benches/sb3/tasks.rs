//! The environments of the comparison, and the files that describe them to stable-baselines3.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use herdbook_domain::Timeframe;
use herdbook_market::{CostModel, N_FEATURES};
use herdbook_ppo::{Env, EpisodeEnd, ResumableEnv, Rng};
use herdbook_training::{Boundaries, DataSource, EPISODE_BARS, MarketData, TradingEnv};
use serde_json::{Value, json};

use crate::cart_pole::CartPole;
use crate::curves::Task;

const COST_BPS: f64 = 1.0;
/// Episodes whose steps both libraries take.
const N_CHECKED: usize = 20;
/// Episodes of random actions, which give the reward without learning.
const N_RANDOM: usize = 2_000;

pub(crate) struct Tasks {
    market: Arc<MarketData>,
    costs: CostModel,
}

impl Tasks {
    pub(crate) fn prepare() -> anyhow::Result<Self> {
        let (source, _) = DataSource::sample(Timeframe::Hour1)?;
        let market = MarketData::prepare(&source, Timeframe::Hour1, Boundaries::default())?;
        Ok(Self { market: Arc::new(market), costs: CostModel::from_bps(COST_BPS)? })
    }

    pub(crate) fn trading(&self) -> TradingEnv {
        TradingEnv::new(Arc::clone(&self.market), self.costs, EPISODE_BARS)
    }

    /// The zero level for areas under learning curves: 0 for the pole; the reward of random actions for trading, where
    /// rewards have no natural zero.
    pub(crate) fn floor(&self, task: Task) -> f64 {
        match task {
            Task::CartPole => 0.0,
            Task::Trading => random_reward(&mut self.trading()),
        }
    }

    /// Writes the market and the steps that were taken here.
    pub(crate) fn write(&self, folder: &Path) -> anyhow::Result<()> {
        let MarketData { tape, split, .. } = &*self.market;
        let first = split.train.bars.start.max(tape.features.first());
        let rows = first..split.train.bars.end;
        let floats = rows.clone().flat_map(|bar| tape.features.row(bar));
        let features: Vec<u8> = floats.flat_map(|x| x.to_le_bytes()).collect();
        fs::write(folder.join("features.f32"), features)?;
        let bars = &tape.bars.as_slice()[rows.clone()];
        let bytes = |price: fn(&herdbook_market::Bar) -> f64| -> Vec<u8> {
            bars.iter().flat_map(|bar| price(bar).to_le_bytes()).collect()
        };
        fs::write(folder.join("opens.f64"), bytes(|bar| bar.open))?;
        fs::write(folder.join("closes.f64"), bytes(|bar| bar.close))?;
        let about = json!({
            "rows": rows.len(), "features": N_FEATURES,
            "cost_bps": COST_BPS, "episode_bars": EPISODE_BARS,
        });
        fs::write(folder.join("market.json"), about.to_string())?;
        let start = |env: &TradingEnv| json!(env.bar_idx() - first);
        let steps = json!({
            "trading": episodes(&mut self.trading(), start),
            "cart_pole": episodes(&mut CartPole::default(), |env| json!(env.state().0)),
        });
        Ok(fs::write(folder.join("steps.json"), steps.to_string())?)
    }
}

/// Episodes of random actions, each held for several steps.
fn episodes<E: Env>(env: &mut E, start: impl Fn(&E) -> Value) -> Vec<Value> {
    let mut rng = Rng::new(5);
    let mut obs = vec![0.0; env.obs_len()];
    let mut episodes = Vec::new();
    for _ in 0..N_CHECKED {
        env.reset(&mut rng, &mut obs);
        let (start, mut steps, mut action) = (start(env), Vec::new(), 0);
        loop {
            if rng.below(3) == 0 {
                action = rng.below(env.n_actions());
            }
            let step = env.step(action, &mut obs);
            steps.push(json!({
                "action": action, "observation": obs, "reward": step.reward,
                "terminated": step.end == EpisodeEnd::Terminated,
            }));
            if step.end != EpisodeEnd::Running {
                break;
            }
        }
        episodes.push(json!({ "start": start, "steps": steps }));
    }
    episodes
}

fn random_reward<E: Env>(env: &mut E) -> f64 {
    let (mut rng, mut obs, mut sum) = (Rng::new(6), vec![0.0; env.obs_len()], 0.0);
    for _ in 0..N_RANDOM {
        env.reset(&mut rng, &mut obs);
        loop {
            let step = env.step(rng.below(env.n_actions()), &mut obs);
            sum += f64::from(step.reward);
            if step.end != EpisodeEnd::Running {
                break;
            }
        }
    }
    sum / N_RANDOM as f64
}
