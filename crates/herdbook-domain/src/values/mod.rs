//! Values that are checked once, where they enter, and valid by their type from then on: names, closed sets of words,
//! numbers and moments.

pub(crate) mod closed_set;
mod kind;
mod name;
mod run_id;
mod stage;
mod symbol;
mod text;
mod timeframe;
mod timestamp;
mod version;

pub use closed_set::UnknownWord;
pub use kind::{Enhancement, ModelType, RunStatus, VersionType};
pub use name::{Actor, ExperimentName, InvalidName, MetricName, ModelName, Reason};
pub use run_id::{RunId, RunPrefix, number_or_run};
pub use stage::{Stage, Transition};
pub use symbol::Symbol;
pub use text::{grouped, is_active, percent, signed_percent};
pub use timeframe::Timeframe;
pub use timestamp::{InvalidTimestamp, Timestamp};
pub use version::{VersionKey, VersionNumber};
