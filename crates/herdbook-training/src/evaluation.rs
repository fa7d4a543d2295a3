//! Judging a policy: five equal episodes, one uninterrupted pass, and what doing nothing clever would have
//! brought.

use std::collections::BTreeMap;
use std::ops::Range;

use herdbook_market::metrics::{Performance, performance, returns};
use herdbook_market::{BarWindow, CostModel, Ledger, Position};
use herdbook_ppo::Policy;

use crate::env::{INITIAL_EQUITY, OBS_LEN, reward, write_observation};
use crate::market_data::{MarketData, Tape};

/// Rewards and returns of the equal, consecutive episodes of a window under the deterministic policy.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct EpisodeScores {
    /// Mean sum of rewards of an episode.
    pub mean_reward: f64,
    /// Their standard deviation, divisor n as in stable-baselines3's `evaluate_policy`.
    pub std_reward: f64,
    /// Mean total return of an episode, a fraction.
    pub mean_return: f64,
}

/// Runs the deterministic policy over the episodes of a window.
pub(crate) fn score_episodes(
    tape: &Tape,
    window: &BarWindow,
    costs: CostModel,
    policy: &Policy,
) -> EpisodeScores {
    let episodes = window.evaluation_episodes();
    let n = episodes.len() as f64;
    let (mut rewards, mut total_return) = (Vec::with_capacity(episodes.len()), 0.0);
    for bars in episodes {
        let ledger = pass(tape, bars, costs, policy);
        rewards.push(ledger.equity().windows(2).map(|pair| reward(pair[0], pair[1])).sum::<f64>());
        total_return += ledger.account().equity() / INITIAL_EQUITY - 1.0;
    }
    let mean_reward = rewards.iter().sum::<f64>() / n;
    let variance = rewards.iter().map(|reward| (reward - mean_reward).powi(2)).sum::<f64>() / n;
    EpisodeScores { mean_reward, std_reward: variance.sqrt(), mean_return: total_return / n }
}

/// Runs the deterministic policy over bars without a break, until the end or the total loss of the account.
pub(crate) fn pass(tape: &Tape, bars: Range<usize>, costs: CostModel, policy: &Policy) -> Ledger {
    let mut scratch = policy.scratch();
    let mut obs = [0.0; OBS_LEN];
    run(tape, bars, costs, |bar_idx, ledger| {
        write_observation(tape, bar_idx, ledger.account(), &mut obs);
        let action = policy.act_deterministic(&obs, &mut scratch);
        Position::from_action(action).expect("a policy has one output per position")
    })
}

/// Holds one position over bars: what buy-and-hold, or staying flat, brings.
pub(crate) fn hold(
    tape: &Tape,
    bars: Range<usize>,
    costs: CostModel,
    position: Position,
) -> Ledger {
    run(tape, bars, costs, |_, _| position)
}

fn run(
    tape: &Tape,
    bars: Range<usize>,
    costs: CostModel,
    mut decide: impl FnMut(usize, &Ledger) -> Position,
) -> Ledger {
    let mut ledger = Ledger::new(INITIAL_EQUITY, costs, bars.start);
    let slice = tape.bars.as_slice();
    for bar_idx in bars.start..bars.end - 1 {
        let target = decide(bar_idx, &ledger);
        ledger.step(target, &slice[bar_idx + 1]);
        if ledger.account().is_ruined() {
            break;
        }
    }
    ledger
}

/// The performance of what a ledger tells.
pub(crate) fn judge_ledger(tape: &Tape, ledger: &Ledger) -> Performance {
    performance(ledger.equity(), ledger.trades(), ledger.account().into(), tape.bars_per_year)
}

/// What was measured of a finished policy.
#[derive(Debug)]
pub(crate) struct Measured {
    /// By the names of spec §7.
    pub(crate) metrics: BTreeMap<String, f64>,
    /// The test window in one pass.
    pub(crate) performance: Performance,
    /// The returns of that pass, bar by bar.
    pub(crate) returns: Vec<f64>,
    /// That pass itself.
    pub(crate) ledger: Ledger,
}

/// Everything that is measured of a finished policy, by the names of spec §7: `evaluation/*` on the validation
/// window, `final/*` and `portfolio/*` on the test window. Undefined metrics are absent.
pub(crate) fn measure(market: &MarketData, costs: CostModel, policy: &Policy) -> Measured {
    let validation = score_episodes(&market.tape, &market.split.validation, costs, policy);
    let test = score_episodes(&market.tape, &market.split.test, costs, policy);
    let ledger = pass(&market.tape, market.split.test.bars.clone(), costs, policy);
    let performance = judge_ledger(&market.tape, &ledger);
    let mut metrics = BTreeMap::from([
        ("evaluation/mean_reward".to_owned(), validation.mean_reward),
        ("evaluation/std_reward".to_owned(), validation.std_reward),
        ("final/mean_reward".to_owned(), test.mean_reward),
        ("final/std_reward".to_owned(), test.std_reward),
        ("final/mean_return".to_owned(), test.mean_return),
    ]);
    metrics.extend(
        performance.defined().into_iter().map(|(name, value)| (format!("portfolio/{name}"), value)),
    );
    metrics.retain(|_, value| value.is_finite());
    let returns = returns(ledger.equity()).unwrap_or_default();
    Measured { metrics, performance, returns, ledger }
}
