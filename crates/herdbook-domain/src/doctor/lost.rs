//! Versions without a history, and a history without its versions and runs.

use std::collections::{BTreeMap, BTreeSet};

use super::breach::{Breach, BreachKind, Fix, Remedy, Repair, Subject};
use super::log_index::LogIndex;
use super::records::{Records, Storage, VersionOnRecord};
use super::rows::text_of;
use crate::tags::key;
use crate::values::{ModelName, VersionKey};

/// Versions and runs that one side has and the other lacks.
#[derive(Debug, Default)]
pub(super) struct Lost {
    pub(super) breaches: Vec<Breach>,
    /// Whether events are missing: a version that herdbook registered has none.
    pub(super) lacks_events: bool,
}

/// Compares the versions and runs that exist with those of the history.
pub(super) fn check(records: &Records, log: &LogIndex) -> Lost {
    let mut lost = Lost::default();
    // Runs of versions that stand under another number or model than the registered one.
    let mut moved = BTreeSet::new();
    for version in records.versions.iter().filter(|version| !version.deleted) {
        let registered = version.run_id.as_ref().and_then(|run_id| log.registered_from(run_id));
        let registered = registered.filter(|key| **key != version.key);
        if log.stage(&version.key).is_some() {
            moved.extend(registered.cloned());
            continue;
        }
        let claims_stage = version.tags.contains_key(key::PROMOTION_STAGE);
        if let Some(key) = registered {
            if !records.versions.iter().any(|one| one.key == *key) {
                moved.insert(key.clone());
                let way_out = "give it the recorded name and number again".to_owned();
                lost.breaches.push(moved_version(version, key, Remedy::None(way_out)));
            } else if claims_stage {
                lost.breaches.push(copy(version, key));
            }
        } else if version.tags.contains_key(key::HONESTY) && !was_left_outside(version) {
            lost.lacks_events = true;
            lost.breaches.push(without_events(version));
        } else if claims_stage {
            lost.breaches.push(of_another_program(version));
        }
    }
    lost.breaches.extend(missing_versions(records, log, &moved));
    lost.breaches.extend(missing_runs(records, log));
    lost
}

/// Versions that another program gave another number, and the records as they are after the repair; `None` without such a
/// version. A version that was moved to another model, or is kept by a server, is reported by [`check`].
pub(super) fn renumbered(records: &Records, log: &LogIndex) -> (Vec<Breach>, Option<Records>) {
    let mut breaches = Vec::new();
    if records.storage == Storage::Server {
        return (breaches, None);
    }
    let mut keys: BTreeSet<VersionKey> =
        records.versions.iter().map(|one| one.key.clone()).collect();
    let mut corrected = None;
    for (idx, version) in records.versions.iter().enumerate() {
        let registered = version.run_id.as_ref().and_then(|run_id| log.registered_from(run_id));
        let Some(registered) = registered.filter(|key| key.name == version.key.name) else {
            continue;
        };
        let has_history = log.stage(&version.key).is_some();
        if version.deleted || has_history || !keys.insert(registered.clone()) {
            continue;
        }
        let remedy = Remedy::Possible(Repair {
            outcome: format!("it is version {} again", registered.version),
            at: Some(log.time_for(&registered.name)),
            fixes: vec![Fix::Renumber(version.key.clone(), registered.version)],
            events: Vec::new(),
        });
        breaches.push(moved_version(version, registered, remedy));
        let corrected = corrected.get_or_insert_with(|| records.clone());
        corrected.versions[idx].key = registered.clone();
    }
    (breaches, corrected)
}

/// The breach of a version that stands under another name or number than the registered one.
fn moved_version(version: &VersionOnRecord, registered: &VersionKey, remedy: Remedy) -> Breach {
    let (found, recorded) = (text_of(&version.key), text_of(registered));
    Breach {
        kind: BreachKind::NoHistory,
        subject: Subject::of_version(&version.key, version.run_id.as_ref()),
        message: format!(
            "{} has no history: its run was registered as {registered}, which has no row",
            version.key
        ),
        remedy,
    }
    .with_event(Some(&found), Some(&recorded))
}

/// Whether an import took the version over without its stage, and so without a history.
fn was_left_outside(version: &VersionOnRecord) -> bool {
    version.tags.contains_key("imported_promotion_stage")
}

