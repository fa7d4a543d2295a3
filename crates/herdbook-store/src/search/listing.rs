//! A list, with the rows that could not be read.

use crate::tables::version::UnreadableVersion;

/// What a look-up found. Rows that this system cannot parse are kept apart, not left out in silence.
#[derive(Debug, Clone)]
pub struct Listing<T> {
    /// The readable records.
    pub records: Vec<T>,
    /// The rows whose name or number cannot be parsed.
    pub unreadable: Vec<UnreadableVersion>,
    /// How many records were found beyond the limit of the query.
    pub n_beyond_limit: usize,
}

impl<T> Listing<T> {
    /// Drops the records beyond the first `limit`.
    pub(crate) fn limit(&mut self, limit: usize) {
        self.n_beyond_limit += self.records.len().saturating_sub(limit);
        self.records.truncate(limit);
    }
}

impl<T> FromIterator<Result<T, UnreadableVersion>> for Listing<T> {
    fn from_iter<I: IntoIterator<Item = Result<T, UnreadableVersion>>>(rows: I) -> Self {
        let mut listing = Self { records: Vec::new(), unreadable: Vec::new(), n_beyond_limit: 0 };
        for row in rows {
            match row {
                Ok(record) => listing.records.push(record),
                Err(unreadable) => listing.unreadable.push(unreadable),
            }
        }
        listing
    }
}
