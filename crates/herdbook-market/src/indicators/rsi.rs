//! Relative strength index (Wilder 1978): `100·G/(G + D)`, G and D the Wilder averages of the rises
//! and falls of the close. First at bar `period`; 50 for an unchanged price.

use crate::indicators::wilder::WilderAverage;

/// Share of rises in all movement, from 0 to 100.
#[derive(Debug, Clone)]
pub struct Rsi {
    previous: Option<f64>,
    rises: WilderAverage,
    falls: WilderAverage,
}

impl Rsi {
    /// An indicator of a period in bars, usually 14.
    pub fn new(period: usize) -> Self {
        let average = WilderAverage::new(period);
        Self { previous: None, rises: average.clone(), falls: average }
    }

    /// Takes the newest close and returns the index.
    pub fn push(&mut self, close: f64) -> Option<f64> {
        let change = close - self.previous.replace(close)?;
        let rises = self.rises.push(change.max(0.0));
        let falls = self.falls.push((-change).max(0.0));
        let (rises, falls) = (rises?, falls?);
        let movement = rises + falls;
        Some(if movement > 0.0 { 100.0 * rises / movement } else { 50.0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rises_only_are_100_falls_only_0_and_no_change_is_50() {
        for (step, expected) in [(1.0, 100.0), (-1.0, 0.0), (0.0, 50.0)] {
            let mut rsi = Rsi::new(14);
            let values: Vec<_> =
                (0..16).map(|idx| rsi.push(100.0 + step * f64::from(idx))).collect();
            assert!(values[..14].iter().all(Option::is_none));
            assert_eq!(values[14..], [Some(expected); 2]);
        }
    }
}
