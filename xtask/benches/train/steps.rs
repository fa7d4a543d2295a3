//! Steps per second of the trainer in the real environment, rollouts and updates together, on one thread.

use std::sync::Arc;
use std::time::Instant;

use herdbook_domain::Timeframe;
use herdbook_market::CostModel;
use herdbook_ppo::{PpoConfig, Trainer};
use herdbook_training::{Boundaries, DataSource, EPISODE_BARS, MarketData, TradingEnv};

use crate::figure;

/// Timesteps of one measurement; a round number of rollouts for 1 and for 8 environments.
const TIMESTEPS: u64 = 16 * 16_384;

pub(crate) fn measure() -> anyhow::Result<()> {
    let (source, _) = DataSource::sample(Timeframe::Hour1)?;
    let market = MarketData::prepare(&source, Timeframe::Hour1, Boundaries::default())?;
    let market = Arc::new(market);
    for n_envs in [1, 8] {
        let steps_per_second = steps_per_second(&market, n_envs)?;
        figure::print(
            &format!("PPO, {n_envs} environment(s), batch 64, 10 epochs"),
            &format!("{steps_per_second:.0} steps/s"),
            "at least 100000",
        );
    }
    Ok(())
}

fn steps_per_second(market: &Arc<MarketData>, n_envs: usize) -> anyhow::Result<f64> {
    let costs = CostModel::from_bps(1.0)?;
    let config = PpoConfig { n_envs, ..PpoConfig::default() };
    let envs =
        (0..n_envs).map(|_| TradingEnv::new(Arc::clone(market), costs, EPISODE_BARS)).collect();
    let mut trainer = Trainer::new(config, envs, 0)?;
    // One iteration to warm up caches and the processor's clock.
    trainer.iterate();
    let (before, begun) = (trainer.trained_timesteps(), Instant::now());
    while trainer.trained_timesteps() - before < TIMESTEPS {
        trainer.iterate();
    }
    let trained = trainer.trained_timesteps() - before;
    Ok(trained as f64 / begun.elapsed().as_secs_f64())
}
