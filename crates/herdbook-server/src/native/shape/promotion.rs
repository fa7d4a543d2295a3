//! A promotion or rollback, as `herdbook promote --json` prints it, with what a person looks at before agreeing.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use crate::native::shape::evidence::{RecordedEvidence, Standing};
use crate::native::shape::judgement::Judgement;

/// A promotion or rollback that was carried out, or with `dry_run` the plan of one.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Promotion {
    /// The registered model.
    pub(crate) name: String,
    /// The version that was promoted, or that the rollback brings back.
    pub(crate) version: u32,
    pub(crate) from: Option<String>,
    pub(crate) to: Option<String>,
    /// The last event of the act; null for a plan.
    pub(crate) event_id: Option<i64>,
    /// The id of the act; null for a plan.
    pub(crate) act_id: Option<String>,
    pub(crate) displaced: Option<Displaced>,
    /// The command that undoes the act; null if no command can name the model.
    pub(crate) undo: Option<String>,
    pub(crate) dry_run: bool,
    /// Whether the act was carried out by an earlier request with the same `act_id`.
    pub(crate) done_before: bool,
    /// The evaluations of a promoted version since its training; empty for a rollback.
    pub(crate) evidence: Vec<RecordedEvidence>,
    pub(crate) standing: Option<Standing>,
    pub(crate) conditions: Judgement,
    /// Each rule that `force` overrides, with value and limit.
    pub(crate) overridden: Vec<String>,
    /// `clean`, `contaminated` or `unknown`; null for an act that was done before.
    pub(crate) honesty: Option<String>,
    /// Each change of stage in its order: the displaced champion's comes first.
    pub(crate) changes: Vec<Change>,
    /// The champion after the act.
    pub(crate) champion: Option<u32>,
    pub(crate) reason_rule: ReasonRule,
    /// What the real act sends as `plan_hash`. Null for an act that was done before.
    pub(crate) plan_hash: Option<String>,
}

/// The champion that was displaced.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Displaced {
    pub(crate) version: u32,
}

/// A change of stage.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Change {
    pub(crate) name: String,
    pub(crate) version: u32,
    pub(crate) from: Option<String>,
    pub(crate) to: Option<String>,
    /// `requested`, `displaced`, `deleted_elsewhere`, `rolled_back` or `returned`.
    pub(crate) cause: Option<String>,
    pub(crate) reason: Option<String>,
    /// The tags that change, as they are before. Only a plan has them.
    pub(crate) before: Option<BTreeMap<String, String>>,
    /// The same tags after the act; a tag that is removed is absent. Only a plan has them.
    pub(crate) after: Option<BTreeMap<String, String>>,
}

/// What a reason must be.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub(crate) struct ReasonRule {
    pub(crate) required: bool,
    /// In characters.
    pub(crate) max_length: u32,
}
