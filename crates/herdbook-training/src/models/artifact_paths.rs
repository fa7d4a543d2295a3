//! Where files lie among a run's artifacts.

use herdbook_domain::Timeframe;

/// A file beside a run's model.
pub(crate) fn artifact_beside_model(timeframe: Timeframe, name: &str) -> String {
    format!("models/{timeframe}/{name}")
}
