//! One version's change of stage: the tags of the version and of its run, and the events for the log.

use super::conditions::{Judgement, Verdict};
use super::facts::VersionFacts;
use super::obstacle::SymbolClash;
use super::overrides;
use super::refusal::Refusal;
use crate::evidence::Honesty;
use crate::history::{EventDraft, EventKind};
use crate::tags::{PromotionReason, TagChanges, run_stage_tags, stage_tags};
use crate::values::{RunId, Stage, Timestamp, Transition, VersionKey};

/// One version's change of stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageChange {
    /// The version.
    pub key: VersionKey,
    /// Its run, where that is known.
    pub run_id: Option<RunId>,
    /// The stages it leaves and enters.
    pub transition: Transition,
    /// Why the stage changes.
    pub cause: Cause,
    /// The version's honesty state.
    pub honesty: Honesty,
    /// The symbols of the version and of the champion it displaces, where they differ.
    pub clash: Option<SymbolClash>,
    /// Changes to the version's tags.
    pub version_tags: TagChanges,
    /// Changes to the run's tags.
    pub run_tags: TagChanges,
    /// Events for the log, in order.
    pub events: Vec<EventDraft>,
}

/// Why a stage changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// A user asked for this change.
    Requested,
    /// Another version became champion.
    Displaced,
    /// The version was deleted through MLflow while it was champion.
    DeletedElsewhere,
    /// The version was champion and a rollback removed it.
    RolledBack,
    /// The version was champion before, and a rollback brought it back.
    Returned,
}

impl Cause {
    const ALL: [Self; 5] = [
        Self::Requested,
        Self::Displaced,
        Self::DeletedElsewhere,
        Self::RolledBack,
        Self::Returned,
    ];

    /// Reads the spelling in the details of an event; `None` for another one, such as that of an import.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cause| cause.as_str() == text)
    }

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

/// The stage a version is in, where its tag and its history agree.
#[derive(Debug, Clone, Copy)]
pub(super) struct CurrentStage {
    pub(super) stage: Stage,
    /// Whether the version has a stage tag but no history yet, or facts to seal: its first change then also writes an
    /// `adopted` event.
    needs_adoption: bool,
}

impl CurrentStage {
    /// The stage of a version.
    ///
    /// # Errors
    /// [`Refusal::NotManaged`] without a valid tag and without a history; [`Refusal::StageDisagrees`] where the tag is
    /// not the end of the history.
    pub(super) fn of(facts: &VersionFacts) -> Result<Self, Refusal> {
        let tag = facts.stage_tag.as_deref();
        match (tag.and_then(|tag| tag.parse::<Stage>().ok()), facts.history_end) {
            (Some(stage), Some(history)) if stage == history => {
                Ok(Self { stage, needs_adoption: facts.unsealed.is_some() })
            }
            (Some(stage), None) => Ok(Self { stage, needs_adoption: true }),
            (None, None) => Err(Refusal::NotManaged { key: facts.key.clone() }),
            (_, Some(history)) => Err(Refusal::StageDisagrees {
                key: facts.key.clone(),
                tag: tag.unwrap_or("").to_owned(),
                history,
            }),
        }
    }

    /// The stage of the version that is tagged champion.
    ///
    /// A deleted version counts as champion whatever its history says, because nobody can correct its tag any more.
    ///
    /// # Errors
    /// As [`CurrentStage::of`] for a version that was not deleted.
    pub(super) fn of_champion(facts: &VersionFacts) -> Result<Self, Refusal> {
        if facts.deleted {
            let needs_adoption = facts.history_end.is_none();
            return Ok(Self { stage: Stage::Champion, needs_adoption });
        }
        Self::of(facts)
    }

    /// The stage after a planned change; the version has a history from then on.
    pub(super) const fn after(transition: Transition) -> Self {
        Self { stage: transition.to(), needs_adoption: false }
    }
}

