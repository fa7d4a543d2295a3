//! The doctor on records that nobody broke, and on records that anybody broke in any way.

use std::collections::{BTreeMap, BTreeSet};

use herdbook_domain::tags::{Tags, key};
use herdbook_domain::{
    ActContext, Actor, AliasChange, Breach, BreachKind, Channel, Event, EventDraft, EventKind, Fix,
    GENESIS_HASH, Honesty, Origin, Records, Remedy, Repair, RunId, RunRow, Stage, Storage,
    Timeframe, Timestamp, VersionKey, VersionNumber, VersionOnRecord, VersionRow, examine,
};
use proptest::prelude::*;

use crate::register::{Register, model};
use crate::rules::{act, perform, promotion};

const BEGUN: i64 = 1_749_565_025_000;

/// What others may do to the records.
#[derive(Debug, Clone)]
enum Harm {
    VersionTag { version: usize, key: &'static str, value: Option<&'static str> },
    RunTag { version: usize, key: &'static str, value: Option<&'static str> },
    MlflowStage { version: usize, stage: &'static str },
    Alias(Option<i64>),
    Delete { version: usize },
}

fn harm() -> impl Strategy<Value = Harm> {
    let key = || {
        prop::sample::select(vec![
            key::PROMOTION_STAGE,
            key::VERSION_TYPE,
            key::TIMEFRAME,
            key::MODEL_TYPE,
            key::BASE_MODEL_RUN_ID,
            key::HONESTY,
            key::TOTAL_TIMESTEPS,
            key::LAST_PROMOTED_AT,
            key::PROMOTION_REASON,
            key::DEMOTION_TIMESTAMP,
            "promotion_20250610_1417",
            "promotion_19990101_0000",
        ])
    };
    let value = || {
        let words = [
            "development",
            "beta",
            "champion",
            "archived",
            "latest",
            "old",
            "1H",
            "clean",
            "",
            "\n",
        ];
        prop::option::of(prop::sample::select(words.to_vec()))
    };
    let stage = || prop::sample::select(vec!["None", "Staging", "Production", "Archived"]);
    prop_oneof![
        4 => (any::<usize>(), key(), value())
            .prop_map(|(version, key, value)| Harm::VersionTag { version, key, value }),
        3 => (any::<usize>(), key(), value())
            .prop_map(|(version, key, value)| Harm::RunTag { version, key, value }),
        1 => (any::<usize>(), stage())
            .prop_map(|(version, stage)| Harm::MlflowStage { version, stage }),
        1 => prop::option::of(1..9_i64).prop_map(Harm::Alias),
        1 => any::<usize>().prop_map(|version| Harm::Delete { version }),
    ]
}

fn set(tags: &mut Tags, key: &str, value: Option<&str>) {
    match value {
        Some(value) => tags.insert(key.to_owned(), value.to_owned()),
        None => tags.remove(key),
    };
}

fn do_harm(records: &mut Records, harm: &Harm) {
    let len = records.versions.len();
    let of = |index: usize| index % len;
    match harm {
        Harm::VersionTag { version, key, value } => {
            let becomes_champion = *key == key::PROMOTION_STAGE && *value == Some("champion");
            // The database refuses a second champion, whoever writes.
            if !becomes_champion || champions(records) == 0 {
                set(&mut records.versions[of(*version)].tags, key, *value);
            }
        }
        Harm::RunTag { version, key, value } => {
            let run_tags = records.versions[of(*version)].run_tags.as_mut();
            set(run_tags.expect("every run has a row here"), key, *value);
        }
        Harm::MlflowStage { version, stage } => {
            (*stage).clone_into(&mut records.versions[of(*version)].mlflow_stage);
        }
        Harm::Alias(Some(version)) => {
            records.aliases.insert(model(), *version);
        }
        Harm::Alias(None) => {
            records.aliases.remove(&model());
        }
        Harm::Delete { version } => {
            let version = &mut records.versions[of(*version)];
            version.deleted = true;
            "Deleted_Internal".clone_into(&mut version.mlflow_stage);
            version.run_id = None;
            if records.aliases.get(&model()) == Some(&i64::from(version.key.version.get())) {
                records.aliases.remove(&model());
            }
        }
    }
}

fn champions(records: &Records) -> usize {
    let stage = |version: &&VersionOnRecord| {
        version.tags.get(key::PROMOTION_STAGE).map(String::as_str) == Some(Stage::Champion.as_str())
    };
    records.versions.iter().filter(stage).count()
}

/// The records as a store would read them.
fn records(register: &Register, at: Timestamp) -> Records {
    let mut records = Records {
        now: at,
        events: Ok(Vec::new()),
        versions: Vec::new(),
        aliases: register.alias.map(|v| (model(), i64::from(v.get()))).into_iter().collect(),
        runs: Vec::new(),
        orphans: Vec::new(),
        schema: Vec::new(),
        models: BTreeSet::from([model()]),
        run_rows: BTreeMap::new(),
        storage: Storage::Database,
    };
    for (at, draft) in register.times.iter().zip(&register.events) {
        append(&mut records, *at, std::slice::from_ref(draft));
    }
    for (number, version) in &register.versions {
        let stage: Stage = version.tags[key::PROMOTION_STAGE].parse().unwrap();
        records.versions.push(VersionOnRecord {
            key: VersionKey { name: model(), version: *number },
            run_id: Some(version.run_id.clone()),
            deleted: false,
            mlflow_stage: stage.mlflow_stage().to_owned(),
            row: VersionRow {
                run_id: Some(version.run_id.to_string()),
                created_at_ms: created_at(register, *number),
                user: Some("tester".to_owned()),
                ..VersionRow::default()
            },
            tags: version.tags.clone(),
            run_tags: Some(register.runs[&version.run_id].clone()),
        });
        records.run_rows.insert(version.run_id.clone(), RunRow::default());
    }
    records
}

/// The moment of a registration, in milliseconds.
fn created_at(register: &Register, number: VersionNumber) -> Option<i64> {
    let registered = register
        .events
        .iter()
        .position(|event| event.kind == EventKind::Registered && event.version == Some(number));
    registered.map(|idx| register.times[idx].millis())
}

fn append(records: &mut Records, at: Timestamp, drafts: &[EventDraft]) {
    let context = ActContext {
        act_id: "an act".to_owned(),
        actor: Actor::parse("tester").unwrap(),
        channel: Channel::Cli,
    };
    let events = records.events.as_mut().expect("the log is readable");
    for draft in drafts {
        let id = events.len() as i64 + 1;
        let previous = events.last().map_or(GENESIS_HASH, |event| &event.hash).to_owned();
        events.push(Event::seal(id, at, &context, draft.clone(), &previous));
    }
}

fn carry_out(records: &mut Records, repair: &Repair) {
    let at = repair.at.unwrap_or(records.now);
    for fix in &repair.fixes {
        match fix {
            Fix::TagVersion(key, changes) => {
                changes.apply(&mut version(records, key).tags);
            }
            Fix::TagRun(run_id, changes) => {
                for run_tags in tags_of_run(records, run_id) {
                    changes.apply(run_tags);
                }
            }
            Fix::MlflowStage(key, stage) => {
                let version = version(records, key);
                if !version.deleted {
                    stage.mlflow_stage().clone_into(&mut version.mlflow_stage);
                }
            }
            Fix::Alias(name, AliasChange::PointTo(version)) => {
                records.aliases.insert(name.clone(), i64::from(version.get()));
            }
            Fix::Alias(name, AliasChange::Remove) => {
                records.aliases.remove(name);
            }
            Fix::Alias(_, AliasChange::Unchanged) => {}
            Fix::FailRun(_)
            | Fix::VersionColumn(..)
            | Fix::Renumber(..)
            | Fix::Param(..)
            | Fix::Metric(..)
            | Fix::RunColumn(..)
            | Fix::RemoveLease(_)
            | Fix::CompleteSchema
            | Fix::RefillRegistrations => {
                panic!("nothing of the kind was harmed")
            }
        }
        assert!(champions(records) <= 1, "a second champion on the way: {fix:?}");
    }
    append(records, at, &repair.events);
}

fn version<'a>(records: &'a mut Records, key: &VersionKey) -> &'a mut VersionOnRecord {
    records.versions.iter_mut().find(|version| version.key == *key).expect("it is on record")
}

