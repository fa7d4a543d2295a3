//! Promotions and rollbacks: a dry run shows the plan, and the real act names the plan that its sender agreed to.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::extract::State;
use axum::http::Response;
use herdbook_domain::tags::{TagChanges, Tags};
use herdbook_domain::{
    Cause, Event, EventKind, ExpectedChampion, Honesty, ModelName, PromotionRequest, Reason,
    Refusal, RollbackRequest, Stage, StageChange, Timeframe, VersionKey, VersionNumber,
    overrides_of,
};
use herdbook_store::tables::tag;
use herdbook_store::{
    ActId, Effect, InvalidActId, Planned, Store, StoreError, Submission, Submitted, VersionRecord,
};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use utoipa::ToSchema;

use crate::native::call::Call;
use crate::native::commands;
use crate::native::failure::{Code, ErrorBody, Failure};
use crate::native::query::NoParameters;
use crate::native::shape::evidence::{Evaluations, Since};
use crate::native::shape::judgement::Judgement;
use crate::native::shape::promotion::{Change, Displaced, Promotion, ReasonRule};
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
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<u32>)]
    expect_champion: Option<Option<VersionNumber>>,
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

/// A field that may be null, as opposed to absent.
fn given<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<VersionNumber>>, D::Error> {
    Option::<VersionNumber>::deserialize(deserializer).map(Some)
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
        expected_champion: body
            .expect_champion
            .map(|it| it.map_or(ExpectedChampion::Nobody, ExpectedChampion::Version)),
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

/// What is read before an act, because a failure after it would hide that it was carried out.
struct Before {
    since: Since,
    champion: Option<u32>,
    timeframe: Option<Timeframe>,
}

impl Before {
    fn of_promotion(store: &Store, key: &VersionKey) -> Result<Self, Failure> {
        let version = store.version(key)?;
        let since = Evaluations::default().of(store, key)?;
        let champion = store.champion(&key.name)?.map(|champion| champion.key.version.get());
        Ok(Self { since, champion, timeframe: version.timeframe() })
    }

    /// Which version a rollback brings back is known only after it, so its evidence is not read.
    fn of_rollback(store: &Store, name: &ModelName) -> Result<Self, Failure> {
        let champion = store.champion(name)?;
        let timeframe = champion.as_ref().and_then(VersionRecord::timeframe);
        let champion = champion.map(|champion| champion.key.version.get());
        Ok(Self { since: Since::default(), champion, timeframe })
    }
}

/// The answer to an act that was carried out, now or before, or to its dry run.
fn answer(
    store: &Store,
    submitted: Submitted,
    before: Before,
    (effect, reason_rule): (Effect, ReasonRule),
) -> Result<Promotion, Failure> {
    let is_dry = effect == Effect::DryRun;
    let (events, planned, done_before) = match submitted {
        Submitted::Now(planned) => {
            let Planned { promotion, plan_hash } = *planned;
            (promotion.events, Some((promotion.plan, plan_hash)), false)
        }
        Submitted::Before(events) => (events, None, true),
    };
    let stages: Vec<&Event> =
        events.iter().filter(|event| event.what.kind == EventKind::StageChanged).collect();
    let Some((last, name, version)) =
        stages.last().and_then(|last| Some((*last, last.what.name.as_ref()?, last.what.version?)))
    else {
        return Err(Failure::new(Code::StoreFailed, "the act has no change of stage"));
    };
    let details = |event: &Event| -> Value {
        serde_json::from_str(&event.what.details).unwrap_or(Value::Null)
    };
    let cause = |event: &Event| details(event)["cause"].as_str().map(str::to_owned);
    let of_cause = |causes: [Cause; 2]| {
        stages.iter().find(|event| {
            cause(event).is_some_and(|cause| causes.iter().any(|it| it.as_str() == cause))
        })
    };
    let displaced = of_cause([Cause::Displaced, Cause::RolledBack]).and_then(|it| it.what.version);
    let is_rollback = of_cause([Cause::Returned, Cause::Returned]).is_some();
    let mut changes: Vec<Change> = stages
        .iter()
        .map(|event| Change {
            name: event.what.name.as_ref().map(ToString::to_string).unwrap_or_default(),
            version: event.what.version.map_or(0, VersionNumber::get),
            from: event.what.from.clone(),
            to: event.what.to.clone(),
            cause: cause(event),
            reason: event.what.reason.clone(),
            before: None,
            after: None,
        })
        .collect();
    if let Some((plan, _)) = planned.as_ref().filter(|_| is_dry) {
        add_tags(store, &plan.changes, &mut changes)?;
    }
    let plan = planned.as_ref().map(|(plan, _)| plan);
    let judgement: Option<Judgement> = match plan {
        Some(plan) => Some(Judgement::from(&plan.judgement)),
        None => serde_json::from_value(details(last)["conditions"].take()).ok(),
    };
    let undo = Undo { name, version, displaced, is_rollback, before: &before }
        .command(plan.map(|plan| plan.changes.as_slice()).unwrap_or_default(), last);
    Ok(Promotion {
        name: name.to_string(),
        version: version.get(),
        from: if is_rollback { first_stage(&changes, version) } else { last.what.from.clone() },
        to: last.what.to.clone(),
        event_id: events.last().map(|event| event.id).filter(|_| !is_dry),
        act_id: Some(last.act_id.clone()).filter(|_| !is_dry),
        displaced: displaced.map(|version| Displaced { version: version.get() }),
        undo,
        dry_run: is_dry,
        done_before,
        evidence: before.since.evidence,
        standing: before.since.standing,
        conditions: judgement.unwrap_or_default(),
        overridden: events.iter().flat_map(overrides_of).collect(),
        honesty: plan.and_then(|plan| Some(plan.requested()?.honesty.to_string())),
        champion: champion_after(&stages, before.champion),
        changes,
        reason_rule,
        plan_hash: planned.map(|(_, hash)| hash),
    })
}

/// The stage of a version before all changes.
fn first_stage(changes: &[Change], version: VersionNumber) -> Option<String> {
    changes.iter().find(|change| change.version == version.get())?.from.clone()
}

/// The champion after changes of stage.
fn champion_after(stages: &[&Event], before: Option<u32>) -> Option<u32> {
    let mut champion = before;
    for event in stages {
        let version = event.what.version.map(VersionNumber::get);
        if event.what.to.as_deref() == Some(Stage::Champion.as_str()) {
            champion = version;
        } else if champion == version {
            champion = None;
        }
    }
    champion
}

/// Adds to each change of a plan the tags that it changes, before and after.
fn add_tags(store: &Store, planned: &[StageChange], changes: &mut [Change]) -> Result<(), Failure> {
    let mut present: BTreeMap<&VersionKey, Tags> = BTreeMap::new();
    for (change, shown) in planned.iter().zip(changes) {
        let key = &change.key;
        if !present.contains_key(key) {
            present.insert(key, store.read(|conn| tag::of_version(conn, key))?);
        }
        let tags = present.entry(key).or_default();
        shown.before = Some(touched(tags, &change.version_tags));
        change.version_tags.apply(tags);
        shown.after = Some(touched(tags, &change.version_tags));
    }
    Ok(())
}

/// The tags that are set or removed.
fn touched(tags: &Tags, changes: &TagChanges) -> Tags {
    let keys = changes.set.keys().chain(&changes.removed);
    keys.filter_map(|key| Some((key.clone(), tags.get(key)?.clone()))).collect()
}

/// The act whose opposite is looked for.
struct Undo<'a> {
    name: &'a ModelName,
    version: VersionNumber,
    displaced: Option<VersionNumber>,
    is_rollback: bool,
    before: &'a Before,
}

