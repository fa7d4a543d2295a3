//! Conditions and how each is judged.

use super::comparison::beats_champion;
use super::facts::ConditionFacts;
use super::judgement::{ConditionOutcome, Judgement, TIME_IN_BETA, Verdict};
use crate::evidence::{Standing, Unit};
use crate::values::{MetricName, ModelName, Stage, Timeframe, Timestamp};

const MS_PER_HOUR: f64 = 3_600_000.0;

/// The conditions that a team sets. The default has none.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Conditions {
    /// Whether a rise with unmet conditions is refused; otherwise they only warn.
    pub enforce: bool,
    /// The conditions, in the order of the team's file.
    pub all: Vec<Condition>,
}

/// One condition.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// The stage whose entry the condition guards.
    pub to: Stage,
    /// The timeframes it applies to; empty means all.
    pub timeframes: Vec<Timeframe>,
    /// The registered models it applies to, by a present or former name; empty means all.
    pub models: Vec<ModelName>,
    /// What it requires.
    pub requirement: Requirement,
}

/// The requirement of a condition.
#[derive(Debug, Clone, PartialEq)]
pub enum Requirement {
    /// The sealed value of a metric is at least this.
    AtLeast(MetricName, f64),
    /// The sealed value of a metric is at most this.
    AtMost(MetricName, f64),
    /// The metric is better than the champion's on the same bars, windows and costs. Met where there is no champion.
    BeatsChampion(MetricName),
    /// All later bars on which the version was evaluated give more than this probability (0 to 1) of a Sharpe ratio above
    /// those of both doing nothing and buying and holding, as the best of all tries on these bars; see
    /// [`Standing::objection`].
    Evidence(f64),
    /// The version has been in beta for at least this many hours.
    HoursInBeta(f64),
}

impl Conditions {
    /// The conditions on a model's rise to a stage.
    ///
    /// A version without a known timeframe is held to the conditions of every timeframe.
    pub fn before<'a>(
        &'a self,
        to: Stage,
        name: &'a ModelName,
        timeframe: Option<Timeframe>,
    ) -> impl Iterator<Item = &'a Condition> {
        self.all.iter().filter(move |condition| {
            let is_of_model = condition.models.is_empty() || condition.models.contains(name);
            let is_of_timeframe = condition.timeframes.is_empty()
                || timeframe.is_none_or(|timeframe| condition.timeframes.contains(&timeframe));
            condition.to == to && is_of_model && is_of_timeframe
        })
    }

    /// The conditions that apply to a model with all the names that it has or had, each as a condition on every model.
    #[must_use]
    pub fn of_model(&self, names: &[ModelName]) -> Self {
        let applies = |condition: &&Condition| {
            condition.models.is_empty()
                || condition.models.iter().any(|model| names.contains(model))
        };
        let of_all = |condition: &Condition| Condition { models: Vec::new(), ..condition.clone() };
        Self { enforce: self.enforce, all: self.all.iter().filter(applies).map(of_all).collect() }
    }

    /// Whether a condition names models, and not this one. A model may have had one of these names.
    pub fn name_others_than(&self, name: &ModelName) -> bool {
        self.all.iter().any(|it| !it.models.is_empty() && !it.models.contains(name))
    }

    /// Whether a condition on a model's rise to a stage asks for evidence.
    pub fn ask_for_evidence(&self, to: Stage, name: &ModelName) -> bool {
        let is_evidence = |it: &Condition| matches!(it.requirement, Requirement::Evidence(_));
        self.before(to, name, None).any(is_evidence)
    }

    /// Judges every condition on a model's rise to a stage.
    pub fn judge(&self, to: Stage, name: &ModelName, facts: &ConditionFacts) -> Judgement {
        let conditions = self.before(to, name, facts.version.timeframe);
        let verdicts = conditions.map(|condition| condition.requirement.judge(facts)).collect();
        Judgement { enforce: self.enforce, verdicts }
    }
}

