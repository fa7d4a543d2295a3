//! The logistic regression: the probability of a rise over the next bars, from the features that the model observes.
//!
//! `p = 1 / (1 + exp(-(b + Σ w_i·(x_i - mean_i)/scale_i)))`, fitted on the training window by Newton's method (iteratively
//! reweighted least squares: Hastie, Tibshirani, Friedman 2009, "The Elements of Statistical Learning", 4.4.1) with a small
//! ridge penalty.

use std::cmp::Ordering;
use std::ops::Range;

use herdbook_domain::percent;
use herdbook_market::{N_FEATURES, Position};
use serde::{Deserialize, Serialize};

use super::linear_system::solve;
use super::side::Side;
use crate::environment::market_data::Tape;

/// Numbers of bars ahead that are tried.
const HORIZONS: [usize; 3] = [1, 5, 20];
/// Distances from a probability of one half that are tried. Within it the rule is flat.
const BANDS: [f64; 3] = [0.0, 0.02, 0.05];
/// Penalty of the squared weights, as a fraction of the number of rows.
const RIDGE: f64 = 1e-3;
/// At most this many rows are fitted, evenly spaced: more would hardly change 33 numbers.
const MAX_ROWS: usize = 6_000;
/// Fewer rows than this say nothing about 33 numbers.
const MIN_ROWS: usize = 100;
const MAX_ITERATIONS: usize = 12;
/// The fit ends when no weight changes by more than this.
const TOLERANCE: f64 = 1e-6;

/// A rule from a fitted logistic regression.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct LogisticRegression {
    /// Number of bars over which the price rises or falls.
    horizon: usize,
    band: f64,
    side: Side,
    /// The intercept, then one weight for each standardised feature.
    weights: Vec<f64>,
    mean: Vec<f64>,
    scale: Vec<f64>,
}

impl LogisticRegression {
    /// The rules that are tried, in their order, fitted on the bars `train`, which have features.
    pub(crate) fn candidates(tape: &Tape, train: &Range<usize>) -> Vec<Self> {
        let mut candidates = Vec::new();
        let (mean, scale) = mean_and_scale(tape, train);
        for horizon in HORIZONS {
            let rows = rows(tape, train, horizon, &mean, &scale);
            let Some(weights) = fit(&rows) else { continue };
            for band in BANDS {
                candidates.extend(Side::ALL.map(|side| Self {
                    horizon,
                    band,
                    side,
                    weights: weights.clone(),
                    mean: mean.clone(),
                    scale: scale.clone(),
                }));
            }
        }
        candidates
    }

    /// The position after the close of a bar with features.
    pub(crate) fn position(&self, tape: &Tape, bar_idx: usize) -> Position {
        let row = standardised(tape.features.row(bar_idx), &self.mean, &self.scale);
        let edge = probability(&self.weights, &row) - 0.5;
        if edge > self.band {
            Position::Long
        } else if edge < -self.band {
            self.side.against()
        } else {
            Position::Flat
        }
    }

    pub(crate) fn describe(&self) -> String {
        let bars = if self.horizon == 1 { "bar" } else { "bars" };
        let band = if self.band > 0.0 {
            format!(" beyond 50 ± {}", percent(self.band, 0))
        } else {
            String::new()
        };
        format!("rise over {} {bars}{band}, {}", self.horizon, self.side.describe())
    }

    /// Whether it can be computed.
    pub(crate) fn is_valid(&self) -> bool {
        let parts = [&self.weights[..], &self.mean, &self.scale];
        self.weights.len() == N_FEATURES + 1
            && self.mean.len() == N_FEATURES
            && self.scale.len() == N_FEATURES
            && parts.iter().all(|part| part.iter().all(|value| value.is_finite()))
            && self.scale.iter().all(|scale| *scale > 0.0)
            && self.band.is_finite()
    }
}

/// A row of standardised features, after a 1 for the intercept, and whether the price rose.
type Row = ([f64; N_FEATURES + 1], bool);

/// The rows of the bars `train`. A decision after bar t is filled at the open of bar t+1, so a rise over n bars is one from
/// that open to the open n bars later. All prices are within `train`; unchanged prices are left out.
fn rows(
    tape: &Tape,
    train: &Range<usize>,
    horizon: usize,
    mean: &[f64],
    scale: &[f64],
) -> Vec<Row> {
    let bars = tape.bars.as_slice();
    let end = train.end.saturating_sub(horizon + 1);
    let n_bars = end.saturating_sub(train.start);
    let stride = n_bars.div_ceil(MAX_ROWS).max(1);
    let row = |bar_idx: usize| {
        let (entry, exit) = (bars[bar_idx + 1].open, bars[bar_idx + 1 + horizon].open);
        let features = tape.features.row(bar_idx);
        let rose = match exit.total_cmp(&entry) {
            Ordering::Equal => return None,
            order => order == Ordering::Greater,
        };
        Some((standardised(features, mean, scale), rose))
    };
    (train.start..end.max(train.start)).step_by(stride).filter_map(row).collect()
}

