//! Verification: the part of the examination that compares the store with what was recorded.

use herdbook_domain::BreachKind;

use crate::acts::doctor::Examination;
use crate::error::StoreError;
use crate::store::Store;

impl Store {
    /// Examines the store as the doctor does, without the state of processes, which is no part of the records.
    ///
    /// # Errors
    /// Those of reaching the records. Damage, broken records and files are in the result.
    pub fn verify(&self) -> Result<Examination, StoreError> {
        let mut found = self.examination()?;
        let is_recorded = |kind| !matches!(kind, BreachKind::DeadRun | BreachKind::StrayLease);
        found.breaches.retain(|breach| breach.is_open() && is_recorded(breach.kind));
        Ok(found)
    }
}
