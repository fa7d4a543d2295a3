//! Conditions on promotion: what a version must show before it rises to a stage. Conditions and facts go in, verdicts
//! come out.
//!
//! A condition is met by a number, never by the lack of one: missing evidence does not pass.

mod comparison;
mod condition;
mod facts;
mod judgement;

pub use condition::{Condition, Conditions, Requirement};
pub use facts::{ConditionFacts, VersionEvidence};
pub use judgement::{ConditionOutcome, Judgement, Verdict};
