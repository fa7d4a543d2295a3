//! `replay`: episodes start more often where the model performs worst.
//!
//! Prioritized level replay (Jiang, Grefenstette, Rocktäschel 2021, arXiv:2010.03934). A level is a segment of the training
//! window. Its score is a moving average of the negated mean reward of episodes that started there, initialised with the
//! parent's. Segments are drawn by the rank of their score, mixed with staleness: the number of iterations since they
//! were last drawn. Deviation from the paper: it scores levels by value error; we use the reward, because the aim is to
//! improve where the parent loses.

use serde::{Deserialize, Serialize};

use crate::environment::trading_env::{EpisodeSummary, TradingEnv, reward};
use crate::results::measure::run_policy;
use crate::run::enhancement::setup::EnhancementSetup;

/// β of the rank prioritization in the paper: weight `(1/rank)^(1/β)`.
const TEMPERATURE: f64 = 0.5;
/// ρ of the paper: share of the draws by staleness.
const STALENESS: f64 = 0.1;
/// Weight of the newest episode in a segment's score.
const NEWEST: f64 = 0.3;

/// Scores and staleness of the segments.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Replay {
    scores: Vec<f64>,
    /// Iterations since each segment was last drawn.
    stale: Vec<f64>,
}

impl Replay {
    pub(super) fn new(setup: &EnhancementSetup<'_>, envs: &mut [TradingEnv]) -> Self {
        let segments = envs.first_mut().map(|env| env.starts_mut().segments().to_vec());
        let last = crate::environment::trading_env::training_bars(setup.market).end;
        let scores: Vec<f64> = segments
            .unwrap_or_default()
            .iter()
            .map(|segment| {
                let start = segment.start + segment.len() / 2;
                let bars = start..(start + setup.episode_bars + 1).min(last);
                let ledger = run_policy(&setup.market.tape, bars, setup.costs, setup.parent);
                let equity = ledger.equity();
                let rewards: f64 = equity.windows(2).map(|pair| reward(pair[0], pair[1])).sum();
                -rewards / (equity.len() - 1) as f64
            })
            .collect();
        let replay = Self { stale: vec![0.0; scores.len()], scores };
        replay.apply(envs);
        replay
    }

    pub(super) fn after_iteration(&mut self, envs: &mut [TradingEnv]) {
        let finished: Vec<EpisodeSummary> =
            envs.iter_mut().flat_map(TradingEnv::take_finished).collect();
        self.update(&finished);
        self.apply(envs);
    }

    fn update(&mut self, finished: &[EpisodeSummary]) {
        for stale in &mut self.stale {
            *stale += 1.0;
        }
        for episode in finished {
            let score = &mut self.scores[episode.segment];
            *score += NEWEST * (-episode.mean_reward - *score);
            self.stale[episode.segment] = 0.0;
        }
    }

    pub(super) fn metrics(&self) -> Vec<(&'static str, f64)> {
        let worst = self.scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        vec![("training/replay_worst_score", worst)]
    }

    fn apply(&self, envs: &mut [TradingEnv]) {
        let weights = self.weights();
        for env in envs {
            env.starts_mut().set_weights(&weights);
        }
    }

    /// Probability of each segment.
    fn weights(&self) -> Vec<f64> {
        let mut order: Vec<usize> = (0..self.scores.len()).collect();
        order.sort_by(|a, b| self.scores[*b].total_cmp(&self.scores[*a]));
        let mut by_rank = vec![0.0; order.len()];
        for (rank, segment) in order.into_iter().enumerate() {
            by_rank[segment] = (1.0 / (rank + 1) as f64).powf(1.0 / TEMPERATURE);
        }
        let (ranks, stale): (f64, f64) = (by_rank.iter().sum(), self.stale.iter().sum());
        let share = if stale > 0.0 { STALENESS } else { 0.0 };
        by_rank
            .iter()
            .zip(&self.stale)
            .map(|(rank, age)| (1.0 - share) * rank / ranks + share * age / stale.max(1.0))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worst_segment_weighs_most_and_none_is_forgotten() {
        let replay = Replay { scores: vec![0.1, 0.9, -0.5], stale: vec![0.0, 0.0, 4.0] };
        let weights = replay.weights();
        assert!(weights[1] > weights[0] && weights[1] > weights[2]);
        assert!(weights[2] >= STALENESS);
        assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn episode_moves_the_score_of_its_segment_and_resets_its_staleness() {
        let mut replay = Replay { scores: vec![1.0, 1.0], stale: vec![2.0, 5.0] };
        let episode = EpisodeSummary { segment: 1, mean_reward: 1.0, turnover: 0.0, cost_bps: 0.0 };
        replay.update(&[episode]);
        assert!((replay.scores[0] - 1.0).abs() < 1e-12, "not drawn");
        // 70 % of the old score 1 and 30 % of the new score −1.
        assert!((replay.scores[1] - 0.4).abs() < 1e-12);
        assert_eq!(replay.stale, [3.0, 0.0]);
    }

    #[test]
    fn segment_that_is_not_drawn_for_long_gains_weight() {
        let mut replay = Replay { scores: vec![0.9, -0.9], stale: vec![0.0, 0.0] };
        let before = replay.weights()[1];
        let episode =
            EpisodeSummary { segment: 0, mean_reward: -0.9, turnover: 0.0, cost_bps: 0.0 };
        for _ in 0..10 {
            replay.update(&[episode]);
        }
        assert!(replay.weights()[1] > before);
    }
}
