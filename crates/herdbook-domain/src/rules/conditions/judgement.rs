//! The verdicts on conditions.

use serde::Serialize;

use crate::evidence::Unit;
use crate::values::closed_set::closed_set;

closed_set! {
    /// Whether a condition is met.
    ConditionOutcome, "outcome of a condition" {
        /// The value meets the limit.
        Met = "met",
        /// There is a value, and it does not meet the limit.
        NotMet = "not_met",
        /// There is no value to judge. This counts as not met.
        Missing = "missing",
    }
}

/// How the sentence of a condition on the time in beta begins.
pub(super) const TIME_IN_BETA: &str = "in beta for at least";

/// The verdict on one condition.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verdict {
    /// The condition, in words.
    pub condition: String,
    /// The value found, in the unit of the condition; `None` where there is none.
    pub value: Option<f64>,
    /// The limit, in the same unit; `None` where the champion has no value to compare with.
    pub limit: Option<f64>,
    /// Whether the condition is met.
    pub verdict: ConditionOutcome,
    /// An explanation that the numbers alone do not give.
    pub note: Option<String>,
}

/// The verdicts on all conditions for one rise.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Judgement {
    /// Whether a rise with unmet conditions is refused; otherwise they only warn.
    pub enforce: bool,
    /// One verdict for each condition, in the order of the conditions.
    pub verdicts: Vec<Verdict>,
}

impl Judgement {
    /// The conditions that are not met, those without a value included.
    pub fn unmet(&self) -> impl Iterator<Item = &Verdict> {
        self.verdicts.iter().filter(|verdict| verdict.verdict != ConditionOutcome::Met)
    }
}

impl Verdict {
    /// Judges `value` against `limit`; without one of them the outcome is [`ConditionOutcome::Missing`].
    pub(super) fn of(
        condition: String,
        value: Option<f64>,
        limit: Option<f64>,
        is_met: impl FnOnce(f64, f64) -> bool,
    ) -> Self {
        let verdict = match (value, limit) {
            (Some(value), Some(limit)) if is_met(value, limit) => ConditionOutcome::Met,
            (Some(_), Some(_)) => ConditionOutcome::NotMet,
            _ => ConditionOutcome::Missing,
        };
        Self { condition, value, limit, verdict, note: None }
    }

    /// Whether the value grows while nothing happens.
    pub(crate) fn follows_clock(&self) -> bool {
        self.condition.starts_with(TIME_IN_BETA)
    }

    pub(super) fn with_note(self, note: impl Into<String>) -> Self {
        Self { note: Some(note.into()), ..self }
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let unit = Unit::named_in(&self.condition);
        let number = |value: Option<f64>| value.map_or("none".to_owned(), |v| unit.text(v));
        let verdict = match self.verdict {
            ConditionOutcome::Met => "met",
            ConditionOutcome::NotMet => "not met",
            ConditionOutcome::Missing => "not met: no valid value",
        };
        let (value, limit) = (number(self.value), number(self.limit));
        write!(f, "{}: value {value}, limit {limit}: {verdict}", self.condition)?;
        self.note.as_ref().map_or(Ok(()), |note| write!(f, " ({note})"))
    }
}
