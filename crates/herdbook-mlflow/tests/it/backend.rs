//! The suite's database: an SQLite file.

use std::path::Path;

use herdbook_store::Location;

/// The database of one test.
pub(crate) struct Database {
    pub(crate) location: Location,
}

impl Database {
    pub(crate) fn new(folder: &Path) -> Self {
        Self { location: Location::resolve(None, folder).unwrap() }
    }
}
