//! A list, with the rows that could not be read.

use crate::tables::version::UnreadableVersion;

/// What a look-up found. Rows that this system cannot parse are kept apart, not left out in silence.
#[derive(Debug, Clone)]
pub struct Listing<T> {
    /// The readable records.
    pub records: Vec<T>,
    /// The rows whose name or number cannot be parsed.
    pub unreadable: Vec<UnreadableVersion>,
}

impl<T> FromIterator<Result<T, UnreadableVersion>> for Listing<T> {
    fn from_iter<I: IntoIterator<Item = Result<T, UnreadableVersion>>>(rows: I) -> Self {
        let mut listing = Self { records: Vec::new(), unreadable: Vec::new() };
        for row in rows {
            match row {
                Ok(record) => listing.records.push(record),
                Err(unreadable) => listing.unreadable.push(unreadable),
            }
        }
        listing
    }
}
