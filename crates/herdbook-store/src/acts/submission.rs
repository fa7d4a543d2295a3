//! Promotions and rollbacks that clients of a server submit: agreed to as a plan, and done once however often they are sent.

use herdbook_domain::{
    Cause, Conditions, Event, EventKind, ModelName, PromotionPlan, PromotionRequest, Reason,
    RollbackRequest, Stage, Timestamp,
};

use crate::act_id::ActId;
use crate::acts::promotion::{Promotion, carry_out};
use crate::engine::backend::Effect;
use crate::error::StoreError;
use crate::session::{Act, Session};
use crate::tables::event;

/// How a client submits an act.
#[derive(Debug, Clone, Default)]
pub struct Submission {
    /// The id of the act. Of several requests with one id, one is carried out.
    pub act_id: Option<ActId>,
    /// The hash of the plan that the client agreed to. If facts changed since, the act is refused.
    pub plan_hash: Option<String>,
}

/// A promotion with the hash of its plan.
#[derive(Debug, Clone)]
pub struct Planned {
    /// The promotion that was carried out, or that a dry run would carry out.
    pub promotion: Promotion,
    /// The hash by which a client agrees to the plan.
    pub plan_hash: String,
}

/// The result of a submitted act.
#[derive(Debug, Clone)]
pub enum Submitted {
    /// It was carried out now, or its dry run was.
    Now(Box<Planned>),
    /// It was carried out before. These are its events.
    Before(Vec<Event>),
}

impl Session {
    /// As [`Session::promote_under`], for an act that a client submits.
    ///
    /// # Errors
    /// As [`Session::promote_under`]; [`StoreError::PlanChanged`]; [`StoreError::ActIdUsed`] if the id belongs to another act
    /// on this model.
    pub fn submit_promotion(
        &self,
        conditions: &Conditions,
        request: &PromotionRequest,
        effect: Effect,
        submission: &Submission,
    ) -> Result<Submitted, StoreError> {
        let is_same = |event: &Event| {
            event.what.kind == EventKind::StageChanged
                && event.what.version == Some(request.key.version)
                && event.what.to.as_deref() == Some(request.target.as_str())
                && event.what.reason.as_deref() == request.reason.as_ref().map(Reason::as_str)
                && cause_of(event).as_deref() == Some(Cause::Requested.as_str())
        };
        self.identified(submission).promotion_unless(
            conditions,
            request,
            effect,
            |act, name| done_before(act, name, (effect, submission), is_same),
            |act, name, plan, at| carry_out_as_agreed(act, name, (plan, at), submission),
        )
    }

    /// As [`Session::rollback`], for an act that a client submits.
    ///
    /// # Errors
    /// As [`Session::rollback`] and [`Session::submit_promotion`].
    pub fn submit_rollback(
        &self,
        request: &RollbackRequest,
        effect: Effect,
        submission: &Submission,
    ) -> Result<Submitted, StoreError> {
        let is_same = |event: &Event| {
            event.what.kind == EventKind::StageChanged
                && event.what.to.as_deref() == Some(Stage::Champion.as_str())
                && event.what.reason.as_deref() == Some(request.reason.as_str())
                && cause_of(event).as_deref() == Some(Cause::Returned.as_str())
        };
        self.identified(submission).rollback_unless(
            request,
            effect,
            |act, name| done_before(act, name, (effect, submission), is_same),
            |act, name, plan, at| carry_out_as_agreed(act, name, (plan, at), submission),
        )
    }

    /// A session whose next act has the id of a submission, if it has one.
    fn identified(&self, submission: &Submission) -> Self {
        match &submission.act_id {
            Some(act_id) => self.with_act_id(act_id),
            None => self.clone(),
        }
    }
}

/// The cause of a change of stage, as its event records it.
fn cause_of(event: &Event) -> Option<String> {
    let details: serde_json::Value = serde_json::from_str(&event.what.details).ok()?;
    Some(details.get("cause")?.as_str()?.to_owned())
}

/// The events of the act with the id of a submission; `None` if there are none yet.
fn done_before(
    act: &Act<'_>,
    name: &ModelName,
    (effect, submission): (Effect, &Submission),
    is_same: impl Fn(&Event) -> bool,
) -> Result<Option<Submitted>, StoreError> {
    let (Some(act_id), Effect::Commit) = (&submission.act_id, effect) else { return Ok(None) };
    let events = event::of_act(act.tx, name, act_id.as_str())?;
    let Some(first) = events.first() else { return Ok(None) };
    if events.iter().any(is_same) {
        return Ok(Some(Submitted::Before(events)));
    }
    Err(StoreError::ActIdUsed { act_id: act_id.to_string(), event: first.id })
}

/// Carries out a plan if it is the one that the client agreed to.
fn carry_out_as_agreed(
    act: &Act<'_>,
    name: &ModelName,
    (plan, at): (PromotionPlan, Timestamp),
    submission: &Submission,
) -> Result<Submitted, StoreError> {
    let last_events: Vec<i64> = plan
        .changes
        .iter()
        .map(|change| event::last_of_version(act.tx, &change.key))
        .collect::<Result<_, _>>()?;
    let plan_hash = plan.hash(&last_events);
    if let Some(agreed) = submission.plan_hash.as_ref().filter(|agreed| **agreed != plan_hash) {
        let (name, expected, found) = (name.clone(), agreed.clone(), plan_hash);
        return Err(StoreError::PlanChanged { name, expected, found });
    }
    let promotion = carry_out(act, name, plan, at)?;
    Ok(Submitted::Now(Box::new(Planned { promotion, plan_hash })))
}
