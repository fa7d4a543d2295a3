//! The acts of the rulebook: a request and the facts go in, the exact changes or a [`Refusal`] come out.

mod conditions;
mod deletion;
mod facts;
mod obstacle;
mod overrides;
mod plan;
mod promotion;
mod refusal;
mod registration;
mod request;
mod rollback;
mod stage_change;
mod tag_guard;

pub use conditions::{
    Condition, ConditionFacts, ConditionOutcome, Conditions, Judgement, Requirement, Verdict,
    VersionEvidence,
};
pub use deletion::{plan_deletion, renamed_event};
pub use facts::{FormerChampion, PromotionFacts, RollbackFacts, Unsealed, VersionFacts};
pub use obstacle::{Obstacle, SymbolClash};
pub use overrides::overrides_of;
pub use plan::{AliasChange, PromotionPlan};
pub(crate) use promotion::displacement;
pub use promotion::plan_promotion;
pub use refusal::{PassedOver, Refusal};
pub use registration::{Registration, RegistrationFacts, RegistrationPlan, plan_registration};
pub use request::{ExpectedChampion, PromotionRequest, RollbackRequest};
pub use rollback::plan_rollback;
pub use stage_change::{Cause, StageChange, adopted_event};
pub use tag_guard::{
    RunPhase, guard_run_tags, guard_tag_removal, guard_version_tag, guard_version_tags,
};
