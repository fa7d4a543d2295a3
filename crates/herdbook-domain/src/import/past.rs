//! Changes of stage that tags tell of, joined to a history without gaps.

use crate::{Stage, Timestamp, VersionKey};

use super::told::Told;
use super::{Finding, FindingKind, Zone};

/// A change of stage, as a tag tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PastChange {
    pub(super) at: Timestamp,
    /// Its place among several changes of one minute.
    pub(super) place: u32,
    pub(super) from: Stage,
    pub(super) to: Stage,
    /// The tag, as found.
    pub(super) tag: String,
}

impl PastChange {
    /// Reads `promotion_<YYYYMMDD_HHMMSS>` (or without seconds, or with `_2` … behind it) = `beta -> champion`.
    pub(super) fn read(tag: &str, rest: &str, value: &str, zone: Zone) -> Option<Self> {
        let (time, place) = match rest.match_indices('_').nth(1) {
            None => (rest, 1),
            Some((at, _)) => (&rest[..at], rest[at + 1..].parse().ok()?),
        };
        let (from, to) = value.split_once("->")?;
        let stage = |text: &str| text.trim().to_lowercase().parse().ok();
        Some(Self {
            at: zone.moment_of_tag(time)?,
            place,
            from: stage(from)?,
            to: stage(to)?,
            tag: tag.to_owned(),
        })
    }
}

/// One step of a version's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// A recorded change.
    Changed(PastChange),
    /// It came to a stage in a way that nobody recorded.
    Arrived { at: Timestamp, from: Stage, to: Stage },
    /// The import itself moved it, so that the rules hold.
    Settled { at: Timestamp, from: Stage, to: Stage, reason: &'static str },
}

impl Step {
    pub(super) const fn to(&self) -> Stage {
        match self {
            Self::Changed(change) => change.to,
            Self::Arrived { to, .. } | Self::Settled { to, .. } => *to,
        }
    }
}

/// The history of a version from its registration (in development) to its stage.
pub(super) fn steps(
    key: &VersionKey,
    told: &Told,
    created_at: Timestamp,
    findings: &mut Vec<Finding>,
) -> Vec<Step> {
    let mut find = |kind, message: String, action: &str| {
        findings.push(Finding::new(kind, message, action).of_version(key, None));
    };
    let mut steps = Vec::new();
    let (mut stage, mut last) = (Stage::Development, created_at);
    for change in &told.changes {
        let at = change.at.max(last);
        if change.from != stage {
            let message =
                format!("`{}` begins in `{}`, but it was in `{stage}`", change.tag, change.from);
            find(
                FindingKind::HistoryGap,
                message,
                "the step between is in the history as `adopted`",
            );
            steps.push(Step::Arrived { at, from: stage, to: change.from });
        }
        if change.from.change_to(change.to).is_none() {
            let message = format!("{} -> {} is no permitted change", change.from, change.to);
            find(FindingKind::ForbiddenChange, message, "kept as it happened");
        }
        steps.push(Step::Changed(PastChange { at, ..change.clone() }));
        (stage, last) = (change.to, at);
    }
    let end = told.stage.unwrap_or(stage);
    if end != stage {
        let (kind, message) = if told.changes.is_empty() {
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
        let at = told.time(crate::tags::key::LAST_PROMOTED_AT).unwrap_or(last).max(last);
        steps.push(Step::Arrived { at, from: stage, to: end });
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(tag: &str, value: &str) -> Option<PastChange> {
        PastChange::read(tag, super::super::told::change_key(tag)?, value, Zone::UTC)
    }

    #[test]
    fn change_is_read_in_each_of_its_forms() {
        let change = read("promotion_20250610_141733", "development -> beta").unwrap();
        assert_eq!(change.at.to_string(), "2025-06-10T14:17:33Z");
        assert_eq!((change.from, change.to), (Stage::Development, Stage::Beta));
        let change = read("promotion_20250610_1417_2", "Beta->Champion").unwrap();
        assert_eq!((change.at.to_string().as_str(), change.place), ("2025-06-10T14:17:00Z", 2));
        assert_eq!((change.from, change.to), (Stage::Beta, Stage::Champion));
    }

    #[test]
    fn other_tags_are_no_change() {
        assert_eq!(read("promotion_stage", "beta"), None);
        assert_eq!(read("promotion_20250610_141733", "beta"), None);
        assert_eq!(read("promotion_20250610_141733", "beta -> live"), None);
        assert_eq!(read("promotion_2025", "beta -> champion"), None);
        assert_eq!(read("promotion_20250610_141733_x", "beta -> champion"), None);
    }
}
