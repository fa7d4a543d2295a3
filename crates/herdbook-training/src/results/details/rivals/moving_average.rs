//! The moving-average rule: long while the mean of the last few closes is above that of more closes.

use herdbook_market::{Bar, Position};
use serde::{Deserialize, Serialize};

use super::side::Side;

/// The pairs of lengths that are tried, in bars. A length of 1 is the close itself.
const LENGTHS: [(usize, usize); 7] =
    [(1, 50), (1, 100), (1, 200), (5, 20), (10, 50), (20, 100), (50, 200)];

/// A moving-average rule.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct MovingAverage {
    /// Number of closes of the faster mean.
    fast: usize,
    /// Number of closes of the slower mean.
    slow: usize,
    side: Side,
}

impl MovingAverage {
    /// The rules that are tried, in their order.
    pub(crate) fn candidates() -> impl Iterator<Item = Self> {
        LENGTHS.into_iter().flat_map(|(fast, slow)| Side::ALL.map(|side| Self { fast, slow, side }))
    }

    /// The position after the close of each of `bars`: flat until there are enough closes, and while the means are equal.
    pub(crate) fn positions(&self, bars: &[Bar]) -> Vec<Position> {
        let (fast, slow) = (means(bars, self.fast), means(bars, self.slow));
        let position = |(fast, slow): (Option<f64>, Option<f64>)| match (fast, slow) {
            (Some(fast), Some(slow)) if fast > slow => Position::Long,
            (Some(fast), Some(slow)) if fast < slow => self.side.against(),
            _ => Position::Flat,
        };
        fast.into_iter().zip(slow).map(position).collect()
    }

    pub(crate) fn describe(&self) -> String {
        let side = self.side.describe();
        match self.fast {
            1 => format!("close over mean of {}, {side}", self.slow),
            fast => format!("mean of {fast} over mean of {}, {side}", self.slow),
        }
    }

    /// Whether it can be computed.
    pub(crate) fn is_valid(&self) -> bool {
        (1..self.slow).contains(&self.fast)
    }
}

/// The mean of the last `n` closes at each bar, from sums over all closes before.
fn means(bars: &[Bar], n: usize) -> Vec<Option<f64>> {
    let mut sums = Vec::with_capacity(bars.len() + 1);
    sums.push(0.0);
    let mut sum = 0.0;
    for bar in bars {
        sum += bar.close;
        sums.push(sum);
    }
    let mean = |end: usize| end.checked_sub(n).map(|start| (sums[end] - sums[start]) / n as f64);
    (1..=bars.len()).map(mean).collect()
}

#[cfg(test)]
mod tests {
    use Position::{Flat, Long, Short};

    use super::*;

    fn bars(closes: &[f64]) -> Vec<Bar> {
        let bar = |close: &f64| Bar {
            open_time_ms: 0,
            open: *close,
            high: *close,
            low: *close,
            close: *close,
            volume: 0.0,
        };
        closes.iter().map(bar).collect()
    }

    #[test]
    fn rule_is_long_while_the_fast_mean_is_above_the_slow_one() {
        let closes = [1.0, 2.0, 4.0, 4.0, 2.0, 2.0, 2.0];
        let rule = |side| MovingAverage { fast: 1, slow: 3, side }.positions(&bars(&closes));
        // Means of three: 7/3, 10/3, 10/3, 8/3, 2.
        assert_eq!(rule(Side::LongShort), [Flat, Flat, Long, Long, Short, Short, Flat]);
        assert_eq!(rule(Side::LongFlat), [Flat, Flat, Long, Long, Flat, Flat, Flat]);
    }

    #[test]
    fn later_closes_change_no_earlier_position() {
        let closes: Vec<f64> = (0..300).map(|idx| 100.0 + f64::from(idx * 37 % 23)).collect();
        for rule in MovingAverage::candidates() {
            let whole = rule.positions(&bars(&closes));
            assert_eq!(rule.positions(&bars(&closes[..250])), whole[..250], "{rule:?}");
            assert!(rule.is_valid());
        }
    }
}
