//! Conditions on promotion: what a version must show before it may move to beta or champion. Conditions and facts go
//! in, verdicts come out.
//!
//! A condition without a value is not met.

mod comparison;
mod condition;
mod facts;
mod judgement;

pub use condition::{Condition, Conditions, Requirement};
pub use facts::{ConditionFacts, VersionEvidence};
pub use judgement::{ConditionOutcome, Judgement, Verdict};
