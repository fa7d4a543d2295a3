//! The evidence about the quality of a model: the bars it was trained and tested on, whether its test is honest, its
//! metrics, its evaluations on later bars, and the sealed copy of all that rules rest on.

mod evaluation;
mod figures;
mod honesty;
mod metric;
mod record;
mod register;
mod sealed;
mod standing;
mod tested;
mod tries;
mod unit;
mod windows;

pub use evaluation::{Evaluation, EvaluationBasis};
pub use figures::{EVIDENCE_BARS, EVIDENCE_PROBABILITY, EvidenceFigures, LeftOut, SharpeGap};
pub use honesty::{Honesty, LineageWindows, judge_honesty};
pub use metric::{Direction, HEADLINE_METRICS, Improvement, improvements};
pub use record::{EvidenceRecord, Looks, union_of_windows};
pub use sealed::{Seal, SealOrigin, Sealed, SealedMetric, UnreadableSeal};
pub use standing::Standing;
pub use tested::{RunResult, TestBasis};
pub use tries::tries_of_models;
pub use unit::Unit;
pub use windows::{Window, Windows, data_fingerprint, window_params};

#[cfg(test)]
pub(crate) use evaluation::tests as evaluation_samples;
