//! What an enhancement knows before training.

use herdbook_market::CostModel;
use herdbook_ppo::Policy;

use crate::environment::market_data::MarketData;

/// What a coach is told before training.
pub(crate) struct EnhancementSetup<'a> {
    /// The bars.
    pub market: &'a MarketData,
    /// Full costs.
    pub costs: CostModel,
    /// Full length of an episode, in bars.
    pub episode_bars: usize,
    /// Timesteps of one rollout.
    pub(crate) rollout_len: u64,
    /// Timesteps to be trained.
    pub timesteps: u64,
    /// The parent as it is before training.
    pub parent: &'a Policy,
}
