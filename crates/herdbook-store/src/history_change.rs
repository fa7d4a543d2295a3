//! How a history differs from the one that was last seen on this machine.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The last event of a history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeadOnRecord {
    /// Its number; 0 if there is none.
    pub event: i64,
    /// Its hash; empty if there is none.
    pub hash: String,
}

/// How the present history differs from the one last seen on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryChange {
    /// The remembered end.
    pub remembered: HeadOnRecord,
    /// The present end.
    pub found: HeadOnRecord,
    /// What happened.
    pub kind: ChangeKind,
}

/// What happened to a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// Events at its end are missing.
    Shortened,
    /// The event that was its end is another one now.
    Rewritten,
    /// At this place is another store.
    AnotherStore,
    /// The file that remembers the end cannot be read, so events may be missing.
    MemoryDamaged,
}

impl fmt::Display for HistoryChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (last, present) = (self.remembered.event, self.found.event);
        match self.kind {
            ChangeKind::Shortened if present == 0 => {
                write!(
                    f,
                    "the history is empty, but had {last} events when it was last seen on this machine"
                )
            }
            ChangeKind::Shortened => write!(
                f,
                "the history ends with event {present}, but had {last} events when it was last seen on this machine"
            ),
            ChangeKind::Rewritten => write!(
                f,
                "event {last} of the history is not the one that was last seen on this machine (its hash was {})",
                self.remembered.hash
            ),
            ChangeKind::AnotherStore => write!(
                f,
                "at this place is another store than the one last seen there on this machine, which had {last} events"
            ),
            ChangeKind::MemoryDamaged => write!(
                f,
                "the file on this machine that remembers the end of the history is damaged, so it is not known whether \
                 events after event {present} are missing; compare the history with an exported one"
            ),
        }
    }
}

impl HeadOnRecord {
    /// The end of a history without events.
    pub(crate) fn none() -> Self {
        Self { event: 0, hash: String::new() }
    }
}
