//! Several trainings of one request: over seeds, or over the folds of a walk-forward.
//!
//! Each member is a run of its own, FINISHED without a version, and counts as a trial. One of them is registered in
//! the end: of seeds the best on the validation window, of folds the last one, which knows the newest bars.

pub(crate) mod prepared_sweep;
pub(crate) mod report;
pub(crate) mod train_sweep;
