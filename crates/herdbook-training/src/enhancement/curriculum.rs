//! `curriculum`: costs, episode length and volatility grow by stages, the next stage when the last is mastered
//! (Bengio, Louradour, Collobert, Weston 2009, "Curriculum learning").

use std::collections::VecDeque;

use herdbook_market::CostModel;

use crate::env::TradingEnv;
use crate::market_data::MarketData;

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
/// Each stage before the last ends at the latest after this share of the training, mastered or not: the last
/// one, the market as it is, is always reached.
const LONGEST_STAGE: f64 = 0.2;

/// How far the curriculum has come.
#[derive(Debug)]
pub(crate) struct Curriculum {
    stage: usize,
    /// Timesteps trained when the stage began.
    began: u64,
    timesteps: u64,
    full_costs: CostModel,
    full_episode: usize,
    /// Segments of the training window, calmest first.
    calm_order: Vec<usize>,
    recent: VecDeque<f64>,
}

impl Curriculum {
    pub(super) fn new(lesson: &Lesson<'_>, envs: &mut [TradingEnv]) -> Self {
        let curriculum = Self {
            stage: 0,
            began: 0,
            timesteps: lesson.timesteps,
            full_costs: lesson.costs,
            full_episode: lesson.episode_bars,
            calm_order: calm_order(lesson.market, envs),
            recent: VecDeque::new(),
        };
        curriculum.apply(envs);
        curriculum
    }

    pub(super) fn after_iteration(&mut self, trained: u64, envs: &mut [TradingEnv]) {
        for episode in envs.iter_mut().flat_map(TradingEnv::take_finished) {
            self.recent.push_back(episode.mean_reward);
            if self.recent.len() > MASTERY_EPISODES {
                self.recent.pop_front();
            }
        }
        let is_last = self.stage + 1 == STAGES.len();
        if !is_last && (self.is_mastered() || self.is_overdue(trained)) {
            self.stage += 1;
            self.began = trained;
            self.recent.clear();
            self.apply(envs);
        }
    }

    pub(super) fn metrics(&self) -> Vec<(&'static str, f64)> {
        vec![
            ("training/curriculum_stage", (self.stage + 1) as f64),
            ("training/curriculum_cost_bps", self.costs().bps()),
        ]
    }

    fn is_mastered(&self) -> bool {
        self.recent.len() == MASTERY_EPISODES && self.recent.iter().sum::<f64>() > 0.0
    }

    fn is_overdue(&self, trained: u64) -> bool {
        (trained - self.began) as f64 >= LONGEST_STAGE * self.timesteps as f64
    }

    fn costs(&self) -> CostModel {
        CostModel::from_bps(self.full_costs.bps() * STAGES[self.stage].costs)
            .expect("a share of valid costs is valid")
    }

    fn apply(&self, envs: &mut [TradingEnv]) {
        let stage = STAGES[self.stage];
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

/// The segments by the mean absolute log return of their episodes' bars, calmest first.
fn calm_order(market: &MarketData, envs: &mut [TradingEnv]) -> Vec<usize> {
    let segments = envs.first_mut().map(|env| env.starts_mut().segments().to_vec());
    let segments = segments.unwrap_or_default();
    let bars = market.bars.as_slice();
    let restlessness: Vec<f64> = segments
        .iter()
        .map(|segment| {
            let moves = bars[segment.start..=segment.end].windows(2);
            let sum: f64 = moves.map(|pair| (pair[1].close / pair[0].close).ln().abs()).sum();
            sum / segment.len() as f64
        })
        .collect();
    let mut order: Vec<usize> = (0..segments.len()).collect();
    order.sort_by(|a, b| restlessness[*a].total_cmp(&restlessness[*b]));
    order
}
