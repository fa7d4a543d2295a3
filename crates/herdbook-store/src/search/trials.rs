//! Evidence about versions: evaluations after training, and the trials that a result was selected from.

use herdbook_domain::{
    Evaluation, EventKind, Standing, Symbol, Timeframe, Timestamp, VersionKey, Window,
};

use crate::engine::backend::Scope;
use crate::error::StoreError;
use crate::store::Store;
use crate::tables::evaluation::{self, RecordedEvaluation};
use crate::tables::event::EventQuery;
use crate::tables::trial::{self, Trial, TrialQuery};

impl Store {
    /// The evaluations of a version with their times, oldest first.
    ///
    /// # Errors
    /// Those of [`Store::events`].
    pub fn evaluations(
        &self,
        key: &VersionKey,
    ) -> Result<Vec<(Timestamp, Evaluation)>, StoreError> {
        let (name, version) = (Some(key.name.clone()), Some(key.version));
        let kind = Some(EventKind::Evaluated);
        let events = self.events(&EventQuery { name, version, kind, ..EventQuery::default() })?;
        Ok(events.iter().filter_map(|event| Some((event.at, Evaluation::of(event)?))).collect())
    }

    /// The evaluations of all versions of the register, oldest first.
    ///
    /// # Errors
    /// Those of the database.
    pub fn all_evaluations(&self) -> Result<Vec<RecordedEvaluation>, StoreError> {
        self.read_in(Scope::History, evaluation::all)
    }

    /// The evidence for a version among all tries of the register; `None` if it was never evaluated.
    ///
    /// # Errors
    /// Those of the database.
    pub fn standing(&self, key: &VersionKey) -> Result<Option<Standing>, StoreError> {
        // The history says whether there is an evaluation. Only then the runs are needed, which over a server are many.
        if self.evaluations(key)?.is_empty() {
            return Ok(None);
        }
        self.read(|conn| {
            let all = evaluation::all(conn)?;
            evaluation::standing(conn, key, &all)
        })
    }

    /// The runs of a symbol and timeframe whose test window overlaps the given one and that logged a total return. Runs of
    /// every registered model count, and also those that failed, were never registered, or were deleted through MLflow.
    ///
    /// # Errors
    /// Those of the database.
    pub fn trials(
        &self,
        symbol: &Symbol,
        timeframe: Timeframe,
        window: Window,
    ) -> Result<Vec<Trial>, StoreError> {
        let query = TrialQuery { symbol, timeframe, window, ended_after: None };
        self.read(|conn| trial::select(conn, &query))
    }
}
