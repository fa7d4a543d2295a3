//! Promotion: a request and the facts go in, a plan or a refusal comes out.

use super::conditions::Judgement;
use super::facts::{PromotionFacts, VersionFacts};
use super::plan::{AliasChange, PromotionPlan};
use super::refusal::{Obstacle, Refusal};
use super::request::{ExpectedChampion, PromotionRequest};
use super::stage_change::{
    Cause, CurrentStage, Override, StageChange, StageChangeDraft, adopted_event,
};
use crate::evidence::Honesty;
use crate::tags::PromotionReason;
use crate::values::{Stage, Timestamp, Transition};

/// `demotion_reason` of a champion that another version displaces.
const DISPLACED: &str = "New champion promoted";
/// `demotion_reason` of a champion that was deleted through MLflow.
const DELETED_ELSEWHERE: &str = "Deleted outside herdbook";

/// Decides a promotion or demotion.
///
/// `judgement` is how the conditions on this change were judged, on facts of the same moment; the default is no
/// conditions. A version that enters champion displaces the champion there is. Demotions have no conditions.
///
/// # Errors
/// - [`Refusal::NotManaged`], [`Refusal::StageDisagrees`]: the version's stage is not known.
/// - [`Refusal::ChampionChanged`]: the champion is not the expected one.
/// - [`Refusal::ForbiddenTransition`]: the table of transitions has no such change.
/// - [`Refusal::ForceWithoutReason`]: `force` without a reason.
/// - [`Refusal::Contaminated`]: a contaminated version may not rise without `force`.
/// - [`Refusal::UnsoundFile`]: the model file of the new champion is missing or altered.
/// - [`Refusal::GateFailed`]: enforced conditions are not met, and `force` is not set.
///
/// # Example
/// ```
/// use herdbook_domain::{
///     Honesty, Judgement, ModelName, PromotionFacts, PromotionRequest, Refusal, Stage, Timestamp,
///     VersionFacts, VersionKey, VersionNumber, plan_promotion,
/// };
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let key = VersionKey { name: ModelName::parse("1H_trading_model")?, version: VersionNumber::FIRST };
/// let facts = PromotionFacts {
///     version: VersionFacts {
///         key: key.clone(),
///         run_id: None,
///         stage_tag: Some("development".to_owned()),
///         history_end: Some(Stage::Development),
///         honesty: Honesty::Clean,
///         promotion_keys: Vec::new(),
///         file: None,
///         deleted: false,
///         unsealed: None,
///     },
///     champion: None,
/// };
/// let mut request = PromotionRequest {
///     key,
///     target: Stage::Beta,
///     reason: None,
///     expected_champion: None,
///     force: false,
/// };
/// let at = Timestamp::parse("2025-06-10T14:17Z")?;
/// let plan = plan_promotion(&request, &facts, &Judgement::default(), at)?;
/// let tags = &plan.changes[0].version_tags.set;
/// assert_eq!(tags["promotion_stage"], "beta");
/// assert_eq!(tags["promotion_20250610_1417"], "development -> beta");
///
/// request.target = Stage::Champion;
/// let refusal = plan_promotion(&request, &facts, &Judgement::default(), at).unwrap_err();
/// assert!(matches!(refusal, Refusal::ForbiddenTransition { .. }));
/// # Ok(())
/// # }
/// ```
pub fn plan_promotion(
    request: &PromotionRequest,
    facts: &PromotionFacts,
    judgement: &Judgement,
    at: Timestamp,
) -> Result<PromotionPlan, Refusal> {
    let current = CurrentStage::of(&facts.version)?;
    check_expectation(request, facts)?;
    let transition =
        current.stage.change_to(request.target).ok_or_else(|| Refusal::ForbiddenTransition {
            key: request.key.clone(),
            from: current.stage,
            to: request.target,
        })?;
    check_honesty(request, facts)?;
    check_file(request, facts)?;
    let judgement = if transition.is_rise() { judgement.clone() } else { Judgement::default() };
    let overrides = overrides(request, facts, &judgement)?;

    let (mut changes, mut seals) = (Vec::new(), Vec::new());
    if request.target == Stage::Champion
        && let Some(champion) = &facts.champion
    {
        changes.push(displacement(champion, at)?);
    } else if let Some(champion) = &facts.champion
        && !judgement.verdicts.is_empty()
    {
        seals.extend(champion.unsealed.as_ref().map(|_| adopted_event(champion)));
    }
    let reason = request.reason.as_ref().map(ToString::to_string);
    let requested = StageChangeDraft {
        facts: &facts.version,
        current,
        transition,
        cause: Cause::Requested,
        promotion_reason: PromotionReason::Replaced(reason.clone()),
        reason,
        overrides,
        judgement: judgement.clone(),
    };
    changes.push(requested.at(at));
    let alias = match (transition.from(), transition.to()) {
        (_, Stage::Champion) => AliasChange::PointTo(request.key.version),
        (Stage::Champion, _) => AliasChange::Remove,
        _ => AliasChange::Unchanged,
    };
    Ok(PromotionPlan { changes, seals, alias, judgement })
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

/// The rules that `--force` overrides for this rise; none where nothing has to be overridden.
///
/// # Errors
/// [`Refusal::GateFailed`] for enforced conditions that are not met, without `--force`.
fn overrides(
    request: &PromotionRequest,
    facts: &PromotionFacts,
    judgement: &Judgement,
) -> Result<Vec<Override>, Refusal> {
    let mut overrides = Vec::new();
    if request.force && facts.version.honesty == Honesty::Contaminated {
        overrides.push(Override::Honesty);
    }
    if judgement.enforce && judgement.unmet().next().is_some() {
        if !request.force {
            return Err(Refusal::GateFailed {
                key: request.key.clone(),
                to: request.target,
                judgement: judgement.clone(),
            });
        }
        overrides.push(Override::Conditions);
    }
    Ok(overrides)
}

/// Refuses a new champion whose model file is missing or altered: readers of `@champion` load that file.
///
/// A file without a recorded hash ([`Obstacle::FileUnknown`]) is permitted.
fn check_file(request: &PromotionRequest, facts: &PromotionFacts) -> Result<(), Refusal> {
    match facts.version.file {
        Some(why @ Obstacle::FileAltered) if request.target == Stage::Champion => {
            Err(Refusal::UnsoundFile { key: request.key.clone(), why })
        }
        _ => Ok(()),
    }
}

/// The change by which the current champion, deleted or not, makes room for another version.
///
/// # Errors
/// [`Refusal::NotManaged`] or [`Refusal::StageDisagrees`] for a champion whose stage is not known.
pub(crate) fn displacement(champion: &VersionFacts, at: Timestamp) -> Result<StageChange, Refusal> {
    let current = CurrentStage::of_champion(champion)?;
    let (cause, reason) = if champion.deleted {
        (Cause::DeletedElsewhere, DELETED_ELSEWHERE)
    } else {
        (Cause::Displaced, DISPLACED)
    };
    let change = StageChangeDraft {
        facts: champion,
        current,
        transition: Transition::DISPLACEMENT,
        cause,
        promotion_reason: PromotionReason::Kept,
        reason: Some(reason.to_owned()),
        overrides: Vec::new(),
        judgement: Judgement::default(),
    };
    Ok(change.at(at))
}
