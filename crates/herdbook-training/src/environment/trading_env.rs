//! The trading environment: one instrument, a target position per bar, filled at the next bar's open.

use std::ops::Range;
use std::sync::Arc;

use herdbook_market::{Account, Bar, CostModel, Position};
use herdbook_ppo::{Env, EpisodeEnd, ResumableEnv, Rng, Step};
use serde::{Deserialize, Serialize};

use crate::environment::episode_starts::EpisodeStarts;
use crate::environment::market_data::MarketData;
use crate::environment::observation::{INITIAL_EQUITY, OBS_LEN, write_observation};

/// Growth in one timestep beyond these bounds counts as the bound in the reward: the logarithm of nothing is
/// infinite, and so is that of an account beyond the largest number.
const GROWTH_BOUNDS: (f64, f64) = (0.01, 100.0);
/// What an episode brought, by the segment of the window it started in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EpisodeSummary {
    /// See [`Starts`].
    pub segment: usize,
    /// Mean reward per timestep.
    pub mean_reward: f64,
    /// Mean change of the position per timestep: 2 from long to short.
    pub turnover: f64,
    /// Costs in basis points a side.
    pub cost_bps: f64,
}

/// The environment a model is trained in.
#[derive(Debug)]
pub struct TradingEnv {
    market: Arc<MarketData>,
    /// Those that episodes are played on.
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

/// What the coming timesteps of an environment depend on, beside its bars.
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

    /// An environment over some bars with features, two at least. Where they are no more than an episode, every
    /// episode starts at the first.
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

    /// Index of the last closed bar: all that is known.
    pub fn bar_idx(&self) -> usize {
        self.bar_idx
    }

    /// The account's worth at the close of the last bar, in units of which an episode starts with 10,000.
    pub fn equity(&self) -> f64 {
        self.account.equity()
    }

    /// What is held.
    pub fn position(&self) -> Position {
        self.account.position()
    }

    /// Where episodes start.
    pub(crate) fn starts_mut(&mut self) -> &mut EpisodeStarts {
        &mut self.starts
    }

    /// Sets the costs of the episodes to come.
    pub fn set_costs(&mut self, costs: CostModel) {
        self.costs = costs;
    }

    /// The episodes that ended since this was last asked.
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

/// The bars of the training window that have features.
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

/// Steps an account and answers the reward: `100·ln(E_t / E_{t−1})`, costs paid.
fn step_account(account: &mut Account, target: Position, next: &Bar) -> f64 {
    let before = account.equity();
    reward(before, account.step(target, next))
}

/// The reward of one timestep, from the equity before and after it; 0 where both are beyond the largest number.
pub(crate) fn reward(before: f64, after: f64) -> f64 {
    let growth = after / before;
    if growth.is_nan() {
        return 0.0;
    }
    100.0 * growth.clamp(GROWTH_BOUNDS.0, GROWTH_BOUNDS.1).ln()
}
