//! Conditions on promotion: what a version must show before it rises. Conditions and facts in, verdicts out.
//!
//! Evidence that is missing never passes: a condition is met by a number, not by the lack of one.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::closed_set::closed_set;
use crate::{
    Direction, Evaluation, MetricName, ModelName, RunId, Stage, Timeframe, Timestamp,
    VersionNumber, window_params,
};

/// The conditions that a team sets. The default has none.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Conditions {
    /// Whether a change that does not meet them is refused; otherwise it is warned of.
    pub enforce: bool,
    /// Each of them.
    pub all: Vec<Condition>,
}

/// One condition.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// The stage before which it stands.
    pub to: Stage,
    /// Of which timeframes; empty: of all.
    pub timeframes: Vec<Timeframe>,
    /// Of which registered models; empty: of all.
    pub models: Vec<ModelName>,
    /// What it asks for.
    pub demand: Demand,
}

/// What a condition asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Demand {
    /// The last finite value of a metric of the run is at least this.
    AtLeast(MetricName, f64),
    /// It is at most this.
    AtMost(MetricName, f64),
    /// It is better than the champion's on the same bars, windows and costs. Met where there is no champion.
    BeatsChampion(MetricName),
    /// The newest evaluation on later bars gives at least this probability of beating flat and holding.
    Evidence(f64),
    /// It has been in beta for at least these hours.
    HoursInBeta(f64),
}

/// What is known of a version that conditions ask for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Dossier {
    /// Its timeframe, if its tag says one.
    pub timeframe: Option<Timeframe>,
    /// Its run.
    pub run_id: Option<RunId>,
    /// The run of its parent.
    pub parent: Option<RunId>,
    /// The last finite value of each metric of its run.
    pub metrics: BTreeMap<String, f64>,
    /// The params of its run.
    pub params: BTreeMap<String, String>,
    /// Its evaluations on later bars, oldest first.
    pub evaluations: Vec<Evaluation>,
}

/// What conditions are judged on, as it is in the moment of the change.
#[derive(Debug, Clone, PartialEq)]
pub struct ConditionFacts {
    /// The moment.
    pub now: Timestamp,
    /// The version that is to rise.
    pub version: Dossier,
    /// The champion it would displace; `None` where there is none.
    pub champion: Option<(VersionNumber, Dossier)>,
    /// Since when the version is in beta; `None` where it is not.
    pub in_beta_since: Option<Timestamp>,
}

closed_set! {
    /// Whether a condition is met.
    Outcome, "outcome of a condition" {
        /// It is met.
        Met = "met",
        /// There is a number, and it is not good enough.
        NotMet = "not_met",
        /// There is no number to judge by, which is not good enough either.
        Missing = "missing",
    }
}

/// How a condition was judged.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verdict {
    /// What was asked for, in words.
    pub condition: String,
    /// What was found; `None` where there is nothing.
    pub value: Option<f64>,
    /// What was asked for; `None` where the champion has nothing to compare with.
    pub limit: Option<f64>,
    /// Whether that is enough.
    pub verdict: Outcome,
    /// What a number alone does not say.
    pub note: Option<String>,
}

/// How all conditions before a stage were judged.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Judgement {
    /// Whether a change that does not meet them is refused.
    pub enforce: bool,
    /// Each condition, as they stand in the file.
    pub verdicts: Vec<Verdict>,
}

impl Judgement {
    /// The conditions that are not met.
    pub fn unmet(&self) -> impl Iterator<Item = &Verdict> {
        self.verdicts.iter().filter(|verdict| verdict.verdict != Outcome::Met)
    }
}

impl Conditions {
    /// The conditions that stand before a model's rise to a stage.
    pub fn before<'a>(
        &'a self,
        to: Stage,
        name: &'a ModelName,
        timeframe: Option<Timeframe>,
    ) -> impl Iterator<Item = &'a Condition> {
        self.all.iter().filter(move |condition| {
            let is_of_model = condition.models.is_empty() || condition.models.contains(name);
            // A version that does not say its timeframe escapes nothing.
            let is_of_timeframe = condition.timeframes.is_empty()
                || timeframe.is_none_or(|timeframe| condition.timeframes.contains(&timeframe));
            condition.to == to && is_of_model && is_of_timeframe
        })
    }

    /// Judges every condition that stands before a model's rise to a stage.
    pub fn judge(&self, to: Stage, name: &ModelName, facts: &ConditionFacts) -> Judgement {
        let standing = self.before(to, name, facts.version.timeframe);
        let verdicts = standing.map(|condition| condition.demand.judge(facts)).collect();
        Judgement { enforce: self.enforce, verdicts }
    }
}

