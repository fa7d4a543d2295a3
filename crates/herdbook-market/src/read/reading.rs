//! What a file cannot say of itself and a user has to.

use serde::{Deserialize, Serialize};

use super::zone::Zone;

/// How to read a file where its header leaves something open.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Reading {
    /// The header of a file that has none, as its first line would be.
    pub columns: Option<String>,
    /// The column that is the volume, where there are several; `none` for no volume.
    pub volume_column: Option<String>,
    /// The zone of times that name none.
    pub zone: Option<Zone>,
    /// Which file of an archive holds the bars, where there are several.
    pub member: Option<String>,
}

/// The value of [`Reading::volume_column`] that leaves volume out.
pub(super) const NO_VOLUME: &str = "none";
