//! Returns of a model on bars later than its training, kept as a file of its run: the joined record of all evaluations is
//! computed from them.
//!
//! The file is named by its hash, which the event of the evaluation seals. It is written before the event. A crash between the
//! two leaves a file that the next evaluation of the same bars writes again.

use std::collections::BTreeMap;

use herdbook_domain::{Evaluation, RunId, VersionKey, hex_sha256};
use herdbook_market::metrics::{mean, sample_deviation};
use herdbook_store::Store;

use crate::error::TrainingError;
use crate::models::backtest::Backtest;
use crate::results::figures::PairedReturns;
use crate::results::npy;

/// Fewer common bars prove nothing about two series of returns.
const MIN_COMMON: usize = 50;
/// Returns of holding with at least this correlation are those of the same bars. Different instruments stay below it.
const SAME_BARS: f64 = 0.995;

/// The part of the bars, from the first one on, in which the positions of a copy can differ: one tenth.
const BEGINNING: usize = 10;
/// Returns of a copy are equal up to this difference.
const EQUAL_RETURN: f64 = 1e-9;

/// Returns by the open time of their bar, in milliseconds since the Unix epoch: of the model, of holding, and the position.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct LaterReturns(BTreeMap<i64, [f64; 3]>);

impl LaterReturns {
    pub(crate) fn of(backtest: &Backtest) -> Self {
        let PairedReturns { model, holding, positions } = backtest.returns();
        let returns = model.into_iter().zip(holding).zip(positions);
        let rows = backtest.times().zip(returns);
        Self(rows.map(|(at, ((model, held), side))| (at.millis(), [model, held, side])).collect())
    }

