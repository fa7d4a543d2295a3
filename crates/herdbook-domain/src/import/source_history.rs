//! What herdbook recorded of the versions in the source, read from its events.

use std::collections::BTreeMap;

use crate::evidence::{Honesty, Seal, Sealed};
use crate::history::{Event, EventKind, verify_chain};
use crate::values::{RunId, Stage, Timestamp, VersionNumber};

/// What the source's herdbook recorded of its versions. Empty for a source without such a history.
#[derive(Debug, Clone, Default)]
pub struct SourceHistory {
    /// By run and number: MLflow can rename the model.
    versions: BTreeMap<(RunId, VersionNumber), RecordedVersion>,
    problem: Option<String>,
}

/// The record of one version.
#[derive(Debug, Clone, Default)]
pub(super) struct RecordedVersion {
    /// The first seal.
    pub(super) sealed: Option<Sealed>,
    /// The honesty in the event of the registration.
    pub(super) honesty: Option<Honesty>,
    /// The stage at the end of its history.
    pub(super) stage: Option<Stage>,
    /// Time and text of each change of stage, as in the value of its tag.
    pub(super) changes: Vec<(Timestamp, String)>,
}

impl SourceHistory {
    /// Reads all events of the source, oldest first. Nothing in a history whose chain is broken is trusted.
    pub fn of(events: &[Event]) -> Self {
        let mut history = Self::default();
        if let Err(broken) = verify_chain(events) {
            return Self::unreadable(broken.to_string());
        }
        for event in events {
            if let Err(problem) = history.add(event) {
                return Self::unreadable(problem);
            }
        }
        history
    }

    /// A history that cannot be read.
    pub fn unreadable(problem: String) -> Self {
        Self { problem: Some(problem), ..Self::default() }
    }

    fn add(&mut self, event: &Event) -> Result<(), String> {
        let what = &event.what;
        let (Some(version), Some(run_id)) = (what.version, &what.run_id) else { return Ok(()) };
        let seal = Seal::of(event).map_err(|error| error.to_string())?;
        let recorded = self.versions.entry((run_id.clone(), version)).or_default();
        if let Some(seal) = seal {
            recorded.sealed.get_or_insert(seal.facts);
        }
        let to = what.to.as_deref().and_then(|word| word.parse().ok());
        match what.kind {
            EventKind::Registered => {
                let details: serde_json::Value =
                    serde_json::from_str(&what.details).unwrap_or_default();
                let honesty = details["honesty"].as_str().and_then(|word| word.parse().ok());
                recorded.honesty = recorded.honesty.or(honesty);
                recorded.stage = to.or(recorded.stage);
            }
            EventKind::Adopted => recorded.stage = to.or(recorded.stage),
            EventKind::StageChanged => {
                recorded.stage = to.or(recorded.stage);
                if let (Some(from), Some(to)) = (&what.from, &what.to) {
                    recorded.changes.push((event.at, format!("{from} -> {to}")));
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// The record of a version; `None` without one.
    pub(super) fn recorded(
        &self,
        run_id: Option<&RunId>,
        number: VersionNumber,
    ) -> Option<&RecordedVersion> {
        self.versions.get(&(run_id?.clone(), number))
    }

    /// The sealed facts of a version of the source; `None` without a seal.
    pub fn sealed(&self, run_id: Option<&RunId>, number: VersionNumber) -> Option<&Sealed> {
        self.recorded(run_id, number)?.sealed.as_ref()
    }

    /// Why the history cannot be trusted; `None` if it can, and for a source without one.
    pub(super) fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }
}
