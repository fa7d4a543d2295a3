//! The state that all requests share, and the threads that work on the store.

use std::sync::Arc;

use herdbook_mlflow::ArtifactRoot;
use herdbook_store::Session;

use crate::life_cycle::LifeCycle;

/// The state that all requests share. Cloning it is cheap.
#[derive(Debug, Clone)]
pub(crate) struct App(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    session: Session,
    artifact_root: ArtifactRoot,
    life_cycle: LifeCycle,
}

impl App {
    pub(crate) fn new(
        session: Session,
        artifact_root: ArtifactRoot,
        life_cycle: LifeCycle,
    ) -> Self {
        Self(Arc::new(Shared { session, artifact_root, life_cycle }))
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
}

/// Runs work that waits for the store on the pool of blocking threads. `None` if it panicked.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    tokio::task::spawn_blocking(work).await.ok()
}
