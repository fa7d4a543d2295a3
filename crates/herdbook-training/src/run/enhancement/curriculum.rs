//! `curriculum`: training begins without costs, and costs grow with what the model earns, up to the full ones.
//!
//! Where costs are many times what a bar moves, trying anything out costs more than it can bring until the model is
//! skilled: training at full costs learns to leave its position alone before it has seen what there is to earn. So the
//! skill comes first (Bengio, Louradour, Collobert, Weston 2009, "Curriculum learning"), and the pace is the learner's
//! own (Kumar, Packer, Koller 2010, "Self-paced learning"): a model that still trades at random can pay next to nothing,
//! one that holds what it earns can pay the full price. Nobody has to know at which costs that is.

use std::collections::VecDeque;

use herdbook_market::CostModel;
use serde::{Deserialize, Serialize};

use crate::environment::trading_env::{EpisodeSummary, TradingEnv};
use crate::run::enhancement::setup::EnhancementSetup;

/// Costs may take this share of what the model earns before them: more, and what pays hardly shows in the reward.
const BEARABLE: f64 = 0.7;
/// Costs grow after an iteration at most by this factor, and by this share of the full ones: a lucky episode is no skill.
const LARGEST_STEP: (f64, f64) = (1.5, 0.05);
/// A model is judged by the episodes of the last rollout, and by this many at least.
const JUDGED_BY: usize = 4;
/// The share of the training after which costs are the full ones, whatever was earned: the rest is for getting used to
/// them.
const FULL_FROM: f64 = 0.6;
/// How late the costs come that are charged whatever was earned: their share of the full ones is the share of the time
/// until [`FULL_FROM`], to this power.
const LATENESS: i32 = 4;
/// The unit of rewards is a percent.
const BPS_PER_PERCENT: f64 = 100.0;

/// How far the costs have grown.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Curriculum {
    full_costs: CostModel,
    timesteps: u64,
    rollout_len: u64,
    /// Of the full costs.
    share: f64,
    /// What the last episodes earned before costs, in percent a bar, and their turnover.
    recent: VecDeque<(f64, f64)>,
}

impl Curriculum {
    pub(super) fn new(setup: &EnhancementSetup<'_>, envs: &mut [TradingEnv]) -> Self {
        let mut curriculum = Self {
            full_costs: setup.costs,
            timesteps: setup.timesteps,
            rollout_len: setup.rollout_len,
            share: 0.0,
            recent: VecDeque::new(),
        };
        curriculum.advance(0);
        curriculum.apply(envs);
        curriculum
    }

    pub(super) fn after_iteration(&mut self, trained: u64, envs: &mut [TradingEnv]) {
        let finished: Vec<EpisodeSummary> =
            envs.iter_mut().flat_map(TradingEnv::take_finished).collect();
        self.learn(&finished);
        if self.advance(trained) {
            self.apply(envs);
        }
    }

    pub(super) fn metrics(&self) -> Vec<(&'static str, f64)> {
        vec![("training/curriculum_cost_bps", self.costs().bps())]
    }

    fn learn(&mut self, finished: &[EpisodeSummary]) {
        self.recent.extend(finished.iter().map(|episode| {
            let paid = episode.turnover * episode.cost_bps / BPS_PER_PERCENT;
            (episode.mean_reward + paid, episode.turnover)
        }));
        let n_judged = finished.len().max(JUDGED_BY);
        self.recent.drain(..self.recent.len().saturating_sub(n_judged));
    }

    /// Raises the costs where it is time to; says whether it did. They are never lowered, and the last rollout is always
    /// charged the full ones: every child is trained on the market as it is.
    fn advance(&mut self, trained: u64) -> bool {
        let step = self.share * LARGEST_STEP.0 + LARGEST_STEP.1;
        let time = (trained as f64 / (FULL_FROM * self.timesteps as f64)).min(1.0);
        let is_last = trained + self.rollout_len >= self.timesteps;
        let due = if is_last { 1.0 } else { time.powi(LATENESS) };
        let next = self.bearable().min(step).max(due).clamp(self.share, 1.0);
        let grows = next > self.share;
        self.share = next;
        grows
    }

    /// The share of the full costs that the model can bear, by what it earned and how much it traded.
    fn bearable(&self) -> f64 {
        if self.recent.len() < JUDGED_BY {
            return self.share;
        }
        let earned: f64 = self.recent.iter().map(|(earned, _)| earned).sum();
        let turnover: f64 = self.recent.iter().map(|(_, turnover)| turnover).sum();
        let full = turnover * self.full_costs.bps() / BPS_PER_PERCENT;
        if full > 0.0 { BEARABLE * earned / full } else { self.share }
    }

    fn costs(&self) -> CostModel {
        CostModel::from_bps(self.full_costs.bps() * self.share)
            .expect("a share of valid costs is valid")
    }

    fn apply(&self, envs: &mut [TradingEnv]) {
        for env in envs {
            env.set_costs(self.costs());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curriculum(timesteps: u64) -> Curriculum {
        Curriculum {
            full_costs: CostModel::from_bps(100.0).unwrap(),
            timesteps,
            rollout_len: 2_000,
            share: 0.0,
            recent: VecDeque::new(),
        }
    }

    fn after(curriculum: &mut Curriculum, trained: u64, mean_reward: f64, turnover: f64) -> f64 {
        let cost_bps = curriculum.costs().bps();
        let episode = EpisodeSummary { segment: 0, mean_reward, turnover, cost_bps };
        curriculum.learn(&[episode; JUDGED_BY]);
        curriculum.advance(trained);
        curriculum.share
    }

    #[test]
    fn costs_grow_with_what_is_earned() {
        // Full costs of 100 bp make 0.8 % a bar of random trading, and 0.02 % of one position in fifty bars.
        let mut random = curriculum(1_000_000);
        assert!(after(&mut random, 2_000, 0.01, 0.8) < 0.01);
        let mut skilled = curriculum(1_000_000);
        for (trained, expected) in [(2_000, 0.05), (4_000, 0.125), (6_000, 0.2375)] {
            assert!((after(&mut skilled, trained, 0.05, 0.02) - expected).abs() < 1e-9);
        }
    }

    #[test]
    fn costs_stay_where_nothing_is_earned_and_never_fall() {
        let mut curriculum = curriculum(1_000_000);
        assert!(after(&mut curriculum, 2_000, -0.1, 0.8) < 1e-6);
        let share = after(&mut curriculum, 4_000, 0.05, 0.02);
        assert!((after(&mut curriculum, 6_000, -1.0, 0.8) - share).abs() < 1e-6);
        // One that never trades has not shown what it can bear.
        assert!((after(&mut curriculum, 8_000, 0.05, 0.0) - share).abs() < 1e-6);
    }

    #[test]
    fn costs_are_full_for_the_last_part_whatever_was_earned() {
        let mut curriculum = curriculum(100_000);
        let shares: Vec<f64> =
            (1..50).map(|n| after(&mut curriculum, n * 2_000, -1.0, 0.8)).collect();
        assert!(shares.is_sorted());
        assert!(shares[14] < 0.07 && shares[28] < 1.0 && shares[29] >= 1.0, "{shares:?}");
    }

    #[test]
    fn last_rollout_is_the_market_as_it_is() {
        for n_rollouts in 1..6 {
            let mut curriculum = curriculum(n_rollouts * 2_000);
            for rollout in 0..n_rollouts {
                curriculum.advance(rollout * 2_000);
            }
            assert!(curriculum.share >= 1.0, "{n_rollouts} rollouts");
        }
    }
}