impl Demand {
    fn judge(&self, facts: &ConditionFacts) -> Verdict {
        match self {
            Self::AtLeast(metric, limit) => {
                let value = facts.version.metrics.get(metric.as_str()).copied();
                let condition = format!("`{metric}` at least {limit}");
                Verdict::of(condition, value, Some(*limit), |value, limit| value >= limit)
            }
            Self::AtMost(metric, limit) => {
                let value = facts.version.metrics.get(metric.as_str()).copied();
                let condition = format!("`{metric}` at most {limit}");
                Verdict::of(condition, value, Some(*limit), |value, limit| value <= limit)
            }
            Self::BeatsChampion(metric) => beats_champion(metric, facts),
            Self::Evidence(limit) => evidence(*limit, &facts.version.evaluations),
            Self::HoursInBeta(limit) => {
                let hours =
                    |since: Timestamp| (facts.now.millis() - since.millis()) as f64 / MS_PER_HOUR;
                let condition = format!("in beta for at least {limit} hours");
                let value = facts.in_beta_since.map(hours);
                Verdict::of(condition, value, Some(*limit), |value, limit| value >= limit)
            }
        }
    }
}

const MS_PER_HOUR: f64 = 3_600_000.0;

impl Verdict {
    fn of(
        condition: String,
        value: Option<f64>,
        limit: Option<f64>,
        is_met: impl FnOnce(f64, f64) -> bool,
    ) -> Self {
        let verdict = match (value, limit) {
            (Some(value), Some(limit)) if is_met(value, limit) => Outcome::Met,
            (Some(_), Some(_)) => Outcome::NotMet,
            _ => Outcome::Missing,
        };
        Self { condition, value, limit, verdict, note: None }
    }

    fn noted(self, note: impl Into<String>) -> Self {
        Self { note: Some(note.into()), ..self }
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let number = |value: Option<f64>| value.map_or("none".to_owned(), |v| format!("{v:.4}"));
        let verdict = match self.verdict {
            Outcome::Met => "met",
            Outcome::NotMet => "not met",
            Outcome::Missing => "not met, for want of evidence",
        };
        let (value, limit) = (number(self.value), number(self.limit));
        write!(f, "{}: value {value}, limit {limit}: {verdict}", self.condition)?;
        self.note.as_ref().map_or(Ok(()), |note| write!(f, " ({note})"))
    }
}

fn evidence(limit: f64, evaluations: &[Evaluation]) -> Verdict {
    let condition = format!("evidence on later bars: probability at least {limit}");
    let Some(newest) = evaluations.last() else {
        return Verdict::of(condition, None, Some(limit), |_, _| false).noted("never evaluated");
    };
    let verdict =
        Verdict::of(condition, newest.probability, Some(limit), |value, limit| value >= limit);
    match newest.shortcoming() {
        None => verdict,
        Some(shortcoming) => Verdict { verdict: Outcome::Missing, ..verdict }.noted(&shortcoming),
    }
}

fn beats_champion(metric: &MetricName, facts: &ConditionFacts) -> Verdict {
    let own = facts.version.metrics.get(metric.as_str()).copied();
    let Some((number, champion)) = &facts.champion else {
        let condition = format!("better than the champion on `{metric}`");
        let verdict = Verdict::of(condition, own, own, |_, _| true);
        return Verdict { limit: None, ..verdict }.noted("there is no champion");
    };
    let condition = format!("better than the champion, version {number}, on `{metric}`");
    let Some(pair) = on_the_same_window(metric, &facts.version, champion) else {
        return Verdict::of(condition, own, None, |_, _| false)
            .noted("not measured on the same bars, windows and costs: `herdbook evaluate` both");
    };
    let is_better = |own: f64, theirs: f64| match Direction::of(metric.as_str()) {
        Direction::More | Direction::Neither => own > theirs,
        Direction::Less => own < theirs,
    };
    Verdict::of(condition, Some(pair.own), Some(pair.theirs), is_better).noted(pair.on)
}

/// One metric of two models, measured on the same bars at the same costs.
struct Pair {
    own: f64,
    theirs: f64,
    on: &'static str,
}

