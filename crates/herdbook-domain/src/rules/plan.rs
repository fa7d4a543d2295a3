//! The exact changes of a permitted promotion or rollback.

use serde_json::json;

use super::conditions::{Judgement, Verdict};
use super::overrides;
use super::stage_change::{Cause, StageChange};
use crate::history::{EventDraft, hex_sha256};
use crate::values::VersionNumber;

/// The exact changes of a permitted promotion or rollback.
///
/// The store carries out all of them in one transaction, in this order: the database refuses a second champion row by
/// row, so the old champion leaves first.
#[derive(Debug, Clone, PartialEq)]
pub struct PromotionPlan {
    /// Changes of stage; the displaced champion's comes first.
    pub changes: Vec<StageChange>,
    /// Events that come before those of the changes: each seals the facts of a version that does not change its stage.
    pub seals: Vec<EventDraft>,
    /// The change of the alias `champion`.
    pub alias: AliasChange,
    /// How the conditions on this rise were judged. Empty for a rollback or a demotion, which have none.
    pub judgement: Judgement,
}

impl PromotionPlan {
    /// The events for the log, in order.
    pub fn events(&self) -> impl Iterator<Item = &EventDraft> {
        self.seals.iter().chain(self.changes.iter().flat_map(|change| &change.events))
    }

    /// Lower-case hex SHA-256 over everything that somebody who agrees to the plan relies on: the changes of stage, what a
    /// forced change overrides, the verdicts, and `last_events`, the number of the last event of each changed version, in
    /// the order of the changes. Times and reasons are left out, so the same plan made later has the same hash.
    pub fn hash(&self, last_events: &[i64]) -> String {
        let changes = self.changes.iter().map(|change| {
            json!([
                change.key.name,
                change.key.version,
                change.run_id,
                change.transition.from(),
                change.transition.to(),
                change.cause.as_str(),
                change.honesty,
                change.clash.as_ref().map(overrides::symbol),
            ])
        });
        let verdicts = self.judgement.verdicts.iter().map(|verdict: &Verdict| {
            let value = verdict.value.filter(|_| !verdict.follows_clock());
            json!([verdict.condition, value, verdict.limit, verdict.verdict])
        });
        let alias = match self.alias {
            AliasChange::Unchanged => json!("unchanged"),
            AliasChange::PointTo(version) => json!(version),
            AliasChange::Remove => json!(null),
        };
        // An array: the order of the fields of an object depends on the features of `serde_json`.
        let plan = json!([
            "plan 1",
            changes.collect::<Vec<_>>(),
            self.judgement.enforce,
            verdicts.collect::<Vec<_>>(),
            alias,
            last_events,
        ]);
        hex_sha256(plan.to_string().as_bytes())
    }

    /// The change that was asked for.
    pub fn requested(&self) -> Option<&StageChange> {
        self.changes.last()
    }

    /// The change of the champion that was displaced or rolled back, if there was one.
    pub fn displaced(&self) -> Option<&StageChange> {
        self.changes
            .iter()
            .find(|change| matches!(change.cause, Cause::Displaced | Cause::RolledBack))
    }
}

/// A change of the alias `champion`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AliasChange {
    /// The alias stays as it is.
    Unchanged,
    /// The alias points at this version.
    PointTo(VersionNumber),
    /// The alias is removed: there is no champion.
    Remove,
}
