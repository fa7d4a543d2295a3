//! What a training seals of its test for the evidence of others: which evaluations have the same bars.

use herdbook_domain::{Symbol, TestBasis, Window};
use herdbook_market::Closes;
use herdbook_store::{Store, StoreError};

use crate::content::tries::with_bars_of;

/// How often bars are compared again because an evaluation was recorded in the meantime.
const MAX_ATTEMPTS: u32 = 20;

/// The bars that a training is tested on.
pub(crate) struct Tested<'a> {
    pub(crate) symbol: &'a Symbol,
    pub(crate) window: Window,
    /// The closes of the whole file; `None` if it was not kept.
    pub(crate) closes: Option<&'a Closes>,
}

impl Tested<'_> {
    /// Adds to a basis which evaluations have bars of the test window.
    ///
    /// # Errors
    /// [`StoreError`] if the evaluations cannot be read.
    pub(crate) fn compare(&self, store: &Store, basis: &mut TestBasis) -> Result<(), StoreError> {
        let (all, last_event) = store.evaluations_and_last_event()?;
        let found = with_bars_of(store, &all, self.symbol, self.window, self.closes)?;
        let returns = found.iter().filter_map(|it| it.evaluation.basis.as_ref());
        basis.shared_with = returns.map(|basis| basis.returns_sha256.clone()).collect();
        basis.shared_with.sort_unstable();
        basis.shared_with.dedup();
        basis.compared_until = last_event;
        Ok(())
    }
}

/// Repeats an act, which seals a basis, with one that knows all evaluations, if one was recorded after the comparison.
///
/// # Errors
/// Those of the act and of the comparison.
pub(crate) fn with_all_compared<T>(
    store: &Store,
    tested: &Tested<'_>,
    basis: &mut TestBasis,
    mut act: impl FnMut(&TestBasis) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let mut attempt = 1;
    loop {
        tested.compare(store, basis)?;
        match act(basis) {
            Err(StoreError::TestedMeanwhile { .. }) if attempt < MAX_ATTEMPTS => attempt += 1,
            outcome => return outcome,
        }
    }
}
