//! What the log says of each version, read once.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Records;
use crate::tags::{Tags, key};
use crate::{
    EnhancedFrom, Enhancement, Event, EventKind, ModelName, Origin, RunId, Stage, Timestamp,
    VersionKey,
};

/// The log, by version, run and model.
#[derive(Debug, Default)]
pub(super) struct History {
    now: Timestamp,
    /// The end of each version's history.
    stages: BTreeMap<VersionKey, Stage>,
    /// The run that each version's newest event with a run names.
    runs: BTreeMap<VersionKey, RunId>,
    /// The tags that registration gave each version for good.
    origins: BTreeMap<VersionKey, Tags>,
    /// The runs that had a registered child.
    parents: BTreeSet<RunId>,
    /// The runs that herdbook began, and the model each meant to join.
    started: BTreeMap<RunId, ModelName>,
    last_times: BTreeMap<ModelName, Timestamp>,
}

impl History {
    pub(super) fn of(records: &Records) -> Self {
        let mut history = Self { now: records.now, ..Self::default() };
        for event in records.events.as_deref().unwrap_or_default() {
            history.add(event);
        }
        // Of versions that others registered only the tags tell the parent; of ours the history knows it, whatever
        // became of the tag.
        for child in &records.versions {
            let tag = child.tags.get(key::BASE_MODEL_RUN_ID);
            let parent = tag.and_then(|tag| RunId::parse(tag).ok());
            if !history.origins.contains_key(&child.key) {
                history.parents.extend(parent);
            }
        }
        history
    }

    fn add(&mut self, event: &Event) {
        let what = &event.what;
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
            | EventKind::Repaired => return,
        }
        let stage = what.to.as_deref().and_then(|to| to.parse().ok());
        if let (true, Some(stage)) = (what.kind != EventKind::Superseded, stage) {
            self.stages.insert(key, stage);
        }
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

    /// The model that a run meant to join, if herdbook began it.
    pub(super) fn started(&self, run_id: &RunId) -> Option<&ModelName> {
        self.started.get(run_id)
    }

    /// Now, but never before the last event of a model.
    pub(super) fn time_for(&self, name: &ModelName) -> Timestamp {
        self.last_times.get(name).copied().unwrap_or(self.now).max(self.now)
    }
}

/// How a registered model came to be.
fn origin(event: &Event) -> Option<Origin> {
    let details: Value = serde_json::from_str(&event.what.details).ok()?;
    let word = |field: &str| details.get(field)?.as_str();
    let enhanced = match &event.what.parent {
        None => None,
        Some(parent) => Some(EnhancedFrom {
            enhancement: word("model_type")?.parse::<Enhancement>().ok()?,
            parent: parent.clone(),
            // Not among the tags of the origin.
            previous_timesteps: 0,
        }),
    };
    Some(Origin { timeframe: word("timeframe")?.parse().ok()?, enhanced })
}
