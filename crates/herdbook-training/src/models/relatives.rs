//! The evaluations of the register that are of the model or of the bars of a new evaluation.
//!
//! Bars are the same if their content is, whatever the instrument is called, the timeframe is, and the times are. Bars of an
//! evaluation without kept closes are compared by their times and the returns of holding them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use herdbook_domain::{Evaluation, EvidenceRecord, Timeframe, Timestamp, VersionKey, Window};
use herdbook_market::{Closes, Likeness};
use herdbook_store::{RecordedEvaluation, Session, StoreError};

use crate::content::comparison::{Bars, Comparison};
use crate::content::lineage::described;
use crate::content::spans::Spans;
use crate::content::trials::{DistinctTrial, TestedBars, distinct_trials_on_any};
use crate::error::TrainingError;
use crate::models::backtest::Backtest;
use crate::models::later_returns::LaterReturns;
use crate::models::registered_model::RegisteredModel;

/// The evaluations of the register that have to do with a new one.
pub(crate) struct Relatives<'a> {
    /// Those of the same model: the same version, the same model file, or the same returns; oldest first.
    pub(crate) own: Vec<&'a RecordedEvaluation>,
    /// Hashes of the returns of other models on the same bars.
    pub(crate) shared_with: Vec<String>,
    /// Hashes of returns on bars of the new evaluation that had other times; see
    /// [`EvaluationBasis::moved_by`](herdbook_domain::EvaluationBasis::moved_by).
    pub(crate) moved_by: BTreeMap<String, Option<i64>>,
    /// Hashes of returns that the same model earned on the bars of the new evaluation at other times: it is a copy.
    pub(crate) repeats: Vec<String>,
    /// Versions with an evaluation that counts as one on the same bars because its closes are missing or altered.
    lost: Vec<VersionKey>,
    /// Likenesses of the new bars with those of each evaluation in `own` that kept closes.
    own_likenesses: Vec<(&'a RecordedEvaluation, Arc<Vec<Likeness>>)>,
    /// The closes of all evaluations that have bars of the new one at the same times, if they are as short as these.
    at_same_times: Vec<Arc<Closes>>,
    /// The closes of each evaluation in `own` that are in its window, each content once.
    own_closes: Vec<Arc<Closes>>,
}

