//! The examination as a whole: the checks of every model, version and run, of the schema and of the hash chain.

use std::collections::BTreeMap;

use super::breach::{Breach, BreachKind, Fix, Remedy, Repair, Subject};
use super::log_index::LogIndex;
use super::records::{Records, SchemaState, VersionOnRecord};
use super::{champion, lost, rows, run, sealed, usability, version};
use crate::history::verify_chain;
use crate::values::ModelName;

/// Finds every breach of the rules. The order is one in which the repairs can be carried out.
pub fn examine(records: &Records) -> Vec<Breach> {
    // Everything else is examined as it is after a version has its registered number back. Otherwise its wrong number would be
    // taken for that of another champion.
    let (mut breaches, corrected) = lost::renumbered(records, &LogIndex::of(records));
    let records = corrected.as_ref().unwrap_or(records);
    let log = LogIndex::of(records);
    let mut models: BTreeMap<&ModelName, Vec<&VersionOnRecord>> = BTreeMap::new();
    for version in &records.versions {
        models.entry(&version.key.name).or_default().push(version);
    }
    for name in records.aliases.keys() {
        models.entry(name).or_default();
    }
    for (name, versions) in &models {
        let champions = champion::Champions::of(versions, &log);
        breaches.extend(champion::check_champions(name, &champions, versions, &log));
        for version in champion::champions_first(versions) {
            breaches.extend(rows::check_version(version, records, &log));
            breaches.extend(sealed::check(version, records, &log));
            breaches.extend(version::check(version, &champions, &log));
        }
        let alias = records.aliases.get(*name).copied();
        breaches.extend(champion::check_alias(name, alias, &champions, versions, &log));
    }
    let lost = lost::check(records, &log);
    breaches.extend(lost.breaches);
    breaches.extend(rows::check_runs(records, &log));
    breaches.extend(records.orphans.iter().map(run::orphan));
    breaches.extend(records.runs.iter().filter_map(|run| run::check(run, &log)));
    breaches.extend(usability::future_events(records));
    let is_contested =
        breaches.iter().any(|breach: &Breach| breach.kind == BreachKind::TwoChampions);
    let schema = records.schema.iter();
    breaches.extend(schema.map(|(object, state)| schema_breach(object, *state, is_contested)));
    let chain = chain_breach(records);
    if chain.is_some() || lost.lacks_events {
        breaches.iter_mut().for_each(Breach::withhold_repair_from_history);
    }
    breaches.splice(0..0, log.unreadable_seals().iter().map(|problem| unreadable_seal(problem)));
    breaches.splice(0..0, chain);
    breaches
}

fn unreadable_seal(problem: &str) -> Breach {
    Breach {
        kind: BreachKind::EventChain,
        subject: Subject::default(),
        message: problem.to_owned(),
        remedy: Remedy::None("use the herdbook that wrote it".to_owned()),
    }
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
        SchemaState::PutBack => Remedy::Done("it was created again".to_owned()),
        SchemaState::PutBackEmpty => Remedy::None(
            "it was created again and is empty: restore its rows from a backup".to_owned(),
        ),
        SchemaState::LeftOut if is_contested => {
            Remedy::None("it cannot be created while a model has two champions".to_owned())
        }
        SchemaState::LeftOut => Remedy::Possible(Repair {
            outcome: "it is created again".to_owned(),
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
        message: format!("`{object}` was missing or altered, for example by a migration"),
        remedy,
    }
    .with_event(None, None)
}

fn registrations_breach(object: &str) -> Breach {
    Breach {
        kind: BreachKind::Registrations,
        subject: Subject::default(),
        message: format!("the rows of `{object}` differ from the history"),
        remedy: Remedy::Possible(Repair {
            outcome: "it is filled again from the history".to_owned(),
            at: None,
            fixes: vec![Fix::RefillRegistrations],
            events: Vec::new(),
        }),
    }
    .with_event(None, None)
}
