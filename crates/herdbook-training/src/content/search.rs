//! Searches for bars in many files of closes.

use std::sync::Arc;

use herdbook_market::{Closes, Likeness, Recogniser};

/// The likenesses of a query with each of some references, in their order. All processors work on it.
pub(crate) fn recognise_in_all(query: &Closes, references: &[Arc<Closes>]) -> Vec<Vec<Likeness>> {
    let n_threads = std::thread::available_parallelism().map_or(1, usize::from);
    let n_each = references.len().div_ceil(n_threads).max(1);
    let search = |part: &[Arc<Closes>]| -> Vec<Vec<Likeness>> {
        let mut recogniser = Recogniser::new(query.clone());
        part.iter().map(|reference| recogniser.find_in(reference)).collect()
    };
    std::thread::scope(|scope| {
        let parts: Vec<_> =
            references.chunks(n_each).map(|part| scope.spawn(move || search(part))).collect();
        let found = parts.into_iter().map(|part| part.join().expect("the search does not panic"));
        found.flatten().collect()
    })
}