/// The run of a deleted version is forgotten by its row; its tags are still its own.
fn tags_of_run<'a>(records: &'a mut Records, run_id: &RunId) -> Vec<&'a mut Tags> {
    let of_run = |version: &&mut VersionOnRecord| version.run_id.as_ref() == Some(run_id);
    records.versions.iter_mut().filter(of_run).filter_map(|v| v.run_tags.as_mut()).collect()
}

fn possible(breaches: &[Breach]) -> Vec<Repair> {
    breaches
        .iter()
        .filter_map(|breach| match &breach.remedy {
            Remedy::Possible(repair) => Some(repair.clone()),
            _ => None,
        })
        .collect()
}

fn lived() -> impl Strategy<Value = Register> {
    prop::collection::vec((act(), 0..90_000_i64), 1..30).prop_map(|acts| {
        let mut register = Register::default();
        let mut at = BEGUN;
        for (act, pause) in acts {
            at += pause;
            // Refusals are part of a life.
            let _ = perform(&mut register, &act, Timestamp::from_millis(at));
        }
        register
    })
}

/// The register with a new champion.
fn crowned(mut register: Register) -> Register {
    let at = Timestamp::from_millis(BEGUN + 9_000_000);
    let origin = Origin { timeframe: Timeframe::Hour1, enhanced: None };
    register.register(origin, Honesty::Clean, at);
    let newest = *register.versions.keys().last().unwrap();
    for stage in [Stage::Beta, Stage::Champion] {
        register.promote(&promotion(newest, stage), at).unwrap();
    }
    register
}