/// A rule that `--force` overrode, as named in the details of the event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Override {
    /// Contaminated versions do not rise.
    Honesty,
    /// A champion is displaced only by a version of its symbol.
    Symbol,
    /// Enforced conditions must be met.
    Conditions,
}

/// A change of stage from which [`StageChangeDraft::at`] derives tags and events.
pub(super) struct StageChangeDraft<'a> {
    pub(super) facts: &'a VersionFacts,
    pub(super) current: CurrentStage,
    pub(super) transition: Transition,
    pub(super) cause: Cause,
    pub(super) promotion_reason: PromotionReason,
    /// Reason for the log, and `demotion_reason` if the change is a demotion.
    pub(super) reason: Option<String>,
    /// The rules that were overridden.
    pub(super) overrides: Vec<Override>,
    /// The verdicts on the conditions; the default is no conditions.
    pub(super) judgement: Judgement,
    /// The difference of symbols that was overridden.
    pub(super) clash: Option<SymbolClash>,
}

impl StageChangeDraft<'_> {
    /// Derives the tags and events of the change at a moment.
    pub(super) fn at(self, at: Timestamp) -> StageChange {
        StageChange {
            key: self.facts.key.clone(),
            run_id: self.facts.run_id.clone(),
            transition: self.transition,
            cause: self.cause,
            honesty: self.facts.honesty,
            events: self.events(),
            clash: self.clash,
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
        let mut events = Vec::new();
        if self.current.needs_adoption {
            events.push(EventDraft {
                to: Some(self.current.stage.to_string()),
                ..adopted_event(self.facts)
            });
        }
        events.push(EventDraft {
            from: Some(self.transition.from().to_string()),
            to: Some(self.transition.to().to_string()),
            reason: self.reason.clone(),
            ..draft(self.facts, EventKind::StageChanged, &self.details())
        });
        events
    }

    /// The details of the event: version 2 has the verdict on every condition, also on those that were met.
    fn details(&self) -> serde_json::Value {
        let is_forced = !self.overrides.is_empty();
        let mut details =
            serde_json::json!({"v": 2, "cause": self.cause.as_str(), "forced": is_forced});
        if is_forced {
            details["overrode"] = serde_json::json!(self.overrides);
        }
        if self.overrides.contains(&Override::Honesty) {
            details[overrides::HONESTY] = serde_json::json!(self.facts.honesty);
        }
        if let Some(clash) = &self.clash {
            details[overrides::SYMBOL] = overrides::symbol(clash);
        }
        if !self.judgement.verdicts.is_empty() {
            details["conditions"] = serde_json::json!(self.judgement);
        }
        let unmet: Vec<&Verdict> = self.judgement.unmet().collect();
        if !unmet.is_empty() {
            let treatment = if self.judgement.enforce { overrides::CONDITIONS } else { "warned" };
            details[treatment] = serde_json::json!(unmet);
        }
        details
    }
}

/// The event `adopted` of a version: its history begins in the stage of its tag, or goes on in the stage it is in. Seals
/// the version's facts if they are not sealed yet.
pub fn adopted_event(facts: &VersionFacts) -> EventDraft {
    let tagged = facts.stage_tag.as_deref().and_then(|tag| tag.parse::<Stage>().ok());
    let adopted = EventDraft {
        to: facts.history_end.or(tagged).map(|stage| stage.to_string()),
        ..draft(facts, EventKind::Adopted, &serde_json::json!({"v": 1}))
    };
    match &facts.unsealed {
        Some(unsealed) => unsealed.facts.in_adoption(adopted, unsealed.origin),
        None => adopted,
    }
}

fn draft(facts: &VersionFacts, kind: EventKind, details: &serde_json::Value) -> EventDraft {
    EventDraft {
        name: Some(facts.key.name.clone()),
        version: Some(facts.key.version),
        run_id: facts.run_id.clone(),
        ..EventDraft::new(kind, details)
    }
}