impl Requirement {
    fn judge(&self, facts: &ConditionFacts) -> Verdict {
        match self {
            Self::AtLeast(metric, limit) => {
                let value = facts.version.metrics.get(metric.as_str()).copied();
                let condition =
                    format!("`{metric}` at least {}", Unit::of(metric.as_str()).limit_text(*limit));
                Verdict::of(condition, value, Some(*limit), |value, limit| value >= limit)
            }
            Self::AtMost(metric, limit) => {
                let value = facts.version.metrics.get(metric.as_str()).copied();
                let condition =
                    format!("`{metric}` at most {}", Unit::of(metric.as_str()).limit_text(*limit));
                Verdict::of(condition, value, Some(*limit), |value, limit| value <= limit)
            }
            Self::BeatsChampion(metric) => beats_champion(metric, facts),
            Self::Evidence(limit) => evidence(*limit, facts.version.standing.as_ref()),
            Self::HoursInBeta(limit) => {
                let hours =
                    |since: Timestamp| (facts.now.millis() - since.millis()) as f64 / MS_PER_HOUR;
                let condition = format!("{TIME_IN_BETA} {limit} hours");
                let value = facts.in_beta_since.map(hours);
                let known = value.filter(|hours| *hours >= 0.0);
                let verdict =
                    Verdict::of(condition, known, Some(*limit), |value, limit| value >= limit);
                match (value, known) {
                    (Some(_), None) => verdict.with_note(
                        "it entered beta in the future of this machine's clock, so the time since then is unknown",
                    ),
                    _ => verdict,
                }
            }
        }
    }
}

fn evidence(limit: f64, standing: Option<&Standing>) -> Verdict {
    let condition = format!("evidence on later bars: probability above {limit}");
    let Some(standing) = standing else {
        return Verdict::of(condition, None, Some(limit), |_, _| false)
            .with_note("never evaluated");
    };
    let objection = standing.objection(limit);
    let verdict =
        Verdict::of(condition, standing.probability, Some(limit), |_, _| objection.is_none());
    let verdict = if standing.shortcoming.is_some() {
        Verdict { verdict: ConditionOutcome::Missing, ..verdict }
    } else {
        verdict
    };
    let tries = match standing.n_tries {
        1 => "the only try on its bars".to_owned(),
        n => format!("as the best of {n} tries on its bars"),
    };
    match objection.filter(|_| verdict.verdict != ConditionOutcome::Met) {
        Some(objection) => verdict.with_note(format!("{tries}; {objection}")),
        None => verdict.with_note(tries),
    }
}

#[cfg(test)]
mod tests {
    use super::super::facts::VersionEvidence;
    use super::*;
    use crate::evidence::{Evaluation, EvidenceRecord};
    use crate::evidence::{evaluation_samples, window_params};
    use crate::values::{RunId, VersionKey, VersionNumber};

    fn metric(name: &str) -> MetricName {
        MetricName::parse(name).unwrap()
    }

    fn evidence_of(value: Option<f64>) -> VersionEvidence {
        let params = window_params::of_result().map(|key| (key.to_owned(), "same".to_owned()));
        VersionEvidence {
            metrics: value
                .map(|value| ("portfolio/calmar_ratio".to_owned(), value))
                .into_iter()
                .collect(),
            params: params.collect(),
            ..VersionEvidence::default()
        }
    }

    fn facts(own: Option<f64>, champion: Option<VersionEvidence>) -> ConditionFacts {
        ConditionFacts {
            now: Timestamp::from_millis(7_200_000),
            version: evidence_of(own),
            champion: champion.map(|champion| (VersionNumber::FIRST, champion)),
            in_beta_since: None,
        }
    }

    fn evaluation(probability: f64, calmar: f64) -> Evaluation {
        let mut evaluation = evaluation_samples::evaluation(probability);
        evaluation.metrics = [("calmar_ratio".to_owned(), calmar)].into();
        evaluation
    }

