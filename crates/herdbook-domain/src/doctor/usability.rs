//! Versions that cannot be used, and events that lie in the future of the clock: breaches that only a person can end.

use super::breach::{Breach, BreachKind, Remedy, Subject};
use super::records::Records;
use crate::history::AheadOfClock;
use crate::rules::Obstacle;
use crate::tags::key;
use crate::values::{RunId, VersionKey};

impl Breach {
    /// The breach for a version that cannot be used. `stage` is its stage tag as written.
    pub fn of_obstacle(
        key: &VersionKey,
        run_id: Option<&RunId>,
        stage: Option<&str>,
        why: &Obstacle,
    ) -> Self {
        let stage = stage.map(|stage| format!(" (in `{}`)", super::breach::excerpt(stage)));
        Self {
            kind: BreachKind::Unusable,
            subject: Subject::of_version(key, run_id),
            message: format!("{key}{} {why}, so it cannot be used", stage.unwrap_or_default()),
            remedy: Remedy::None(why.way_out().unwrap_or_else(|| "nothing restores it".to_owned())),
        }
    }
}

/// The newest event of each model that lies in the future of the clock.
pub(super) fn future_events(records: &Records) -> Vec<Breach> {
    let mut newest = std::collections::BTreeMap::new();
    for event in records.events.as_deref().unwrap_or_default() {
        let last = newest.entry(event.what.name.clone()).or_insert(event);
        if event.at > last.at {
            *last = event;
        }
    }
    let ahead = newest.into_iter().filter_map(|(name, event)| {
        let ahead = AheadOfClock::of(event.at, records.now)?;
        let of_model = name.as_ref().map(|name| format!(" of `{name}`")).unwrap_or_default();
        Some(Breach {
            kind: BreachKind::FutureEvents,
            subject: Subject { name, ..Subject::default() },
            message: format!("the newest event{of_model} (number {}) {ahead}", event.id),
            remedy: Remedy::None(
                "correct the clock if it is behind. Otherwise a clock was ahead when the event was \
                 written: the history cannot change, so later acts of the model are stamped with that \
                 time until the clock reaches it, and their ages are unknown"
                    .to_owned(),
            ),
        })
    });
    ahead.collect()
}

/// Whether a version takes part in the life cycle: it has a stage, or tags that only herdbook writes.
pub fn is_managed(tags: &crate::tags::Tags) -> bool {
    tags.contains_key(key::PROMOTION_STAGE) || tags.contains_key(key::VERSION_TYPE)
}
