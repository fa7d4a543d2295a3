//! Reading the log as a whole: whether it is unbroken, and who was champion when.

use crate::{Event, EventKind, GENESIS_HASH, Stage, Timestamp};

/// The first place where a log is not what was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChainBreak {
    /// An event is missing, or stands in the wrong place.
    #[error("event {expected} is missing: event {found} stands in its place")]
    Gap {
        /// The id that should stand here.
        expected: i64,
        /// The id that does.
        found: i64,
    },
    /// An event does not follow the one before it.
    #[error("event {id} does not follow the event before it: one of the two was altered")]
    Link {
        /// The event.
        id: i64,
    },
    /// An event is not what was sealed.
    #[error("event {id} was altered: its content does not have its hash")]
    Content {
        /// The event.
        id: i64,
    },
    /// The log ends elsewhere than it should.
    #[error("the log ends with the hash {found}, not {expected}: its end was cut off or rewritten")]
    Head {
        /// The hash it should end with.
        expected: String,
        /// The hash it ends with.
        found: String,
    },
}

/// Recomputes the chain of a whole log, oldest event first, and answers its head: the hash of the last event.
pub fn verify_chain(events: &[Event]) -> Result<String, ChainBreak> {
    let mut head = GENESIS_HASH.to_owned();
    for (expected, event) in (1..).zip(events) {
        if event.id != expected {
            return Err(ChainBreak::Gap { expected, found: event.id });
        }
        if event.previous_hash != head {
            return Err(ChainBreak::Link { id: event.id });
        }
        if event.compute_hash() != event.hash {
            return Err(ChainBreak::Content { id: event.id });
        }
        head.clone_from(&event.hash);
    }
    Ok(head)
}

/// The event by which the version that was champion at a moment had become so. `events` are those of one
/// registered model, oldest first.
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
