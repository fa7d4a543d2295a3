//! `curriculum`: costs, episode length and volatility grow by stages, the next stage when the last is mastered
//! (Bengio, Louradour, Collobert, Weston 2009, "Curriculum learning").

use std::collections::VecDeque;

use herdbook_market::CostModel;
use serde::{Deserialize, Serialize};

use crate::env::{TradingEnv, training_bars};

use super::Lesson;

/// One stage of the curriculum.
#[derive(Debug, Clone, Copy)]
struct Stage {
    /// Share of the full costs.
    costs: f64,
    /// Share of the full episode length.
    episode: f64,
    /// Share of the segments, the calmest first, in which episodes start.
    calmest: f64,
}

const STAGES: [Stage; 4] = [
    Stage { costs: 0.0, episode: 0.25, calmest: 0.5 },
    Stage { costs: 0.33, episode: 0.5, calmest: 0.75 },
    Stage { costs: 0.67, episode: 1.0, calmest: 1.0 },
    Stage { costs: 1.0, episode: 1.0, calmest: 1.0 },
];

/// A stage is mastered when this many episodes in a row earned something on average.
const MASTERY_EPISODES: usize = 16;
/// Each stage before the last ends at the latest after this share of the training, mastered or not.
const LONGEST_STAGE: f64 = 0.2;

/// How far the curriculum has come.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Curriculum {
    course: Course,
    full_costs: CostModel,
    full_episode: usize,
    /// Segments of the training window, calmest first.
    calm_order: Vec<usize>,
}

/// Which stage the next rollout belongs to.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Course {
    stage: usize,
    /// Timesteps trained when the stage began.
    began: u64,
    timesteps: u64,
    rollout_len: u64,
    /// Mean rewards of the last episodes of the stage.
    recent: VecDeque<f64>,
}

impl Course {
    fn new(timesteps: u64, rollout_len: u64) -> Self {
        let mut course =
            Self { stage: 0, began: 0, timesteps, rollout_len, recent: VecDeque::new() };
        course.advance(0);
        course
    }

    fn learn(&mut self, mean_reward: f64) {
        self.recent.push_back(mean_reward);
        if self.recent.len() > MASTERY_EPISODES {
            self.recent.pop_front();
        }
    }

    /// Moves on where it is time to; says whether it did. The last rollout always belongs to the last stage: every
    /// child is trained on the market as it is.
    fn advance(&mut self, trained: u64) -> bool {
        let last = STAGES.len() - 1;
        let is_overdue =
            (trained - self.began) as f64 >= LONGEST_STAGE * self.timesteps as f64 && trained > 0;
        let next = if trained + self.rollout_len >= self.timesteps {
            last
        } else if self.is_mastered() || is_overdue {
            (self.stage + 1).min(last)
        } else {
            self.stage
        };
        let moves = next != self.stage;
        if moves {
            self.stage = next;
            self.began = trained;
            self.recent.clear();
        }
        moves
    }

    fn is_mastered(&self) -> bool {
        self.recent.len() == MASTERY_EPISODES && self.recent.iter().sum::<f64>() > 0.0
    }
}

impl Curriculum {
    pub(super) fn new(lesson: &Lesson<'_>, envs: &mut [TradingEnv]) -> Self {
        let curriculum = Self {
            course: Course::new(lesson.timesteps, lesson.rollout_len),
            full_costs: lesson.costs,
            full_episode: lesson.episode_bars,
            calm_order: calm_order(lesson, envs),
        };
        curriculum.apply(envs);
        curriculum
    }

    pub(super) fn after_iteration(&mut self, trained: u64, envs: &mut [TradingEnv]) {
        for episode in envs.iter_mut().flat_map(TradingEnv::take_finished) {
            self.course.learn(episode.mean_reward);
        }
        if self.course.advance(trained) {
            self.apply(envs);
        }
    }

    pub(super) fn metrics(&self) -> Vec<(&'static str, f64)> {
        vec![
            ("training/curriculum_stage", (self.course.stage + 1) as f64),
            ("training/curriculum_cost_bps", self.costs().bps()),
        ]
    }

    fn costs(&self) -> CostModel {
        CostModel::from_bps(self.full_costs.bps() * STAGES[self.course.stage].costs)
            .expect("a share of valid costs is valid")
    }

    fn apply(&self, envs: &mut [TradingEnv]) {
        let stage = STAGES[self.course.stage];
        let episode_bars = ((self.full_episode as f64 * stage.episode) as usize).max(1);
        let n_calm = ((self.calm_order.len() as f64 * stage.calmest).ceil() as usize).max(1);
        let mut weights = vec![0.0; self.calm_order.len()];
        for segment in &self.calm_order[..n_calm] {
            weights[*segment] = 1.0;
        }
        for env in envs {
            env.set_difficulty(self.costs(), episode_bars);
            env.starts_mut().set_weights(&weights);
        }
    }
}

/// The segments by the mean absolute log return of the bars that their episodes cover, calmest first.
fn calm_order(lesson: &Lesson<'_>, envs: &mut [TradingEnv]) -> Vec<usize> {
    let segments = envs.first_mut().map(|env| env.starts_mut().segments().to_vec());
    let segments = segments.unwrap_or_default();
    let bars = lesson.market.tape.bars.as_slice();
    let last = training_bars(lesson.market).end;
    let restlessness: Vec<f64> = segments
        .iter()
        .map(|segment| {
            let covered = segment.start..(segment.end + lesson.episode_bars).min(last);
            let n_moves = (covered.len() - 1).max(1);
            let moves = bars[covered].windows(2);
            moves.map(|pair| (pair[1].close / pair[0].close).ln().abs()).sum::<f64>()
                / n_moves as f64
        })
        .collect();
    let mut order: Vec<usize> = (0..segments.len()).collect();
    order.sort_by(|a, b| restlessness[*a].total_cmp(&restlessness[*b]));
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stage_is_left_when_it_is_mastered() {
        let mut course = Course::new(100_000, 2_048);
        for _ in 0..MASTERY_EPISODES {
            assert!(!course.advance(2_048));
            course.learn(0.01);
        }
        assert!(course.advance(4_096));
        assert_eq!(course.stage, 1);
        assert!(
            !course.advance(6_144),
            "the next stage is not mastered by the last one's episodes"
        );
    }

    #[test]
    fn stage_that_is_never_mastered_ends_all_the_same() {
        let mut course = Course::new(100_000, 2_000);
        let stages: Vec<usize> = (1..50)
            .map(|rollout| {
                course.learn(-1.0);
                course.advance(rollout * 2_000);
                course.stage
            })
            .collect();
        assert!(stages.is_sorted());
        assert_eq!((stages[8], stages[9], stages[29], stages[48]), (0, 1, 3, 3));
    }

    #[test]
    fn last_rollout_is_the_market_as_it_is() {
        for n_rollouts in 1..6 {
            let mut course = Course::new(n_rollouts * 2_048, 2_048);
            for rollout in 1..n_rollouts {
                course.advance(rollout * 2_048);
            }
            assert_eq!(course.stage, STAGES.len() - 1, "{n_rollouts} rollouts");
        }
    }
}
