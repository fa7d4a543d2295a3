//! Events of models that MLflow renamed, under the present names of their versions.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::records::{Records, VersionOnRecord};
use crate::history::{Event, EventKind};
use crate::values::{ModelName, RunId, VersionKey, VersionNumber};

/// All events, oldest first, under the present names of their versions. None if the events cannot be read.
pub fn events_under_present_names(records: &Records) -> Vec<Cow<'_, Event>> {
    let names = PresentNames::of(records);
    records.events.iter().flatten().map(|event| names.follow(event)).collect()
}

/// The present names of versions, which are identified by run and number.
#[derive(Debug, Default)]
pub(super) struct PresentNames<'a> {
    /// The models that have a version of this run and number.
    names: BTreeMap<(&'a RunId, VersionNumber), BTreeSet<&'a ModelName>>,
    /// The present names of models whose versions have another name than in an event.
    renamed: BTreeMap<&'a ModelName, BTreeSet<&'a ModelName>>,
}

/// The events of one version.
#[derive(Debug, Default)]
struct Recorded<'a> {
    names: BTreeSet<&'a ModelName>,
    registered_at_ms: Option<i64>,
}

impl<'a> PresentNames<'a> {
    pub(super) fn of(records: &'a Records) -> Self {
        let mut present = Self::default();
        for VersionOnRecord { key, run_id, .. } in &records.versions {
            if let Some(run_id) = run_id {
                present.names.entry((run_id, key.version)).or_default().insert(&key.name);
            }
        }
        let recorded = recorded(records);
        for (of, Recorded { names, .. }) in &recorded {
            let Some(found) = present.names.get(of) else { continue };
            for name in names.iter().filter(|name| !found.contains(*name)) {
                present.renamed.entry(name).or_default().extend(found);
            }
        }
        present.find_deleted(records, &recorded);
        present
    }

    /// Finds the versions that were deleted after their model was renamed. MLflow removes the run from the row of a deleted
    /// version, so its model and the time of its registration identify it.
    fn find_deleted(
        &mut self,
        records: &'a Records,
        recorded: &BTreeMap<(&'a RunId, VersionNumber), Recorded<'a>>,
    ) {
        let mut runs: BTreeMap<(&ModelName, VersionNumber), BTreeSet<&RunId>> = BTreeMap::new();
        for ((run_id, number), of) in recorded {
            for name in &of.names {
                runs.entry((name, *number)).or_default().insert(run_id);
            }
        }
        let rows: BTreeSet<&VersionKey> = records.versions.iter().map(|it| &it.key).collect();
        let has_row =
            |name: &ModelName, version| rows.contains(&VersionKey { name: name.clone(), version });
        let mut deleted: BTreeMap<VersionNumber, Vec<&VersionOnRecord>> = BTreeMap::new();
        for row in records.versions.iter().filter(|it| it.deleted && it.run_id.is_none()) {
            deleted.entry(row.key.version).or_default().push(row);
        }
        for ((run_id, number), of) in recorded {
            let is_lost = !self.names.contains_key(&(*run_id, *number))
                && of.names.iter().any(|name| !has_row(name, *number));
            let Some(rows) = deleted.get(number).filter(|_| is_lost) else { continue };
            let is_of_model = |row: &VersionOnRecord| {
                let renamed = of.names.iter().filter_map(|name| self.renamed.get(name));
                renamed.flatten().any(|name| **name == row.key.name)
            };
            let is_of_time = |row: &VersionOnRecord| {
                row.row.created_at_ms.is_some() && row.row.created_at_ms == of.registered_at_ms
            };
            let is_of_another = |row: &VersionOnRecord| {
                let of_name = runs.get(&(&row.key.name, *number)).into_iter().flatten();
                of_name.into_iter().any(|other| other != run_id)
            };
            let candidates: BTreeSet<&ModelName> = rows
                .iter()
                .filter(|row| {
                    of.names.contains(&row.key.name) || is_of_model(row) || is_of_time(row)
                })
                .filter(|row| !is_of_another(row))
                .map(|row| &row.key.name)
                .collect();
            if candidates.len() == 1 {
                self.names.insert((run_id, *number), candidates);
            }
        }
    }

    /// Whether a version that is recorded under this model's name has another name now.
    pub(super) fn is_former(&self, name: &ModelName) -> bool {
        self.renamed.contains_key(name)
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

/// The versions in the events, by run and number.
fn recorded(records: &Records) -> BTreeMap<(&RunId, VersionNumber), Recorded<'_>> {
    let mut versions: BTreeMap<(&RunId, VersionNumber), Recorded<'_>> = BTreeMap::new();
    for event in records.events.iter().flatten() {
        let what = &event.what;
        let (Some(name), Some(version), Some(run_id)) = (&what.name, what.version, &what.run_id)
        else {
            continue;
        };
        let of = versions.entry((run_id, version)).or_default();
        of.names.insert(name);
        if what.kind == EventKind::Registered {
            of.registered_at_ms.get_or_insert(event.at.millis());
        }
    }
    versions
}