impl<'a> Relatives<'a> {
    /// The evaluations of the same model.
    pub(crate) fn own(
        store: &Session,
        model: &RegisteredModel,
        all: &'a [RecordedEvaluation],
        returns: &LaterReturns,
    ) -> Vec<&'a RecordedEvaluation> {
        let is_own = |other: &RecordedEvaluation| is_of_version(other, model);
        let mut twins = BTreeSet::new();
        for (sha256, longest) in longest_of_each_model(all, is_own) {
            if returns_of(store, longest).is_some_and(|it| returns.is_of_same_model(&it)) {
                twins.insert(sha256);
            }
        }
        let is_twin = |other: &RecordedEvaluation| {
            let basis = other.evaluation.basis.as_ref();
            basis.is_some_and(|basis| twins.contains(basis.model_sha256.as_str()))
        };
        all.iter().filter(|other| is_own(other) || is_twin(other)).collect()
    }

    /// Compares the bars of a new evaluation with those of all others.
    ///
    /// # Errors
    /// [`TrainingError::LostFile`] if the closes of a joined evaluation are missing or altered.
    pub(crate) fn of(
        store: &Session,
        model: &RegisteredModel,
        all: &'a [RecordedEvaluation],
        own: Vec<&'a RecordedEvaluation>,
        backtest: &Backtest,
        returns: &LaterReturns,
    ) -> Result<Self, TrainingError> {
        let mut comparison = Comparison::new(store, backtest.evaluated_closes());
        let (mut own_likenesses, mut own_closes) = (Vec::new(), Vec::new());
        let mut at_same_times: Vec<Arc<Closes>> = Vec::new();
        let (mut shared_with, mut moved_by) = (BTreeSet::new(), BTreeMap::new());
        for earlier in &own {
            let Some(sha256) = &earlier.evaluation.closes_sha256 else { continue };
            let Bars::Compared((closes, likenesses)) = comparison.with(earlier)? else {
                if earlier.evaluation.shortcoming().is_some() {
                    continue;
                }
                let (key, artifact) =
                    (model.version.key.clone(), Evaluation::closes_artifact(sha256));
                return Err(TrainingError::LostFile { key, artifact });
            };
            moved_by.extend(moved(earlier, &likenesses));
            at_same_times.extend(is_at_same_times(&likenesses).then(|| Arc::clone(&closes)));
            own_likenesses.push((*earlier, likenesses));
            if !own_closes.iter().any(|known| Arc::ptr_eq(known, &closes)) {
                own_closes.push(closes);
            }
        }
        let own_events: BTreeSet<i64> = own.iter().map(|it| it.event_id).collect();
        let is_own = |other: &RecordedEvaluation| own_events.contains(&other.event_id);
        let (mut repeats, mut copies, mut lost) = (BTreeSet::new(), Vec::new(), Vec::new());
        for other in all.iter().filter(|other| !is_own(other)) {
            let Some(basis) = &other.evaluation.basis else { continue };
            let (closes, likenesses) = match comparison.with(other)? {
                Bars::Compared(compared) => compared,
                // A lost file must not make a result look better.
                Bars::Lost => {
                    shared_with.insert(basis.returns_sha256.clone());
                    lost.push(other.key.clone());
                    continue;
                }
                Bars::NeverKept => continue,
            };
            if likenesses.is_empty() {
                continue;
            }
            moved_by.extend(moved(other, &likenesses));
            at_same_times.extend(is_at_same_times(&likenesses).then(|| Arc::clone(&closes)));
            if is_repeated(store, other, &likenesses, returns) {
                repeats.insert(basis.returns_sha256.clone());
                copies.push(other);
                own_likenesses.push((other, likenesses));
                own_closes.push(closes);
            } else {
                shared_with.insert(basis.returns_sha256.clone());
            }
        }
        let mut own = own;
        own.extend(copies);
        own.sort_by_key(|it| it.event_id);
        let own_events: BTreeSet<i64> = own.iter().map(|it| it.event_id).collect();
        let is_own = |other: &RecordedEvaluation| own_events.contains(&other.event_id);
        for longest in longest_of_each_model(all, is_own).into_values() {
            // Without its returns, bars of the same symbol still count by name and time.
            if let Some(basis) = &longest.evaluation.basis
                && returns_of(store, longest).is_some_and(|it| returns.is_of_same_bars(&it))
            {
                shared_with.insert(basis.returns_sha256.clone());
            }
        }
        let (shared_with, repeats) =
            (shared_with.into_iter().collect(), repeats.into_iter().collect());
        at_same_times.retain(|closes| closes.bar_ms() <= backtest.tape.bars.timeframe().millis());
        Ok(Self {
            own,
            shared_with,
            moved_by,
            repeats,
            lost,
            own_likenesses,
            at_same_times,
            own_closes,
        })
    }

    /// A note if closes of other evaluations are lost.
    pub(crate) fn note_on_lost_closes(&self) -> Option<String> {
        let first = self.lost.first()?;
        let n = self.lost.len();
        Some(format!(
            "the closes of {n} evaluation{} of other models, such as of {first}, are missing or altered, so they count as tries \
             on these bars: restore the files from a backup (`herdbook verify` names them)",
            if n == 1 { "" } else { "s" }
        ))
    }

    /// A note if bars that the model was evaluated on have other times now.
    pub(crate) fn note(&self) -> Option<String> {
        let is_moved = |it: &&Likeness| it.shift_ms != Some(0);
        self.own_likenesses.iter().find_map(|(earlier, likenesses)| {
            let moved = likenesses.iter().find(is_moved)?;
            let as_what = described(moved, &earlier.evaluation.symbol);
            Some(format!(
                "an earlier evaluation has some of these bars (they are {as_what}): this one adds no bars to the record"
            ))
        })
    }

    /// Number of bars of the backtest that earlier evaluations of the same model used, under whatever name and times.
    pub(crate) fn n_shown(&self, backtest: &Backtest) -> usize {
        let likenesses = self.own_likenesses.iter().flat_map(|(_, likenesses)| likenesses.iter());
        let by_content: Spans = likenesses
            .flat_map(|it| it.pairs.iter().map(|(own, _)| (*own, own + it.bar_ms)))
            .collect();
        n_in(backtest, |bar| {
            let by_time = self.own.iter().any(|earlier| {
                let Evaluation { symbol, window, .. } = &earlier.evaluation;
                *symbol == backtest.tape.symbol
                    && window.start <= bar.start
                    && bar.start < window.end
            });
            by_time || by_content.overlaps(bar)
        })
    }

    /// Number of bars of the timeframe that other evaluations have between the first and the last bar of the backtest, at the
    /// same times, and the backtest has not.
    pub(crate) fn n_missing(&self, backtest: &Backtest, timeframe: Timeframe) -> usize {
        let Window { start, end } = backtest.window;
        let bars_of = |closes: &Closes| -> BTreeSet<i64> {
            let between = closes.between(start.millis(), end.millis());
            between.times_ms().iter().map(|at| at.div_euclid(timeframe.millis())).collect()
        };
        let own = bars_of(&backtest.evaluated_closes());
        let known: BTreeSet<i64> = self.at_same_times.iter().flat_map(|it| bars_of(it)).collect();
        known.difference(&own).count()
    }

    /// The different trainings so far whose test window has bars of the record. Trainings with equal results on equal
    /// bars are the same one, repeated.
    pub(crate) fn trainings(
        &self,
        store: &Session,
        model: &RegisteredModel,
        backtest: &Backtest,
        record: &EvidenceRecord,
    ) -> Result<Vec<DistinctTrial>, StoreError> {
        let own_run = &model.run.run_id;
        let symbol = model.symbol().unwrap_or_else(|| backtest.tape.symbol.clone());
        let new = backtest.evaluated_closes();
        let mut searched: Vec<TestedBars<'_>> = Vec::new();
        for window in &record.windows {
            let bars = |closes| TestedBars {
                symbol: &symbol,
                timeframe: model.timeframe,
                window: *window,
                closes,
            };
            let of_window = |closes: &&Closes| {
                !closes.between(window.start.millis(), window.end.millis()).is_empty()
            };
            let with_closes = std::iter::once(&new).chain(self.own_closes.iter().map(Arc::as_ref));
            let with_closes: Vec<&Closes> = with_closes.filter(of_window).collect();
            if with_closes.is_empty() {
                searched.push(bars(None));
            }
            searched.extend(with_closes.into_iter().map(|closes| bars(Some(closes))));
        }
        let mut different = distinct_trials_on_any(store, &searched)?;
        different.retain(|it| it.run_id != *own_run && !it.repeated_by.contains(own_run));
        Ok(different)
    }
}

