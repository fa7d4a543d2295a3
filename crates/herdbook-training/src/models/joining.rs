//! Joins the returns of all evaluations of a model to one record.

use std::collections::BTreeSet;

use herdbook_domain::{
    EVIDENCE_BARS, Evaluation, EvaluationBasis, EvidenceRecord, Looks, VersionKey, Window,
    union_of_windows,
};
use herdbook_store::{RecordedEvaluation, Session, StoreError};

use crate::content::stored_closes::StoredCloses;
use crate::error::TrainingError;
use crate::models::later_returns::LaterReturns;

/// The record of a model while its evaluations are joined.
#[derive(Default)]
pub(crate) struct Joining {
    returns: LaterReturns,
    windows: Vec<Window>,
    joined: Vec<String>,
    looks: Looks,
    /// Bars per year in the file of the last evaluation that added bars.
    bars_per_year: Option<f64>,
    /// Evaluations that are no evidence, without repetitions.
    apart: BTreeSet<String>,
}

impl Joining {
    pub(crate) fn add_earlier(
        &mut self,
        store: &Session,
        key: &VersionKey,
        earlier: &RecordedEvaluation,
    ) -> Result<(), TrainingError> {
        let basis = earlier.evaluation.basis.as_ref();
        let sha256 = basis.map_or("", |basis| basis.returns_sha256.as_str());
        let bars_per_year = basis.and_then(|basis| basis.record.figures.bars_per_year);
        self.add(&earlier.evaluation, bars_per_year, || {
            LaterReturns::read_own(store, key, earlier.run_id.as_ref(), sha256)
        })
    }

    pub(crate) fn add(
        &mut self,
        evaluation: &Evaluation,
        bars_per_year: Option<f64>,
        read: impl FnOnce() -> Result<LaterReturns, TrainingError>,
    ) -> Result<(), TrainingError> {
        // Bars of the record that were given other times are no new bars.
        let is_moved =
            |basis: &EvaluationBasis| basis.moved_by.keys().any(|of| self.joined.contains(of));
        let basis = evaluation.basis.as_ref().filter(|_| evaluation.shortcoming().is_none());
        // If no others are among them, this is a repetition, and shows nothing that could be chosen.
        let n_new = evaluation.n_bars.saturating_sub(evaluation.n_shown_before);
        if evaluation.basis.as_ref().is_some_and(is_moved) && n_new < EVIDENCE_BARS {
            return Ok(());
        }
        let Some(basis) = basis.filter(|basis| !is_moved(basis)) else {
            let Evaluation { bars_sha256, cost_bps, window, .. } = evaluation;
            self.apart.insert(format!("{bars_sha256} {cost_bps} {} {}", window.start, window.end));
            return Ok(());
        };
        if self.joined.contains(&basis.returns_sha256) {
            return Ok(());
        }
        self.joined.push(basis.returns_sha256.clone());
        if self.returns.join(&read()?) > 0 {
            self.windows.push(evaluation.window);
            self.bars_per_year = bars_per_year;
            self.looks.n_grown += 1;
            if self.looks.n_grown == 1 {
                self.looks.n_first = self.returns.len();
            }
        }
        Ok(())
    }

    pub(crate) fn into_record(self) -> EvidenceRecord {
        let looks = Looks { n_now: self.returns.len(), n_apart: self.apart.len(), ..self.looks };
        let figures = self.returns.paired().figures(self.bars_per_year);
        let windows = union_of_windows(self.windows);
        EvidenceRecord { windows, joined: self.joined, looks, figures }
    }
}

/// Stores the returns and the closes of earlier evaluations anew if they are lost and the new ones are the same.
pub(crate) fn restore_files(
    store: &Session,
    own: &[&RecordedEvaluation],
    new: &Evaluation,
    (returns, closes): (&[u8], &[u8]),
) -> Result<(), StoreError> {
    let Some(returns_sha256) = new.basis.as_ref().map(|basis| &basis.returns_sha256) else {
        return Ok(());
    };
    let mut stored = StoredCloses::new(store);
    for earlier in own {
        let Some(run_id) = &earlier.run_id else { continue };
        let basis = earlier.evaluation.basis.as_ref();
        if basis.is_some_and(|basis| basis.returns_sha256 == *returns_sha256)
            && LaterReturns::read(store, run_id, returns_sha256).is_none()
        {
            store.store_artifact(run_id, &Evaluation::returns_artifact(returns_sha256), returns)?;
        }
        if let Some(sha256) = &earlier.evaluation.closes_sha256
            && new.closes_sha256.as_ref() == Some(sha256)
            && stored.of_evaluation(run_id, sha256)?.is_none()
        {
            store.store_artifact(run_id, &Evaluation::closes_artifact(sha256), closes)?;
        }
    }
    Ok(())
}
