//! Sums over pairs of returns from which two Sharpe ratios, and their derivatives, are computed.
//!
//! A Sharpe ratio is a function of a mean `m` and a mean square `q`: `SR = m/√(q − m²)`. Both are taken around a fixed
//! centre near the mean, so that no digits are lost.

use crate::metrics::basics::{NO_SPREAD, mean};

/// Returns that are equal but away from the centre have a variance of up to this share of their mean square.
const ROUNDING: f64 = 1e-10;

/// Sums over bars of the model's deviation, holding's deviation, and their squares.
pub(super) type Sums = [f64; 4];

/// Centres of the model's and of holding's returns.
#[derive(Debug, Clone, Copy)]
pub(super) struct Centres {
    pub(super) model: f64,
    pub(super) holding: f64,
}

impl Centres {
    pub(super) fn of(model: &[f64], holding: &[f64]) -> Option<Self> {
        Some(Self { model: mean(model)?, holding: mean(holding)? })
    }

    /// The contribution of one bar to the sums.
    pub(super) fn sums_of_bar(self, model: f64, holding: f64) -> Sums {
        let (x, y) = (model - self.model, holding - self.holding);
        [x, y, x * x, y * y]
    }

    /// The Sharpe ratios per bar from the means of the sums; `None` where the model's is undefined.
    pub(super) fn ratios(self, means: &Sums) -> Option<Ratios> {
        Some(Ratios {
            model: Ratio::of(self.model, means[0], means[2])?,
            holding: Ratio::of(self.holding, means[1], means[3]),
        })
    }
}

/// The Sharpe ratios of a model and of holding.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ratios {
    pub(super) model: Ratio,
    /// `None` for prices that do not vary.
    pub(super) holding: Option<Ratio>,
}

/// A Sharpe ratio per bar, with its derivatives by the mean deviation and the mean squared deviation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ratio {
    pub(super) value: f64,
    by_mean: f64,
    by_square: f64,
}

impl Ratio {
    fn of(centre: f64, mean: f64, square: f64) -> Option<Self> {
        let variance = square - mean * mean;
        if variance <= ROUNDING * square || variance <= NO_SPREAD * NO_SPREAD {
            return None;
        }
        let deviation = variance.sqrt();
        let value = (centre + mean) / deviation;
        let by_square = -0.5 * value / variance;
        Some(Self { value, by_mean: 1.0 / deviation - 2.0 * mean * by_square, by_square })
    }
}

/// A difference of Sharpe ratios that is tested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Benchmark {
    /// Doing nothing: the difference is the model's own Sharpe ratio.
    Flat,
    /// Buying and holding.
    Holding,
}

impl Ratios {
    pub(super) fn difference(&self, benchmark: Benchmark) -> Option<f64> {
        match benchmark {
            Benchmark::Flat => Some(self.model.value),
            Benchmark::Holding => Some(self.model.value - self.holding?.value),
        }
    }

    /// Derivative of the difference by the means of the sums.
    pub(super) fn gradient(&self, benchmark: Benchmark) -> Option<Sums> {
        let model = self.model;
        match benchmark {
            Benchmark::Flat => Some([model.by_mean, 0.0, model.by_square, 0.0]),
            Benchmark::Holding => {
                let holding = self.holding?;
                Some([model.by_mean, -holding.by_mean, model.by_square, -holding.by_square])
            }
        }
    }
}

pub(super) fn add(total: &mut Sums, more: &Sums) {
    for (total, more) in total.iter_mut().zip(more) {
        *total += more;
    }
}

pub(super) fn scaled(sums: &Sums, factor: f64) -> Sums {
    sums.map(|sum| sum * factor)
}

pub(super) fn dot(a: &Sums, b: &Sums) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2] + a[3] * b[3]
}