impl Undo<'_> {
    /// The command that undoes the act; `None` if no command can name the model.
    fn command(&self, planned: &[StageChange], last: &Event) -> Option<String> {
        let family = commands::family(self.name, self.before.timeframe)?;
        if self.displaced.is_some() && !self.is_rollback {
            let has_clash = planned.iter().any(|change| change.clash.is_some());
            let force = if has_clash { " --force" } else { "" };
            return Some(format!("herdbook rollback{family}{force} --reason \"…\""));
        }
        let (version, from, to) = match self.displaced {
            // Undoing a rollback: the version that it removed returns.
            Some(displaced) => (displaced, Stage::Archived, Stage::Champion),
            None => {
                let first: Stage = last.what.from.as_deref()?.parse().ok()?;
                let to = if self.is_rollback { Stage::Archived } else { first };
                (self.version, last.what.to.as_deref()?.parse().ok()?, to)
            }
        };
        let is_contaminated = planned
            .iter()
            .any(|it| it.key.version == version && it.honesty == Honesty::Contaminated);
        let step = |to: Stage| {
            let force = match to {
                Stage::Beta | Stage::Champion if is_contaminated => " --force --reason \"…\"",
                _ => "",
            };
            format!("herdbook promote{family} --model-version {version} --target-stage {to}{force}")
        };
        Some(commands::path(from, to).into_iter().map(step).collect::<Vec<_>>().join(" && "))
    }
}
