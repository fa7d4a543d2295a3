//! Exponential moving average: `α = 2/(n + 1)`.

/// An exponential moving average, seeded with the mean of its first n inputs.
#[derive(Debug, Clone)]
pub struct Ema {
    period: usize,
    alpha: f64,
    n_inputs: usize,
    sum_or_average: f64,
}

impl Ema {
    /// An average of period `n`; its first value comes with the n-th input.
    pub fn new(period: usize) -> Self {
        let alpha = 2.0 / (period as f64 + 1.0);
        Self { period, alpha, n_inputs: 0, sum_or_average: 0.0 }
    }

    /// Takes the newest input and returns the average.
    pub fn push(&mut self, input: f64) -> Option<f64> {
        if self.n_inputs < self.period {
            self.n_inputs += 1;
            self.sum_or_average += input;
            if self.n_inputs < self.period {
                return None;
            }
            self.sum_or_average /= self.period as f64;
        } else {
            self.sum_or_average += self.alpha * (input - self.sum_or_average);
        }
        Some(self.sum_or_average)
    }
}
