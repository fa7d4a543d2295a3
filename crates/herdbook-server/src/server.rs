//! Listens for requests until the process is told to stop.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use futures_util::future::{Either, select};
use herdbook_domain::Channel;
use herdbook_mlflow::{ArtifactRoot, experiments};
use herdbook_store::{Opened, Session};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};

use crate::app::App;
use crate::error::ServeError;
use crate::life_cycle::LifeCycle;
use crate::native::state::Native;
use crate::router::router;
use crate::telemetry::requests::Peer;

/// Most threads that work on the store or on files at the same time. Others wait for one.
const MAX_BLOCKING_THREADS: usize = 32;
/// Most open connections. Further clients wait until one is closed.
const MAX_CONNECTIONS: usize = 4096;
/// How long a client may take to send the head of a request, and how long a connection may be idle.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);
/// How long requests that were accepted may take after the process was told to stop.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);
/// Pause after the system refused a connection, for example because too many files are open.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What a server needs.
#[derive(Debug)]
pub struct Config {
    /// The host name or address to listen on.
    pub host: String,
    /// The port; 0 for a free one.
    pub port: u16,
    /// The location below which new experiments keep their artifacts.
    pub artifact_root: ArtifactRoot,
    /// Which requests go to the rulebook.
    pub life_cycle: LifeCycle,
}

/// Serves a store until SIGTERM or SIGINT. Requests that were accepted before are finished. `ready` is called with the
/// address as soon as connections are accepted.
///
/// # Errors
/// [`ServeError`].
pub fn serve(
    session: &Session,
    config: Config,
    ready: impl FnOnce(SocketAddr),
) -> Result<(), ServeError> {
    if let Some(server) = session.location().server() {
        return Err(ServeError::NotADatabase { uri: server.to_string() });
    }
    if session.opened() == Opened::Created {
        experiments::locate_default(session, &config.artifact_root)?;
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
        let session = session
            .store()
            .session(session.actor().clone(), Channel::MlflowApi)
            .guarded_by(Arc::new(config.life_cycle.clone()));
        let app = App::new(session, config.artifact_root, config.life_cycle);
        let (stop, stopping) = watch::channel(false);
        let native = Native::new(app.clone(), stopping);
        let stopped = async move {
            select(pin!(terminate.recv()), pin!(interrupt.recv())).await;
            // Streams of events have no end of their own.
            stop.send_replace(true);
        };
        accept_until(stopped, listener, router(app, native)).await;
        Ok(())
    })
}

/// Accepts connections until told to stop, then waits for the requests that were accepted.
async fn accept_until(stopped: impl Future<Output = ()>, listener: TcpListener, router: Router) {
    let free = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let connections = GracefulShutdown::new();
    let mut stopped = pin!(stopped);
    loop {
        let next = async {
            let permit = Arc::clone(&free).acquire_owned().await;
            (permit, listener.accept().await)
        };
        let (permit, accepted) = match select(&mut stopped, pin!(next)).await {
            Either::Left(_) => break,
            Either::Right((next, _)) => next,
        };
        match accepted {
            Ok((stream, peer)) => {
                let connection = connection(&connections, stream, peer, router.clone());
                tokio::spawn(async move {
                    connection.await;
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection was not accepted");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    // New clients are refused from here on.
    drop(listener);
    if timeout(STOP_TIMEOUT, connections.shutdown()).await.is_err() {
        tracing::warn!("some requests did not end in {} s", STOP_TIMEOUT.as_secs());
    }
}

/// Serves a connection until its client or the server closes it.
fn connection(
    connections: &GracefulShutdown,
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
) -> impl Future<Output = ()> + use<> {
    // Without this, small answers wait up to 40 ms for the client's acknowledgement.
    let _ = stream.set_nodelay(true);
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(Peer(peer));
        router.call(request)
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).half_close(true);
    let served = connections.watch(builder.serve_connection(TokioIo::new(stream), service));
    async move {
        // Its error is the client's: it closed the connection, was too slow, or sent no HTTP.
        if let Err(error) = served.await {
            tracing::debug!(%error, %peer, "a connection ended early");
        }
    }
}
