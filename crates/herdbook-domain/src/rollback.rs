//! Rollback (spec §4): the last good champion returns, in one act.

use crate::change::{Cause, Change, StageChange, Standing};
use crate::tags::PromotionReason;
use crate::{
    AliasChange, Judgement, ModelName, Obstacle, PassedOver, PromotionPlan, Reason, Refusal, Stage,
    Timestamp, Transition, VersionFacts,
};

/// Asks for the last good champion to return.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RollbackRequest {
    /// The registered model.
    pub name: ModelName,
    /// Why.
    pub reason: Reason,
}

/// What is known when a rollback begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RollbackFacts {
    /// The version tagged champion, a deleted one too.
    pub champion: Option<VersionFacts>,
    /// The versions that were champion before and are not now, the one that left last first.
    pub former: Vec<FormerChampion>,
}

/// A version that was champion once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormerChampion {
    /// The version.
    pub facts: VersionFacts,
    /// What keeps it from returning, if anything does.
    pub obstacle: Option<Obstacle>,
}

/// Decides a rollback: the champion is archived, the former one goes through beta to champion.
///
/// # Errors
/// [`Refusal::NoFormerChampion`]; [`Refusal::StageDisagrees`] where someone wrote past the rules.
pub fn plan_rollback(
    request: &RollbackRequest,
    facts: &RollbackFacts,
    at: Timestamp,
) -> Result<PromotionPlan, Refusal> {
    let returning = facts.former.iter().find(|former| former.obstacle.is_none());
    let Some(returning) = returning else {
        return Err(no_former_champion(request, facts));
    };
    let mut changes = Vec::new();
    if let Some(champion) = &facts.champion {
        changes.push(roll_back_from(champion, request, at)?);
    }
    changes.extend(return_to_champion(&returning.facts, request, at)?);
    let alias = AliasChange::PointTo(returning.facts.key.version);
    Ok(PromotionPlan { changes, alias, judgement: Judgement::default() })
}

fn no_former_champion(request: &RollbackRequest, facts: &RollbackFacts) -> Refusal {
    let passed = facts
        .former
        .iter()
        .filter_map(|former| {
            Some(PassedOver { version: former.facts.key.version, why: former.obstacle? })
        })
        .collect();
    Refusal::NoFormerChampion { name: request.name.clone(), passed }
}

fn roll_back_from(
    champion: &VersionFacts,
    request: &RollbackRequest,
    at: Timestamp,
) -> Result<StageChange, Refusal> {
    let change = Change {
        facts: champion,
        standing: champion.standing_in_the_way()?,
        transition: Transition::DISPLACEMENT,
        cause: Cause::RolledBack,
        promotion_reason: PromotionReason::Kept,
        reason: Some(format!("Rolled back: {}", request.reason)),
        forced: false,
        unmet: None,
    };
    Ok(change.at(at))
}

/// The way back by permitted changes: by beta from archived or development, at once from beta.
fn return_to_champion(
    former: &VersionFacts,
    request: &RollbackRequest,
    at: Timestamp,
) -> Result<Vec<StageChange>, Refusal> {
    let mut standing = former.standing()?;
    let mut facts = former.clone();
    let mut changes = Vec::new();
    while standing.stage != Stage::Champion {
        let next = if standing.stage == Stage::Beta { Stage::Champion } else { Stage::Beta };
        let transition = standing.stage.change_to(next).ok_or_else(|| {
            Refusal::ForbiddenTransition { key: facts.key.clone(), from: standing.stage, to: next }
        })?;
        let reason = Some(request.reason.to_string());
        let change = Change {
            facts: &facts,
            standing,
            transition,
            cause: Cause::Returned,
            promotion_reason: PromotionReason::Replaced(reason.clone()),
            reason,
            forced: false,
            unmet: None,
        }
        .at(at);
        standing = Standing::after(transition);
        let written = change.version_tags.set.keys();
        facts.promotion_keys.extend(written.filter(|key| key.starts_with("promotion_")).cloned());
        changes.push(change);
    }
    Ok(changes)
}
