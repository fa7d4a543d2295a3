//! Log return: `ln(C_t / C_{t−1})`, first at bar 1; 0 for an unchanged price.

/// The log return from one close to the next.
#[derive(Debug, Clone, Default)]
pub struct LogReturn {
    previous: Option<f64>,
}

impl LogReturn {
    /// An indicator before its first bar.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the newest close and returns the log return.
    pub fn push(&mut self, close: f64) -> Option<f64> {
        self.previous.replace(close).map(|previous| (close / previous).ln())
    }
}