    #[test]
    fn missing_metric_meets_no_limit() {
        let facts = facts(None, None);
        for requirement in [
            Requirement::AtLeast(metric("portfolio/calmar_ratio"), f64::MIN),
            Requirement::AtMost(metric("portfolio/calmar_ratio"), f64::MAX),
            Requirement::BeatsChampion(metric("portfolio/calmar_ratio")),
            Requirement::Evidence(0.0),
            Requirement::HoursInBeta(0.0),
        ] {
            assert_eq!(
                requirement.judge(&facts).verdict,
                ConditionOutcome::Missing,
                "{requirement:?}"
            );
        }
    }

    #[test]
    fn limits_are_met_on_the_limit_itself() {
        let facts = facts(Some(0.5), None);
        let judged = |requirement: Requirement| requirement.judge(&facts).verdict;
        let calmar = || metric("portfolio/calmar_ratio");
        assert_eq!(judged(Requirement::AtLeast(calmar(), 0.5)), ConditionOutcome::Met);
        assert_eq!(judged(Requirement::AtLeast(calmar(), 0.51)), ConditionOutcome::NotMet);
        assert_eq!(judged(Requirement::AtMost(calmar(), 0.5)), ConditionOutcome::Met);
        assert_eq!(judged(Requirement::AtMost(calmar(), 0.49)), ConditionOutcome::NotMet);
    }

    #[test]
    fn champion_is_beaten_only_by_more_and_on_the_same_windows() {
        let requirement = Requirement::BeatsChampion(metric("portfolio/calmar_ratio"));
        assert_eq!(
            requirement.judge(&facts(Some(2.0), Some(evidence_of(Some(1.0))))).verdict,
            ConditionOutcome::Met
        );
        assert_eq!(
            requirement.judge(&facts(Some(1.0), Some(evidence_of(Some(1.0))))).verdict,
            ConditionOutcome::NotMet
        );
        assert_eq!(
            requirement.judge(&facts(Some(2.0), Some(evidence_of(None)))).verdict,
            ConditionOutcome::Missing
        );
        assert_eq!(requirement.judge(&facts(Some(2.0), None)).verdict, ConditionOutcome::Met);
        let mut other_windows = facts(Some(2.0), Some(evidence_of(Some(1.0))));
        let champion = &mut other_windows.champion.as_mut().unwrap().1;
        champion.params.insert(window_params::COST_BPS.to_owned(), "0".to_owned());
        let verdict = requirement.judge(&other_windows);
        assert_eq!(verdict.verdict, ConditionOutcome::Missing);
        assert!(verdict.to_string().contains("`herdbook evaluate` on both"), "{verdict}");
    }

    #[test]
    fn champion_that_is_the_parent_was_measured_by_its_child() {
        let mut facts = facts(Some(2.0), Some(evidence_of(Some(9.0))));
        let parent = RunId::parse(&"a".repeat(32)).unwrap();
        facts.version.parent = Some(parent.clone());
        facts.version.metrics.insert("parent/portfolio/calmar_ratio".to_owned(), 1.0);
        let champion = &mut facts.champion.as_mut().unwrap().1;
        champion.run_id = Some(parent);
        champion.params.clear();
        let verdict = Requirement::BeatsChampion(metric("portfolio/calmar_ratio")).judge(&facts);
        assert_eq!((verdict.verdict, verdict.limit), (ConditionOutcome::Met, Some(1.0)));
    }

    #[test]
    fn later_bars_that_both_saw_count_more_than_the_windows_of_training() {
        let mut facts = facts(Some(2.0), Some(evidence_of(Some(1.0))));
        facts.version.evaluations = vec![evaluation(0.9, 0.1)];
        facts.champion.as_mut().unwrap().1.evaluations = vec![evaluation(0.9, 0.2)];
        let verdict = Requirement::BeatsChampion(metric("portfolio/calmar_ratio")).judge(&facts);
        assert_eq!((verdict.verdict, verdict.value), (ConditionOutcome::NotMet, Some(0.1)));
    }

