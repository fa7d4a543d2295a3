//! The tries on some bars: trainings that were tested on them, and models that were evaluated on them.

use herdbook_domain::{RunId, Symbol, VersionKey, Window, tries_of_models};
use herdbook_market::Closes;
use herdbook_store::{RecordedEvaluation, Store, StoreError};

use crate::content::comparison::{Bars, Comparison};
use crate::content::trials::{DistinctTrial, TestedBars, distinct_trials, note_on_lost_closes};

/// Everything that the register has tried on some bars.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Tries {
    /// Trainings that were tested on them; see [`distinct_trials`].
    pub(crate) trials: Vec<DistinctTrial>,
    /// Tries by models that were evaluated on them after their training.
    pub(crate) n_evaluated: f64,
}

impl Tries {
    /// The tries on bars, except evaluations by a model of this version or file.
    ///
    /// # Errors
    /// [`StoreError`] if runs or evaluations cannot be read.
    pub(crate) fn on(
        store: &Store,
        bars: TestedBars<'_>,
        own: Option<(&VersionKey, &str)>,
    ) -> Result<Self, StoreError> {
        let trials = distinct_trials(store, bars)?;
        let is_own = |it: &RecordedEvaluation| {
            let basis = it.evaluation.basis.as_ref();
            own.is_some_and(|(key, sha256)| {
                it.key == *key || basis.is_some_and(|basis| basis.model_sha256 == sha256)
            })
        };
        let mut all = store.all_evaluations()?;
        all.retain(|it| !is_own(it));
        let with_bars = with_bars_of(store, &all, bars.symbol, bars.window, bars.closes)?;
        let n_evaluated = tries_of_models(with_bars.iter().map(|it| (&it.key, &it.evaluation)));
        Ok(Self { trials, n_evaluated })
    }

    /// A note for the user on trainings that count because their closes are lost; `None` without one.
    pub(crate) fn note(&self) -> Option<String> {
        note_on_lost_closes(self.trials.iter().filter(|it| it.is_unknown).map(|it| &it.run_id))
    }

    /// The number of tries if one more is made by a training with this run, or by a model that is not among these.
    pub(crate) fn with(&self, run_id: &RunId) -> u64 {
        let is_own =
            |trial: &DistinctTrial| trial.run_id == *run_id || trial.repeated_by.contains(run_id);
        let n_others = self.trials.iter().filter(|trial| !is_own(trial)).count();
        ((n_others as f64 + self.n_evaluated).ceil() as u64).saturating_add(1)
    }
}

/// The evaluations with bars of a window: of the same symbol and time, or with the same closes under whatever name and times.
/// Evaluations whose closes are missing or altered are among them, since their bars could be the same.
pub(crate) fn with_bars_of<'a>(
    store: &Store,
    all: &'a [RecordedEvaluation],
    symbol: &Symbol,
    window: Window,
    closes: Option<&Closes>,
) -> Result<Vec<&'a RecordedEvaluation>, StoreError> {
    let between = |closes: &Closes| closes.between(window.start.millis(), window.end.millis());
    let mut comparison = closes.map(|closes| Comparison::new(store, between(closes)));
    let mut found = Vec::new();
    for recorded in all {
        let evaluation = &recorded.evaluation;
        let by_time = evaluation.symbol == *symbol && evaluation.window.overlaps(window);
        let by_content = match &mut comparison {
            Some(comparison) if !by_time => match comparison.with(recorded)? {
                Bars::Compared((_, likenesses)) => !likenesses.is_empty(),
                // A lost file must not make a result look better.
                Bars::Lost => true,
                Bars::NeverKept => false,
            },
            _ => false,
        };
        if by_time || by_content {
            found.push(recorded);
        }
    }
    Ok(found)
}
