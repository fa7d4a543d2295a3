//! Promotion (spec §4): a request and the facts in, a plan or a refusal out.

use crate::tags::{PromotionReason, TagChanges, run_stage_tags, stage_tags};
use crate::{
    EventDraft, EventKind, Honesty, ModelName, Reason, RunId, Stage, Timestamp, Transition,
    VersionKey, VersionNumber,
};

/// `demotion_reason` of a champion that made room for another.
const DISPLACED: &str = "New champion promoted";
/// `demotion_reason` of a champion that was deleted through MLflow and still held the place.
const DELETED_ELSEWHERE: &str = "Deleted outside herdbook";

/// Asks for one change of stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromotionRequest {
    /// Which version.
    pub key: VersionKey,
    /// To which stage.
    pub target: Stage,
    /// Why.
    pub reason: Option<Reason>,
    /// The champion the asker saw: another one refuses the request. `None`: any.
    pub expected_champion: Option<ExpectedChampion>,
    /// Whether a contaminated version may go to beta or champion.
    pub force: bool,
}

/// Which champion the asker believes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpectedChampion {
    /// There is none.
    Nobody,
    /// This version.
    Version(VersionNumber),
}

impl std::str::FromStr for ExpectedChampion {
    type Err = crate::InvalidName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "none" => Ok(Self::Nobody),
            _ => text.parse().map(Self::Version),
        }
    }
}

impl std::fmt::Display for ExpectedChampion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Nobody => f.write_str("no champion"),
            Self::Version(version) => write!(f, "version {version}"),
        }
    }
}

/// What is known of one version when an act begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionFacts {
    /// Which version.
    pub key: VersionKey,
    /// The run it came from, if that is known.
    pub run_id: Option<RunId>,
    /// Its `promotion_stage` tag as written, if it has one.
    pub stage_tag: Option<String>,
    /// The stage at the end of its history, if it has one.
    pub history_end: Option<Stage>,
    /// Its honesty state.
    pub honesty: Honesty,
    /// Keys of its tags that begin with `promotion_`.
    pub promotion_keys: Vec<String>,
    /// Whether it was deleted through MLflow.
    pub deleted: bool,
}

/// What is known when a promotion begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromotionFacts {
    /// The version to change.
    pub version: VersionFacts,
    /// The version tagged champion, deleted ones too.
    pub champion: Option<VersionFacts>,
}

/// Why an act is refused. Nothing was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The table of transitions has no such change.
    #[error("{key} is in `{from}` and may go to {}, not to `{to}`", list(from.targets()))]
    ForbiddenTransition {
        /// Which version.
        key: VersionKey,
        /// Its stage.
        from: Stage,
        /// The stage asked for.
        to: Stage,
    },
    /// The champion is not the one the asker saw.
    #[error("the champion of `{name}` is {}, not {expected} as expected: someone was faster", champion(*found))]
    ChampionChanged {
        /// The registered model.
        name: ModelName,
        /// What the asker believed.
        expected: ExpectedChampion,
        /// What is.
        found: Option<VersionNumber>,
    },
    /// A contaminated model may not rise.
    #[error(
        "{key} is contaminated (its test window holds bars that it or an ancestor was trained on) and may not go to `{to}`: its results mean nothing"
    )]
    Contaminated {
        /// Which version.
        key: VersionKey,
        /// The stage asked for.
        to: Stage,
    },
    /// Forcing needs to be explained.
    #[error("a forced change of {key} needs a reason: give `--reason`")]
    ForceWithoutReason {
        /// Which version.
        key: VersionKey,
    },
    /// The tag says one thing, the history another: someone wrote past the rules.
    #[error(
        "the tag of {key} says `{tag}` but its history ends in `{history}`: the tag was changed outside herdbook; set it back to `{history}` first"
    )]
    StageDisagrees {
        /// Which version.
        key: VersionKey,
        /// What the tag says.
        tag: String,
        /// Where the history ends.
        history: Stage,
    },
    /// The version takes no part in promotion.
    #[error(
        "{key} has no valid `promotion_stage` tag: it was not registered by herdbook; give it the tag (one of {}) to let it take part",
        list(Stage::ALL)
    )]
    NotManaged {
        /// Which version.
        key: VersionKey,
    },
}

fn list(stages: &[Stage]) -> String {
    stages
        .iter()
        .map(|stage| format!("`{stage}`"))
        .collect::<Vec<_>>()
        .join(" or ")
}

fn champion(version: Option<VersionNumber>) -> String {
    version.map_or_else(
        || "nobody".to_owned(),
        |version| format!("version {version}"),
    )
}

/// The exact changes of a permitted promotion. Carried out whole or not at all, in this order (the database
/// refuses a second champion row by row).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromotionPlan {
    /// Changes of stage, the displaced champion's first.
    pub changes: Vec<StageChange>,
    /// What becomes of the alias `champion`.
    pub alias: AliasChange,
}

impl PromotionPlan {
    /// The change that was asked for.
    pub fn requested(&self) -> Option<&StageChange> {
        self.changes.last()
    }

    /// The change of the champion that made room, if there was one.
    pub fn displaced(&self) -> Option<&StageChange> {
        self.changes
            .iter()
            .find(|change| change.cause == Cause::Displaced)
    }
}

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
}

impl Cause {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Displaced => "displaced",
            Self::DeletedElsewhere => "deleted_elsewhere",
        }
    }
}

/// What becomes of the alias `champion`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AliasChange {
    /// It stays.
    Unchanged,
    /// It points at this version.
    PointTo(VersionNumber),
    /// It goes: there is no champion.
    Remove,
}

