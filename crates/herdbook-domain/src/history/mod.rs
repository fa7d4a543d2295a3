//! The event log: the events that acts write, the hash chain over them, and the champion at a past moment.

mod chain;
mod champion;
mod clock;
mod event;

pub use chain::{ChainBreak, verify_chain};
pub use champion::champion_at;
pub use clock::{AheadOfClock, CLOCK_TOLERANCE_MS};
pub use event::{ActContext, Channel, Event, EventDraft, EventKind, GENESIS_HASH, hex_sha256};