fn mean_and_scale(tape: &Tape, train: &Range<usize>) -> (Vec<f64>, Vec<f64>) {
    let n = train.len().max(1) as f64;
    let over_rows = |value: &dyn Fn(usize, f64) -> f64| -> Vec<f64> {
        let mut sums = vec![0.0; N_FEATURES];
        for bar_idx in train.clone() {
            for (idx, feature) in tape.features.row(bar_idx).iter().enumerate() {
                sums[idx] += value(idx, f64::from(*feature));
            }
        }
        sums.iter().map(|sum| sum / n).collect()
    };
    let mean = over_rows(&|_, feature| feature);
    let variance = over_rows(&|idx, feature| (feature - mean[idx]).powi(2));
    // A feature that never changes gets no weight.
    let scale = variance.iter().map(|it| if *it > 1e-12 { it.sqrt() } else { 1.0 }).collect();
    (mean, scale)
}

fn standardised(features: &[f32], mean: &[f64], scale: &[f64]) -> [f64; N_FEATURES + 1] {
    let mut row = [1.0; N_FEATURES + 1];
    for (idx, feature) in features.iter().enumerate() {
        row[idx + 1] = (f64::from(*feature) - mean[idx]) / scale[idx];
    }
    row
}

fn probability(weights: &[f64], row: &[f64; N_FEATURES + 1]) -> f64 {
    let sum: f64 = weights.iter().zip(row).map(|(weight, value)| weight * value).sum();
    1.0 / (1.0 + (-sum).exp())
}

/// The weights with the highest penalised likelihood; `None` for too few rows.
fn fit(rows: &[Row]) -> Option<Vec<f64>> {
    const N: usize = N_FEATURES + 1;
    if rows.len() < MIN_ROWS {
        return None;
    }
    let ridge = RIDGE * rows.len() as f64;
    let mut weights = vec![0.0; N];
    for _ in 0..MAX_ITERATIONS {
        let mut gradient: Vec<f64> = weights.iter().map(|weight| -ridge * weight).collect();
        let mut hessian = vec![vec![0.0; N]; N];
        for (idx, row) in hessian.iter_mut().enumerate() {
            row[idx] = ridge;
        }
        for (row, rose) in rows {
            let p = probability(&weights, row);
            let (error, spread) = (f64::from(u8::from(*rose)) - p, p * (1.0 - p));
            for (idx, value) in row.iter().enumerate() {
                gradient[idx] += error * value;
                let scaled = spread * value;
                for (sum, other) in hessian[idx][..=idx].iter_mut().zip(row) {
                    *sum += scaled * other;
                }
            }
        }
        let step = solve(hessian, gradient)?;
        for (weight, change) in weights.iter_mut().zip(&step) {
            *weight += change;
        }
        if step.iter().all(|change| change.abs() <= TOLERANCE) {
            break;
        }
    }
    weights.iter().all(|weight| weight.is_finite()).then_some(weights)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows whose probability of a rise depends on the first two features.
    fn sample(n: usize) -> Vec<Row> {
        let mut rng = herdbook_ppo::Rng::new(3);
        (0..n)
            .map(|_| {
                let mut row = [1.0; N_FEATURES + 1];
                for value in &mut row[1..] {
                    *value = rng.normal();
                }
                let p = 1.0 / (1.0 + (-(0.3 + 0.8 * row[1] - 0.5 * row[2])).exp());
                (row, rng.uniform() < p)
            })
            .collect()
    }

    #[test]
    fn weights_of_the_source_are_found() {
        let weights = fit(&sample(MAX_ROWS)).unwrap();
        let expected = [0.3, 0.8, -0.5, 0.0, 0.0];
        for (found, expected) in weights.iter().zip(expected) {
            assert!((found - expected).abs() < 0.1, "{found} for {expected}");
        }
    }

    #[test]
    fn gradient_of_the_likelihood_is_zero_at_the_weights() {
        let rows = sample(500);
        let weights = fit(&rows).unwrap();
        for idx in 0..=N_FEATURES {
            let errors = rows.iter().map(|(row, rose)| {
                (f64::from(u8::from(*rose)) - probability(&weights, row)) * row[idx]
            });
            let gradient = errors.sum::<f64>() - RIDGE * 500.0 * weights[idx];
            assert!(gradient.abs() < 1e-6, "{gradient}");
        }
    }

    #[test]
    fn rows_of_one_kind_have_finite_weights_and_too_few_have_none() {
        let rising: Vec<Row> = sample(200).into_iter().map(|(row, _)| (row, true)).collect();
        let weights = fit(&rising).unwrap();
        assert!(probability(&weights, &rising[0].0) > 0.9);
        assert_eq!(fit(&sample(MIN_ROWS - 1)), None);
    }
}