fn is_at_same_times(likenesses: &[Likeness]) -> bool {
    likenesses.iter().any(|likeness| likeness.shift_ms == Some(0) && !likeness.is_inverse)
}

/// The entry of an evaluation in [`Relatives::moved_by`]; `None` if none of its bars has other times.
fn moved(earlier: &RecordedEvaluation, likenesses: &[Likeness]) -> Option<(String, Option<i64>)> {
    let basis = earlier.evaluation.basis.as_ref()?;
    let longest = likenesses.iter().max_by_key(|likeness| likeness.pairs.len())?;
    let is_moved = likenesses.iter().any(|likeness| likeness.shift_ms != Some(0));
    let millis = longest.shift_ms.map(|shift_ms| -shift_ms);
    is_moved.then(|| (basis.returns_sha256.clone(), millis))
}

/// Whether another evaluation has the same returns as the new one, on bars that were given other times.
fn is_repeated(
    store: &Session,
    other: &RecordedEvaluation,
    likenesses: &[Likeness],
    returns: &LaterReturns,
) -> bool {
    let shifts: Vec<i64> = likenesses.iter().filter_map(|it| it.shift_ms).collect();
    if shifts.iter().all(|shift| *shift == 0) {
        return false;
    }
    let Some(others) = returns_of(store, other) else { return false };
    shifts.iter().any(|shift| returns.moved(*shift).is_of_copy(&others))
}

/// Whether an evaluation is of the version or of the same model file.
fn is_of_version(other: &RecordedEvaluation, model: &RegisteredModel) -> bool {
    let basis = other.evaluation.basis.as_ref();
    other.key == model.version.key
        || basis.is_some_and(|basis| basis.model_sha256 == model.file_sha256)
}

/// Of each other model the evaluation of the most bars, by the hash of the model.
fn longest_of_each_model(
    all: &[RecordedEvaluation],
    is_own: impl Fn(&RecordedEvaluation) -> bool,
) -> BTreeMap<&str, &RecordedEvaluation> {
    let mut longest: BTreeMap<&str, &RecordedEvaluation> = BTreeMap::new();
    for other in all.iter().filter(|other| !is_own(other)) {
        if let Some(basis) = &other.evaluation.basis {
            let known = longest.entry(&basis.model_sha256).or_insert(other);
            if other.evaluation.n_bars > known.evaluation.n_bars {
                *known = other;
            }
        }
    }
    longest
}

/// The returns of an evaluation; `None` if they cannot be read.
fn returns_of(store: &Session, recorded: &RecordedEvaluation) -> Option<LaterReturns> {
    let basis = recorded.evaluation.basis.as_ref()?;
    LaterReturns::read(store, recorded.run_id.as_ref()?, &basis.returns_sha256)
}

/// Number of bars of a backtest for which a condition holds.
fn n_in(backtest: &Backtest, condition: impl Fn(Window) -> bool) -> usize {
    let bar_ms = backtest.tape.bars.timeframe().millis();
    let bar =
        |at: Timestamp| Window { start: at, end: Timestamp::from_millis(at.millis() + bar_ms) };
    backtest.equity_curve().filter(|point| condition(bar(point.at))).count()
}
