//! The trading environment: one instrument; the action is the target position, filled at the open of the next bar.

use std::ops::Range;
use std::sync::Arc;

use herdbook_market::{Account, Bar, CostModel, Position};
use herdbook_ppo::{Env, EpisodeEnd, ResumableEnv, Rng, Step};
use serde::{Deserialize, Serialize};

use crate::environment::episode_starts::EpisodeStarts;
use crate::environment::market_data::MarketData;
use crate::environment::observation::{INITIAL_EQUITY, OBS_LEN, write_observation};

/// The reward clamps the growth of one timestep to these bounds, since the logarithm is infinite for an account that
/// lost everything or overflowed.
const GROWTH_BOUNDS: (f64, f64) = (0.01, 100.0);
/// Results of one finished episode.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EpisodeSummary {
    /// Index of the segment it started in, see [`EpisodeStarts`].
    pub segment: usize,
    /// Mean reward per timestep.
    pub mean_reward: f64,
    /// Mean absolute change of the position per timestep; from long to short is a change of 2.
    pub turnover: f64,
    /// Basis points of traded notional charged per side.
    pub cost_bps: f64,
}

/// The environment a model is trained in.
#[derive(Debug)]
pub struct TradingEnv {
    market: Arc<MarketData>,
    /// Episodes take place within these bars.
    bars: Range<usize>,
    costs: CostModel,
    episode_bars: usize,
    starts: EpisodeStarts,
    account: Account,
    /// The last closed bar.
    bar_idx: usize,
    episode: Range<usize>,
    segment: usize,
    reward_sum: f64,
    turnover_sum: f64,
    finished: Vec<EpisodeSummary>,
}

/// State of an environment, without its bars: all that later timesteps depend on.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EnvState {
    account: Account,
    bar_idx: usize,
    episode: Range<usize>,
    segment: usize,
    reward_sum: f64,
    turnover_sum: f64,
    costs: CostModel,
    episode_bars: usize,
    starts: EpisodeStarts,
}

impl TradingEnv {
    /// An environment over the training window.
    pub fn new(market: Arc<MarketData>, costs: CostModel, episode_bars: usize) -> Self {
        let bars = training_bars(&market);
        Self::over(market, bars, costs, episode_bars)
    }

    /// An environment over at least two bars with features. If an episode is as long as the bars or longer, every
    /// episode starts at the first bar.
    pub(crate) fn over(
        market: Arc<MarketData>,
        bars: Range<usize>,
        costs: CostModel,
        episode_bars: usize,
    ) -> Self {
        let starts = EpisodeStarts::uniform(bars.clone(), episode_bars);
        Self {
            account: Account::new(INITIAL_EQUITY, costs),
            bar_idx: bars.start,
            episode: bars.clone(),
            bars,
            market,
            costs,
            episode_bars,
            starts,
            segment: 0,
            reward_sum: 0.0,
            turnover_sum: 0.0,
            finished: Vec::new(),
        }
    }

    /// Index of the last closed bar, the newest one that the observation contains.
    pub fn bar_idx(&self) -> usize {
        self.bar_idx
    }

    /// Equity at the close of the last bar, in account currency. An episode starts with 10,000.
    pub fn equity(&self) -> f64 {
        self.account.equity()
    }

    /// The position held.
    pub fn position(&self) -> Position {
        self.account.position()
    }

    /// The distribution of episode starts.
    pub(crate) fn starts_mut(&mut self) -> &mut EpisodeStarts {
        &mut self.starts
    }

    /// Sets the costs, from the next episode on.
    pub fn set_costs(&mut self, costs: CostModel) {
        self.costs = costs;
    }

    /// Takes the results of the episodes that ended since the last call.
    pub fn take_finished(&mut self) -> Vec<EpisodeSummary> {
        std::mem::take(&mut self.finished)
    }

    fn end(&self) -> EpisodeEnd {
        if self.account.is_ruined() {
            EpisodeEnd::Terminated
        } else if self.bar_idx + 1 >= self.episode.end {
            EpisodeEnd::Truncated
        } else {
            EpisodeEnd::Running
        }
    }
}

/// Indices of the bars of the training window that have features.
pub(crate) fn training_bars(market: &MarketData) -> Range<usize> {
    let window = &market.split.train.bars;
    window.start.max(market.tape.features.first())..window.end
}

