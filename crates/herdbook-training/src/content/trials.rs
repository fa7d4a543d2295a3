//! The trainings that were tested on the same bars, each counted once.

use std::collections::{BTreeMap, BTreeSet};

use herdbook_domain::{RunId, Symbol, Timeframe, Window};
use herdbook_market::{Closes, Likeness};
use herdbook_store::{RecordedTrial, Store, StoreError, TrialQuery};

use crate::content::search::recognise_in_all;
use crate::content::stored_closes::{OF_TRAINING, StoredCloses};

/// So many files are read and compared together: enough for all processors, few enough for the memory.
const COMPARED_TOGETHER: usize = 128;

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
    /// Whether it counts only because its bars cannot be compared: the file of its closes is missing or altered.
    pub is_unknown: bool,
    /// Later runs that repeat the training: same result on the same bars, under whatever name.
    pub repeated_by: Vec<RunId>,
}

/// All trainings of the register whose test window has some of these bars: of every registered model, under every name of
/// the instrument, in every timeframe, and at every shift in time. Unregistered and deleted runs count. Trainings
/// with the same result, such as those with the same settings, seed and bars, count once. Oldest first.
///
/// A training whose closes are missing or altered counts too, since its bars could be these: so the loss of a file never makes
/// the number of trials smaller.
///
/// # Errors
/// [`StoreError`] if the runs cannot be read.
pub fn distinct_trials(
    store: &Store,
    bars: TestedBars<'_>,
) -> Result<Vec<DistinctTrial>, StoreError> {
    distinct_trials_on_any(store, &[bars])
}

/// As [`distinct_trials`], for bars of several windows and files.
pub(crate) fn distinct_trials_on_any(
    store: &Store,
    all: &[TestedBars<'_>],
) -> Result<Vec<DistinctTrial>, StoreError> {
    let mut found: BTreeMap<RunId, Found> = BTreeMap::new();
    for (idx, bars) in all.iter().enumerate() {
        let is_same = |other: &TestedBars<'_>| {
            (other.symbol, other.timeframe, other.window)
                == (bars.symbol, bars.timeframe, bars.window)
        };
        if all[..idx].iter().any(is_same) {
            continue;
        }
        let query = TrialQuery {
            symbol: bars.symbol.clone(),
            timeframe: bars.timeframe,
            window: bars.window,
            closes_sha256: BTreeSet::new(),
        };
        for trial in store.trials(&query)? {
            let has_same_bars = trial.test == bars.window;
            let entry = Found { trial, has_same_bars, is_unknown: false };
            found.insert(entry.trial.run_id.clone(), entry);
        }
    }
    let with_closes: Vec<(Window, Closes)> = all
        .iter()
        .filter_map(|TestedBars { window, closes, .. }| {
            Some((*window, (*closes)?.between(window.start.millis(), window.end.millis())))
        })
        .collect();
    for by_content in with_bars_of(store, &with_closes)? {
        // A trial that is known by name and time needs no comparison.
        if !by_content.is_unknown || !found.contains_key(&by_content.trial.run_id) {
            found.insert(by_content.trial.run_id.clone(), by_content);
        }
    }
    let mut trials: Vec<Found> = found.into_values().collect();
    trials.sort_by_key(|Found { trial, .. }| (trial.started_at, trial.run_id.clone()));
    Ok(without_repetitions(trials))
}

struct Found {
    trial: RecordedTrial,
    has_same_bars: bool,
    /// Whether its bars could not be compared.
    is_unknown: bool,
}

/// The trials whose test window has bars of one of these windows with their closes, or whose closes are lost.
fn with_bars_of(store: &Store, all: &[(Window, Closes)]) -> Result<Vec<Found>, StoreError> {
    if all.is_empty() {
        return Ok(Vec::new());
    }
    // By the hash of the file: the likenesses with the bars of each window; `None` for a lost file.
    let mut like: BTreeMap<String, Option<Vec<Vec<Likeness>>>> = BTreeMap::new();
    for trainings in store.training_closes()?.chunks(COMPARED_TOGETHER) {
        let mut stored = StoredCloses::new(store);
        let (mut files, mut references) = (Vec::new(), Vec::new());
        for file in trainings {
            match stored.of_trainings(file)? {
                Some(closes) => {
                    files.push(&file.sha256);
                    references.push(closes);
                }
                None => drop(like.insert(file.sha256.clone(), None)),
            }
        }
        for (idx, (_, tested)) in all.iter().enumerate() {
            for (sha256, likenesses) in files.iter().zip(recognise_in_all(tested, &references)) {
                if likenesses.is_empty() {
                    continue;
                }
                let of_file = like
                    .entry((*sha256).clone())
                    .or_insert_with(|| Some(vec![Vec::new(); all.len()]));
                if let Some(of_file) = of_file {
                    of_file[idx] = likenesses;
                }
            }
        }
    }
    if like.is_empty() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for trial in store.trials_with_closes(&like.keys().cloned().collect())? {
        match trial.closes_sha256.as_ref().and_then(|sha256| like.get(sha256)) {
            Some(Some(likenesses)) => {
                let with_bars = all.iter().zip(likenesses);
                let with_bars: Vec<_> =
                    with_bars.filter(|(_, found)| has_bars(found, trial.test)).collect();
                let has_same_bars = with_bars.iter().any(|((window, _), found)| {
                    let moved = found.iter().filter_map(|it| Some(window.moved(it.shift_ms?)));
                    moved.into_iter().any(|moved| moved == trial.test)
                });
                if !with_bars.is_empty() {
                    found.push(Found { trial, has_same_bars, is_unknown: false });
                }
            }
            Some(None) => found.push(Found { trial, has_same_bars: false, is_unknown: true }),
            None => {}
        }
    }
    Ok(found)
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
    for Found { trial, has_same_bars, is_unknown } in trials {
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
            is_unknown,
            repeated_by: Vec::new(),
        });
    }
    distinct
}

/// A note for the user on trials that count because their closes are lost; `None` without one.
pub(crate) fn note_on_lost_closes<'a>(
    trials: impl IntoIterator<Item = &'a RunId>,
) -> Option<String> {
    let lost: Vec<&RunId> = trials.into_iter().collect();
    let first = lost.first()?;
    let (which, count) = match lost.len() {
        1 => (format!("training `{first}`"), "it counts as a try".to_owned()),
        n => (format!("{n} trainings, such as `{first}`,"), "they count as tries".to_owned()),
    };
    Some(format!(
        "the file `{OF_TRAINING}` of {which} is missing or altered, so {count} on these bars: restore it from a backup \
         (`herdbook verify` names it)"
    ))
}
