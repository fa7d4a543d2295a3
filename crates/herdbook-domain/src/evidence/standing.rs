//! The evidence for a version among everything that the register has tried on the same bars.

use super::evaluation::{Evaluation, EvaluationBasis};
use super::figures::{EVIDENCE_BARS, EVIDENCE_PROBABILITY};
use super::record::{covered_share, union_of_windows};
use super::register::Register;
use crate::values::{VersionKey, percent};

/// A record must cover at least this fraction of the time in which the register has evaluated models on the instrument, with
/// bars as long or shorter, since the version was new. So the bars of a record cannot be chosen by their result.
const MIN_COVERED: f64 = 0.9;

/// The evidence for a version: the record of its newest evaluation, and the tries on its bars.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// The newest evaluation of the version.
    pub newest: Evaluation,
    /// Number of tries on the bars of the record: looks at this record, other models evaluated on these bars, and
    /// trainings tested on them. At least 1.
    pub n_tries: u64,
    /// The probability (0 to 1) that the true Sharpe ratio is above the benchmarks', if the version is the best of all
    /// tries; `None` where it is undefined or there is no record.
    pub probability: Option<f64>,
    /// Why there is no evidence, whatever the probability is; `None` where there is no such reason.
    pub shortcoming: Option<String>,
}

impl Standing {
    /// The standing of a version; `None` if it was never evaluated.
    ///
    /// `all` are all evaluations of the register, oldest first; `n_trainings_since` is the number of trainings since the
    /// newest evaluation of the version whose test window has bars of its record.
    pub fn of(
        key: &VersionKey,
        all: &[(VersionKey, Evaluation)],
        n_trainings_since: usize,
    ) -> Option<Self> {
        let own: Vec<&Evaluation> =
            all.iter().filter(|(of, _)| of == key).map(|(_, evaluation)| evaluation).collect();
        let newest = (*own.last()?).clone();
        let Some(basis) = &newest.basis else {
            let shortcoming = newest.shortcoming();
            return Some(Self {
                newest,
                n_tries: own.len() as u64,
                probability: None,
                shortcoming,
            });
        };
        let register = Register::of(key, basis, &newest, all);
        let tries = basis.record.looks.as_tries()
            + register.tries_of_others()
            + (basis.n_trainings + n_trainings_since) as f64;
        let n_tries = (tries.ceil() as u64).max(1);
        Some(Self {
            n_tries,
            probability: basis.record.figures.probability_among(n_tries),
            shortcoming: shortcoming(&newest, basis, &register),
            newest,
        })
    }

    /// Why the version has no evidence at this limit; `None` where it has: a probability above the limit, and no
    /// shortcoming.
    pub fn objection(&self, limit: f64) -> Option<String> {
        let carried = || self.newest.basis.as_ref()?.record.figures.carried_by(limit);
        let too_low = || {
            let is_above = self.probability.is_some_and(|probability| probability > limit);
            (!is_above).then(|| format!("the probability is not above {limit}"))
        };
        self.shortcoming.clone().or_else(too_low).or_else(carried)
    }

    /// Whether the version has evidence at [`EVIDENCE_PROBABILITY`].
    pub fn is_evidence(&self) -> bool {
        self.objection(EVIDENCE_PROBABILITY).is_none()
    }
}