/// Decides a promotion.
///
/// # Errors
/// The [`Refusal`] that names what stands against it.
pub fn plan_promotion(
    request: &PromotionRequest,
    facts: &PromotionFacts,
    at: Timestamp,
) -> Result<PromotionPlan, Refusal> {
    let standing = facts.version.standing()?;
    check_expectation(request, facts)?;
    let transition =
        standing
            .stage
            .change_to(request.target)
            .ok_or_else(|| Refusal::ForbiddenTransition {
                key: request.key.clone(),
                from: standing.stage,
                to: request.target,
            })?;
    check_honesty(request, facts)?;

    let mut changes = Vec::new();
    if request.target == Stage::Champion
        && let Some(champion) = &facts.champion
    {
        changes.push(displacement(champion, at)?);
    }
    let reason = request.reason.as_ref().map(ToString::to_string);
    changes.push(change(
        &facts.version,
        standing,
        transition,
        at,
        Cause::Requested,
        PromotionReason::Replaced(reason.clone()),
        reason,
        request.force,
    ));
    let alias = match (transition.from(), transition.to()) {
        (_, Stage::Champion) => AliasChange::PointTo(request.key.version),
        (Stage::Champion, _) => AliasChange::Remove,
        _ => AliasChange::Unchanged,
    };
    Ok(PromotionPlan { changes, alias })
}

/// The stage a version is in, and whether its history has yet to begin.
#[derive(Debug, Clone, Copy)]
struct Standing {
    stage: Stage,
    adopted: bool,
}

impl VersionFacts {
    fn standing(&self) -> Result<Standing, Refusal> {
        let tag = self.stage_tag.as_deref();
        match (
            tag.and_then(|tag| tag.parse::<Stage>().ok()),
            self.history_end,
        ) {
            (Some(stage), Some(history)) if stage == history => Ok(Standing {
                stage,
                adopted: false,
            }),
            (Some(stage), None) => Ok(Standing {
                stage,
                adopted: true,
            }),
            (None, None) => Err(Refusal::NotManaged {
                key: self.key.clone(),
            }),
            (_, Some(history)) => Err(Refusal::StageDisagrees {
                key: self.key.clone(),
                tag: tag.unwrap_or("").to_owned(),
                history,
            }),
        }
    }
}

fn check_expectation(request: &PromotionRequest, facts: &PromotionFacts) -> Result<(), Refusal> {
    let Some(expected) = request.expected_champion else {
        return Ok(());
    };
    let found = facts
        .champion
        .as_ref()
        .filter(|champion| !champion.deleted)
        .map(|champion| champion.key.version);
    let wanted = match expected {
        ExpectedChampion::Nobody => None,
        ExpectedChampion::Version(version) => Some(version),
    };
    if found == wanted {
        return Ok(());
    }
    Err(Refusal::ChampionChanged {
        name: request.key.name.clone(),
        expected,
        found,
    })
}

fn check_honesty(request: &PromotionRequest, facts: &PromotionFacts) -> Result<(), Refusal> {
    let rises = matches!(request.target, Stage::Beta | Stage::Champion);
    if !rises || facts.version.honesty != Honesty::Contaminated {
        return Ok(());
    }
    let key = request.key.clone();
    match (request.force, &request.reason) {
        (false, _) => Err(Refusal::Contaminated {
            key,
            to: request.target,
        }),
        (true, None) => Err(Refusal::ForceWithoutReason { key }),
        (true, Some(_)) => Ok(()),
    }
}

fn displacement(champion: &VersionFacts, at: Timestamp) -> Result<StageChange, Refusal> {
    let standing = champion.standing()?;
    let (cause, reason) = if champion.deleted {
        (Cause::DeletedElsewhere, DELETED_ELSEWHERE)
    } else {
        (Cause::Displaced, DISPLACED)
    };
    Ok(change(
        champion,
        standing,
        Transition::DISPLACEMENT,
        at,
        cause,
        PromotionReason::Kept,
        Some(reason.to_owned()),
        false,
    ))
}

#[expect(
    clippy::too_many_arguments,
    reason = "one change of stage has so many sides"
)]
fn change(
    facts: &VersionFacts,
    standing: Standing,
    transition: Transition,
    at: Timestamp,
    cause: Cause,
    promotion_reason: PromotionReason,
    reason: Option<String>,
    forced: bool,
) -> StageChange {
    let draft = |kind, details: serde_json::Value| EventDraft {
        name: Some(facts.key.name.clone()),
        version: Some(facts.key.version),
        run_id: facts.run_id.clone(),
        ..EventDraft::new(kind, &details)
    };
    let mut events = Vec::new();
    if standing.adopted {
        events.push(EventDraft {
            to: Some(standing.stage.to_string()),
            ..draft(EventKind::Adopted, serde_json::json!({"v": 1}))
        });
    }
    events.push(EventDraft {
        from: Some(transition.from().to_string()),
        to: Some(transition.to().to_string()),
        reason: reason.clone(),
        ..draft(
            EventKind::StageChanged,
            serde_json::json!({"v": 1, "cause": cause.as_str(), "forced": forced}),
        )
    });
    StageChange {
        key: facts.key.clone(),
        run_id: facts.run_id.clone(),
        transition,
        cause,
        version_tags: stage_tags(
            transition,
            at,
            &facts.promotion_keys,
            promotion_reason,
            reason,
        ),
        run_tags: run_stage_tags(transition.to()),
        events,
    }
}
