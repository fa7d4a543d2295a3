//! Measures a policy on a window: five equal episodes, and one uninterrupted pass.

use std::collections::BTreeMap;
use std::ops::Range;

use herdbook_market::metrics::{Performance, performance, returns};
use herdbook_market::{BarWindow, CostModel, Ledger, Position};
use herdbook_ppo::Policy;

use crate::environment::market_data::{MarketData, Tape};
use crate::environment::observation::{INITIAL_EQUITY, OBS_LEN, write_observation};
use crate::environment::trading_env::reward;

/// Rewards and returns of the deterministic policy over the five equal, consecutive episodes of a window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct EpisodeScores {
    /// Mean over the episodes of the sum of rewards.
    pub mean_reward: f64,
    /// Standard deviation of the sum of rewards, with divisor n as in `evaluate_policy` of stable-baselines3.
    pub std_reward: f64,
    /// Mean total return of an episode, as a fraction.
    pub mean_return: f64,
}

/// Runs the deterministic policy over the episodes of a window, each from a flat account.
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
        let ledger = run_policy(tape, bars, costs, policy);
        rewards.push(ledger.equity().windows(2).map(|pair| reward(pair[0], pair[1])).sum::<f64>());
        total_return += ledger.account().equity() / INITIAL_EQUITY - 1.0;
    }
    let mean_reward = rewards.iter().sum::<f64>() / n;
    let variance = rewards.iter().map(|reward| (reward - mean_reward).powi(2)).sum::<f64>() / n;
    EpisodeScores { mean_reward, std_reward: variance.sqrt(), mean_return: total_return / n }
}

/// Runs the deterministic policy over `bars` in one pass from a flat account. Stops early if the account is lost.
pub(crate) fn run_policy(
    tape: &Tape,
    bars: Range<usize>,
    costs: CostModel,
    policy: &Policy,
) -> Ledger {
    let mut scratch = policy.scratch();
    let mut obs = [0.0; OBS_LEN];
    run_rule(tape, bars, costs, |bar_idx, ledger| {
        write_observation(tape, bar_idx, ledger.account(), &mut obs);
        let action = policy.act_deterministic(&obs, &mut scratch);
        Position::from_action(action).expect("a policy has one output per position")
    })
}

/// Holds one position over `bars`: buy-and-hold for long, doing nothing for flat.
pub(crate) fn hold_position(
    tape: &Tape,
    bars: Range<usize>,
    costs: CostModel,
    position: Position,
) -> Ledger {
    run_rule(tape, bars, costs, |_, _| position)
}

/// Runs any rule over `bars` in one pass from a flat account. `decide` gets the index of the bar that closed last, and the
/// account. Stops early if the account is lost.
pub(crate) fn run_rule(
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

/// Performance metrics of an account.
pub(crate) fn performance_of(tape: &Tape, ledger: &Ledger) -> Performance {
    performance(ledger.equity(), ledger.trades(), ledger.account().into(), tape.bars_per_year)
}

/// Measurements of a finished policy.
#[derive(Debug)]
pub(crate) struct Measurement {
    /// Metrics by name: `evaluation/*`, `final/*`, `portfolio/*`. Undefined ones are absent.
    pub(crate) metrics: BTreeMap<String, f64>,
    /// Performance on the test window in one pass.
    pub(crate) performance: Performance,
    /// Returns of that pass, bar by bar, as fractions.
    pub(crate) returns: Vec<f64>,
    /// The account during that pass.
    pub(crate) ledger: Ledger,
}

/// Measures a finished policy: `evaluation/*` on the validation window, `final/*` and `portfolio/*` on the test
/// window.
pub(crate) fn measure(market: &MarketData, costs: CostModel, policy: &Policy) -> Measurement {
    let validation = score_episodes(&market.tape, &market.split.validation, costs, policy);
    let test = score_episodes(&market.tape, &market.split.test, costs, policy);
    let ledger = run_policy(&market.tape, market.split.test.bars.clone(), costs, policy);
    let performance = performance_of(&market.tape, &ledger);
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
    Measurement { metrics, performance, returns, ledger }
}
