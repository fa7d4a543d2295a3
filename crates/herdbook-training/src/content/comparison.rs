//! Compares bars with those of the evaluations of the register.

use std::collections::BTreeMap;
use std::sync::Arc;

use herdbook_domain::{Evaluation, Timestamp};
use herdbook_market::{Closes, Likeness, Recogniser};
use herdbook_store::{RecordedEvaluation, Store, StoreError};

use crate::content::stored_closes::StoredCloses;

/// The closes of an evaluation in its window, and the likenesses of the compared bars with them.
pub(crate) type Compared = (Arc<Closes>, Arc<Vec<Likeness>>);

/// The result of a comparison with the bars of an evaluation.
#[derive(Debug, Clone)]
pub(crate) enum Bars {
    Compared(Compared),
    /// The evaluation kept closes, but their file is missing or altered. Its bars could be the same.
    Lost,
    /// An older build recorded the evaluation and kept no closes.
    NeverKept,
}

/// Compares bars with those of evaluations, each content once.
pub(crate) struct Comparison<'a> {
    stored: StoredCloses<'a>,
    recogniser: Recogniser,
    compared: BTreeMap<(String, Timestamp, Timestamp), Bars>,
}

impl<'a> Comparison<'a> {
    pub(crate) fn new(store: &'a Store, bars: Closes) -> Self {
        let (stored, recogniser) = (StoredCloses::new(store), Recogniser::new(bars));
        Self { stored, recogniser, compared: BTreeMap::new() }
    }

    pub(crate) fn with(&mut self, recorded: &RecordedEvaluation) -> Result<Bars, StoreError> {
        let Evaluation { closes_sha256, window, .. } = &recorded.evaluation;
        let (Some(sha256), Some(run_id)) = (closes_sha256, &recorded.run_id) else {
            return Ok(Bars::NeverKept);
        };
        let content = (sha256.clone(), window.start, window.end);
        if let Some(known @ Bars::Compared(_)) = self.compared.get(&content) {
            return Ok(known.clone());
        }
        let bars = match self.stored.of_evaluation(run_id, sha256)? {
            Some(closes) => {
                let closes = closes.between(window.start.millis(), window.end.millis());
                let likenesses = self.recogniser.find_in(&closes);
                Bars::Compared((Arc::new(closes), Arc::new(likenesses)))
            }
            None => Bars::Lost,
        };
        self.compared.insert(content, bars.clone());
        Ok(bars)
    }
}
