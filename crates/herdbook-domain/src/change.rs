//! One version's change of stage: its tags, its run's tags, and what the log says of it.

use crate::tags::{PromotionReason, TagChanges, run_stage_tags, stage_tags};
use crate::{
    EventDraft, EventKind, Honesty, Refusal, RunId, Stage, Timestamp, Transition, Verdict,
    VersionFacts, VersionKey,
};

/// One version's change of stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageChange {
    /// Which version.
    pub key: VersionKey,
    /// Its run.
    pub run_id: Option<RunId>,
    /// From where to where.
    pub transition: Transition,
    /// Why it happens.
    pub cause: Cause,
    /// The version's honesty state.
    pub honesty: Honesty,
    /// Changes to the version's tags.
    pub version_tags: TagChanges,
    /// Changes to the run's tags.
    pub run_tags: TagChanges,
    /// What the log says of it, in order.
    pub events: Vec<EventDraft>,
}

/// Why a stage changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// Someone asked for it.
    Requested,
    /// Another version became champion.
    Displaced,
    /// It was deleted through MLflow and held the champion's place.
    DeletedElsewhere,
    /// It was champion and was rolled back from.
    RolledBack,
    /// It was champion before and returns by a rollback.
    Returned,
}

impl Cause {
    /// The spelling in the details of an event.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Displaced => "displaced",
            Self::DeletedElsewhere => "deleted_elsewhere",
            Self::RolledBack => "rolled_back",
            Self::Returned => "returned",
        }
    }
}

/// The stage a version is in, and whether its history has yet to begin.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Standing {
    pub(crate) stage: Stage,
    adopted: bool,
}

impl VersionFacts {
    pub(crate) fn standing(&self) -> Result<Standing, Refusal> {
        let tag = self.stage_tag.as_deref();
        match (tag.and_then(|tag| tag.parse::<Stage>().ok()), self.history_end) {
            (Some(stage), Some(history)) if stage == history => {
                Ok(Standing { stage, adopted: false })
            }
            (Some(stage), None) => Ok(Standing { stage, adopted: true }),
            (None, None) => Err(Refusal::NotManaged { key: self.key.clone() }),
            (_, Some(history)) => Err(Refusal::StageDisagrees {
                key: self.key.clone(),
                tag: tag.unwrap_or("").to_owned(),
                history,
            }),
        }
    }
}

impl VersionFacts {
    /// The standing of a version that holds the champion's place. Nobody can set the tag of a deleted version
    /// right any more, so there it counts for what it blocks, whatever its history says.
    pub(crate) fn standing_in_the_way(&self) -> Result<Standing, Refusal> {
        if self.deleted {
            return Ok(Standing { stage: Stage::Champion, adopted: self.history_end.is_none() });
        }
        self.standing()
    }
}

impl Standing {
    /// The version after a change that has been planned: its history has begun.
    pub(crate) const fn after(transition: Transition) -> Self {
        Self { stage: transition.to(), adopted: false }
    }
}

/// A change of stage before it is spelled out.
pub(crate) struct Change<'a> {
    pub(crate) facts: &'a VersionFacts,
    pub(crate) standing: Standing,
    pub(crate) transition: Transition,
    pub(crate) cause: Cause,
    pub(crate) promotion_reason: PromotionReason,
    /// Why, for the log; the demotion's reason too, where it is one.
    pub(crate) reason: Option<String>,
    pub(crate) forced: bool,
    /// Conditions that were not met: what became of them, and each.
    pub(crate) unmet: Option<(&'static str, Vec<Verdict>)>,
}

impl Change<'_> {
    /// Spells out the tags and events.
    pub(crate) fn at(self, at: Timestamp) -> StageChange {
        StageChange {
            key: self.facts.key.clone(),
            run_id: self.facts.run_id.clone(),
            transition: self.transition,
            cause: self.cause,
            honesty: self.facts.honesty,
            events: self.events(),
            version_tags: stage_tags(
                self.transition,
                at,
                &self.facts.promotion_keys,
                self.promotion_reason,
                self.reason,
            ),
            run_tags: run_stage_tags(self.transition.to()),
        }
    }

    fn events(&self) -> Vec<EventDraft> {
        let draft = |kind, details: serde_json::Value| EventDraft {
            name: Some(self.facts.key.name.clone()),
            version: Some(self.facts.key.version),
            run_id: self.facts.run_id.clone(),
            ..EventDraft::new(kind, &details)
        };
        let mut events = Vec::new();
        if self.standing.adopted {
            events.push(EventDraft {
                to: Some(self.standing.stage.to_string()),
                ..draft(EventKind::Adopted, serde_json::json!({"v": 1}))
            });
        }
        let mut details =
            serde_json::json!({"v": 1, "cause": self.cause.as_str(), "forced": self.forced});
        if let Some((outcome, unmet)) = &self.unmet {
            details[*outcome] = serde_json::json!(unmet);
        }
        events.push(EventDraft {
            from: Some(self.transition.from().to_string()),
            to: Some(self.transition.to().to_string()),
            reason: self.reason.clone(),
            ..draft(EventKind::StageChanged, details)
        });
        events
    }
}