    /// The contents of the file: an array with the columns time, model, holding and position.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let rows: Vec<[f64; 4]> = self
            .0
            .iter()
            .map(|(at, [model, held, side])| [*at as f64, *model, *held, *side])
            .collect();
        npy::write_rows(&rows)
    }

    /// Reads the file with this hash; `None` if it is missing or altered.
    pub(crate) fn read(store: &Store, run_id: &RunId, sha256: &str) -> Option<Self> {
        let bytes = store.read_artifact(run_id, &Evaluation::returns_artifact(sha256)).ok()?;
        if hex_sha256(&bytes) != sha256 {
            return None;
        }
        let rows = npy::read_rows::<4>(&bytes)?;
        Some(Self(rows.iter().map(|row| (row[0] as i64, [row[1], row[2], row[3]])).collect()))
    }

    /// As [`Self::read`], where the record is wrong without the file.
    pub(crate) fn read_own(
        store: &Store,
        key: &VersionKey,
        run_id: Option<&RunId>,
        sha256: &str,
    ) -> Result<Self, TrainingError> {
        let read = run_id.and_then(|run_id| Self::read(store, run_id, sha256));
        read.ok_or_else(|| TrainingError::LostFile {
            key: key.clone(),
            artifact: Evaluation::returns_artifact(sha256),
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Adds the bars that are not there yet. Returns how many those are.
    pub(crate) fn join(&mut self, more: &Self) -> usize {
        let before = self.len();
        for (at, row) in &more.0 {
            self.0.entry(*at).or_insert(*row);
        }
        self.len() - before
    }

    /// The same returns at other times.
    pub(crate) fn moved(&self, millis: i64) -> Self {
        Self(self.0.iter().map(|(at, row)| (at + millis, *row)).collect())
    }

    /// The returns in the order of time.
    pub(crate) fn paired(&self) -> PairedReturns {
        let column = |idx: usize| self.0.values().map(|row| row[idx]).collect();
        PairedReturns { model: column(0), holding: column(1), positions: column(2) }
    }

    /// Whether two series are of the same bars, under whatever name: their returns of holding agree.
    pub(crate) fn is_of_same_bars(&self, other: &Self) -> bool {
        let (own, others): (Vec<f64>, Vec<f64>) =
            self.common(other).map(|(own, other)| (own[1], other[1])).unzip();
        own.len() >= MIN_COMMON && correlation(&own, &others).is_some_and(|it| it >= SAME_BARS)
    }

    /// Whether two series are of the same model on the same bars: it earned the same, and was in the market.
    pub(crate) fn is_of_same_model(&self, other: &Self) -> bool {
        let common: Vec<_> = self.common(other).collect();
        common.len() >= MIN_COMMON
            && common.iter().any(|(own, _)| own[2] != 0.0)
            && common.iter().all(|(own, other)| own[0].to_bits() == other[0].to_bits())
    }

    /// Whether two series are of the same model on bars that were given other times: `self` with its times moved back.
    ///
    /// The two accounts can begin with different bars, so their first positions can differ, and their returns in the last
    /// digits. From then on they must be equal.
    pub(crate) fn is_of_copy(&self, other: &Self) -> bool {
        let common: Vec<_> = self.common(other).collect();
        let compared = &common[common.len() / BEGINNING..];
        compared.len() >= MIN_COMMON
            && compared.iter().any(|(own, _)| own[2] != 0.0)
            && compared.iter().all(|(own, other)| {
                own[2].to_bits() == other[2].to_bits() && (own[0] - other[0]).abs() <= EQUAL_RETURN
            })
    }

    fn common<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = (&'a [f64; 3], &'a [f64; 3])> {
        self.0.iter().filter_map(|(at, own)| Some((own, other.0.get(at)?)))
    }
}

/// Pearson's correlation; `None` if a series does not vary.
fn correlation(a: &[f64], b: &[f64]) -> Option<f64> {
    let centred = |values: &[f64]| -> Option<Vec<f64>> {
        let (mean, deviation) = (mean(values)?, sample_deviation(values)?);
        (deviation > 0.0).then(|| values.iter().map(|value| (value - mean) / deviation).collect())
    };
    let products: f64 = centred(a)?.iter().zip(centred(b)?).map(|(a, b)| a * b).sum();
    Some(products / (a.len() - 1) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(times: std::ops::Range<i64>, gain: f64) -> LaterReturns {
        let wave = |at: i64| ((at * 7_919) % 101) as f64 / 101.0 - 0.5;
        LaterReturns(times.map(|at| (at, [gain + wave(at * 3), wave(at), 1.0])).collect())
    }

    #[test]
    fn bars_that_are_there_stay_as_they_are() {
        let mut record = series(0..100, 0.1);
        assert_eq!(record.join(&series(50..120, 0.2)), 20);
        let bars = |record: &LaterReturns, bars: std::ops::Range<i64>| {
            LaterReturns(record.0.range(bars).map(|(at, row)| (*at, *row)).collect())
        };
        assert_eq!(bars(&record, 50..100), series(50..100, 0.1));
        assert_eq!(bars(&record, 100..120), series(100..120, 0.2));
        assert_eq!(record.join(&series(0..120, 0.3)), 0);
    }

    #[test]
    fn same_bars_and_same_model_are_recognised_on_common_bars() {
        let (one, part, other) = (series(0..200, 0.1), series(100..180, 0.1), series(0..200, 0.2));
        assert!(one.is_of_same_bars(&part) && one.is_of_same_model(&part));
        assert!(one.is_of_same_bars(&other) && !one.is_of_same_model(&other));
        let few = series(190..239, 0.1);
        assert!(!one.is_of_same_bars(&few) && !one.is_of_same_model(&few));
        assert!(one.is_of_copy(&part) && !one.is_of_copy(&other));
        let elsewhere = LaterReturns(one.0.iter().map(|(at, row)| (at + 1, *row)).collect());
        assert!(!one.is_of_same_bars(&elsewhere));
    }

    #[test]
    fn copy_is_recognised_though_its_account_began_elsewhere() {
        let side = |at: i64| if at / 5 % 2 == 0 { 1.0 } else { -1.0 };
        let mut one = series(0..200, 0.1);
        for (at, row) in &mut one.0 {
            row[2] = side(*at);
        }
        let began_later = |n_other: i64| {
            let row = |(at, row): (&i64, &[f64; 3])| {
                let other = if *at < 20 + n_other { 0.0 } else { row[2] };
                (*at, [row[0] + 1e-12, row[1], other])
            };
            LaterReturns(one.0.iter().filter(|(at, _)| **at >= 20).map(row).collect())
        };
        assert!(began_later(15).is_of_copy(&one));
        assert!(!began_later(30).is_of_copy(&one));
        assert!(!began_later(15).moved(1).is_of_copy(&one));
    }
}
