//! Rollback: the last former champion that may return becomes champion again, in one act.

use super::conditions::Judgement;
use super::facts::{FormerChampion, RollbackFacts, VersionFacts};
use super::obstacle::{Obstacle, SymbolClash};
use super::plan::{AliasChange, PromotionPlan};
use super::refusal::{PassedOver, Refusal};
use super::request::RollbackRequest;
use super::stage_change::{Cause, CurrentStage, Override, StageChange, StageChangeDraft};
use crate::tags::PromotionReason;
use crate::values::{Stage, Timestamp, Transition};

/// Decides a rollback: the champion is archived, and the former one rises through beta to champion.
///
/// A former champion of another symbol than the champion's returns only by `force`.
///
/// # Errors
/// [`Refusal::NoFormerChampion`] where no version may return; [`Refusal::StageDisagrees`] or
/// [`Refusal::NotManaged`] where the stage of one of the two versions is not known.
pub fn plan_rollback(
    request: &RollbackRequest,
    facts: &RollbackFacts,
    at: Timestamp,
) -> Result<PromotionPlan, Refusal> {
    let champion = facts.champion.as_ref();
    let mut passed = Vec::new();
    for former in &facts.former {
        if let Some(why) = former.obstacle_to(request, champion) {
            passed.push(PassedOver { version: former.facts.key.version, why });
            continue;
        }
        let clash = former.clash_with(champion);
        let mut changes = Vec::new();
        if let Some(champion) = champion {
            changes.push(roll_back_from(champion, request, at)?);
        }
        changes.extend(return_to_champion(&former.facts, request, clash.as_ref(), at)?);
        let alias = AliasChange::PointTo(former.facts.key.version);
        return Ok(PromotionPlan {
            changes,
            seals: Vec::new(),
            alias,
            judgement: Judgement::default(),
        });
    }
    Err(Refusal::NoFormerChampion { name: request.name.clone(), passed })
}

impl FormerChampion {
    /// Why the version may not return by this rollback; `None` where it may.
    pub fn obstacle_to(
        &self,
        request: &RollbackRequest,
        champion: Option<&VersionFacts>,
    ) -> Option<Obstacle> {
        let clash = || {
            let clash = self.clash_with(champion).filter(|_| !request.force);
            clash.map(Obstacle::OtherSymbol)
        };
        self.obstacle.clone().or_else(clash)
    }

    fn clash_with(&self, champion: Option<&VersionFacts>) -> Option<SymbolClash> {
        let champion = champion.filter(|champion| !champion.deleted)?;
        let champions = (champion.key.version, champion.symbol.as_ref());
        SymbolClash::between(self.facts.symbol.as_ref(), champions)
    }
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
        clash: None,
    };
    Ok(change.at(at))
}

/// The permitted changes that lead a former champion back: from development or archived through beta, from beta
/// directly.
fn return_to_champion(
    former: &VersionFacts,
    request: &RollbackRequest,
    clash: Option<&SymbolClash>,
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
            overrides: clash.iter().map(|_| Override::Symbol).collect(),
            judgement: Judgement::default(),
            clash: clash.cloned(),
        }
        .at(at);
        current = CurrentStage::after(transition);
        let written = change.version_tags.set.keys();
        facts.promotion_keys.extend(written.filter(|key| key.starts_with("promotion_")).cloned());
        changes.push(change);
    }
    Ok(changes)
}