    #[test]
    fn evidence_is_judged_on_the_record_among_all_tries() {
        let key = |number| VersionKey {
            name: ModelName::parse("1H_trading_model").unwrap(),
            version: VersionNumber::new(number).unwrap(),
        };
        let judged = |all: &[(VersionKey, Evaluation)]| {
            let mut facts = facts(None, None);
            facts.version.standing = Standing::of(&key(1), all, 0);
            Requirement::Evidence(0.9).judge(&facts)
        };
        let own = (key(1), evaluation(0.97, 0.0));
        let verdict = judged(std::slice::from_ref(&own));
        assert_eq!((verdict.verdict, verdict.value), (ConditionOutcome::Met, Some(0.97)));
        assert_eq!(verdict.note.as_deref(), Some("the only try on its bars"));
        let mut other = evaluation(0.5, 0.0);
        let basis = other.basis.as_mut().unwrap();
        (basis.model_sha256, basis.returns_sha256) = ("m2".to_owned(), "r2".to_owned());
        let others = (2..5).map(|number| (key(number), other.clone()));
        let verdict = judged(&others.chain([own.clone()]).collect::<Vec<_>>());
        // Three copies of one model are one try.
        assert_eq!((verdict.verdict, verdict.value), (ConditionOutcome::Met, Some(0.96)));
        assert_eq!(verdict.note.as_deref(), Some("as the best of 2 tries on its bars"));
        let mut unknown = own;
        unknown.1.is_lineage_known = false;
        unknown.1.basis.as_mut().unwrap().record = EvidenceRecord::default();
        let verdict = judged(&[unknown]);
        assert_eq!((verdict.verdict, verdict.value), (ConditionOutcome::Missing, None));
        assert!(verdict.note.unwrap().contains("unknown whether its bars were new"));
    }

    #[test]
    fn time_in_beta_is_counted_in_hours() {
        let mut facts = facts(None, None);
        facts.in_beta_since = Some(Timestamp::from_millis(0));
        assert_eq!(Requirement::HoursInBeta(2.0).judge(&facts).verdict, ConditionOutcome::Met);
        let verdict = Requirement::HoursInBeta(2.5).judge(&facts);
        assert_eq!((verdict.verdict, verdict.value), (ConditionOutcome::NotMet, Some(2.0)));
        facts.in_beta_since = Some(Timestamp::from_millis(7_200_001));
        let verdict = Requirement::HoursInBeta(0.0).judge(&facts);
        assert_eq!((verdict.verdict, verdict.value), (ConditionOutcome::Missing, None));
    }

    #[test]
    fn renamed_model_keeps_the_conditions_of_its_former_names() {
        let [old, new, other] =
            ["D_old", "D_new", "D_other"].map(|it| ModelName::parse(it).unwrap());
        let on = |models: &[&ModelName]| Condition {
            to: Stage::Champion,
            timeframes: Vec::new(),
            models: models.iter().copied().cloned().collect(),
            requirement: Requirement::HoursInBeta(1.0),
        };
        let conditions =
            Conditions { enforce: true, all: vec![on(&[&other, &old]), on(&[&other]), on(&[])] };
        let of_model = conditions.of_model(&[new.clone(), old.clone()]);
        assert!(of_model.enforce);
        assert_eq!(of_model.before(Stage::Champion, &new, None).count(), 2);
        assert_eq!(conditions.of_model(std::slice::from_ref(&new)).all.len(), 1);
        assert!(conditions.name_others_than(&new) && conditions.name_others_than(&old));
        assert!(
            !Conditions { enforce: true, all: vec![on(&[&old]), on(&[])] }.name_others_than(&old)
        );
    }

    #[test]
    fn condition_stands_before_its_stage_model_and_timeframe_only() {
        let name = ModelName::parse("1H_trading_model").unwrap();
        let condition = Condition {
            to: Stage::Champion,
            timeframes: vec![Timeframe::Hour1],
            models: vec![name.clone()],
            requirement: Requirement::HoursInBeta(1.0),
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
