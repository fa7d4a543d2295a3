//! The event log, indexed by version, run and model.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::location::{MovedFolder, moved_folders};
use super::records::Records;
use super::renames::PresentNames;
use super::replay::Replay;
use super::run_replay::RunReplay;
use crate::evidence::Seal;
use crate::history::{Event, EventKind};
use crate::lineage::{EnhancedFrom, Origin};
use crate::tags::{Tags, key};
use crate::values::{Enhancement, ModelName, RunId, Stage, Timestamp, VersionKey};

/// The kind of event that records a relocation of the store.
const RELOCATED: &str = "relocated";

/// The facts of the event log by version, run and model.
#[derive(Debug, Default)]
pub(super) struct LogIndex {
    now: Timestamp,
    /// The stage at the end of each version's history.
    stages: BTreeMap<VersionKey, Stage>,
    /// The run named by the newest event of each version that names one.
    runs: BTreeMap<VersionKey, RunId>,
    /// The tags of each version's origin, as registered.
    origins: BTreeMap<VersionKey, Tags>,
    /// Runs with a registered child.
    parents: BTreeSet<RunId>,
    /// Runs that herdbook started, and the registered model each was started for.
    started: BTreeMap<RunId, ModelName>,
    last_times: BTreeMap<ModelName, Timestamp>,
    /// The tags and facts of each version that its events determine.
    replays: BTreeMap<VersionKey, Replay>,
    /// The version registered from each run.
    registered_from: BTreeMap<RunId, VersionKey>,
    /// The seal of each version.
    seals: BTreeMap<VersionKey, Seal>,
    /// Folders that relocations moved, oldest first.
    moved: Vec<MovedFolder>,
    /// What is wrong with seals that cannot be read.
    unreadable_seals: Vec<String>,
    /// The status and times of each run that its events determine.
    run_replays: BTreeMap<RunId, RunReplay>,
    /// Names in events of models that have another name now.
    former_names: BTreeSet<ModelName>,
}

impl LogIndex {
    pub(super) fn of(records: &Records) -> Self {
        let mut index = Self { now: records.now, ..Self::default() };
        let names = PresentNames::of(records);
        for event in records.events.as_deref().unwrap_or_default() {
            index.add(&names.follow(event));
            let name = event.what.name.as_ref();
            index.former_names.extend(name.filter(|name| names.is_former(name)).cloned());
        }
        // The log knows the parents of the versions that herdbook registered, even if their tags were changed. For
        // other versions, the tag is all there is.
        for child in &records.versions {
            let tag = child.tags.get(key::BASE_MODEL_RUN_ID);
            let parent = tag.and_then(|tag| RunId::parse(tag).ok());
            if !index.origins.contains_key(&child.key) {
                index.parents.extend(parent);
            }
        }
        index
    }

    fn add(&mut self, event: &Event) {
        let what = &event.what;
        if what.kind.as_str() == RELOCATED {
            self.moved.extend(moved_folders(event.id, &what.details));
        }
        if let Some(run_id) = &what.run_id {
            self.run_replays.entry(run_id.clone()).or_default().add(event);
        }
        let Some(name) = &what.name else {
            return;
        };
        let last = self.last_times.entry(name.clone()).or_insert(event.at);
        *last = event.at.max(*last);
        if let (EventKind::RunStarted, Some(run_id)) = (what.kind, &what.run_id) {
            self.started.insert(run_id.clone(), name.clone());
        }
        let Some(version) = what.version else {
            return;
        };
        let key = VersionKey { name: name.clone(), version };
        if let Some(run_id) = &what.run_id {
            self.runs.insert(key.clone(), run_id.clone());
        }
        self.replay(&key, event);
        match Seal::of(event) {
            Ok(None) => {}
            // The first one counts, as for the rules.
            Ok(Some(seal)) => {
                self.seals.entry(key.clone()).or_insert(seal);
            }
            Err(error) => self.unreadable_seals.push(error.to_string()),
        }
        match what.kind {
            EventKind::Registered => {
                self.parents.extend(what.parent.clone());
                if let Some(origin) = origin(event) {
                    self.origins.insert(key.clone(), origin.run_tags());
                }
            }
            EventKind::Superseded => self.parents.extend(what.run_id.clone()),
            EventKind::Adopted | EventKind::StageChanged => {}
            EventKind::RunStarted
            | EventKind::RunEnded
            | EventKind::RunResumed
            | EventKind::Evaluated
            | EventKind::Repaired
            | EventKind::Relocated
            | EventKind::HistoryAccepted
            | EventKind::VersionDeleted
            | EventKind::ModelRenamed => return,
        }
        let stage = what.to.as_deref().and_then(|to| to.parse().ok());
        if let (true, Some(stage)) = (what.kind != EventKind::Superseded, stage) {
            self.stages.insert(key, stage);
        }
    }

