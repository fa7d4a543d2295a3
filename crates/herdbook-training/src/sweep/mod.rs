//! Several trainings of one request: over seeds, or over the folds of a walk-forward.
//!
//! Each member is a run of its own, which ends FINISHED without a version and counts as a trial. At the end one member is
//! registered: of seeds the best on the validation window, of folds the last, which was trained on the newest bars.

pub(crate) mod prepared_sweep;
pub(crate) mod report;
pub(crate) mod train_sweep;