impl Env for TradingEnv {
    fn obs_len(&self) -> usize {
        OBS_LEN
    }

    fn n_actions(&self) -> usize {
        Position::ALL.len()
    }

    fn reset(&mut self, rng: &mut Rng, obs: &mut [f32]) {
        let (segment, start) = self.starts.draw(rng);
        let last = self.bars.end;
        self.segment = segment;
        self.episode = start..(start + self.episode_bars + 1).min(last);
        self.bar_idx = start;
        self.account = Account::new(INITIAL_EQUITY, self.costs);
        self.reward_sum = 0.0;
        self.turnover_sum = 0.0;
        write_observation(&self.market.tape, self.bar_idx, &self.account, obs);
    }

    fn step(&mut self, action: usize, obs: &mut [f32]) -> Step {
        let target = Position::from_action(action).expect("the caller gives one of `n_actions`");
        let before = self.account.position();
        self.turnover_sum += (target.sign() - before.sign()).abs();
        let next = &self.market.tape.bars.as_slice()[self.bar_idx + 1];
        let reward = step_account(&mut self.account, target, next);
        self.bar_idx += 1;
        self.reward_sum += reward;
        write_observation(&self.market.tape, self.bar_idx, &self.account, obs);
        let end = self.end();
        if end != EpisodeEnd::Running {
            let timesteps = (self.bar_idx - self.episode.start) as f64;
            self.finished.push(EpisodeSummary {
                segment: self.segment,
                mean_reward: self.reward_sum / timesteps,
                turnover: self.turnover_sum / timesteps,
                cost_bps: self.account.costs().bps(),
            });
        }
        Step { reward: reward as f32, end }
    }
}

impl ResumableEnv for TradingEnv {
    type State = EnvState;

    fn state(&self) -> EnvState {
        EnvState {
            account: self.account,
            bar_idx: self.bar_idx,
            episode: self.episode.clone(),
            segment: self.segment,
            reward_sum: self.reward_sum,
            turnover_sum: self.turnover_sum,
            costs: self.costs,
            episode_bars: self.episode_bars,
            starts: self.starts.clone(),
        }
    }

    fn restore(&mut self, state: EnvState) -> Result<(), String> {
        let is_inside = self.bars.contains(&state.bar_idx) && state.episode.end <= self.bars.end;
        if !is_inside || state.starts.segments() != self.starts.segments() {
            return Err("an episode lies outside the training window".to_owned());
        }
        self.account = state.account;
        self.bar_idx = state.bar_idx;
        self.episode = state.episode;
        self.segment = state.segment;
        self.reward_sum = state.reward_sum;
        self.turnover_sum = state.turnover_sum;
        self.costs = state.costs;
        self.episode_bars = state.episode_bars;
        self.starts = state.starts;
        Ok(())
    }
}

/// Moves the account to the next bar and returns the reward, see [`reward`].
fn step_account(account: &mut Account, target: Position, next: &Bar) -> f64 {
    let before = account.equity();
    reward(before, account.step(target, next))
}

/// The reward of one timestep: `100·ln(after / before)` of the equity after costs, so in percent of log growth. The
/// growth is clamped to [`GROWTH_BOUNDS`]; the reward is 0 if the growth is not a number.
pub(crate) fn reward(before: f64, after: f64) -> f64 {
    let growth = after / before;
    if growth.is_nan() {
        return 0.0;
    }
    100.0 * growth.clamp(GROWTH_BOUNDS.0, GROWTH_BOUNDS.1).ln()
}

#[cfg(test)]
mod tests {
    use herdbook_domain::{Symbol, Timeframe};
    use herdbook_market::Boundaries;

    use super::*;
    use crate::environment::market_data::DataSource;

    const EPISODE_BARS: usize = 32;
    const SHORT: usize = 0;
    const LONG: usize = 2;

    /// An environment over hourly bars whose price is multiplied by `jump` every 100 bars and then returns.
    fn env(jump: f64, cost_bps: f64) -> TradingEnv {
        let mut csv = String::from("timestamp,open,high,low,close\n");
        for idx in 0..1_500_i64 {
            let price = if idx % 100 == 50 { 100.0 * jump } else { 100.0 };
            csv += &format!("{},{price},{price},{price},{price}\n", 1_500_000_000 + idx * 3_600);
        }
        let symbol = Symbol::parse("JUMP").unwrap();
        let source = DataSource::new("jumps.csv", symbol, csv.into_bytes());
        let market = MarketData::prepare(&source, Timeframe::Hour1, Boundaries::default()).unwrap();
        TradingEnv::new(Arc::new(market), CostModel::from_bps(cost_bps).unwrap(), EPISODE_BARS)
    }

