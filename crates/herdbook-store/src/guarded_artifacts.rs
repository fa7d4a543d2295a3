//! Artifacts of a store that does not lie where its records say: they may belong to another store, so they are only read.

use std::io::Read;
use std::ops::Range;
use std::path::PathBuf;

use crate::artifacts::local::LocalArtifacts;
use crate::artifacts::streams::{ArtifactEntry, ArtifactStore, Content, FileStamp};
use crate::engine::place::state::PlaceState;
use crate::error::StoreError;

/// A folder of artifacts in which nothing may be written.
#[derive(Debug)]
pub(crate) struct GuardedArtifacts {
    inner: LocalArtifacts,
    place: PlaceState,
}

impl GuardedArtifacts {
    /// The artifacts of a store in this state.
    pub(crate) fn new(inner: LocalArtifacts, place: PlaceState) -> Self {
        Self { inner, place }
    }

    fn refuse(&self) -> Result<(), StoreError> {
        self.place.refusal().map_or(Ok(()), Err)
    }
}

impl ArtifactStore for GuardedArtifacts {
    fn put(&self, path: &str, content: &mut (dyn Read + Send)) -> Result<(), StoreError> {
        self.refuse()?;
        self.inner.put(path, content)
    }

    fn open(&self, path: &str, range: Option<Range<u64>>) -> Result<Option<Content>, StoreError> {
        self.inner.open(path, range)
    }

    fn list(&self, folder: &str) -> Result<Vec<ArtifactEntry>, StoreError> {
        self.inner.list(folder)
    }

    fn remove(&self, path: &str) -> Result<(), StoreError> {
        self.refuse()?;
        self.inner.remove(path)
    }

    fn stamp(&self, path: &str) -> Option<FileStamp> {
        self.inner.stamp(path)
    }

    fn location_of(&self, path: &str) -> PathBuf {
        self.inner.location_of(path)
    }

    fn local_path(&self, path: &str) -> Option<PathBuf> {
        self.inner.local_path(path)
    }
}