proptest! {
    #[test]
    fn prop_what_the_rulebook_did_is_healthy(register in lived()) {
        let records = records(&register, Timestamp::from_millis(BEGUN + 10_000_000));
        prop_assert_eq!(examine(&records), []);
    }

    #[test]
    fn prop_repairs_lead_to_records_that_need_no_more(
        register in lived(), harms in prop::collection::vec(harm(), 1..8)
    ) {
        prop_assume!(!register.versions.is_empty());
        let mut records = records(&register, Timestamp::from_millis(BEGUN + 10_000_000));
        for harm in &harms {
            do_harm(&mut records, harm);
        }
        let found = examine(&records);
        for repair in possible(&found) {
            carry_out(&mut records, &repair);
        }
        let left = examine(&records);
        prop_assert_eq!(possible(&left), [], "found {:#?}", found);
        // What a person has to decide was there before: repairs leave nothing of their own behind.
        for breach in &left {
            let was_there = found.iter().any(|f| f.kind == breach.kind && f.subject == breach.subject);
            prop_assert!(was_there, "{}", breach.line());
        }
        prop_assert!(!left.iter().any(|breach| breach.kind == BreachKind::EventChain));
    }

    #[test]
    fn prop_champion_by_the_history_is_champion_again(
        register in lived(), harms in prop::collection::vec(harm(), 1..8)
    ) {
        let register = crowned(register);
        let mut records = records(&register, Timestamp::from_millis(BEGUN + 10_000_000));
        for harm in harms.iter().filter(|harm| !matches!(harm, Harm::Delete { .. })) {
            do_harm(&mut records, harm);
        }
        for repair in possible(&examine(&records)) {
            carry_out(&mut records, &repair);
        }
        let champion = register.alias.map(|version| i64::from(version.get()));
        prop_assert_eq!(records.aliases.get(&model()).copied(), champion);
        prop_assert_eq!(champions(&records), 1);
    }
}
