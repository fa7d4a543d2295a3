//! Listens for requests until the process is told to stop.

use std::net::SocketAddr;
use std::path::PathBuf;

use axum::serve::ListenerExt;
use herdbook_domain::Channel;
use herdbook_mlflow::{ArtifactRoot, experiments};
use herdbook_store::{Opened, Session};
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::app::App;
use crate::error::ServeError;
use crate::life_cycle::LifeCycle;
use crate::mlflow::router::router;
use crate::native::router::router as native_router;
use crate::native::state::Native;

/// Most threads that work on the store or on files at the same time. Others wait for one.
const MAX_BLOCKING_THREADS: usize = 32;

/// What a server needs.
#[derive(Debug)]
pub struct Config {
    /// The host name or address to listen on.
    pub host: String,
    /// The port; 0 for a free one.
    pub port: u16,
    /// The location below which new experiments keep their artifacts.
    pub artifact_root: ArtifactRoot,
    /// The folder of the artifacts that pass through the server.
    pub artifacts_destination: PathBuf,
    /// Which requests go to the rulebook.
    pub life_cycle: LifeCycle,
}

/// Serves a store until SIGTERM or SIGINT. Requests that were accepted before are finished. `ready` is called with the
/// address as soon as connections are accepted.
///
/// # Errors
/// [`ServeError`].
pub fn serve(
    session: Session,
    config: Config,
    ready: impl FnOnce(SocketAddr),
) -> Result<(), ServeError> {
    if let Some(server) = session.location().server() {
        return Err(ServeError::NotADatabase { uri: server.to_string() });
    }
    if session.opened() == Opened::Created {
        experiments::locate_default(&session, &config.artifact_root)?;
    }
    let runtime = Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(MAX_BLOCKING_THREADS)
        .thread_name("herdbook-serve")
        .build()?;
    runtime.block_on(async {
        let listener =
            TcpListener::bind((config.host.as_str(), config.port)).await.map_err(|source| {
                let address = format!("{}:{}", config.host, config.port);
                ServeError::CannotListen { address, source }
            })?;
        let (mut terminate, mut interrupt) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        ready(listener.local_addr()?);
        let session = session.store().session(session.actor().clone(), Channel::MlflowApi);
        let app = App::new(
            session,
            config.artifact_root,
            config.artifacts_destination,
            config.life_cycle,
        );
        // Without this, small answers wait up to 40 ms for the client's acknowledgement.
        let listener = listener.tap_io(|stream| {
            let _ = stream.set_nodelay(true);
        });
        let (stop, stopping) = watch::channel(false);
        let native = native_router(Native::new(app.clone(), stopping));
        axum::serve(listener, router().with_state(app).merge(native))
            .with_graceful_shutdown(async move {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
                // Streams of events have no end of their own.
                stop.send_replace(true);
            })
            .await?;
        Ok(())
    })
}
