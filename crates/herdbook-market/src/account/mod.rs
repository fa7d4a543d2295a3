//! The simulated account: one instrument, one target position for each bar.

mod costs;
mod ledger;
mod position;
mod state;

pub use costs::CostModel;
pub use ledger::{Ledger, Trade};
pub use position::Position;
pub use state::Account;
