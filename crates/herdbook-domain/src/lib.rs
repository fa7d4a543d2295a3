//! The rulebook: names, stages, transitions, lineage, tags, events and honesty as types and pure decisions.
//!
//! A request and the facts go in, a plan (the exact changes) or a refusal comes out. This crate does no IO and
//! knows nothing of databases, HTTP or the command line.

mod change;
mod chronicle;
mod closed_set;
mod condition;
mod doctor;
mod evaluation;
mod event;
mod guard;
mod honesty;
pub mod import;
mod kind;
mod lineage;
mod metric;
mod name;
mod parent;
mod promotion;
mod refusal;
mod registration;
mod rollback;
mod stage;
pub mod tags;
mod timeframe;
mod timestamp;

pub use change::{Cause, StageChange};
pub use chronicle::{ChainBreak, champion_at, verify_chain};
pub use closed_set::UnknownWord;
pub use condition::{
    Condition, ConditionFacts, Conditions, Demand, Dossier, Judgement, Outcome, Verdict,
};
pub use doctor::{
    Breach, BreachKind, Fix, Orphan, Process, Records, Remedy, Repair, RunOnRecord, SchemaState,
    Subject, VersionOnRecord, examine,
};
pub use evaluation::{EVIDENCE_BARS, EVIDENCE_PROBABILITY, Evaluation};
pub use event::{ActContext, Channel, Event, EventDraft, EventKind, GENESIS_HASH, hex_sha256};
pub use guard::{RunPhase, guard_run_tags, guard_version_tags};
pub use honesty::{Honesty, Seen, Window, Windows, data_fingerprint, judge, window_params};
pub use kind::{Enhancement, ModelType, RunStatus, VersionType};
pub use lineage::{LineageTree, Pedigree, lineage_trees};
pub use metric::{Direction, HEADLINE_METRICS, Improvement, improvements};
pub use name::{
    Actor, ExperimentName, InvalidName, MetricName, ModelName, Reason, RunId, Symbol, VersionKey,
    VersionNumber,
};
pub use parent::{
    Attempt, Departure, InvalidParentSelector, ParentSelector, attempts_for_best,
    attempts_for_latest, base_model_fallback,
};
pub use promotion::{
    AliasChange, ExpectedChampion, PromotionFacts, PromotionPlan, PromotionRequest, VersionFacts,
    plan_judged_promotion, plan_promotion,
};
pub use refusal::{Obstacle, PassedOver, Refusal};
pub use registration::{
    EnhancedFrom, Origin, Registration, RegistrationFacts, RegistrationPlan, plan_registration,
};
pub use rollback::{FormerChampion, RollbackFacts, RollbackRequest, plan_rollback};
pub use stage::{Stage, Transition};
pub use timeframe::Timeframe;
pub use timestamp::{InvalidTimestamp, Timestamp};
