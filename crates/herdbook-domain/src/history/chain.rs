//! The hash chain over the log: whether a log is still what was written.

use super::event::{Event, GENESIS_HASH};

/// The first place at which a log differs from what was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChainBreak {
    /// An event is missing or out of place.
    #[error("event {expected} is missing: event {found} stands in its place")]
    Gap {
        /// The id expected at this position.
        expected: i64,
        /// The id found there.
        found: i64,
    },
    /// An event does not name the hash of the event before it.
    #[error("event {id} does not follow the event before it: one of the two was altered")]
    Link {
        /// The event.
        id: i64,
    },
    /// The content of an event does not match its hash.
    #[error("event {id} was altered: its content does not match its hash")]
    Content {
        /// The event.
        id: i64,
    },
    /// The log does not end with the expected hash.
    #[error("the log ends with the hash {found}, not {expected}: its end was cut off or rewritten")]
    Head {
        /// The hash the log should end with.
        expected: String,
        /// The hash it ends with.
        found: String,
    },
}

/// Recomputes the hash chain of a whole log, oldest event first, and returns the hash of the last event
/// ([`GENESIS_HASH`] for an empty log).
///
/// # Errors
/// The first [`ChainBreak`]: a gap in the ids, a wrong link, or altered content. Events cut off at the end are not
/// noticed here: compare the returned hash with one that was kept elsewhere ([`ChainBreak::Head`]).
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
