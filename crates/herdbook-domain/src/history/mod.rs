//! The event log: what every act writes, the hash chain over it, and what it tells of the past.

mod chain;
mod champion;
mod event;

pub use chain::{ChainBreak, verify_chain};
pub use champion::champion_at;
pub use event::{ActContext, Channel, Event, EventDraft, EventKind, GENESIS_HASH, hex_sha256};
