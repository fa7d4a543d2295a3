//! Random actions with the turnover of the model: the same positions for the same lengths of time, at random times.

use std::ops::Range;

use herdbook_market::metrics::{returns, sharpe_ratio, total_return};
use herdbook_market::{CostModel, Position};
use herdbook_ppo::Rng;
use serde::{Deserialize, Serialize};

use crate::environment::market_data::Tape;
use crate::results::details::replay::repeat;

/// Number of draws; fewer on long windows.
const DRAWS: Range<usize> = 40..200;
/// Bound on the number of draws times bars.
const MAX_STEPS: usize = 4_000_000;
/// Share of the draws outside the range on each side.
const OUTSIDE: f64 = 0.05;
const SEED: u64 = 20_260_101;

/// Results of random actions with the turnover of the model.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RandomActions {
    /// Number of draws.
    pub n_draws: usize,
    /// Median of their total returns, as a fraction.
    pub median: f64,
    /// 5 % of the total returns lie below.
    pub low: f64,
    /// 5 % of the total returns lie above.
    pub high: f64,
    /// Median of their Sharpe ratios per year.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub median_sharpe_ratio: Option<f64>,
    /// Share of the draws with a lower total return than the model; half of those with the same.
    pub share_below_model: f64,
}

impl RandomActions {
    /// Draws random actions for the targets of a model over `bars`. `None` if the model never left the flat position, or its
    /// return is undefined.
    pub(crate) fn of(
        tape: &Tape,
        bars: &Range<usize>,
        costs: CostModel,
        targets: &[Position],
        model: Option<f64>,
    ) -> Option<Self> {
        let model = model?;
        if targets.iter().all(|target| *target == Position::Flat) {
            return None;
        }
        let n_draws = (MAX_STEPS / targets.len()).clamp(DRAWS.start, DRAWS.end);
        let mut rng = Rng::new(SEED);
        let (mut totals, mut sharpes) = (Vec::new(), Vec::new());
        for _ in 0..n_draws {
            let ledger = repeat(tape, bars, costs, &shuffled(targets, &mut rng), 0);
            totals.push(total_return(ledger.equity())?);
            let ratio = returns(ledger.equity())
                .zip(tape.bars_per_year)
                .and_then(|(returns, bars_per_year)| sharpe_ratio(&returns, bars_per_year));
            sharpes.extend(ratio);
        }
        let below = totals.iter().filter(|total| **total < model).count() as f64;
        let same = totals.iter().filter(|total| total.to_bits() == model.to_bits()).count() as f64;
        totals.sort_unstable_by(f64::total_cmp);
        sharpes.sort_unstable_by(f64::total_cmp);
        Some(Self {
            n_draws,
            median: quantile(&totals, 0.5),
            low: quantile(&totals, OUTSIDE),
            high: quantile(&totals, 1.0 - OUTSIDE),
            median_sharpe_ratio: (sharpes.len() == n_draws).then(|| quantile(&sharpes, 0.5)),
            share_below_model: (below + same / 2.0) / n_draws as f64,
        })
    }
}

/// The same spells of positions in the same order, with the lengths shuffled among spells of the same position, begun at a
/// random bar. So turnover, exposure and holding times stay the same, except where the ends are joined.
fn shuffled(targets: &[Position], rng: &mut Rng) -> Vec<Position> {
    let spells: Vec<(Position, usize)> =
        targets.chunk_by(|a, b| a == b).map(|run| (run[0], run.len())).collect();
    let mut lengths = Position::ALL.map(|position| {
        let of_position = spells.iter().filter(|spell| spell.0 == position);
        let mut lengths: Vec<usize> = of_position.map(|spell| spell.1).collect();
        rng.shuffle(&mut lengths);
        lengths
    });
    let mut drawn = Vec::with_capacity(targets.len());
    for (position, _) in &spells {
        let length = lengths[position.action()].pop().unwrap_or(0);
        drawn.extend(std::iter::repeat_n(*position, length));
    }
    drawn.rotate_left(rng.below(targets.len()));
    drawn
}

/// The quantile of sorted values, interpolated between neighbours.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let at = share * (sorted.len() - 1) as f64;
    let (below, above) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    below + (above - below) * at.fract()
}

#[cfg(test)]
mod tests {
    use herdbook_domain::Timeframe;

    use super::*;
    use crate::environment::market_data::DataSource;
    use crate::results::measure::hold_position;

    #[test]
    fn holding_is_no_better_than_itself_at_random_times_and_doing_nothing_has_no_counterpart() {
        let source = DataSource::sample(Timeframe::Day1).unwrap().0;
        let tape = Tape::read(&source, Timeframe::Day1).unwrap();
        let (bars, costs) = (200..400, CostModel::from_bps(1.0).unwrap());
        let of = |position| {
            let ledger = hold_position(&tape, bars.clone(), costs, position);
            let total = total_return(ledger.equity());
            (total, RandomActions::of(&tape, &bars, costs, ledger.targets(), total))
        };
        let (total, random) = of(Position::Long);
        let random = random.unwrap();
        assert_eq!([Some(random.low), Some(random.median), Some(random.high)], [total; 3]);
        assert_eq!((random.n_draws, random.share_below_model), (200, 0.5));
        assert_eq!(of(Position::Flat).1, None);
    }

    #[test]
    fn random_actions_have_the_positions_and_the_turnover_of_the_model() {
        use Position::{Flat, Long, Short};
        let mut targets = Vec::new();
        for (position, length) in
            [(Long, 5), (Flat, 7), (Short, 2), (Long, 11), (Flat, 1), (Long, 30)]
        {
            targets.extend(std::iter::repeat_n(position, length));
        }
        let count = |of: &[Position], position| of.iter().filter(|it| **it == position).count();
        let changes = |of: &[Position]| of.windows(2).filter(|pair| pair[0] != pair[1]).count();
        let mut rng = Rng::new(1);
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..100 {
            let drawn = shuffled(&targets, &mut rng);
            for position in Position::ALL {
                assert_eq!(count(&drawn, position), count(&targets, position));
            }
            assert!(changes(&drawn).abs_diff(changes(&targets)) <= 1);
            seen.insert(drawn.iter().map(|position| position.action()).collect::<Vec<_>>());
        }
        assert!(seen.len() > 50);
    }

    #[test]
    fn quantiles_are_interpolated() {
        assert!((quantile(&[1.0, 2.0, 4.0], 0.5) - 2.0).abs() < 1e-12);
        assert!((quantile(&[1.0, 2.0, 4.0], 0.75) - 3.0).abs() < 1e-12);
        assert!((quantile(&[1.0], 0.95) - 1.0).abs() < 1e-12);
    }
}
