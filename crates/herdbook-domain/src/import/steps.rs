//! The history of an imported version: the recorded changes of stage, joined without gaps.

use super::finding::{Finding, FindingKind};
use super::parsed_tags::ParsedTags;
use super::recorded_change::RecordedChange;
use crate::tags::key;
use crate::values::{Stage, Timestamp, Transition, VersionKey};

/// One step of a version's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum HistoryStep {
    /// A recorded change.
    Recorded(RecordedChange),
    /// An unrecorded change that fills a gap between recorded ones.
    Unrecorded { at: Timestamp, from: Stage, to: Stage },
    /// A change made by the import, so that the rules hold.
    ByImport { at: Timestamp, from: Stage, to: Stage, reason: &'static str },
}

impl HistoryStep {
    /// When it happened.
    pub(super) const fn at(&self) -> Timestamp {
        match self {
            Self::Recorded(change) => change.at,
            Self::Unrecorded { at, .. } | Self::ByImport { at, .. } => *at,
        }
    }

    /// Whether it comes from the source.
    pub(super) const fn is_told(&self) -> bool {
        !matches!(self, Self::ByImport { .. })
    }

    /// The stage after the step.
    pub(super) const fn to(&self) -> Stage {
        match self {
            Self::Recorded(change) => change.to,
            Self::Unrecorded { to, .. } | Self::ByImport { to, .. } => *to,
        }
    }

    /// Whether `demotion_timestamp` and `demotion_reason` can describe this step.
    pub(super) fn may_be_demotion(&self) -> bool {
        match self {
            Self::Recorded(change) if change.tag == key::DEMOTION_TIMESTAMP => true,
            Self::Recorded(_) => self.is_demotion() == Some(true),
            Self::Unrecorded { from, to, .. } => falls(*from, *to),
            Self::ByImport { .. } => false,
        }
    }

    /// Whether an earlier demotion is past: the version has moved on since.
    pub(super) fn ends_demotion(&self) -> bool {
        !self.may_be_demotion() && self.is_demotion() != Some(true)
    }

    /// The reason of a change that the import makes.
    pub(super) fn own_reason(&self) -> Option<String> {
        match self {
            Self::ByImport { reason, .. } => Some((*reason).to_owned()),
            Self::Recorded(_) | Self::Unrecorded { .. } => None,
        }
    }

    /// Whether the change is a demotion; `None` for an unrecorded change.
    pub(super) fn is_demotion(&self) -> Option<bool> {
        let (from, to) = match self {
            Self::Recorded(change) => (change.from, change.to),
            Self::ByImport { from, to, .. } => (*from, *to),
            Self::Unrecorded { .. } => return None,
        };
        Some(from.change_to(to).is_some_and(Transition::is_demotion))
    }
}

/// The facts from which the history of one version is made.
pub(super) struct Record<'a> {
    pub(super) key: &'a VersionKey,
    pub(super) parsed: &'a ParsedTags,
    pub(super) created_at: Timestamp,
    /// When other versions of the model became champion, in order.
    pub(super) crowned: &'a [Timestamp],
}

/// A stretch between two recorded changes, in which the version moved without a recorded change.
struct Gap {
    from: Stage,
    to: Stage,
    /// When the change before it happened.
    begin: Timestamp,
    /// When the change after it happened; `None` after the last one.
    end: Option<Timestamp>,
}

