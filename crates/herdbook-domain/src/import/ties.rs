//! The order of imported events that happened at the same time.

use super::history_events::DatedEvent;
use crate::values::Stage;

/// Puts the event by which a champion leaves its stage before the events of the same moment that make another version of
/// its model champion, so that the model never has two champions. The order of the events of each version stays.
pub(super) fn demotions_first(events: &mut [DatedEvent]) {
    for idx in 0..events.len() {
        if !leaves_champion(&events[idx]) {
            continue;
        }
        let (at, what) = (events[idx].0, &events[idx].1);
        let same_moment = events[..idx].iter().rposition(|(other, event)| {
            let is_own = event.name == what.name && event.version == what.version;
            *other < at || is_own
        });
        let first = same_moment.map_or(0, |idx| idx + 1);
        let crowning = events[first..idx].iter().position(|event| {
            event.1.name == what.name && event.1.to.as_deref() == Some(Stage::Champion.as_str())
        });
        if let Some(crowning) = crowning {
            events[first + crowning..=idx].rotate_right(1);
        }
    }
}

fn leaves_champion((_, event): &DatedEvent) -> bool {
    event.from.as_deref() == Some(Stage::Champion.as_str())
}
