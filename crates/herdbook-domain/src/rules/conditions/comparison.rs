//! The comparison of a version with the champion on one metric.

use super::facts::{ConditionFacts, VersionEvidence};
use super::judgement::Verdict;
use crate::evidence::{Direction, Evaluation, window_params};
use crate::values::MetricName;

/// Judges whether a version is better than the champion on a metric. Met where there is no champion.
pub(super) fn beats_champion(metric: &MetricName, facts: &ConditionFacts) -> Verdict {
    let own = facts.version.metrics.get(metric.as_str()).copied();
    let Some((number, champion)) = &facts.champion else {
        let condition = format!("better than the champion on `{metric}`");
        let verdict = Verdict::of(condition, own, own, |_, _| true);
        return Verdict { limit: None, ..verdict }.with_note("there is no champion");
    };
    let condition = format!("better than the champion, version {number}, on `{metric}`");
    let Some(pair) = comparable_values(metric, &facts.version, champion) else {
        return Verdict::of(condition, own, None, |_, _| false).with_note(
            "not measured on the same bars, windows and costs: run `herdbook evaluate` on both",
        );
    };
    let is_better = |own: f64, champions: f64| match Direction::of(metric.as_str()) {
        Direction::More | Direction::Neither => own > champions,
        Direction::Less => own < champions,
    };
    Verdict::of(condition, Some(pair.own), Some(pair.champions), is_better).with_note(pair.basis)
}

/// Values of one metric for two versions, measured on the same bars at the same costs.
struct ComparablePair {
    own: f64,
    champions: f64,
    /// Where both were measured, for the user.
    basis: &'static str,
}

/// The best comparable values of a metric, in this order of preference: evaluations on the same later bars (the most bars,
/// then the newest, so that a part of the bars cannot be chosen by its result); trainings
/// with equal windows; where the champion is the version's parent, the child's own measurement of its parent.
fn comparable_values(
    metric: &MetricName,
    own: &VersionEvidence,
    champion: &VersionEvidence,
) -> Option<ComparablePair> {
    let pair = |own: Option<f64>, champions: Option<f64>, basis| {
        Some(ComparablePair { own: own?, champions: champions?, basis })
    };
    let evaluated = || {
        let name = metric.as_str().strip_prefix("portfolio/")?;
        let other = |mine: &Evaluation| {
            champion.evaluations.iter().rev().find(|other| is_same_test(mine, other))
        };
        let same = own.evaluations.iter().filter_map(|mine| Some((mine, other(mine)?)));
        let (mine, other) = same.max_by_key(|(mine, _)| mine.n_bars)?;
        let value = |evaluation: &Evaluation| evaluation.metrics.get(name).copied();
        pair(value(mine), value(other), "both evaluated on the same later bars")
    };
    let value = |evidence: &VersionEvidence| evidence.metrics.get(metric.as_str()).copied();
    let trained = || {
        let is_same = window_params::of_result().all(|key| {
            let value = own.params.get(key);
            value.is_some() && value == champion.params.get(key)
        });
        is_same
            .then(|| pair(value(own), value(champion), "both on the windows of their training"))?
    };
    let measured_by_child = || {
        let is_parent = own.parent.is_some() && own.parent == champion.run_id;
        let parents = own.metrics.get(&format!("parent/{metric}")).copied();
        is_parent
            .then(|| pair(value(own), parents, "the parent, measured on its child's windows"))?
    };
    evaluated().or_else(trained).or_else(measured_by_child)
}

/// Whether two evaluations are of the same bars at the same costs, which are not below those of either training.
fn is_same_test(a: &Evaluation, b: &Evaluation) -> bool {
    let is_dear_enough = |it: &Evaluation| {
        it.basis.as_ref().is_none_or(|basis| it.cost_bps >= basis.training_cost_bps)
    };
    a.symbol == b.symbol
        && a.window == b.window
        && a.bars_sha256 == b.bars_sha256
        && a.cost_bps.total_cmp(&b.cost_bps).is_eq()
        && is_dear_enough(a)
        && is_dear_enough(b)
}

#[cfg(test)]
mod tests {
    use super::super::judgement::ConditionOutcome;
    use super::*;
    use crate::values::{Timestamp, VersionNumber};

    #[test]
    fn better_is_more_or_less_by_the_metric_and_never_equal() {
        let judged = |name: &str, own: f64, champions: f64| {
            let evidence = |value| VersionEvidence {
                metrics: [(name.to_owned(), value)].into(),
                params: window_params::of_result()
                    .map(|key| (key.to_owned(), String::new()))
                    .collect(),
                ..VersionEvidence::default()
            };
            let facts = ConditionFacts {
                now: Timestamp::EXAMPLE,
                version: evidence(own),
                champion: Some((VersionNumber::FIRST, evidence(champions))),
                in_beta_since: None,
            };
            beats_champion(&MetricName::parse(name).unwrap(), &facts).verdict
                == ConditionOutcome::Met
        };
        for (name, own, champions, is_met) in [
            ("portfolio/sharpe_ratio", 1.0, 0.5, true),
            ("portfolio/sharpe_ratio", 0.5, 1.0, false),
            ("portfolio/max_drawdown", 0.1, 0.2, true),
            ("portfolio/max_drawdown", 0.2, 0.1, false),
            ("portfolio/total_trades", 9.0, 8.0, true),
            ("portfolio/sharpe_ratio", 1.0, 1.0, false),
            ("portfolio/max_drawdown", 0.1, 0.1, false),
            ("portfolio/sharpe_ratio", f64::NAN, 1.0, false),
        ] {
            assert_eq!(judged(name, own, champions), is_met, "{name}: {own} against {champions}");
        }
    }
}
