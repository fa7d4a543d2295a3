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
