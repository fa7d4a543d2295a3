//! Start bars of training episodes: the training window is divided into segments, each drawn by its weight.

use std::ops::Range;

use herdbook_ppo::Rng;
use serde::{Deserialize, Serialize};

/// Fine enough to separate market regimes, coarse enough that each segment is drawn often.
const MAX_SEGMENTS: usize = 64;

/// Draws a segment by its weight, then a start bar uniformly within it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct EpisodeStarts {
    segments: Vec<Range<usize>>,
    /// Normalised sums of the weights up to and including each segment; the last is 1.
    cumulative: Vec<f64>,
}

impl EpisodeStarts {
    /// All starts from which a full episode fits into the window, equally likely. A window shorter than an episode has
    /// one start, its first bar.
    pub(crate) fn uniform(window: Range<usize>, episode_bars: usize) -> Self {
        let last = window.end.saturating_sub(episode_bars + 1).max(window.start);
        let n_starts = last + 1 - window.start;
        let n_segments = n_starts.min(MAX_SEGMENTS);
        let edge = |idx: usize| window.start + n_starts * idx / n_segments;
        let segments = (0..n_segments).map(|idx| edge(idx)..edge(idx + 1)).collect();
        let mut starts = Self { segments, cumulative: Vec::new() };
        let weights: Vec<f64> =
            starts.segments.iter().map(|segment| segment.len() as f64).collect();
        starts.set_weights(&weights);
        starts
    }

    /// The segments in time order, as ranges of bar indices.
    pub(crate) fn segments(&self) -> &[Range<usize>] {
        &self.segments
    }

    /// Sets the weight of each segment. Weights must be 0 or above, and at least one above 0.
    pub(crate) fn set_weights(&mut self, weights: &[f64]) {
        debug_assert_eq!(weights.len(), self.segments.len());
        let total: f64 = weights.iter().sum();
        let mut sum = 0.0;
        self.cumulative = weights
            .iter()
            .map(|weight| {
                sum += weight;
                sum / total
            })
            .collect();
    }

    /// Draws a segment and a start bar within it; returns both indices.
    pub(crate) fn draw(&self, rng: &mut Rng) -> (usize, usize) {
        let point = rng.uniform();
        let idx = self.cumulative.partition_point(|sum| *sum <= point);
        let idx = idx.min(self.segments.len() - 1);
        let segment = &self.segments[idx];
        (idx, segment.start + rng.below(segment.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_start_leaves_room_for_a_whole_episode() {
        let starts = EpisodeStarts::uniform(100..1_000, 512);
        assert_eq!(starts.segments().first().unwrap().start, 100);
        assert_eq!(starts.segments().last().unwrap().end, 1_000 - 512);
        let mut rng = Rng::new(1);
        for _ in 0..1_000 {
            let (segment, start) = starts.draw(&mut rng);
            assert!(starts.segments()[segment].contains(&start));
        }
    }

    #[test]
    fn window_shorter_than_an_episode_has_one_start() {
        let starts = EpisodeStarts::uniform(100..300, 512);
        assert_eq!(starts.segments().len(), 1);
        assert_eq!(starts.segments()[0], 100..101);
    }

    #[test]
    fn segment_without_weight_is_never_drawn() {
        let mut starts = EpisodeStarts::uniform(0..10_000, 512);
        let weights: Vec<f64> =
            (0..starts.segments().len()).map(|idx| f64::from(idx % 2 == 1)).collect();
        starts.set_weights(&weights);
        let mut rng = Rng::new(1);
        assert!((0..1_000).all(|_| starts.draw(&mut rng).0 % 2 == 1));
    }
}
