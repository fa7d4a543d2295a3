//! A relocation as it is asked for, and what came of it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use herdbook_domain::Reason;
use serde::Serialize;

/// Where the files of a store are now.
#[derive(Debug, Clone, Default)]
pub struct RelocateRequest {
    /// Folders that were moved, in addition to the folder of the database file.
    pub moves: Vec<Move>,
    /// The folder in which files are looked for whose former folder is not given; the folder of the database file if absent.
    pub to: Option<PathBuf>,
    /// Whether the store becomes one of its own, with a new id, because the original stays in use.
    pub is_copy: bool,
    /// The reason for a relocation in spite of files that are missing or altered.
    pub force: Option<Reason>,
}

/// A folder that was moved or copied.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Move {
    /// The former folder, as the records name it.
    pub from: PathBuf,
    /// The present folder.
    pub to: PathBuf,
}

/// A relocation, done or planned.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Relocation {
    /// Whether anything had to be changed.
    pub is_needed: bool,
    /// The folders whose locations are updated.
    pub moves: Vec<Move>,
    /// Number of updated locations by table and column.
    pub locations: BTreeMap<String, usize>,
    /// Number of files whose hash was compared with the history.
    pub n_files: usize,
    /// Number of locations in a moved folder whose files stayed where they were.
    pub n_in_place: usize,
    /// Number of runs whose folder does not exist and was not found elsewhere. A run without artifacts has none.
    pub n_without_files: usize,
    /// Files that are missing or altered. They prevent the relocation, unless it is forced.
    pub problems: Vec<String>,
    /// The id of the store afterwards.
    pub store_id: String,
}
