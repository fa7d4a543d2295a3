//! Speed of running a model: the policy on one observation, the account alone, and both together.

use std::sync::Arc;
use std::time::{Duration, Instant};

use herdbook_domain::Timeframe;
use herdbook_market::{CostModel, Ledger, Position};
use herdbook_ppo::{Env, EpisodeEnd, PpoConfig, Rng, Trainer};
use herdbook_training::{Boundaries, DataSource, MarketData, OBS_LEN, TradingEnv};

use crate::figure;

const N_OBSERVATIONS: u32 = 1_000_000;
/// As in a backtest: one pass, not divided into episodes.
const WHOLE: usize = usize::MAX / 2;
const PASSES: usize = 20;

pub(crate) fn measure() -> anyhow::Result<()> {
    let (source, _) = DataSource::sample(Timeframe::Minute1)?;
    let market = MarketData::prepare(&source, Timeframe::Minute1, Boundaries::default())?;
    let market = Arc::new(market);
    let costs = CostModel::from_bps(1.0)?;
    let env = || TradingEnv::new(Arc::clone(&market), costs, WHOLE);
    let trainer = Trainer::new(PpoConfig::default(), vec![env()], 0)?;
    let policy = trainer.policy();
    let mut scratch = policy.scratch();

    let mut obs = [0.1_f32; OBS_LEN];
    let begun = Instant::now();
    let mut sum = 0;
    for idx in 0..N_OBSERVATIONS {
        obs[0] = idx as f32 * 1e-6;
        sum += policy.act_deterministic(&obs, &mut scratch);
    }
    std::hint::black_box(sum);
    let each = begun.elapsed() / N_OBSERVATIONS;
    figure::print("action for one observation", &format!("{} ns", each.as_nanos()), "2000 ns");

    let bars = market.tape.bars.as_slice();
    let begun = Instant::now();
    for _ in 0..PASSES {
        let mut ledger = Ledger::new(10_000.0, costs, 0);
        for (idx, bar) in bars.iter().enumerate().skip(1) {
            ledger.step(Position::ALL[idx / 7 % 3], bar);
        }
        std::hint::black_box(ledger.account().equity());
    }
    per_second("account simulation", PASSES * bars.len(), begun.elapsed(), "at least 2000000");

    let (mut env, mut rng, mut n_steps) = (env(), Rng::new(0), 0);
    let begun = Instant::now();
    for _ in 0..PASSES {
        env.reset(&mut rng, &mut obs);
        loop {
            n_steps += 1;
            let action = policy.act_deterministic(&obs, &mut scratch);
            if env.step(action, &mut obs).end != EpisodeEnd::Running {
                break;
            }
        }
        env.take_finished();
    }
    per_second("the same with the policy", n_steps, begun.elapsed(), "at least 400000");
    Ok(())
}

fn per_second(what: &str, n_bars: usize, took: Duration, limit: &str) {
    let speed = n_bars as f64 / took.as_secs_f64();
    figure::print(what, &format!("{speed:.0} bars/s"), limit);
}