/// The newest evidence first: later bars that both were evaluated on; then equal windows of the trainings; then, of
/// a parent, what its child measured of it.
fn on_the_same_window(metric: &MetricName, own: &Dossier, theirs: &Dossier) -> Option<Pair> {
    let pair =
        |own: Option<f64>, theirs: Option<f64>, on| Some(Pair { own: own?, theirs: theirs?, on });
    let evaluated = || {
        let name = metric.as_str().strip_prefix("portfolio/")?;
        own.evaluations.iter().rev().find_map(|mine| {
            let other = theirs.evaluations.iter().rev().find(|other| is_same_test(mine, other))?;
            let value = |evaluation: &Evaluation| evaluation.metrics.get(name).copied();
            pair(value(mine), value(other), "both evaluated on the same later bars")
        })
    };
    let value = |dossier: &Dossier| dossier.metrics.get(metric.as_str()).copied();
    let trained = || {
        let is_same = window_params::of_result().all(|key| {
            let value = own.params.get(key);
            value.is_some() && value == theirs.params.get(key)
        });
        is_same.then(|| pair(value(own), value(theirs), "both on the windows of their training"))?
    };
    let parent = || {
        let is_parent = own.parent.is_some() && own.parent == theirs.run_id;
        let measured = own.metrics.get(&format!("parent/{metric}")).copied();
        is_parent
            .then(|| pair(value(own), measured, "the parent, measured on its child's windows"))?
    };
    evaluated().or_else(trained).or_else(parent)
}

