//! Wilder's average (Wilder 1978): `A_t = ((n − 1)·A_{t−1} + x_t) / n`.

/// An exponential moving average with α = 1/n, seeded with the mean of its first n inputs.
#[derive(Debug, Clone)]
pub struct WilderAverage {
    period: f64,
    n_inputs: usize,
    first: usize,
    sum_or_average: f64,
}

impl WilderAverage {
    /// An average of period `n`; its first value comes with the n-th input.
    pub fn new(period: usize) -> Self {
        Self { period: period as f64, n_inputs: 0, first: period, sum_or_average: 0.0 }
    }

    /// Takes the newest input and returns the average.
    pub fn push(&mut self, input: f64) -> Option<f64> {
        if self.n_inputs < self.first {
            self.n_inputs += 1;
            self.sum_or_average += input;
            if self.n_inputs < self.first {
                return None;
            }
            self.sum_or_average /= self.period;
        } else {
            self.sum_or_average = ((self.period - 1.0) * self.sum_or_average + input) / self.period;
        }
        Some(self.sum_or_average)
    }
}
