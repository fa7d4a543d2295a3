//! Options for reading a file that the file itself does not tell.

use serde::{Deserialize, Serialize};

use super::zone::Zone;

/// Options for reading a file. The default suits files that need none.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ReadOptions {
    /// The header of a file without one, as a line of CSV.
    pub columns: Option<String>,
    /// The name of the volume column, where there are several; `none` for no volume.
    pub volume_column: Option<String>,
    /// The time zone of times without one.
    pub zone: Option<Zone>,
    /// The file of an archive to read, where there are several.
    pub member: Option<String>,
}

/// The value of [`ReadOptions::volume_column`] for no volume.
pub(super) const NO_VOLUME: &str = "none";
