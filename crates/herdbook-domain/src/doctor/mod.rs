//! The doctor: whether the records keep the rules (spec §4), what breaks them, and what mends it safely.
//!
//! What herdbook writes keeps the rules; others write to the same database, migrate it, restore half a backup,
//! or lose a process. The records go in, breaches come out, each with the exact repair where one is safe. The
//! history is what repairs follow, so nothing is set back to a history that is broken itself.

mod breach;
mod champion;
mod history;
mod run;
mod version;

use std::collections::BTreeMap;

pub use breach::{Breach, BreachKind, Fix, Remedy, Repair, Subject};

use crate::tags::Tags;
use crate::{Event, ModelName, RunId, Timestamp, VersionKey, verify_chain};
use history::History;

/// What the doctor looks at, as it was in one moment.
#[derive(Debug, Clone)]
pub struct Records {
    /// When that was.
    pub now: Timestamp,
    /// The whole log, oldest event first, or why it cannot be read.
    pub events: Result<Vec<Event>, String>,
    /// Every version, deleted ones too.
    pub versions: Vec<VersionOnRecord>,
    /// Where the alias `champion` of each model points.
    pub aliases: BTreeMap<ModelName, i64>,
    /// Runs that are RUNNING or have a lease.
    pub runs: Vec<RunOnRecord>,
    /// Parents that have no row.
    pub orphans: Vec<Orphan>,
    /// Tables and indexes of ours that were not as they should be when the store was opened.
    pub schema: Vec<(String, SchemaState)>,
}

/// What the records say of one version.
#[derive(Debug, Clone)]
pub struct VersionOnRecord {
    /// Which.
    pub key: VersionKey,
    /// Its run; `None` where MLflow has forgotten it.
    pub run_id: Option<RunId>,
    /// Whether it was deleted through MLflow.
    pub deleted: bool,
    /// MLflow's own stage.
    pub mlflow_stage: String,
    /// Its tags.
    pub tags: Tags,
    /// The tags of its run that the rules know; `None` where the run has no row.
    pub run_tags: Option<Tags>,
}

/// A run that says, or whose lease says, that it is being trained.
#[derive(Debug, Clone)]
pub struct RunOnRecord {
    /// Its identity, as written.
    pub run_id: String,
    /// Whether its status is RUNNING; `false` where it has no row.
    pub is_running: bool,
    /// What its lease says.
    pub process: Process,
}

/// What is known of the process behind a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Process {
    /// It has no lease.
    Unknown,
    /// It lives.
    Alive,
    /// It is gone, or silent for too long.
    Dead,
}

/// A run or version whose `base_model_run_id` names no run.
#[derive(Debug, Clone)]
pub struct Orphan {
    /// Who.
    pub subject: Subject,
    /// The parent, as written.
    pub parent: String,
}

/// What became of a table or index of ours that was missing or altered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchemaState {
    /// An index: opening the store made it anew.
    PutBack,
    /// A table: opening the store made it anew, empty.
    PutBackEmpty,
    /// Two champions stand against it, or did when the store was opened.
    LeftOut,
    /// The store is read-only.
    Missing,
    /// A table that repeats facts from the log: other programs changed its rows.
    DisagreesWithLog,
}

/// Finds every breach, in an order in which the repairs can be carried out one after the other.
pub fn examine(records: &Records) -> Vec<Breach> {
    let history = History::of(records);
    let mut breaches = Vec::new();
    let mut models: BTreeMap<&ModelName, Vec<&VersionOnRecord>> = BTreeMap::new();
    for version in &records.versions {
        models.entry(&version.key.name).or_default().push(version);
    }
    for name in records.aliases.keys() {
        models.entry(name).or_default();
    }
    for (name, versions) in &models {
        let champions = champion::Champions::of(versions, &history);
        breaches.extend(champion::check_places(name, &champions, versions, &history));
        for version in champion::leaving_first(versions) {
            breaches.extend(version::check(version, &champions, &history));
        }
        let alias = records.aliases.get(*name).copied();
        breaches.extend(champion::check_alias(name, alias, &champions, versions, &history));
    }
    breaches.extend(records.orphans.iter().map(run::orphan));
    breaches.extend(records.runs.iter().filter_map(|run| run::check(run, &history)));
    let is_contested =
        breaches.iter().any(|breach: &Breach| breach.kind == BreachKind::TwoChampions);
    let schema = records.schema.iter();
    breaches.extend(schema.map(|(object, state)| schema_breach(object, *state, is_contested)));
    if let Some(chain) = chain_breach(records) {
        breaches.iter_mut().for_each(Breach::withhold_what_follows_the_history);
        breaches.insert(0, chain);
    }
    breaches
}

fn chain_breach(records: &Records) -> Option<Breach> {
    let problem = match &records.events {
        Ok(events) => verify_chain(events).err()?.to_string(),
        Err(problem) => problem.clone(),
    };
    Some(Breach {
        kind: BreachKind::EventChain,
        subject: Subject::default(),
        message: format!("the history is broken: {problem}"),
        remedy: Remedy::None(
            "restore the database from a backup, and compare it with an exported history"
                .to_owned(),
        ),
    })
}

fn schema_breach(object: &str, state: SchemaState, is_contested: bool) -> Breach {
    let remedy = match state {
        SchemaState::PutBack => Remedy::Done("it was made anew".to_owned()),
        SchemaState::PutBackEmpty => {
            Remedy::None("it was made anew and is empty: restore its rows from a backup".to_owned())
        }
        SchemaState::LeftOut if is_contested => {
            Remedy::None("it cannot stand while a model has two champions".to_owned())
        }
        SchemaState::LeftOut => Remedy::Possible(Repair {
            outcome: "it is made anew".to_owned(),
            at: None,
            fixes: vec![Fix::CompleteSchema],
            events: Vec::new(),
        }),
        SchemaState::Missing => Remedy::None("make the store writable and open it".to_owned()),
        SchemaState::DisagreesWithLog => return registrations_breach(object),
    };
    Breach {
        kind: BreachKind::Schema,
        subject: Subject::default(),
        message: format!("`{object}` was missing or altered, as a migration leaves it"),
        remedy,
    }
    .with_event(None, None)
}

fn registrations_breach(object: &str) -> Breach {
    Breach {
        kind: BreachKind::Registrations,
        subject: Subject::default(),
        message: format!("the rows of `{object}` are not those that follow from the history"),
        remedy: Remedy::Possible(Repair {
            outcome: "it is filled again from the history".to_owned(),
            at: None,
            fixes: vec![Fix::RefillRegistrations],
            events: Vec::new(),
        }),
    }
    .with_event(None, None)
}
