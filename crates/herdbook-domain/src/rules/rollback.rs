//! Rollback: the last former champion that may return becomes champion again, in one act.

use super::conditions::Judgement;
use super::facts::{RollbackFacts, VersionFacts};
use super::plan::{AliasChange, PromotionPlan};
use super::refusal::{PassedOver, Refusal};
use super::request::RollbackRequest;
use super::stage_change::{Cause, CurrentStage, StageChange, StageChangeDraft};
use crate::tags::PromotionReason;
use crate::values::{Stage, Timestamp, Transition};

/// Decides a rollback: the champion is archived, and the former one rises through beta to champion.
///
/// # Errors
/// [`Refusal::NoFormerChampion`] where no version may return; [`Refusal::StageDisagrees`] or
/// [`Refusal::NotManaged`] where the stage of one of the two versions is not known.
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
    Ok(PromotionPlan { changes, seals: Vec::new(), alias, judgement: Judgement::default() })
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
    let change = StageChangeDraft {
        facts: champion,
        current: CurrentStage::of_champion(champion)?,
        transition: Transition::DISPLACEMENT,
        cause: Cause::RolledBack,
        promotion_reason: PromotionReason::Kept,
        reason: Some(format!("Rolled back: {}", request.reason)),
        overrides: Vec::new(),
        judgement: Judgement::default(),
    };
    Ok(change.at(at))
}

/// The permitted changes that lead a former champion back: from development or archived through beta, from beta
/// directly.
fn return_to_champion(
    former: &VersionFacts,
    request: &RollbackRequest,
    at: Timestamp,
) -> Result<Vec<StageChange>, Refusal> {
    let mut current = CurrentStage::of(former)?;
    let mut facts = former.clone();
    let mut changes = Vec::new();
    while current.stage != Stage::Champion {
        let next = if current.stage == Stage::Beta { Stage::Champion } else { Stage::Beta };
        let transition = current.stage.change_to(next).ok_or_else(|| {
            Refusal::ForbiddenTransition { key: facts.key.clone(), from: current.stage, to: next }
        })?;
        let reason = Some(request.reason.to_string());
        let change = StageChangeDraft {
            facts: &facts,
            current,
            transition,
            cause: Cause::Returned,
            promotion_reason: PromotionReason::Replaced(reason.clone()),
            reason,
            overrides: Vec::new(),
            judgement: Judgement::default(),
        }
        .at(at);
        current = CurrentStage::after(transition);
        let written = change.version_tags.set.keys();
        facts.promotion_keys.extend(written.filter(|key| key.starts_with("promotion_")).cloned());
        changes.push(change);
    }
    Ok(changes)
}