    /// Plays one episode with a fixed action; returns the rewards and the end.
    fn episode(env: &mut TradingEnv, seed: u64, action: usize) -> (Vec<f32>, EpisodeEnd) {
        let mut obs = [0.0; OBS_LEN];
        env.reset(&mut Rng::new(seed), &mut obs);
        let mut rewards = Vec::new();
        loop {
            let step = env.step(action, &mut obs);
            rewards.push(step.reward);
            if step.end != EpisodeEnd::Running {
                return (rewards, step.end);
            }
        }
    }

    #[test]
    fn reward_is_log_growth_in_percent_within_bounds() {
        assert!((reward(100.0, 101.0) - 100.0 * 1.01_f64.ln()).abs() < 1e-12);
        assert!((reward(100.0, 0.0) - 100.0 * 0.01_f64.ln()).abs() < 1e-12);
        assert!((reward(1.0, f64::INFINITY) - 100.0 * 100.0_f64.ln()).abs() < 1e-12);
        assert!(reward(f64::INFINITY, f64::INFINITY).abs() < 1e-12);
    }

    #[test]
    fn loss_of_the_account_terminates_and_a_time_limit_truncates() {
        let mut env = env(3.0, 0.0);
        let ends: Vec<(Vec<f32>, EpisodeEnd)> =
            (0..40).map(|seed| episode(&mut env, seed, SHORT)).collect();
        let lost = ends.iter().find(|(_, end)| *end == EpisodeEnd::Terminated).unwrap();
        assert!((f64::from(*lost.0.last().unwrap()) - 100.0 * 0.01_f64.ln()).abs() < 1e-3);
        assert!(lost.0.len() < EPISODE_BARS);
        let limited = ends.iter().find(|(_, end)| *end == EpisodeEnd::Truncated).unwrap();
        assert_eq!(limited.0.len(), EPISODE_BARS);
    }

    #[test]
    fn new_costs_apply_from_the_next_episode_on() {
        let mut env = env(1.0, 0.0);
        let mut obs = [0.0; OBS_LEN];
        env.reset(&mut Rng::new(1), &mut obs);
        env.set_costs(CostModel::from_bps(10.0).unwrap());
        assert!(env.step(LONG, &mut obs).reward.abs() < 1e-6, "the running episode has no costs");
        // Entry at 10 basis points costs about 0.1 %, once.
        let (rewards, _) = episode(&mut env, 2, LONG);
        assert!((rewards[0] + 0.1).abs() < 1e-3, "{}", rewards[0]);
        assert!(rewards[1..].iter().all(|reward| reward.abs() < 1e-6));
    }

    #[test]
    fn finished_episode_reports_its_mean_reward_turnover_and_costs() {
        let mut env = env(1.0, 10.0);
        let (rewards, _) = episode(&mut env, 3, LONG);
        let finished = env.take_finished();
        let [found] = finished[..] else { panic!("{finished:?}") };
        let mean =
            rewards.iter().map(|reward| f64::from(*reward)).sum::<f64>() / EPISODE_BARS as f64;
        assert!((found.mean_reward - mean).abs() < 1e-6);
        // From flat to long once.
        assert!((found.turnover - 1.0 / EPISODE_BARS as f64).abs() < 1e-12);
        assert!((found.cost_bps - 10.0).abs() < 1e-9);
        assert!(env.take_finished().is_empty());
    }

    #[test]
    fn state_outside_the_bars_is_refused() {
        let mut env = env(1.0, 0.0);
        let state = env.state();
        let end = env.bars.end;
        assert!(env.restore(EnvState { bar_idx: end, ..state.clone() }).is_err());
        assert!(env.restore(EnvState { episode: 0..end + 1, ..state.clone() }).is_err());
        let other = EpisodeStarts::uniform(env.bars.clone(), 2 * EPISODE_BARS);
        assert!(env.restore(EnvState { starts: other, ..state.clone() }).is_err());
        env.restore(state).unwrap();
    }
}