fn copy(version: &VersionOnRecord, original: &VersionKey) -> Breach {
    Breach {
        kind: BreachKind::NoHistory,
        subject: Subject::of_version(&version.key, version.run_id.as_ref()),
        message: format!(
            "{} has a stage tag and no history: it is a copy of {original}",
            version.key
        ),
        remedy: Remedy::None(
            "remove its tag `promotion_stage` with MLflow's client: the history decides on stages"
                .to_owned(),
        ),
    }
}

fn without_events(version: &VersionOnRecord) -> Breach {
    Breach {
        kind: BreachKind::NoHistory,
        subject: Subject::of_version(&version.key, version.run_id.as_ref()),
        message: format!(
            "{} has tags that herdbook wrote, but the history has no event of it: its events were deleted",
            version.key
        ),
        remedy: Remedy::None(
            "restore the database from a backup, and compare it with an exported history"
                .to_owned(),
        ),
    }
}

fn of_another_program(version: &VersionOnRecord) -> Breach {
    let stage = version.tags.get(key::PROMOTION_STAGE).map_or("", String::as_str);
    Breach {
        kind: BreachKind::NoHistory,
        subject: Subject::of_version(&version.key, version.run_id.as_ref()),
        message: format!(
            "{} is tagged `{}`, but the history has no event of it",
            version.key,
            super::breach::excerpt(stage)
        ),
        remedy: Remedy::None(
            "if another program registered it, its next `herdbook promote` adopts it; if herdbook did, \
             restore the database from a backup"
                .to_owned(),
        ),
    }
}

/// Versions of the history without a row. If the registered model has no row either, one breach names it.
fn missing_versions(
    records: &Records,
    log: &LogIndex,
    moved: &BTreeSet<VersionKey>,
) -> Vec<Breach> {
    let rows: BTreeSet<&VersionKey> = records.versions.iter().map(|version| &version.key).collect();
    let mut missing: BTreeMap<&ModelName, Vec<(&VersionKey, i64)>> = BTreeMap::new();
    for (key, replay) in log.all_replayed() {
        // A server hides deleted versions, and lists none under a former name of their model.
        if records.storage == Storage::Server && log.is_former_name(&key.name) {
            continue;
        }
        if !rows.contains(key) && !moved.contains(key) {
            missing.entry(&key.name).or_default().push((key, replay.event_id));
        }
    }
    let mut breaches = Vec::new();
    for (name, versions) in missing {
        if records.models.contains(name) {
            breaches
                .extend(versions.into_iter().map(|(key, event)| missing_version(key, event, log)));
        } else {
            breaches.push(missing_model(name, versions.len(), records.storage));
        }
    }
    breaches
}

fn missing_version(key: &VersionKey, event: i64, log: &LogIndex) -> Breach {
    Breach {
        kind: BreachKind::MissingVersion,
        subject: Subject::of_version(key, log.run(key)),
        message: format!("{key} has no row: it was registered by event {event}"),
        remedy: Remedy::None("restore its row and tags from a backup".to_owned()),
    }
}

fn missing_model(name: &ModelName, n_versions: usize, storage: Storage) -> Breach {
    let way_out = match storage {
        Storage::Database => "restore it from a backup",
        Storage::Server => {
            "if all its versions were deleted through MLflow after it was renamed, nothing is lost; else restore it \
             from a backup"
        }
    };
    let versions = if n_versions == 1 { "version" } else { "versions" };
    Breach {
        kind: BreachKind::MissingVersion,
        subject: Subject { name: Some(name.clone()), ..Subject::default() },
        message: format!(
            "the registered model `{name}` has no row: the history has {n_versions} {versions} of it"
        ),
        remedy: Remedy::None(way_out.to_owned()),
    }
}

/// Runs from which a version was registered and that have no row. Parents that have none are reported at their children.
fn missing_runs(records: &Records, log: &LogIndex) -> Vec<Breach> {
    let versions = records.versions.iter().filter(|version| !version.deleted);
    versions
        .filter_map(|version| {
            let run_id = log.replayed(&version.key)?.run_id.as_ref()?;
            (!records.run_rows.contains_key(run_id)).then(|| Breach {
                kind: BreachKind::MissingRun,
                subject: Subject::of_version(&version.key, Some(run_id)),
                message: format!("run `{run_id}` of {} has no row", version.key),
                remedy: Remedy::None(
                    "restore the run with its params, tags and metrics from a backup".to_owned(),
                ),
            })
        })
        .collect()
}
