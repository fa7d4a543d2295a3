//! The files of closes that trainings and evaluations kept of an instrument.

use herdbook_domain::{Evaluation, EventKind, RunId, Symbol, window_params};

use crate::engine::db::params;
use crate::error::StoreError;
use crate::store::Store;
use crate::tables::event::EventQuery;
use crate::tables::seal::is_symbol;

/// A file of closes among the artifacts of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownCloses {
    /// The run.
    pub run_id: RunId,
    /// Lower-case hex SHA-256 of the file.
    pub sha256: String,
    /// Whether an evaluation of the run's model kept it, rather than the training.
    pub is_of_evaluation: bool,
}

/// The closes of the bars of some trainings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrainingCloses {
    /// Lower-case hex SHA-256 of the file.
    pub sha256: String,
    /// The runs that kept it, the newest first, then those that were removed for good.
    pub run_ids: Vec<RunId>,
}

impl Store {
    /// The files of closes of an instrument: those of trainings, oldest first, then those of evaluations. Deleted runs count
    /// too.
    ///
    /// # Errors
    /// Those of the database.
    pub fn known_closes(&self, symbol: &Symbol) -> Result<Vec<KnownCloses>, StoreError> {
        let of_trainings = self.read(|conn| {
            let sql = format!(
                "SELECT c.run_uuid, c.value FROM params c CROSS JOIN runs r
                 WHERE c.key = ?1 AND r.run_uuid = c.run_uuid
                   AND EXISTS (SELECT 1 FROM params s WHERE s.run_uuid = c.run_uuid
                        AND s.key = ?2 AND {})
                 ORDER BY r.start_time, r.run_uuid",
                is_symbol("s.value", "?3")
            );
            let asked =
                params![window_params::CLOSES_SHA256, window_params::SYMBOL, symbol.as_str()];
            conn.query(&sql, asked, |row| {
                let (run_id, sha256): (String, String) = (row.get(0)?, row.get(1)?);
                Ok((run_id, sha256))
            })
        })?;
        let mut known: Vec<KnownCloses> = of_trainings
            .into_iter()
            .filter_map(|(run_id, sha256)| {
                let run_id = RunId::parse(&run_id).ok()?;
                Some(KnownCloses { run_id, sha256, is_of_evaluation: false })
            })
            .collect();
        let kind = Some(EventKind::Evaluated);
        for event in self.events(&EventQuery { kind, ..EventQuery::default() })? {
            let evaluation = Evaluation::of(&event).filter(|it| it.symbol == *symbol);
            let closes = evaluation.and_then(|it| it.closes_sha256);
            if let (Some(run_id), Some(sha256)) = (event.what.run_id, closes) {
                known.push(KnownCloses { run_id, sha256, is_of_evaluation: true });
            }
        }
        Ok(known)
    }
}
