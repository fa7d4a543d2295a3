//! The identity of a store, and whether it lies where its records say.

use std::path::PathBuf;

use crate::error::StoreError;

/// The identity of an opened store, and whether it lies where its records say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    /// The id of the store; `None` if it has none yet.
    pub store_id: Option<String>,
    /// The place of the records: the path of the database file, a database of a PostgreSQL server, or the address of a server.
    /// `None` if it is unknown, or if the records may lag behind those of another server.
    pub place: Option<String>,
    /// Whether the store lies there.
    pub state: PlaceState,
}

/// Whether a store lies where it was made or last relocated to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum PlaceState {
    /// It does, or its place is not recorded.
    #[default]
    Home,
    /// The database was moved. The artifacts are where the records say.
    DatabaseMoved {
        /// The recorded database.
        from: String,
        /// The present one.
        to: String,
    },
    /// The database and the artifacts were moved.
    Moved {
        /// The recorded folder of the database.
        from: PathBuf,
        /// The present folder of the database.
        to: PathBuf,
    },
    /// The database is a copy, and its original exists.
    Copied {
        /// The recorded database.
        original: String,
        /// The present one.
        copy: String,
    },
    /// The database was restored on another server, from which it cannot be seen whether the original exists.
    Restored {
        /// The recorded database.
        from: String,
        /// The present one.
        to: String,
    },
}

impl PlaceState {
    /// Why nothing may be written; `None` if acts are allowed.
    pub(crate) fn refusal(&self) -> Option<StoreError> {
        match self {
            Self::Home | Self::DatabaseMoved { .. } => None,
            Self::Moved { from, to } => {
                Some(StoreError::Moved { from: from.clone(), to: to.clone() })
            }
            Self::Copied { original, copy } => {
                Some(StoreError::Copied { original: original.clone(), copy: copy.clone() })
            }
            Self::Restored { from, to } => {
                Some(StoreError::Restored { from: from.clone(), to: to.clone() })
            }
        }
    }

    /// The command that brings records and place into agreement; `None` at home.
    pub fn way_out(&self) -> Option<&'static str> {
        match self {
            Self::Home => None,
            Self::Copied { .. } => Some("`herdbook relocate --copy` makes it a store of its own"),
            Self::DatabaseMoved { .. } | Self::Moved { .. } | Self::Restored { .. } => {
                Some("`herdbook relocate` checks the files and updates the records")
            }
        }
    }

    /// What differs from the records, as a sentence; `None` at home.
    pub fn note(&self) -> Option<String> {
        match self {
            Self::Home => None,
            Self::DatabaseMoved { from, to } => Some(format!(
                "the database was moved from `{from}` to `{to}`; its artifacts are where they were"
            )),
            other => other.refusal().map(|error| error.to_string()),
        }
    }
}
