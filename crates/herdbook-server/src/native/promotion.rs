//! Promotions and rollbacks: a dry run shows the plan, and the real act names the plan that its sender agreed to.

use axum::body::Body;
use axum::extract::State;
use axum::http::Response;
use herdbook_domain::{
    ExpectedChampion, ModelName, PromotionRequest, Reason, Refusal, RollbackRequest, Stage,
    VersionKey, VersionNumber,
};
use herdbook_store::{ActId, Effect, InvalidActId, StoreError, Submission};
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;

use crate::native::call::Call;
use crate::native::failure::{ErrorBody, Failure};
use crate::native::outcome::{Before, answer};
use crate::native::query::NoParameters;
use crate::native::shape::promotion::{Promotion, ReasonRule};
use crate::native::state::Native;

/// Most characters of a reason.
const MAX_REASON: u32 = 2_000;

/// A promotion to carry out or to plan.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PromotionBody {
    /// `development`, `beta`, `champion` or `archived`.
    #[schema(value_type = String)]
    target_stage: Stage,
    /// At most 2,000 characters. Required with `force`.
    reason: Option<String>,
    /// Promotes against honesty, conditions or another symbol; the history records what was overridden.
    #[serde(default)]
    force: bool,
    /// Plans only: nothing is changed.
    #[serde(default)]
    dry_run: bool,
    /// The champion that the caller saw; null for none. If it is another one now, the act is refused.
    #[serde(default, deserialize_with = "expected")]
    #[schema(value_type = Option<u32>)]
    expect_champion: Option<ExpectedChampion>,
    /// The hash of the plan that the caller agreed to. If facts changed since, the act is refused.
    plan_hash: Option<String>,
    /// A UUID that the caller chose. Of several requests with one id, one is carried out.
    act_id: Option<String>,
}

/// A rollback to carry out or to plan.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RollbackBody {
    /// At most 2,000 characters.
    reason: String,
    /// Brings back a version of another symbol, too.
    #[serde(default)]
    force: bool,
    /// Plans only: nothing is changed.
    #[serde(default)]
    dry_run: bool,
    /// The hash of the plan that the caller agreed to. If facts changed since, the act is refused.
    plan_hash: Option<String>,
    /// A UUID that the caller chose. Of several requests with one id, one is carried out.
    act_id: Option<String>,
}

/// A champion; null for none. Without the field nothing is expected.
fn expected<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<ExpectedChampion>, D::Error> {
    let champion = Option::<VersionNumber>::deserialize(deserializer)?;
    Ok(Some(champion.map_or(ExpectedChampion::Nobody, ExpectedChampion::Version)))
}

/// Moves a version to another stage, or plans it.
#[utoipa::path(post, path = "/models/{name}/versions/{version}/promote", tag = "acts",
    params(("name" = String, Path, description = "The registered model"),
        ("version" = u32, Path, description = "The number of the version")),
    request_body = PromotionBody,
    responses((status = 200, body = Promotion),
        (status = 409, description = "Facts changed, and `plan` is the new plan; or the stages permit no such change", body = ErrorBody),
        (status = 422, description = "The rules do not permit it; `conditions` has the verdicts", body = ErrorBody),
        (status = "default", body = ErrorBody)))]
pub(super) async fn promote_version(State(native): State<Native>, call: Call) -> Response<Body> {
    native
        .answer(call, |native, call| {
            let NoParameters {} = call.query()?;
            promote(native, call, &call.version()?, &call.json()?)
        })
        .await
}

/// Makes the last good former champion the champion again, or plans it.
#[utoipa::path(post, path = "/models/{name}/rollback", tag = "acts",
    params(("name" = String, Path, description = "The registered model")),
    request_body = RollbackBody,
    responses((status = 200, body = Promotion),
        (status = 404, description = "No former champion can return", body = ErrorBody),
        (status = 409, description = "Facts changed, and `plan` is the new plan", body = ErrorBody),
        (status = "default", body = ErrorBody)))]
pub(super) async fn roll_back_model(State(native): State<Native>, call: Call) -> Response<Body> {
    native
        .answer(call, |native, call| {
            let NoParameters {} = call.query()?;
            roll_back(native, call, &call.model()?, &call.json()?)
        })
        .await
}

fn promote(
    native: &Native,
    call: &Call,
    key: &VersionKey,
    body: &PromotionBody,
) -> Result<Promotion, Failure> {
    let request = PromotionRequest {
        key: key.clone(),
        target: body.target_stage,
        reason: body.reason.as_deref().map(Reason::parse).transpose()?,
        expected_champion: body.expect_champion,
        force: body.force,
    };
    let submission = submission(body.act_id.as_deref(), body.plan_hash.as_deref())?;
    let session = native.session(call);
    let conditions = &native.life_cycle().conditions;
    let effect = effect(body.dry_run);
    let rule = ReasonRule { required: body.force, max_length: MAX_REASON };
    // Read before the act: a failure after it would hide that it was carried out.
    let before = Before::of_promotion(native.store(), key)?;
    match session.submit_promotion(conditions, &request, effect, &submission) {
        Ok(submitted) => answer(native.store(), submitted, before, (effect, rule)),
        Err(error) if is_about_facts(&error) => {
            let plan = || {
                let request = PromotionRequest { expected_champion: None, ..request };
                let effect = Effect::DryRun;
                let none = Submission::default();
                let before = Before::of_promotion(native.store(), key).ok()?;
                let planned = session.submit_promotion(conditions, &request, effect, &none).ok()?;
                answer(native.store(), planned, before, (effect, rule)).ok()
            };
            Err(Failure::from(error).with_plan(plan()))
        }
        Err(error) => Err(error.into()),
    }
}

fn roll_back(
    native: &Native,
    call: &Call,
    name: &ModelName,
    body: &RollbackBody,
) -> Result<Promotion, Failure> {
    let request = RollbackRequest {
        name: name.clone(),
        reason: Reason::parse(&body.reason)?,
        force: body.force,
    };
    let submission = submission(body.act_id.as_deref(), body.plan_hash.as_deref())?;
    let session = native.session(call);
    let effect = effect(body.dry_run);
    let rule = ReasonRule { required: true, max_length: MAX_REASON };
    let before = Before::of_rollback(native.store(), name)?;
    match session.submit_rollback(&request, effect, &submission) {
        Ok(submitted) => answer(native.store(), submitted, before, (effect, rule)),
        Err(error) if is_about_facts(&error) => {
            let plan = || {
                let before = Before::of_rollback(native.store(), name).ok()?;
                let none = Submission::default();
                let planned = session.submit_rollback(&request, Effect::DryRun, &none).ok()?;
                answer(native.store(), planned, before, (Effect::DryRun, rule)).ok()
            };
            Err(Failure::from(error).with_plan(plan()))
        }
        Err(error) => Err(error.into()),
    }
}

/// Whether an act was refused because the records are not as its sender saw them.
fn is_about_facts(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::PlanChanged { .. } | StoreError::Refused(Refusal::ChampionChanged { .. })
    )
}

fn effect(dry_run: bool) -> Effect {
    if dry_run { Effect::DryRun } else { Effect::Commit }
}

fn submission(act_id: Option<&str>, plan_hash: Option<&str>) -> Result<Submission, Failure> {
    let act_id: Option<ActId> = act_id
        .map(|text| {
            text.parse()
                .map_err(|error: InvalidActId| Failure::invalid(format!("`act_id`: {error}")))
        })
        .transpose()?;
    Ok(Submission { act_id, plan_hash: plan_hash.map(str::to_owned) })
}