    fn replay(&mut self, key: &VersionKey, event: &Event) {
        match event.what.kind {
            EventKind::Registered => {
                if let Some(run_id) = &event.what.run_id {
                    self.registered_from.insert(run_id.clone(), key.clone());
                }
                self.replays.insert(key.clone(), Replay::begin(event));
            }
            EventKind::Adopted => {
                self.replays.entry(key.clone()).or_insert_with(|| Replay::begin(event));
            }
            EventKind::StageChanged => {
                if let Some(replay) = self.replays.get_mut(key) {
                    replay.change_stage(event);
                }
            }
            _ => {}
        }
    }

    /// What the events of a version determine about its records; `None` for a version that was neither registered nor
    /// adopted.
    pub(super) fn replayed(&self, key: &VersionKey) -> Option<&Replay> {
        self.replays.get(key)
    }

    /// Whether a model that has this name in events has another one now.
    pub(super) fn is_former_name(&self, name: &ModelName) -> bool {
        self.former_names.contains(name)
    }

    /// The sealed facts of a version; `None` if it was not sealed.
    pub(super) fn seal(&self, key: &VersionKey) -> Option<&Seal> {
        self.seals.get(key)
    }

    /// Folders that relocations of the store moved, oldest first.
    pub(super) fn moved(&self) -> &[MovedFolder] {
        &self.moved
    }

    /// What is wrong with seals that cannot be read.
    pub(super) fn unreadable_seals(&self) -> &[String] {
        &self.unreadable_seals
    }

    /// Every version that was registered or adopted.
    pub(super) fn all_replayed(&self) -> impl Iterator<Item = (&VersionKey, &Replay)> {
        self.replays.iter()
    }

    /// The version that was registered from a run.
    pub(super) fn registered_from(&self, run_id: &RunId) -> Option<&VersionKey> {
        self.registered_from.get(run_id)
    }

    /// What the events of each run determine about its row.
    pub(super) fn runs_replayed(&self) -> &BTreeMap<RunId, RunReplay> {
        &self.run_replays
    }

    pub(super) fn stage(&self, key: &VersionKey) -> Option<Stage> {
        self.stages.get(key).copied()
    }

    pub(super) fn run(&self, key: &VersionKey) -> Option<&RunId> {
        self.runs.get(key)
    }

    pub(super) fn origin(&self, key: &VersionKey) -> Option<&Tags> {
        self.origins.get(key)
    }

    pub(super) fn has_child(&self, run_id: &RunId) -> bool {
        self.parents.contains(run_id)
    }

    /// The registered model that a run was started for; `None` for a run that herdbook did not start.
    pub(super) fn started(&self, run_id: &RunId) -> Option<&ModelName> {
        self.started.get(run_id)
    }

    /// The moment for a repair of a model: now, or the model's last event where that is later.
    pub(super) fn time_for(&self, name: &ModelName) -> Timestamp {
        self.last_times.get(name).copied().unwrap_or(self.now).max(self.now)
    }
}

/// Reads a model's origin from its `registered` event; `None` where the details do not tell it.
fn origin(event: &Event) -> Option<Origin> {
    let details: Value = serde_json::from_str(&event.what.details).ok()?;
    let word = |field: &str| details.get(field)?.as_str();
    let enhanced = match &event.what.parent {
        None => None,
        Some(parent) => Some(EnhancedFrom {
            enhancement: word("model_type")?.parse::<Enhancement>().ok()?,
            parent: parent.clone(),
            // Not needed: the tags of the origin do not hold it.
            previous_timesteps: 0,
        }),
    };
    Some(Origin { timeframe: word("timeframe")?.parse().ok()?, enhanced })
}
