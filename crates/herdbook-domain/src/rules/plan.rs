//! The exact changes of a permitted promotion or rollback.

use super::conditions::Judgement;
use super::stage_change::{Cause, StageChange};
use crate::history::EventDraft;
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
