//! Compares bars with those of the evaluations of the register.

use std::collections::BTreeMap;
use std::rc::Rc;

use herdbook_domain::{Evaluation, Timestamp};
use herdbook_market::{Closes, Likeness, recognise};
use herdbook_store::{RecordedEvaluation, Store, StoreError};

use crate::content::stored_closes::StoredCloses;

/// The closes of an evaluation in its window, and the likenesses of the compared bars with them.
pub(crate) type Compared = (Rc<Closes>, Rc<Vec<Likeness>>);

/// Compares bars with those of evaluations, each content once.
pub(crate) struct Comparison<'a> {
    stored: StoredCloses<'a>,
    bars: Closes,
    compared: BTreeMap<(String, Timestamp, Timestamp), Option<Compared>>,
}

impl<'a> Comparison<'a> {
    pub(crate) fn new(store: &'a Store, bars: Closes) -> Self {
        Self { stored: StoredCloses::new(store), bars, compared: BTreeMap::new() }
    }

    /// `None` if the evaluation kept no closes, or they are missing or altered.
    pub(crate) fn with(
        &mut self,
        recorded: &RecordedEvaluation,
    ) -> Result<Option<Compared>, StoreError> {
        let Evaluation { closes_sha256, window, .. } = &recorded.evaluation;
        let (Some(sha256), Some(run_id)) = (closes_sha256, &recorded.run_id) else {
            return Ok(None);
        };
        let content = (sha256.clone(), window.start, window.end);
        if let Some(Some(compared)) = self.compared.get(&content) {
            return Ok(Some(compared.clone()));
        }
        let compared = self.stored.of_evaluation(run_id, sha256)?.map(|closes| {
            let closes = closes.between(window.start.millis(), window.end.millis());
            let likenesses = recognise(&self.bars, &closes);
            (Rc::new(closes), Rc::new(likenesses))
        });
        self.compared.insert(content, compared.clone());
        Ok(compared)
    }
}
