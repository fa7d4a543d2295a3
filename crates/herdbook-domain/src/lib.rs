//! The rulebook: names, stages, transitions, lineage, tags, events and honesty as types and pure decisions.
//!
//! Each decision takes a request and the facts, and returns either a plan, which holds the exact changes, or a refusal.
//! This crate does no IO and knows nothing of databases, HTTP or the command line.
//!
//! Modules depend on those above them in this list only:
//! - `values`: checked names, closed sets of words, numbers and moments
//! - [`tags`]: the keys of tags, and changes to them
//! - `history`: events, the hash chain over them, and the champion at a moment
//! - `evidence`: windows, honesty, metrics and evaluations
//! - `lineage`: origins, parents and trees
//! - `rules`: registration, promotion, rollback, conditions, and protected tags
//! - `doctor`: breaches of the rules and their repair
//! - [`import`]: the records of another store

mod doctor;
mod evidence;
mod history;
pub mod import;
mod lineage;
mod rules;
pub mod tags;
mod values;

pub use doctor::{
    BadRow, Breach, BreachKind, Fix, LoggedMetric, Orphan, Process, Records, Remedy, Repair,
    RunColumn, RunOnRecord, RunRow, SchemaState, Storage, Subject, VersionColumn, VersionOnRecord,
    VersionRow, events_under_present_names, examine, is_managed,
};
pub use evidence::{
    Direction, EVIDENCE_BARS, EVIDENCE_PROBABILITY, Evaluation, EvaluationBasis, EvidenceFigures,
    EvidenceRecord, HEADLINE_METRICS, Honesty, Improvement, LeftOut, LineageWindows, Looks,
    RunResult, Seal, SealOrigin, Sealed, SealedMetric, SharpeGap, Standing, TestBasis, Unit,
    UnreadableSeal, Window, Windows, data_fingerprint, improvements, judge_honesty,
    tries_of_models, union_of_windows, window_params,
};
pub use history::{
    ActContext, AheadOfClock, CLOCK_TOLERANCE_MS, ChainBreak, Channel, Event, EventDraft,
    EventKind, GENESIS_HASH, champion_at, hex_sha256, verify_chain,
};
pub use lineage::{
    Attempt, Departure, EnhancedFrom, InvalidParentSelector, LineageMember, LineageTree, Origin,
    ParentSelector, attempts_for_best, attempts_for_latest, base_model_fallback, lineage_trees,
};
pub use rules::{
    AliasChange, Cause, Condition, ConditionFacts, ConditionOutcome, Conditions, ExpectedChampion,
    FormerChampion, Judgement, Obstacle, PassedOver, PromotionFacts, PromotionPlan,
    PromotionRequest, Refusal, Registration, RegistrationFacts, RegistrationPlan, Requirement,
    RollbackFacts, RollbackRequest, RunPhase, StageChange, SymbolClash, Unsealed, Verdict,
    VersionEvidence, VersionFacts, adopted_event, guard_run_tags, guard_version_tags, overrides_of,
    plan_promotion, plan_registration, plan_rollback,
};
pub use values::{
    Actor, Enhancement, ExperimentName, InvalidName, InvalidTimestamp, MetricName, ModelName,
    ModelType, Reason, RunId, RunPrefix, RunStatus, Stage, Symbol, Timeframe, Timestamp,
    Transition, UnknownWord, VersionKey, VersionNumber, VersionType, grouped, is_active,
    number_or_run, percent, signed_percent,
};
