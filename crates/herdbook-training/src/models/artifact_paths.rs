//! Paths of a run's artifacts.

use herdbook_domain::Timeframe;

/// Path of a file in the folder of the run's model.
pub(crate) fn artifact_beside_model(timeframe: Timeframe, name: &str) -> String {
    format!("models/{timeframe}/{name}")
}