fn is_same_test(a: &Evaluation, b: &Evaluation) -> bool {
    a.symbol == b.symbol
        && a.window == b.window
        && a.bars_sha256 == b.bars_sha256
        && a.cost_bps.total_cmp(&b.cost_bps).is_eq()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metric(name: &str) -> MetricName {
        MetricName::parse(name).unwrap()
    }

    fn dossier(value: Option<f64>) -> Dossier {
        let params = window_params::of_result().map(|key| (key.to_owned(), "same".to_owned()));
        Dossier {
            metrics: value
                .map(|value| ("portfolio/calmar_ratio".to_owned(), value))
                .into_iter()
                .collect(),
            params: params.collect(),
            ..Dossier::default()
        }
    }

    fn facts(own: Option<f64>, champion: Option<Dossier>) -> ConditionFacts {
        ConditionFacts {
            now: Timestamp::from_millis(7_200_000),
            version: dossier(own),
            champion: champion.map(|champion| (VersionNumber::FIRST, champion)),
            in_beta_since: None,
        }
    }

    fn evaluation(probability: Option<f64>, calmar: f64) -> Evaluation {
        serde_json::from_value(serde_json::json!({
            "v": 1, "symbol": "EURUSD", "bars_sha256": "ab", "n_bars": 500, "n_shown_before": 0,
            "window": {"start": "2018-01-01T00:00:00Z", "end": "2018-02-01T00:00:00Z"},
            "is_lineage_known": true, "cost_bps": 1.0, "metrics": {"calmar_ratio": calmar},
            "buy_and_hold": {}, "benchmark_sharpe_per_bar": 0.0, "probability": probability,
        }))
        .unwrap()
    }

    #[test]
    fn missing_metric_meets_no_limit() {
        let facts = facts(None, None);
        for demand in [
            Demand::AtLeast(metric("portfolio/calmar_ratio"), f64::MIN),
            Demand::AtMost(metric("portfolio/calmar_ratio"), f64::MAX),
            Demand::BeatsChampion(metric("portfolio/calmar_ratio")),
            Demand::Evidence(0.0),
            Demand::HoursInBeta(0.0),
        ] {
            assert_eq!(demand.judge(&facts).verdict, Outcome::Missing, "{demand:?}");
        }
    }

    #[test]
    fn limits_are_met_on_the_limit_itself() {
        let facts = facts(Some(0.5), None);
        let judged = |demand: Demand| demand.judge(&facts).verdict;
        let calmar = || metric("portfolio/calmar_ratio");
        assert_eq!(judged(Demand::AtLeast(calmar(), 0.5)), Outcome::Met);
        assert_eq!(judged(Demand::AtLeast(calmar(), 0.51)), Outcome::NotMet);
        assert_eq!(judged(Demand::AtMost(calmar(), 0.5)), Outcome::Met);
        assert_eq!(judged(Demand::AtMost(calmar(), 0.49)), Outcome::NotMet);
    }

    #[test]
    fn champion_is_beaten_only_by_more_and_on_the_same_windows() {
        let demand = Demand::BeatsChampion(metric("portfolio/calmar_ratio"));
        assert_eq!(demand.judge(&facts(Some(2.0), Some(dossier(Some(1.0))))).verdict, Outcome::Met);
        assert_eq!(
            demand.judge(&facts(Some(1.0), Some(dossier(Some(1.0))))).verdict,
            Outcome::NotMet
        );
        assert_eq!(demand.judge(&facts(Some(2.0), Some(dossier(None)))).verdict, Outcome::Missing);
        assert_eq!(demand.judge(&facts(Some(2.0), None)).verdict, Outcome::Met);
        let mut other_windows = facts(Some(2.0), Some(dossier(Some(1.0))));
        let champion = &mut other_windows.champion.as_mut().unwrap().1;
        champion.params.insert(window_params::COST_BPS.to_owned(), "0".to_owned());
        let verdict = demand.judge(&other_windows);
        assert_eq!(verdict.verdict, Outcome::Missing);
        assert!(verdict.to_string().contains("`herdbook evaluate` both"), "{verdict}");
    }

    #[test]
    fn champion_that_is_the_parent_was_measured_by_its_child() {
        let mut facts = facts(Some(2.0), Some(dossier(Some(9.0))));
        let parent = RunId::parse(&"a".repeat(32)).unwrap();
        facts.version.parent = Some(parent.clone());
        facts.version.metrics.insert("parent/portfolio/calmar_ratio".to_owned(), 1.0);
        let champion = &mut facts.champion.as_mut().unwrap().1;
        champion.run_id = Some(parent);
        champion.params.clear();
        let verdict = Demand::BeatsChampion(metric("portfolio/calmar_ratio")).judge(&facts);
        assert_eq!((verdict.verdict, verdict.limit), (Outcome::Met, Some(1.0)));
    }

    #[test]
    fn later_bars_that_both_saw_count_more_than_the_windows_of_training() {
        let mut facts = facts(Some(2.0), Some(dossier(Some(1.0))));
        facts.version.evaluations = vec![evaluation(Some(0.9), 0.1)];
        facts.champion.as_mut().unwrap().1.evaluations = vec![evaluation(Some(0.9), 0.2)];
        let verdict = Demand::BeatsChampion(metric("portfolio/calmar_ratio")).judge(&facts);
        assert_eq!((verdict.verdict, verdict.value), (Outcome::NotMet, Some(0.1)));
    }

    #[test]
    fn newest_evaluation_counts_and_only_on_bars_known_to_be_new() {
        let mut facts = facts(None, None);
        facts.version.evaluations = vec![evaluation(Some(0.99), 0.0), evaluation(Some(0.5), 0.0)];
        let demand = Demand::Evidence(0.9);
        assert_eq!(demand.judge(&facts).verdict, Outcome::NotMet);
        facts.version.evaluations.push(evaluation(None, 0.0));
        assert_eq!(demand.judge(&facts).verdict, Outcome::Missing);
        let mut unknown = evaluation(Some(0.99), 0.0);
        unknown.is_lineage_known = false;
        facts.version.evaluations.push(unknown);
        let verdict = demand.judge(&facts);
        assert_eq!((verdict.verdict, verdict.value), (Outcome::Missing, Some(0.99)));
    }

    #[test]
    fn time_in_beta_is_counted_in_hours() {
        let mut facts = facts(None, None);
        facts.in_beta_since = Some(Timestamp::from_millis(0));
        assert_eq!(Demand::HoursInBeta(2.0).judge(&facts).verdict, Outcome::Met);
        let verdict = Demand::HoursInBeta(2.5).judge(&facts);
        assert_eq!((verdict.verdict, verdict.value), (Outcome::NotMet, Some(2.0)));
    }

    #[test]
    fn condition_stands_before_its_stage_model_and_timeframe_only() {
        let name = ModelName::parse("1H_trading_model").unwrap();
        let condition = Condition {
            to: Stage::Champion,
            timeframes: vec![Timeframe::Hour1],
            models: vec![name.clone()],
            demand: Demand::HoursInBeta(1.0),
        };
        let conditions = Conditions { enforce: false, all: vec![condition] };
        let count =
            |to, name: &ModelName, timeframe| conditions.before(to, name, timeframe).count();
        assert_eq!(count(Stage::Champion, &name, Some(Timeframe::Hour1)), 1);
        assert_eq!(count(Stage::Champion, &name, None), 1);
        assert_eq!(count(Stage::Champion, &name, Some(Timeframe::Day1)), 0);
        assert_eq!(count(Stage::Beta, &name, Some(Timeframe::Hour1)), 0);
        let other = ModelName::parse("1H_other").unwrap();
        assert_eq!(count(Stage::Champion, &other, Some(Timeframe::Hour1)), 0);
    }
}