/// The steps of a version from its registration in development to its stage, oldest first. Each step begins in the
/// stage where the one before it ended, and times never go back.
///
/// A demotion that only `demotion_timestamp` records is a step at that time.
pub(super) fn steps(record: &Record<'_>, findings: &mut Vec<Finding>) -> Vec<HistoryStep> {
    let Record { key: version, parsed, created_at, .. } = *record;
    let mut find = |kind, message: String, action: &str| {
        findings.push(Finding::new(kind, message, action).of_version(version, None));
    };
    let mut steps = Vec::new();
    let (mut stage, mut last) = (Stage::Development, created_at);
    for change in &parsed.changes {
        if change.at < created_at && !is_within_a_minute(change.at, created_at) {
            let message = format!(
                "`{}` ({}) is before its registration ({created_at})",
                change.tag, change.at
            );
            find(FindingKind::BeforeRegistration, message, "recorded at the time of registration");
        }
        let at = change.at.max(last);
        if change.from != stage {
            let gap = Gap { from: stage, to: change.from, begin: last, end: Some(at) };
            let step = record.fill(&gap);
            if matches!(step, HistoryStep::Unrecorded { .. }) {
                let message = format!(
                    "`{}` begins in `{}`, but it was in `{stage}`",
                    change.tag, change.from
                );
                let action = "the missing step is in the history as `adopted`";
                find(FindingKind::HistoryGap, message, action);
            }
            steps.push(step);
        }
        if change.from.change_to(change.to).is_none() {
            let message = format!("{} -> {} is no permitted change", change.from, change.to);
            find(FindingKind::ForbiddenChange, message, "kept as it happened");
        }
        steps.push(HistoryStep::Recorded(RecordedChange { at, ..change.clone() }));
        (stage, last) = (change.to, at);
    }
    let to = parsed.stage.unwrap_or(stage);
    if to != stage {
        let step = record.fill(&Gap { from: stage, to, begin: last, end: None });
        if let HistoryStep::Unrecorded { at, .. } = &step {
            let (kind, message) = record.unrecorded_end(stage, to);
            let action = format!("it keeps its stage; the history has it as `adopted` at {at}");
            find(kind, message, &action);
        }
        steps.push(step);
    }
    steps
}

impl Record<'_> {
    /// The step that leads over a gap: the demotion that a tag of its own records, else an unrecorded change.
    fn fill(&self, gap: &Gap) -> HistoryStep {
        let Gap { from, to, begin, end } = *gap;
        let demoted_at = self.parsed.demoted_at.filter(|_| falls(from, to));
        let demoted_at = demoted_at.map(|at| self.before_successor(at).max(begin));
        let demoted_at = demoted_at.filter(|at| {
            // A time before the gap belongs to an earlier change.
            self.parsed
                .demoted_at
                .is_some_and(|told| is_within_a_minute(told, begin) || told > begin)
                && end.is_none_or(|end| *at <= end)
        });
        match (demoted_at, from.change_to(to)) {
            (Some(at), Some(_)) => HistoryStep::Recorded(RecordedChange {
                at,
                ordinal: 1,
                from,
                to,
                tag: key::DEMOTION_TIMESTAMP.to_owned(),
            }),
            (Some(at), None) => HistoryStep::Unrecorded { at, from, to },
            (None, _) => HistoryStep::Unrecorded { at: self.time_of(gap), from, to },
        }
    }

    /// The best known time of an unrecorded change. A champion left its stage at the latest when another version of the
    /// model became champion.
    fn time_of(&self, gap: &Gap) -> Timestamp {
        let last_told = self.parsed.time(key::LAST_PROMOTED_AT);
        let end = gap.end.or(last_told.filter(|told| *told > gap.begin));
        let successor = self.crowned.iter().find(|at| **at > gap.begin).copied();
        let successor = successor.filter(|_| gap.from == Stage::Champion);
        match (successor, end) {
            (Some(successor), Some(end)) => successor.min(end),
            (Some(at), None) | (None, Some(at)) => at,
            (None, None) => gap.begin,
        }
    }

    /// The time of a demotion, at the latest that of the promotion which caused it. Programs write the two tags one after
    /// the other, and some times have no seconds.
    fn before_successor(&self, at: Timestamp) -> Timestamp {
        let mut causes = self.crowned.iter().copied();
        causes.find(|cause| *cause <= at && is_within_a_minute(*cause, at)).unwrap_or(at)
    }

    /// The finding about a stage that no recorded change leads to.
    fn unrecorded_end(&self, from: Stage, to: Stage) -> (FindingKind, String) {
        if self.parsed.changes.is_empty() {
            let message = format!("it is in `{to}`, and no change is recorded");
            return (FindingKind::StageWithoutHistory, message);
        }
        let message = format!("it is in `{to}`, its recorded changes end in `{from}`");
        (FindingKind::StageDiffers, message)
    }
}

/// Whether a change leads away from production.
const fn falls(from: Stage, to: Stage) -> bool {
    matches!(
        (from, to),
        (Stage::Champion, _) | (Stage::Beta, Stage::Development) | (_, Stage::Archived)
    )
}

/// Whether two times can be the same one, written with and without seconds.
pub(super) const fn is_within_a_minute(one: Timestamp, other: Timestamp) -> bool {
    one.millis().abs_diff(other.millis()) < 60_000
}
