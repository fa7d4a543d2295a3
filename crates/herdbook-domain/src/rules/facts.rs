//! The facts that the store collects for a promotion or a rollback.

use super::refusal::Obstacle;
use crate::evidence::{Honesty, SealOrigin, Sealed};
use crate::values::{RunId, Stage, VersionKey};

/// The facts about one version when an act begins.
#[derive(Debug, Clone, PartialEq)]
pub struct VersionFacts {
    /// The version.
    pub key: VersionKey,
    /// The run it came from, where that is known.
    pub run_id: Option<RunId>,
    /// Its `promotion_stage` tag as written; `None` without one.
    pub stage_tag: Option<String>,
    /// The stage at the end of its history; `None` for a version that has no history yet.
    pub history_end: Option<Stage>,
    /// Its honesty state.
    pub honesty: Honesty,
    /// Keys of its tags that begin with `promotion_`.
    pub promotion_keys: Vec<String>,
    /// Why its model file is not the one that was registered; `None` where it is, or was not checked.
    pub file: Option<Obstacle>,
    /// Whether it was deleted through MLflow.
    pub deleted: bool,
    /// The facts to seal by this act; `None` where the history holds a seal already, or none is needed.
    pub unsealed: Option<Unsealed>,
}

/// Facts of a version without a seal, as MLflow holds them when an act begins that rests on them.
#[derive(Debug, Clone, PartialEq)]
pub struct Unsealed {
    /// Why the history holds no seal.
    pub origin: SealOrigin,
    /// The facts.
    pub facts: Sealed,
}

/// The facts for a promotion.
#[derive(Debug, Clone, PartialEq)]
pub struct PromotionFacts {
    /// The version to change.
    pub version: VersionFacts,
    /// The version tagged champion, also a deleted one; `None` where there is none.
    pub champion: Option<VersionFacts>,
}

/// The facts for a rollback.
#[derive(Debug, Clone, PartialEq)]
pub struct RollbackFacts {
    /// The version tagged champion, also a deleted one; `None` where there is none.
    pub champion: Option<VersionFacts>,
    /// The versions that were champion and no longer are. The one that left the place last comes first.
    pub former: Vec<FormerChampion>,
}

/// A version that was champion in the past.
#[derive(Debug, Clone, PartialEq)]
pub struct FormerChampion {
    /// The version.
    pub facts: VersionFacts,
    /// Why it may not return; `None` where it may.
    pub obstacle: Option<Obstacle>,
}
