//! The answer to a promotion or rollback, made from its events, so that it is the same when the act was done before.

use std::collections::BTreeMap;

use herdbook_domain::tags::{TagChanges, Tags};
use herdbook_domain::{
    Cause, Event, EventKind, Honesty, ModelName, Stage, StageChange, Timeframe, VersionKey,
    VersionNumber, overrides_of,
};
use herdbook_store::tables::tag;
use herdbook_store::{Effect, Planned, Store, Submitted, VersionRecord};
use serde_json::Value;

use crate::native::commands;
use crate::native::failure::{Code, Failure};
use crate::native::shape::evidence::{Evaluations, Since};
use crate::native::shape::judgement::Judgement;
use crate::native::shape::promotion::{Change, Displaced, Promotion, ReasonRule};

/// What is read before an act, because a failure after it would hide that it was carried out.
pub(super) struct Before {
    since: Since,
    champion: Option<u32>,
    timeframe: Option<Timeframe>,
}

impl Before {
    pub(super) fn of_promotion(store: &Store, key: &VersionKey) -> Result<Self, Failure> {
        let version = store.version(key)?;
        let since = Evaluations::default().of(store, key)?;
        let champion = store.champion(&key.name)?.map(|champion| champion.key.version.get());
        Ok(Self { since, champion, timeframe: version.timeframe() })
    }

    /// Which version a rollback brings back is known only after it, so its evidence is not read.
    pub(super) fn of_rollback(store: &Store, name: &ModelName) -> Result<Self, Failure> {
        let champion = store.champion(name)?;
        let timeframe = champion.as_ref().and_then(VersionRecord::timeframe);
        let champion = champion.map(|champion| champion.key.version.get());
        Ok(Self { since: Since::default(), champion, timeframe })
    }
}

/// The answer to an act that was carried out, now or before, or to its dry run.
pub(super) fn answer(
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
    let of_cause = |causes: &[Cause]| {
        stages.iter().find(|event| {
            cause(event).is_some_and(|cause| causes.iter().any(|it| it.as_str() == cause))
        })
    };
    let displaced = of_cause(&[Cause::Displaced, Cause::RolledBack]);
    let displaced = displaced.and_then(|event| event.what.version);
    let is_rollback = of_cause(&[Cause::Returned]).is_some();
    let mut changes: Vec<Change> = stages.iter().map(|event| change(event)).collect();
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

fn details(event: &Event) -> Value {
    serde_json::from_str(&event.what.details).unwrap_or(Value::Null)
}

/// Why a stage changed.
fn cause(event: &Event) -> Option<String> {
    details(event)["cause"].as_str().map(str::to_owned)
}

fn change(event: &Event) -> Change {
    Change {
        name: event.what.name.as_ref().map(ToString::to_string).unwrap_or_default(),
        version: event.what.version.map_or(0, VersionNumber::get),
        from: event.what.from.clone(),
        to: event.what.to.clone(),
        cause: cause(event),
        reason: event.what.reason.clone(),
        before: None,
        after: None,
    }
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
        let (version, from, to) = if let Some(displaced) = self.displaced {
            // Undoing a rollback: the version that it removed returns.
            (displaced, Stage::Archived, Stage::Champion)
        } else {
            let first: Stage = last.what.from.as_deref()?.parse().ok()?;
            let to = if self.is_rollback { Stage::Archived } else { first };
            (self.version, last.what.to.as_deref()?.parse().ok()?, to)
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
