//! Promotion (spec §4): a request and the facts in, a plan or a refusal out.

use crate::change::{Cause, Change, StageChange};
use crate::tags::PromotionReason;
use crate::{
    Honesty, Judgement, Obstacle, Reason, Refusal, RunId, Stage, Timestamp, Transition, Verdict,
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
    /// Whether a version may rise that is contaminated, or does not meet the conditions.
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
    /// What keeps its model file from being what was registered, if anything does.
    pub file: Option<Obstacle>,
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

/// The exact changes of a permitted promotion. Carried out whole or not at all, in this order (the database
/// refuses a second champion row by row).
#[derive(Debug, Clone, PartialEq)]
pub struct PromotionPlan {
    /// Changes of stage, the displaced champion's first.
    pub changes: Vec<StageChange>,
    /// What becomes of the alias `champion`.
    pub alias: AliasChange,
    /// The conditions that stood before the change; none before a rollback or a demotion.
    pub judgement: Judgement,
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
            .find(|change| matches!(change.cause, Cause::Displaced | Cause::RolledBack))
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

/// Decides a promotion that no conditions stand before.
///
/// # Errors
/// The [`Refusal`] that names what stands against it.
pub fn plan_promotion(
    request: &PromotionRequest,
    facts: &PromotionFacts,
    at: Timestamp,
) -> Result<PromotionPlan, Refusal> {
    plan_judged_promotion(request, facts, &Judgement::default(), at)
}

/// Decides a promotion, its conditions having been judged on facts of the same moment.
///
/// # Errors
/// As [`plan_promotion`]; [`Refusal::GateFailed`] where conditions that are enforced are not met.
pub fn plan_judged_promotion(
    request: &PromotionRequest,
    facts: &PromotionFacts,
    judgement: &Judgement,
    at: Timestamp,
) -> Result<PromotionPlan, Refusal> {
    let standing = facts.version.standing()?;
    check_expectation(request, facts)?;
    let transition =
        standing.stage.change_to(request.target).ok_or_else(|| Refusal::ForbiddenTransition {
            key: request.key.clone(),
            from: standing.stage,
            to: request.target,
        })?;
    check_honesty(request, facts)?;
    check_file(request, facts)?;
    let none = Judgement::default();
    let judgement = if transition.is_rise() { judgement } else { &none };
    let unmet = check_conditions(request, judgement)?;

    let mut changes = Vec::new();
    if request.target == Stage::Champion
        && let Some(champion) = &facts.champion
    {
        changes.push(displacement(champion, at)?);
    }
    let reason = request.reason.as_ref().map(ToString::to_string);
    let requested = Change {
        facts: &facts.version,
        standing,
        transition,
        cause: Cause::Requested,
        promotion_reason: PromotionReason::Replaced(reason.clone()),
        reason,
        forced: request.force
            && (facts.version.honesty == Honesty::Contaminated
                || unmet.is_some() && judgement.enforce),
        unmet,
    };
    changes.push(requested.at(at));
    let alias = match (transition.from(), transition.to()) {
        (_, Stage::Champion) => AliasChange::PointTo(request.key.version),
        (Stage::Champion, _) => AliasChange::Remove,
        _ => AliasChange::Unchanged,
    };
    Ok(PromotionPlan { changes, alias, judgement: judgement.clone() })
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
    Err(Refusal::ChampionChanged { name: request.key.name.clone(), expected, found })
}

fn check_honesty(request: &PromotionRequest, facts: &PromotionFacts) -> Result<(), Refusal> {
    let key = request.key.clone();
    if request.force && request.reason.is_none() {
        return Err(Refusal::ForceWithoutReason { key });
    }
    let rises = matches!(request.target, Stage::Beta | Stage::Champion);
    if rises && facts.version.honesty == Honesty::Contaminated && !request.force {
        return Err(Refusal::Contaminated { key, to: request.target });
    }
    Ok(())
}

/// Conditions that are not met: recorded as overridden by force, or as warned of; refused otherwise.
fn check_conditions(
    request: &PromotionRequest,
    judgement: &Judgement,
) -> Result<Option<(&'static str, Vec<Verdict>)>, Refusal> {
    let unmet: Vec<Verdict> = judgement.unmet().cloned().collect();
    match (unmet.is_empty(), judgement.enforce, request.force) {
        (true, _, _) => Ok(None),
        (false, false, _) => Ok(Some(("warned", unmet))),
        (false, true, true) => Ok(Some(("overridden", unmet))),
        (false, true, false) => Err(Refusal::GateFailed {
            key: request.key.clone(),
            to: request.target,
            judgement: judgement.clone(),
        }),
    }
}

/// Readers of `@champion` load its file: it must be there, and be what was registered.
fn check_file(request: &PromotionRequest, facts: &PromotionFacts) -> Result<(), Refusal> {
    match facts.version.file {
        Some(why @ Obstacle::FileAltered) if request.target == Stage::Champion => {
            Err(Refusal::UnsoundFile { key: request.key.clone(), why })
        }
        _ => Ok(()),
    }
}

/// A champion makes room, or is moved out of the way where MLflow deleted it.
pub(crate) fn displacement(champion: &VersionFacts, at: Timestamp) -> Result<StageChange, Refusal> {
    let standing = champion.standing_in_the_way()?;
    let (cause, reason) = if champion.deleted {
        (Cause::DeletedElsewhere, DELETED_ELSEWHERE)
    } else {
        (Cause::Displaced, DISPLACED)
    };
    let change = Change {
        facts: champion,
        standing,
        transition: Transition::DISPLACEMENT,
        cause,
        promotion_reason: PromotionReason::Kept,
        reason: Some(reason.to_owned()),
        forced: false,
        unmet: None,
    };
    Ok(change.at(at))
}
