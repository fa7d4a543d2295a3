//! The state that all requests share, and the threads that work on the store.

use std::sync::Arc;

use herdbook_mlflow::ArtifactRoot;
use herdbook_store::Session;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::counters::Counters;
use crate::life_cycle::{LifeCycle, Records};

/// Mebibytes of large bodies that may be in memory at the same time.
const MAX_BODIES_MIB: usize = 512;

/// The state that all requests share. Cloning it is cheap.
#[derive(Debug, Clone)]
pub(crate) struct App(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    session: Session,
    artifact_root: ArtifactRoot,
    life_cycle: LifeCycle,
    counters: Counters,
    /// The mebibytes of large bodies that may be in memory at the same time.
    bodies: Semaphore,
}

impl App {
    pub(crate) fn new(
        session: Session,
        artifact_root: ArtifactRoot,
        life_cycle: LifeCycle,
    ) -> Self {
        Self(Arc::new(Shared {
            session,
            artifact_root,
            life_cycle,
            counters: Counters::default(),
            bodies: Semaphore::new(MAX_BODIES_MIB),
        }))
    }

    /// The store, and who acts on it.
    pub(crate) fn session(&self) -> &Session {
        &self.0.session
    }

    /// The location below which new experiments keep their artifacts.
    pub(crate) fn artifact_root(&self) -> &ArtifactRoot {
        &self.0.artifact_root
    }

    /// Which requests go to the rulebook.
    pub(crate) fn life_cycle(&self) -> &LifeCycle {
        &self.0.life_cycle
    }

    /// The records, and which requests go to the rulebook.
    pub(crate) fn records(&self) -> Records<'_> {
        Records::new(&self.0.session, &self.0.life_cycle)
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.0.counters
    }

    /// Waits until a body of this size may be read into memory. Bodies of less than a mebibyte do not wait.
    pub(crate) async fn room_for_body(&self, bytes: u64) -> Option<SemaphorePermit<'_>> {
        let mebibytes = u32::try_from(bytes >> 20).unwrap_or(u32::MAX).min(MAX_BODIES_MIB as u32);
        if mebibytes == 0 {
            return None;
        }
        // The semaphore is never closed.
        self.0.bodies.acquire_many(mebibytes).await.ok()
    }
}

/// Runs work that waits for the store on the pool of blocking threads. `None` if it panicked.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    tokio::task::spawn_blocking(work).await.ok()
}
