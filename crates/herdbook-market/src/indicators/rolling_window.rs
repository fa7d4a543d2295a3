//! The last values of a series, and statistics of them.

/// The last `capacity` values of a series, oldest first, as one slice.
///
/// Every value is stored twice, one capacity apart. So the window is always one contiguous slice in order of time, and the
/// rounding of sums does not depend on the position in the buffer.
#[derive(Debug, Clone)]
pub struct RollingWindow {
    values: Vec<f64>,
    capacity: usize,
    next: usize,
    len: usize,
}

impl RollingWindow {
    /// An empty window for `capacity` values, at least one.
    pub fn new(capacity: usize) -> Self {
        let capacity = capacity.max(1);
        Self { values: vec![0.0; 2 * capacity], capacity, next: 0, len: 0 }
    }

    /// Adds the newest value; a full window drops its oldest.
    pub fn push(&mut self, value: f64) {
        self.values[self.next] = value;
        self.values[self.next + self.capacity] = value;
        self.next = (self.next + 1) % self.capacity;
        self.len = (self.len + 1).min(self.capacity);
    }

    /// All values, oldest first; `None` until the window is full.
    pub fn full(&self) -> Option<&[f64]> {
        self.last(self.capacity)
    }

    /// The newest `n` values, oldest first; `None` while there are fewer.
    pub fn last(&self, n: usize) -> Option<&[f64]> {
        let end = self.next + self.capacity;
        (n <= self.len).then(|| &self.values[end - n..end])
    }
}

/// Arithmetic mean; 0 for no values.
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// Mean of the squares, without subtracting the mean; 0 for no values.
pub fn mean_square(values: &[f64]) -> f64 {
    values.iter().map(|value| value * value).sum::<f64>() / values.len().max(1) as f64
}

/// Standard deviation with the number of values as divisor, in two passes; 0 for no values.
pub fn standard_deviation(values: &[f64]) -> f64 {
    let mean = mean(values);
    let sum: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (sum / values.len().max(1) as f64).sqrt()
}

/// The largest standard deviation that rounding errors alone can give to values that all equal `mean`.
pub fn rounding(values: &[f64], mean: f64) -> f64 {
    values.len() as f64 * f64::EPSILON * mean.abs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn window_holds_the_newest_values_in_order() {
        let mut window = RollingWindow::new(3);
        assert_eq!(window.last(1), None);
        for value in 1..=2 {
            window.push(f64::from(value));
        }
        assert_eq!((window.full(), window.last(2)), (None, Some(&[1.0, 2.0][..])));
        for value in 3..=7 {
            window.push(f64::from(value));
            let value = f64::from(value);
            assert_eq!(window.full(), Some(&[value - 2.0, value - 1.0, value][..]));
        }
        assert_eq!(window.last(1), Some(&[7.0][..]));
        assert_eq!(window.last(4), None);
    }

    #[test]
    fn deviation_keeps_its_digits_far_from_zero() {
        let values = [1e9 + 4.0, 1e9 + 7.0, 1e9 + 13.0, 1e9 + 16.0];
        assert!((standard_deviation(&values) - 22.5_f64.sqrt()).abs() < 1e-9);
    }
}
