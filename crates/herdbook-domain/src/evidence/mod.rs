//! The evidence about the quality of a model: the bars it was trained and tested on, whether its test is honest, its
//! metrics, its evaluations on later bars, and the sealed copy of all that rules rest on.

mod evaluation;
mod honesty;
mod metric;
mod sealed;
mod windows;

pub use evaluation::{EVIDENCE_BARS, EVIDENCE_PROBABILITY, Evaluation};
pub use honesty::{Honesty, LineageWindows, judge_honesty};
pub use metric::{Direction, HEADLINE_METRICS, Improvement, improvements};
pub use sealed::{Seal, SealOrigin, Sealed, SealedMetric, UnreadableSeal};
pub use windows::{Window, Windows, data_fingerprint, window_params};
