//! The evaluations of the register, as seen from the record of one version: which are of the same model, and which of the same
//! bars.

use std::collections::{BTreeMap, BTreeSet};

use super::evaluation::{Evaluation, EvaluationBasis};
use super::tries::tries_of_models;
use super::windows::Window;
use crate::values::{Timestamp, VersionKey};

/// All evaluations of the register, as seen from one record.
pub(super) struct Register<'a> {
    key: &'a VersionKey,
    basis: &'a EvaluationBasis,
    newest: &'a Evaluation,
    all: &'a [(VersionKey, Evaluation)],
    /// Returns of the same model, from this version or from copies of it.
    own_returns: BTreeSet<&'a str>,
    /// Returns of other models that share bars with those.
    shared: BTreeSet<&'a str>,
    /// Returns on bars that have other times than in the record: milliseconds to add to their times.
    moved_by: BTreeMap<&'a str, Option<i64>>,
}

impl<'a> Register<'a> {
    pub(super) fn of(
        key: &'a VersionKey,
        basis: &'a EvaluationBasis,
        newest: &'a Evaluation,
        all: &'a [(VersionKey, Evaluation)],
    ) -> Self {
        let own_returns = basis.record.joined.iter().chain(&basis.repeats);
        let own_returns: BTreeSet<&str> = own_returns.map(String::as_str).collect();
        let (shared, moved_by) = (BTreeSet::new(), BTreeMap::new());
        let mut register = Self { key, basis, newest, all, own_returns, shared, moved_by };
        for (of, evaluation) in all {
            let Some(other) = &evaluation.basis else { continue };
            if register.is_own(of, other) {
                register.own_returns.insert(&other.returns_sha256);
                register.own_returns.extend(other.repeats.iter().map(String::as_str));
                register.shared.extend(other.shared_with.iter().map(String::as_str));
                if register.is_joined(other) {
                    let moved_by = other.moved_by.iter();
                    register.moved_by.extend(moved_by.map(|(of, moved)| (of.as_str(), *moved)));
                }
            }
        }
        register
    }

    /// Whether an evaluation is of the same model: the same version, the same file, or the same returns, at whatever times.
    fn is_own(&self, of: &VersionKey, other: &EvaluationBasis) -> bool {
        let mut returns = other.repeats.iter().chain([&other.returns_sha256]);
        of == self.key
            || other.model_sha256 == self.basis.model_sha256
            || returns.any(|returns| self.own_returns.contains(returns.as_str()))
    }

    /// Whether an evaluation of another model has bars of the record.
    fn shares_bars(&self, other: &Evaluation) -> bool {
        let by_content = other.basis.as_ref().is_some_and(|basis| {
            self.shared.contains(basis.returns_sha256.as_str())
                || basis.shared_with.iter().any(|of| self.own_returns.contains(of.as_str()))
        });
        by_content || (self.is_same_symbol(other) && self.overlaps(other.window))
    }

    /// Whether the returns of an evaluation are in the record.
    fn is_joined(&self, of: &EvaluationBasis) -> bool {
        self.basis.record.joined.contains(&of.returns_sha256)
    }

    fn is_same_symbol(&self, other: &Evaluation) -> bool {
        other.symbol == *self.newest.symbol_of_record()
    }

    fn overlaps(&self, window: Window) -> bool {
        window.overlaps(self.newest.window)
            || self.basis.record.windows.iter().any(|own| own.overlaps(window))
    }

    /// Number of tries by other models.
    pub(super) fn tries_of_others(&self) -> f64 {
        let of_others = self.all.iter().filter(|(of, evaluation)| {
            let is_own = match &evaluation.basis {
                Some(basis) => self.is_own(of, basis),
                None => of == self.key,
            };
            !is_own && self.shares_bars(evaluation)
        });
        tries_of_models(of_others.map(|(of, evaluation)| (of, evaluation)))
    }

    /// The windows in which the register has evaluated models on this instrument, from `new_from` on. Only with bars from which
    /// those of the record can be made: longer ones do not tell that there are shorter ones.
    pub(super) fn known_windows(
        &self,
        new_from: Option<Timestamp>,
    ) -> impl Iterator<Item = Window> {
        let is_fine = |other: &Evaluation| {
            let other = other.basis.as_ref().map(|basis| basis.timeframe.millis());
            other.is_some_and(|length_ms| length_ms <= self.basis.timeframe.millis())
        };
        let known = self.all.iter().filter(move |(of, evaluation)| {
            let is_of_instrument = self.is_same_symbol(evaluation) || self.shares_bars(evaluation);
            of == self.key || (is_of_instrument && is_fine(evaluation))
        });
        known.filter_map(move |(_, evaluation)| {
            let Window { start, end } = self.window_of(evaluation)?;
            Some(Window { start: new_from.map_or(start, |from| from.max(start)), end })
        })
    }

    /// The window of an evaluation at the times of the record; `None` if its bars were given other times and not all were
    /// moved alike.
    fn window_of(&self, other: &Evaluation) -> Option<Window> {
        let Some(basis) = other.basis.as_ref().filter(|basis| !self.is_joined(basis)) else {
            return Some(other.window);
        };
        if let Some(moved) = self.moved_by.get(basis.returns_sha256.as_str()) {
            return moved.map(|millis| other.window.moved(millis));
        }
        let mut moved_by = basis.moved_by.iter();
        let of_record = moved_by.find(|(of, _)| self.basis.record.joined.contains(of));
        of_record.map_or(Some(other.window), |(_, moved)| {
            moved.map(|millis| other.window.moved(-millis))
        })
    }
}