fn shortcoming(
    newest: &Evaluation,
    basis: &EvaluationBasis,
    register: &Register<'_>,
) -> Option<String> {
    if basis.record.joined.is_empty() {
        return newest.shortcoming();
    }
    if basis.record.figures.n_returns + 1 < EVIDENCE_BARS {
        return Some(format!("fewer than {EVIDENCE_BARS} bars"));
    }
    let known = union_of_windows(register.known_windows(basis.new_from));
    let covered = covered_share(&known, &basis.record.windows);
    (covered < MIN_COVERED).then(|| {
        let end = known.last().map_or(newest.window.end, |last| last.end);
        format!(
            "the record covers {} of the bars of {} up to {end} on which the register has evaluated models: \
             evaluate on all of them",
            percent(covered, 0), newest.symbol_of_record()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::super::evaluation_samples::{evaluation, evaluation_of_version_1};
    use super::super::figures::LeftOut;
    use super::*;
    use crate::values::{ModelName, Symbol, Timeframe, Timestamp, VersionNumber};

    fn version(number: i64) -> VersionKey {
        let version = VersionNumber::new(number).unwrap();
        VersionKey { name: ModelName::parse("1H_trading_model").unwrap(), version }
    }

    /// An evaluation of another model over the same bars.
    fn of_other(model: &str) -> Evaluation {
        let mut other = evaluation(0.5);
        let basis = other.basis.as_mut().unwrap();
        basis.model_sha256 = model.to_owned();
        basis.returns_sha256 = format!("returns of {model}");
        basis.record.joined = vec![basis.returns_sha256.clone()];
        other
    }

    fn standing(all: &[(VersionKey, Evaluation)]) -> Standing {
        Standing::of(&version(1), all, 0).unwrap()
    }

    #[test]
    fn version_that_was_never_evaluated_has_no_standing() {
        assert_eq!(Standing::of(&version(1), &[(version(2), of_other("m2"))], 0), None);
    }

    #[test]
    fn single_evaluation_is_one_try() {
        let found = standing(&[(version(1), evaluation(0.97))]);
        assert_eq!(
            (found.n_tries, found.probability, found.objection(0.95)),
            (1, Some(0.97), None)
        );
        assert!(found.is_evidence());
        assert_eq!(found.objection(0.97).as_deref(), Some("the probability is not above 0.97"));
    }

    #[test]
    fn other_models_on_the_same_bars_are_tries_whatever_their_name_and_order() {
        let before = (version(2), of_other("m2"));
        let after = (version(3), of_other("m3"));
        let found = standing(&[before, (version(1), evaluation(0.97)), after]);
        assert_eq!((found.n_tries, found.probability), (3, Some(0.87)));
        assert!(!found.is_evidence());
    }

    #[test]
    fn bars_under_another_name_are_recognised_by_the_evaluation_that_came_later() {
        let renamed = |shared: &[&str]| {
            let mut other = of_other("m2");
            other.symbol = Symbol::parse("EURUSD_B").unwrap();
            let shared = shared.iter().map(|text| (*text).to_owned()).collect();
            other.basis.as_mut().unwrap().shared_with = shared;
            other
        };
        let own = (version(1), evaluation(0.97));
        assert_eq!(standing(&[own.clone(), (version(2), renamed(&[]))]).n_tries, 1);
        assert_eq!(standing(&[own.clone(), (version(2), renamed(&["r1"]))]).n_tries, 2);
        let mut later = own;
        later.1.basis.as_mut().unwrap().shared_with = vec!["returns of m2".to_owned()];
        assert_eq!(standing(&[(version(2), renamed(&[])), later]).n_tries, 2);
    }

    #[test]
    fn bars_that_were_given_other_times_are_known_at_the_times_of_the_record() {
        const DAY_MS: i64 = 86_400_000;
        let mut own = evaluation(0.97);
        own.window.end = Timestamp::parse("2018-01-11T00:00:00Z").unwrap();
        own.basis.as_mut().unwrap().record.windows = vec![own.window];
        let mut moved = of_other("m2");
        moved.symbol = Symbol::parse("EURUSD_B").unwrap();
        moved.window = moved.window.moved(364 * DAY_MS);
        // Recognised by the evaluation that came later, whichever that is.
        let covers = |own: &Evaluation, moved: &Evaluation| {
            let found = standing(&[(version(2), moved.clone()), (version(1), own.clone())]);
            (found.n_tries, found.shortcoming.map(|told| told.contains("covers 32%")))
        };
        assert_eq!(covers(&own, &moved), (1, None));
        for millis in [Some(364 * DAY_MS), None] {
            let (mut by_own, mut by_other) = (own.clone(), moved.clone());
            let basis = by_own.basis.as_mut().unwrap();
            basis.shared_with = vec!["returns of m2".to_owned()];
            basis.moved_by = [("returns of m2".to_owned(), millis.map(|it| -it))].into();
            let basis = by_other.basis.as_mut().unwrap();
            basis.shared_with = vec!["r1".to_owned()];
            basis.moved_by = [("r1".to_owned(), millis)].into();
            let told = millis.map(|_| true);
            assert_eq!(covers(&by_own, &moved), (2, told));
            assert_eq!(covers(&own, &by_other), (2, told));
        }
    }

    #[test]
    fn copies_of_one_model_are_one_try() {
        let twin = |model: &str| {
            let mut twin = of_other(model);
            twin.basis.as_mut().unwrap().returns_sha256 = "same".to_owned();
            twin
        };
        let all = [
            (version(2), of_other("m2")),
            (version(3), of_other("m2")),
            (version(4), twin("m3")),
            (version(5), twin("m4")),
            (version(1), evaluation(0.97)),
        ];
        assert_eq!(standing(&all).n_tries, 3);
        // A copy of the version itself is no other model.
        let mut copy = evaluation(0.2);
        copy.basis.as_mut().unwrap().returns_sha256 = "prefix".to_owned();
        assert_eq!(standing(&[(version(6), copy), (version(1), evaluation(0.97))]).n_tries, 1);
    }

    #[test]
    fn trainings_tested_on_the_bars_are_tries() {
        let mut own = evaluation(0.97);
        own.basis.as_mut().unwrap().n_trainings = 2;
        let found = Standing::of(&version(1), &[(version(1), own)], 3).unwrap();
        assert_eq!(found.n_tries, 6);
    }

    #[test]
    fn record_of_a_part_of_the_known_bars_is_no_evidence() {
        let mut part = evaluation(0.99);
        part.window.end = Timestamp::parse("2018-01-10T00:00:00Z").unwrap();
        part.basis.as_mut().unwrap().record.windows = vec![part.window];
        assert!(standing(&[(version(1), part.clone())]).is_evidence());
        let told = "the record covers 29% of the bars of EURUSD up to 2018-02-01T00:00:00Z on which the register has \
                    evaluated models: evaluate on all of them";
        let found = standing(&[(version(2), of_other("m2")), (version(1), part.clone())]);
        assert_eq!(found.shortcoming.as_deref(), Some(told));
        // Longer bars cannot be evaluated on.
        let mut daily = of_other("m2");
        daily.basis.as_mut().unwrap().timeframe = Timeframe::Day1;
        assert!(standing(&[(version(2), daily), (version(1), part.clone())]).shortcoming.is_none());
        // The version's own evaluations count too, also those of an older herdbook and with low costs.
        let found = standing(&[(version(1), evaluation_of_version_1()), (version(1), part)]);
        assert_eq!(found.shortcoming.as_deref(), Some(told));
    }

    #[test]
    fn evaluation_of_an_older_herdbook_is_no_evidence_but_a_try() {
        let old = evaluation_of_version_1();
        let found = standing(&[(version(1), old.clone())]);
        assert_eq!(found.probability, None);
        assert!(found.shortcoming.unwrap().contains("kept no returns"));
        let found = standing(&[(version(2), old), (version(1), evaluation(0.97))]);
        assert_eq!(found.n_tries, 2);
    }

    #[test]
    fn record_without_a_joined_evaluation_tells_why() {
        let mut cheap = evaluation(0.99);
        cheap.cost_bps = 0.01;
        cheap.basis.as_mut().unwrap().record = super::super::record::EvidenceRecord::default();
        let found = standing(&[(version(1), cheap)]);
        assert!(found.shortcoming.unwrap().contains("below those of the training"));
        assert_eq!(found.probability, None);
    }

    #[test]
    fn handful_of_bars_and_a_single_trade_are_no_evidence() {
        let mut few = evaluation(0.99);
        few.basis.as_mut().unwrap().record.figures.n_returns = EVIDENCE_BARS - 2;
        let found = standing(&[(version(1), few)]);
        assert_eq!(found.shortcoming.as_deref(), Some("fewer than 51 bars"));
        let mut carried = evaluation(0.99);
        let figures = &mut carried.basis.as_mut().unwrap().record.figures;
        figures.without_best_trade =
            Some(LeftOut { first: 0, n_returns: 400, probability: Some(0.4) });
        let found = standing(&[(version(1), carried)]);
        assert!(found.objection(0.95).unwrap().starts_with("one trade carries the result"));
    }
}
