//! Evaluations of a version since its training, and the evidence that follows from them.

use herdbook_domain::{
    EVIDENCE_PROBABILITY, Evaluation, Standing as Evidence, Timestamp, VersionKey,
};
use herdbook_store::tables::evaluation;
use herdbook_store::{RecordedEvaluation, Store, StoreError};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

/// The evaluations of a version, oldest first, and the evidence from all of them.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub(crate) struct Since {
    pub(crate) evidence: Vec<RecordedEvidence>,
    /// Null if the version was never evaluated.
    pub(crate) standing: Option<Standing>,
}

/// An evaluation on bars later than all that the model has seen.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct RecordedEvidence {
    pub(crate) at: String,
    /// Whether evidence follows. Only the newest evaluation, whose record has the bars of all, can say so.
    pub(crate) is_evidence: bool,
    /// Symbol, bars, costs, figures and the basis of the evaluation.
    #[schema(value_type = Object)]
    pub(crate) evaluation: Value,
}

/// The evidence for a version among all tries on the same bars.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Standing {
    /// The probability (0 to 1) that the true Sharpe ratio is above those of the benchmarks.
    pub(crate) probability: Option<f64>,
    pub(crate) n_tries: u64,
    pub(crate) n_bars: u64,
    pub(crate) is_evidence: bool,
    /// Why it is no evidence; null if it is.
    pub(crate) objection: Option<String>,
}

impl From<&Evidence> for Standing {
    fn from(standing: &Evidence) -> Self {
        let basis = standing.newest.basis.as_ref();
        Self {
            probability: standing.probability,
            n_tries: standing.n_tries,
            n_bars: basis.map_or(0, |basis| basis.record.figures.n_returns as u64),
            is_evidence: standing.is_evidence(),
            objection: standing.objection(EVIDENCE_PROBABILITY),
        }
    }
}

/// The evaluations of all versions. They are read once, and only if a version was evaluated at all.
#[derive(Default)]
pub(crate) struct Evaluations {
    all: Option<Vec<RecordedEvaluation>>,
}

impl Evaluations {
    /// The evidence for a version.
    pub(crate) fn of(&mut self, store: &Store, key: &VersionKey) -> Result<Since, StoreError> {
        let evaluations = store.evaluations(key)?;
        if evaluations.is_empty() {
            return Ok(Since::default());
        }
        let all = match self.all.take() {
            Some(all) => all,
            None => store.all_evaluations()?,
        };
        let standing = store.read(|conn| evaluation::standing(conn, key, &all))?;
        self.all = Some(all);
        Ok(since(&evaluations, standing.as_ref()))
    }
}

fn since(evaluations: &[(Timestamp, Evaluation)], standing: Option<&Evidence>) -> Since {
    let newest = evaluations.len().saturating_sub(1);
    let is_evidence = standing.is_some_and(Evidence::is_evidence);
    let evidence = evaluations.iter().enumerate().map(|(idx, (at, evaluation))| RecordedEvidence {
        at: at.to_string(),
        is_evidence: is_evidence && idx == newest,
        evaluation: json!(evaluation),
    });
    Since { evidence: evidence.collect(), standing: standing.map(Standing::from) }
}
