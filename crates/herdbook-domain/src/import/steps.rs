//! The history of an imported version: the recorded changes of stage, joined without gaps.

use super::finding::{Finding, FindingKind};
use super::parsed_tags::ParsedTags;
use super::recorded_change::RecordedChange;
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
    /// The stage after the step.
    pub(super) const fn to(&self) -> Stage {
        match self {
            Self::Recorded(change) => change.to,
            Self::Unrecorded { to, .. } | Self::ByImport { to, .. } => *to,
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

/// The steps of a version from its registration in development to its stage, oldest first. Each step begins in the
/// stage where the one before it ended, and times never go back.
pub(super) fn steps(
    key: &VersionKey,
    parsed: &ParsedTags,
    created_at: Timestamp,
    findings: &mut Vec<Finding>,
) -> Vec<HistoryStep> {
    let mut find = |kind, message: String, action: &str| {
        findings.push(Finding::new(kind, message, action).of_version(key, None));
    };
    let mut steps = Vec::new();
    let (mut stage, mut last) = (Stage::Development, created_at);
    for change in &parsed.changes {
        let at = change.at.max(last);
        if change.from != stage {
            let message =
                format!("`{}` begins in `{}`, but it was in `{stage}`", change.tag, change.from);
            find(
                FindingKind::HistoryGap,
                message,
                "the missing step is in the history as `adopted`",
            );
            steps.push(HistoryStep::Unrecorded { at, from: stage, to: change.from });
        }
        if change.from.change_to(change.to).is_none() {
            let message = format!("{} -> {} is no permitted change", change.from, change.to);
            find(FindingKind::ForbiddenChange, message, "kept as it happened");
        }
        steps.push(HistoryStep::Recorded(RecordedChange { at, ..change.clone() }));
        (stage, last) = (change.to, at);
    }
    let end = parsed.stage.unwrap_or(stage);
    if end != stage {
        let (kind, message) = if parsed.changes.is_empty() {
            (
                FindingKind::StageWithoutHistory,
                format!("it is in `{end}`, and no change is recorded"),
            )
        } else {
            (
                FindingKind::StageDiffers,
                format!("it is in `{end}`, its recorded changes end in `{stage}`"),
            )
        };
        find(kind, message, "it keeps its stage; the history has it as `adopted`");
        let at = parsed.time(crate::tags::key::LAST_PROMOTED_AT).unwrap_or(last).max(last);
        steps.push(HistoryStep::Unrecorded { at, from: stage, to: end });
    }
    steps
}
