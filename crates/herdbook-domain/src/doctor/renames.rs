//! Events of models that MLflow renamed, under the present names of their versions.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::records::{Records, VersionOnRecord};
use crate::history::Event;
use crate::values::{ModelName, RunId, VersionNumber};

/// The present names of versions, which are identified by run and number.
#[derive(Debug, Default)]
pub(super) struct PresentNames<'a> {
    /// The models that have a version of this run and number.
    names: BTreeMap<(&'a RunId, VersionNumber), BTreeSet<&'a ModelName>>,
}

impl<'a> PresentNames<'a> {
    pub(super) fn of(records: &'a Records) -> Self {
        let mut present = Self::default();
        for VersionOnRecord { key, run_id, .. } in &records.versions {
            if let Some(run_id) = run_id {
                present.names.entry((run_id, key.version)).or_default().insert(&key.name);
            }
        }
        present
    }

    /// The event under the present name of its version. It stays as it is where a version still has its name, where none
    /// has its run and number, and where several do.
    pub(super) fn follow<'e>(&self, event: &'e Event) -> Cow<'e, Event> {
        let what = &event.what;
        let (Some(name), Some(version), Some(run_id)) = (&what.name, what.version, &what.run_id)
        else {
            return Cow::Borrowed(event);
        };
        match self.names.get(&(run_id, version)) {
            Some(names) if names.len() == 1 && !names.contains(name) => {
                let mut event = event.clone();
                event.what.name = names.first().map(|name| (*name).clone());
                Cow::Owned(event)
            }
            _ => Cow::Borrowed(event),
        }
    }
}
