//! The trainings that were tested on the same bars, each counted once.

use std::collections::BTreeMap;

use herdbook_domain::{RunId, Symbol, Timeframe, Window};
use herdbook_market::{Closes, Likeness, recognise};
use herdbook_store::{RecordedTrial, Store, StoreError, TrialQuery};

use crate::content::stored_closes::StoredCloses;

/// At most this many different files of bars are compared, those of the newest runs first.
const MAX_COMPARED: usize = 1_000;

/// Bars on which trials are searched.
#[derive(Debug, Clone, Copy)]
pub struct TestedBars<'a> {
    /// The instrument, for runs of older builds, which kept no closes.
    pub symbol: &'a Symbol,
    /// The timeframe, for such runs.
    pub timeframe: Timeframe,
    /// The window of the bars.
    pub window: Window,
    /// The closes of the file; `None` if it was not kept. Then only runs of the symbol and timeframe are found.
    pub closes: Option<&'a Closes>,
}

/// A training that was tested on some of the bars.
#[derive(Debug, Clone, PartialEq)]
pub struct DistinctTrial {
    /// The first run of the training.
    pub run_id: RunId,
    /// Its test window.
    pub test: Window,
    /// Sharpe ratio per bar of its test window; `None` if undefined.
    pub sharpe_per_bar: Option<f64>,
    /// Whether its test window has exactly the bars of the searched window, possibly at other times.
    pub has_same_bars: bool,
    /// Later runs that repeat the training: same result on the same bars, under whatever name.
    pub repeated_by: Vec<RunId>,
}

/// All trainings of the register whose test window has some of these bars: of every registered model, under every name of
/// the instrument, in every timeframe, and at every shift in time. Unregistered and deleted runs count. Trainings
/// with the same result, such as those with the same settings, seed and bars, count once. Oldest first.
///
/// # Errors
/// [`StoreError`] if the runs cannot be read.
pub fn distinct_trials(
    store: &Store,
    bars: TestedBars<'_>,
) -> Result<Vec<DistinctTrial>, StoreError> {
    let like = match bars.closes {
        Some(closes) => files_like(store, closes, bars.window)?,
        None => BTreeMap::new(),
    };
    let query = TrialQuery {
        symbol: bars.symbol.clone(),
        timeframe: bars.timeframe,
        window: bars.window,
        closes_sha256: like.keys().cloned().collect(),
    };
    let mut found = Vec::new();
    for trial in store.trials(&query)? {
        let likenesses = trial.closes_sha256.as_ref().and_then(|sha256| like.get(sha256));
        let has_same_bars = match likenesses.filter(|found| has_bars(found, trial.test)) {
            Some(likenesses) => likenesses.iter().any(|likeness| {
                likeness.shift_ms.map(|shift_ms| bars.window.moved(shift_ms)) == Some(trial.test)
            }),
            None if query.is_by_symbol(&trial) => trial.test == bars.window,
            None => continue,
        };
        found.push(Found { trial, has_same_bars });
    }
    Ok(without_repetitions(found))
}

struct Found {
    trial: RecordedTrial,
    has_same_bars: bool,
}

/// The stored files of closes that have bars of a window of these closes, by SHA-256.
fn files_like(
    store: &Store,
    closes: &Closes,
    window: Window,
) -> Result<BTreeMap<String, Vec<Likeness>>, StoreError> {
    let tested = closes.between(window.start.millis(), window.end.millis());
    let mut stored = StoredCloses::new(store);
    let mut like = BTreeMap::new();
    for file in store.training_closes()?.iter().take(MAX_COMPARED) {
        let Some(reference) = stored.of(file)? else { continue };
        let likenesses = recognise(&tested, &reference);
        if !likenesses.is_empty() {
            like.insert(file.sha256.clone(), likenesses);
        }
    }
    Ok(like)
}

fn has_bars(likenesses: &[Likeness], test: Window) -> bool {
    likenesses.iter().any(|likeness| {
        let is_in = |at: i64| test.start.millis() < at + likeness.bar_ms && at < test.end.millis();
        likeness.pairs.iter().any(|(_, other)| is_in(*other))
    })
}

fn without_repetitions(trials: Vec<Found>) -> Vec<DistinctTrial> {
    let mut distinct: Vec<DistinctTrial> = Vec::new();
    let mut first_with: BTreeMap<Vec<(String, String)>, usize> = BTreeMap::new();
    for Found { trial, has_same_bars } in trials {
        let key = trial.result_key();
        if let Some(first) = key.as_ref().and_then(|key| first_with.get(key)) {
            distinct[*first].repeated_by.push(trial.run_id);
            continue;
        }
        if let Some(key) = key {
            first_with.insert(key, distinct.len());
        }
        distinct.push(DistinctTrial {
            sharpe_per_bar: trial.sharpe_per_bar(),
            run_id: trial.run_id,
            test: trial.test,
            has_same_bars,
            repeated_by: Vec::new(),
        });
    }
    distinct
}
