//! The input of an enhancement before training.

use herdbook_market::CostModel;
use herdbook_ppo::Policy;

use crate::environment::market_data::MarketData;

/// The inputs from which an enhancement prepares the environments.
pub(crate) struct EnhancementSetup<'a> {
    /// The bars and their windows.
    pub market: &'a MarketData,
    /// Full costs, those of the request.
    pub costs: CostModel,
    /// Full length of an episode, in bars.
    pub episode_bars: usize,
    /// Timesteps of one rollout.
    pub(crate) rollout_len: u64,
    /// Timesteps to train.
    pub timesteps: u64,
    /// Entropy coefficient of the request.
    pub(crate) ent_coef: f64,
    /// The policy of the parent.
    pub parent: &'a Policy,
}
