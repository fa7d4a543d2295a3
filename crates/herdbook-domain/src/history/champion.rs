//! Finds the version that was champion at a given time.

use super::event::{Event, EventKind};
use crate::values::{Stage, Timestamp};

/// Finds the champion of one registered model at the moment `at`.
///
/// `events` are the events of that model, oldest first. Returns the event that made the version champion, or `None`
/// when the model had no champion at that moment. An event at `at` itself counts.
pub fn champion_at(events: &[Event], at: Timestamp) -> Option<&Event> {
    let mut champion: Option<&Event> = None;
    for event in events.iter().take_while(|event| event.at <= at) {
        if !matches!(event.what.kind, EventKind::StageChanged | EventKind::Adopted) {
            continue;
        }
        if event.what.to.as_deref() == Some(Stage::Champion.as_str()) {
            champion = Some(event);
        } else if champion.is_some_and(|champion| champion.what.version == event.what.version) {
            champion = None;
        }
    }
    champion
}
