//! Log return: `ln(C_t / C_{t−1})`, from the second bar on; 0 where the price stands still.

/// The change from one close to the next.
#[derive(Debug, Clone, Default)]
pub struct LogReturn {
    previous: Option<f64>,
}

impl LogReturn {
    /// Nothing seen yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the newest close.
    pub fn push(&mut self, close: f64) -> Option<f64> {
        self.previous.replace(close).map(|previous| (close / previous).ln())
    }
}
