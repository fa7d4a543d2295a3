//! Ancestors and relatives: the chain of parents that the tags of runs tell.

use std::collections::BTreeSet;

use herdbook_domain::tags::key;
use herdbook_domain::{RunId, Timeframe, Windows};

use crate::{RunRecord, Store, StoreError, run};

impl Store {
    /// The ancestors of a run, its parent first. A parent without a row in the records ends the chain with
    /// `None`, and so does a circle.
    pub fn ancestors(&self, run_id: &RunId) -> Result<Vec<Option<RunRecord>>, StoreError> {
        self.read(|conn| {
            let mut ancestors = Vec::new();
            let mut seen = BTreeSet::from([run_id.clone()]);
            let mut parent = parent_of(&run::load(conn, run_id)?);
            while let Some(id) = parent {
                let record = match RunId::parse(&id) {
                    Ok(id) if seen.insert(id.clone()) => match run::load(conn, &id) {
                        Ok(record) => Some(record),
                        Err(StoreError::NoSuchRun { .. }) => None,
                        Err(error) => return Err(error),
                    },
                    _ => None,
                };
                parent = record.as_ref().and_then(parent_of);
                ancestors.push(record);
            }
            Ok(ancestors)
        })
    }
}

fn parent_of(run: &RunRecord) -> Option<String> {
    run.tags.get(key::BASE_MODEL_RUN_ID).cloned()
}

impl RunRecord {
    /// What the run was trained, validated and tested on, if it recorded that.
    pub fn windows(&self) -> Option<Windows> {
        let timeframe: Timeframe = self.tags.get(key::TIMEFRAME)?.parse().ok()?;
        Windows::from_params(timeframe, &self.params)
    }
}
