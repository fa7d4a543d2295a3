//! Volume z-score: `(V_t − mean_w)/std_w` over the last w bars, divisor w. First at bar w − 1;
//! 0 where the volume does not vary, as in data without volume.

use crate::indicators::rolling_window::mean;
use crate::indicators::rolling_window::{RollingWindow, rounding, standard_deviation};

/// Distance of the newest volume from the mean, in standard deviations.
#[derive(Debug, Clone)]
pub struct VolumeZScore {
    volumes: RollingWindow,
}

impl VolumeZScore {
    /// An indicator over a number of bars, usually 20.
    pub fn new(n_bars: usize) -> Self {
        Self { volumes: RollingWindow::new(n_bars) }
    }

    /// Takes the newest volume and returns its z-score.
    pub fn push(&mut self, volume: f64) -> Option<f64> {
        self.volumes.push(volume);
        let volumes = self.volumes.full()?;
        let (mean, deviation) = (mean(volumes), standard_deviation(volumes));
        if deviation <= rounding(volumes, mean) {
            return Some(0.0);
        }
        Some((volume - mean) / deviation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn volume_that_does_not_vary_scores_0() {
        for volume in [0.0, 0.1, 1e11] {
            let mut score = VolumeZScore::new(20);
            let last = (0..20).map(|_| score.push(volume)).last().flatten();
            assert_eq!(last, Some(0.0), "{volume}");
        }
    }
}
