//! `curriculum`: training starts without costs; costs grow with the earnings of the model up to the full costs.
//!
//! If costs are many times the move of a bar, exploration loses more than it can earn, and a model trained at full costs
//! learns to never change its position before it finds a profitable signal. So the task starts easy (Bengio, Louradour,
//! Collobert, Weston 2009, "Curriculum learning"), and its difficulty follows the learner (Kumar, Packer, Koller 2010,
//! "Self-paced learning"): costs are raised to the level that the model's earnings at its present turnover can pay.

use std::collections::VecDeque;

use herdbook_market::CostModel;
use serde::{Deserialize, Serialize};

use crate::environment::trading_env::{EpisodeSummary, TradingEnv};
use crate::run::enhancement::setup::EnhancementSetup;

/// Costs are raised until they take this share of the earnings before costs. A larger share would hide profitable
/// behaviour in the reward.
const BEARABLE: f64 = 0.7;
/// Limits of one raise, so that a lucky episode has little effect: factor on the present share, plus a share of the full
/// costs.
const LARGEST_STEP: (f64, f64) = (1.5, 0.05);
/// Earnings are measured over the episodes of the last rollout, and at least over this many.
const JUDGED_BY: usize = 4;
/// After this share of the training, costs are full regardless of earnings, so that the model adapts to them.
const FULL_FROM: f64 = 0.6;
/// Before [`FULL_FROM`], the minimum share of the full costs is `(time / FULL_FROM)` to this power, with `time` as a share
/// of the training.
const LATENESS: i32 = 4;
/// Rewards are in percent, costs in basis points.
const BPS_PER_PERCENT: f64 = 100.0;

/// The present costs, and the recent episodes by which they are raised.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Curriculum {
    full_costs: CostModel,
    timesteps: u64,
    rollout_len: u64,
    /// Present costs as a share of the full ones, from 0 to 1.
    share: f64,
    /// Earnings before costs in percent per bar, and turnover per bar, of the last episodes.
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

    /// Raises the costs if they are due; returns whether it did. Costs are never lowered, and are always full in the last
    /// rollout, so that every model ends its training at the real costs.
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

    /// The share of the full costs that the recent earnings can pay at the recent turnover.
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
        // At 100 bp, random trading (turnover 0.8) costs 0.8 % per bar, a turnover of 0.02 costs 0.02 % per bar.
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
        // Without turnover the bearable costs are unknown.
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
