//! Steps per second of the trainer in the real environment (rollouts and updates), on one thread and on two, and the
//! update's share of the core's peak rate.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Instant;

use herdbook_domain::Timeframe;
use herdbook_market::CostModel;
use herdbook_ppo::{PpoConfig, Trainer};
use herdbook_training::{Boundaries, DataSource, EPISODE_BARS, MarketData, OBS_LEN, TradingEnv};

use crate::{figure, peak};

/// Timesteps of one measurement: a whole number of rollouts for 1 and for 8 environments.
const TIMESTEPS: u64 = 8 * 16_384;
/// Measurements of each kind, alternating with those they are compared with.
const REPEATED: usize = 5;
const N_ACTIONS: usize = 3;

pub(crate) fn measure() -> anyhow::Result<()> {
    let (source, _) = DataSource::sample(Timeframe::Hour1)?;
    let market = MarketData::prepare(&source, Timeframe::Hour1, Boundaries::default())?;
    let market = Arc::new(market);
    let config = PpoConfig::default();
    for n_envs in [1, 8] {
        let config = PpoConfig { n_envs, ..config.clone() };
        let [mut alone, mut together] = [Vec::new(), Vec::new()];
        for _ in 0..REPEATED {
            alone.push(seconds_per_step(&market, &config, 1)?);
            together.push(seconds_per_step(&market, &config, 2)?);
        }
        let ratios = alone.iter().zip(&together).map(|(alone, together)| alone / together);
        let ratio = middle(ratios.collect());
        let what = format!("PPO, {n_envs} environment(s), batch 64, 10 epochs");
        let speed = format!("{:.0} steps/s", 1.0 / middle(alone));
        figure::print(&what, &speed, if has_avx512() { "at least 150000" } else { "" });
        let speed = format!("{:.0} steps/s", 1.0 / middle(together));
        let limit = if n_envs == 8 { "at least 1.4" } else { "no limit set" };
        figure::print("  on two threads", &speed, "");
        figure::print("  times as fast as on one", &format!("{ratio:.2}"), limit);
    }
    update(&market, &config)
}

/// The limit is for cores with two AVX-512 multiply-adds per cycle. Cores with one stay below it.
fn has_avx512() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::arch::is_x86_feature_detected!("avx512f");
    #[cfg(not(target_arch = "x86_64"))]
    return false;
}

/// The update alone: the difference between ten epochs and one.
fn update(market: &Arc<MarketData>, config: &PpoConfig) -> anyhow::Result<()> {
    let one_epoch = PpoConfig { n_epochs: 1, ..config.clone() };
    let epochs = (config.n_epochs - 1) as f64;
    let (mut peaks, mut speeds) = (Vec::new(), Vec::new());
    for _ in 0..REPEATED {
        peaks.push(peak::flops_per_second());
        let long = seconds_per_step(market, config, 1)?;
        let short = seconds_per_step(market, &one_epoch, 1)?;
        speeds.push(operations(config) * epochs / (long - short));
    }
    let (peak, speed) = (middle(peaks), middle(speeds));
    let giga = |speed: f64| format!("{:.0} GFLOP/s", speed / 1e9);
    figure::print("multiply-adds of one core, at most", &giga(peak), "");
    figure::print("matrix products of the update", &giga(speed), "");
    let percent = format!("{:.0} %", 100.0 * speed / peak);
    figure::print("  of what the core could do", &percent, "at least 50 %");
    Ok(())
}

/// The floating-point operations that one row of an update needs: the forward pass, the gradient of the weights, and the
/// gradient of the inputs except for the first layer. Padding, activations and the optimizer are not counted.
fn operations(config: &PpoConfig) -> f64 {
    let of = |hidden: &[usize], head: usize| -> usize {
        let widths: Vec<usize> = [OBS_LEN].iter().chain(hidden).chain(&[head]).copied().collect();
        let products: Vec<usize> = widths.windows(2).map(|pair| pair[0] * pair[1]).collect();
        3 * products.iter().sum::<usize>() - products[0]
    };
    let products = of(&config.net_arch.pi, N_ACTIONS) + of(&config.net_arch.vf, 1);
    2.0 * products as f64
}

fn seconds_per_step(
    market: &Arc<MarketData>,
    config: &PpoConfig,
    n_threads: usize,
) -> anyhow::Result<f64> {
    let costs = CostModel::from_bps(1.0)?;
    let envs = (0..config.n_envs)
        .map(|_| TradingEnv::new(Arc::clone(market), costs, EPISODE_BARS))
        .collect();
    let mut trainer = Trainer::new(config.clone(), envs, 0)?;
    trainer.set_threads(NonZeroUsize::new(n_threads).unwrap_or(NonZeroUsize::MIN));
    // One iteration before, to warm up caches and the clock of the processor.
    trainer.iterate();
    let (before, begun) = (trainer.trained_timesteps(), Instant::now());
    while trainer.trained_timesteps() - before < TIMESTEPS {
        trainer.iterate();
    }
    let trained = trainer.trained_timesteps() - before;
    Ok(begun.elapsed().as_secs_f64() / trained as f64)
}

/// The median of some numbers.
pub(crate) fn middle(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}
