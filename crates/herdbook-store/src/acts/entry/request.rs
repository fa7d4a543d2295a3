//! Versions that enter the life cycle.

use herdbook_domain::tags::Tags;
use herdbook_domain::{ModelName, RunId};

use crate::acts::version_row::VersionRow;
use crate::tables::unsealed::ServedFiles;
use crate::tables::version::VersionRecord;

/// A version that a client of MLflow creates.
#[derive(Debug, Clone)]
pub struct VersionEntry {
    /// Its registered model, which exists.
    pub name: ModelName,
    /// Its run.
    pub run_id: RunId,
    /// The columns of its row that the client decides.
    pub row: VersionRow,
    /// Its tags, in addition to those that the registration computes.
    pub tags: Tags,
}

/// A version that enters the life cycle.
pub(super) enum Entering<'a> {
    /// A client creates it.
    Created(&'a VersionEntry),
    /// It is on record.
    OnRecord(&'a VersionRecord),
}

impl Entering<'_> {
    /// The registered model.
    pub(super) fn name(&self) -> &ModelName {
        match self {
            Self::Created(entry) => &entry.name,
            Self::OnRecord(version) => &version.key.name,
        }
    }

    /// The tags that its client gave it.
    pub(super) fn tags(&self) -> &Tags {
        match self {
            Self::Created(entry) => &entry.tags,
            Self::OnRecord(version) => &version.tags,
        }
    }
}

/// The folder that MLflow serves, hashed.
pub(super) struct Served {
    pub(super) files: ServedFiles,
    /// `None` if it is not known.
    pub(super) location: Option<String>,
}
