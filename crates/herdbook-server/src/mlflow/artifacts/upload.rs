//! Writes the body of a request to a file as it arrives.

use std::io::{self, ErrorKind, Read};
use std::pin::Pin;
use std::thread;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use herdbook_mlflow::Code;
use herdbook_store::StoreError;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::timeout;

use crate::mlflow::artifacts::place::{Place, refused_path};
use crate::mlflow::wire::failure::Failure;

/// Uploads at the same time. Each has a thread of its own, so that slow ones take none from the acts on the store.
const MAX_UPLOADS: usize = 256;
/// Bytes of the stack of such a thread, which only copies.
const STACK: usize = 256 << 10;
/// How long a client may send nothing.
const MAX_SILENCE: Duration = Duration::from_secs(60);
/// Blocks that wait for the disk.
const WAITING: usize = 8;

/// Most bytes of a refused body that are read.
const MAX_DRAINED: usize = 64 << 20;
/// How long the client of a refused body may send nothing.
const MAX_DRAIN_SILENCE: Duration = Duration::from_secs(5);

static UPLOADS: Semaphore = Semaphore::const_new(MAX_UPLOADS);

/// A step of an upload.
enum Step {
    Bytes(Bytes),
    /// The body is complete. Without this step the file is not written.
    End,
    Failed(io::Error),
}

/// Writes a body to a file. The file is complete and durable when this returns; if it fails, nothing has changed.
pub(super) async fn receive(place: Place, mut body: Body) -> Result<(), Failure> {
    let _permit = UPLOADS.acquire().await.expect("the semaphore is never closed");
    let (steps, received) = mpsc::channel(WAITING);
    let (done, outcome) = oneshot::channel();
    let thread = thread::Builder::new().name("herdbook-upload".to_owned()).stack_size(STACK);
    let writer = thread.spawn(move || {
        let _ = done.send(write(&place, received));
    });
    if writer.is_err() {
        let text = "the server has no thread left for an upload";
        return Err(Failure::new(Code::TemporarilyUnavailable, text));
    }
    forward(&mut body, steps).await;
    let outcome = outcome.await.unwrap_or_else(|_| {
        Err(Failure::new(Code::InternalError, "the upload failed inside the server"))
    });
    if outcome.is_err() {
        drain(body).await;
    }
    outcome
}

/// Reads the rest of a body that is refused. A client that is still sending would not see the answer. A very long body is given
/// up.
pub(super) async fn drain(mut body: Body) {
    let mut left = MAX_DRAINED;
    loop {
        let frame = std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context));
        let Ok(Some(Ok(frame))) = timeout(MAX_DRAIN_SILENCE, frame).await else { return };
        let length = frame.data_ref().map_or(0, Bytes::len);
        match left.checked_sub(length) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}

/// Passes the body on, block by block, until it ends or the writer gives up.
async fn forward(body: &mut Body, steps: mpsc::Sender<Step>) {
    loop {
        let frame = std::future::poll_fn(|context| Pin::new(&mut *body).poll_frame(context));
        let step = match timeout(MAX_SILENCE, frame).await {
            Err(_) => Step::Failed(ErrorKind::TimedOut.into()),
            Ok(None) => Step::End,
            Ok(Some(Err(_))) => Step::Failed(ErrorKind::UnexpectedEof.into()),
            Ok(Some(Ok(frame))) => match frame.into_data() {
                Ok(bytes) => Step::Bytes(bytes),
                Err(_trailers) => continue,
            },
        };
        let is_last = !matches!(step, Step::Bytes(_));
        if steps.send(step).await.is_err() || is_last {
            return;
        }
    }
}

fn write(place: &Place, received: mpsc::Receiver<Step>) -> Result<(), Failure> {
    place.on_disk()?;
    let mut content = Received { steps: received, block: Bytes::new(), is_complete: false };
    place.store.put(&place.path, &mut content).map_err(refused)
}

/// The body as the store reads it.
struct Received {
    steps: mpsc::Receiver<Step>,
    block: Bytes,
    is_complete: bool,
}

impl Read for Received {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.block.is_empty() && !self.is_complete {
            match self.steps.blocking_recv() {
                Some(Step::Bytes(bytes)) => self.block = bytes,
                Some(Step::End) => self.is_complete = true,
                Some(Step::Failed(error)) => return Err(error),
                None => return Err(ErrorKind::UnexpectedEof.into()),
            }
        }
        let length = self.block.len().min(buffer.len());
        buffer[..length].copy_from_slice(&self.block.split_to(length));
        Ok(length)
    }
}

/// What an error of the store means for the client.
pub(super) fn refused(error: StoreError) -> Failure {
    let StoreError::Artifact { source, .. } = &error else { return error.into() };
    if let Some(text) = refused_path(source.kind()) {
        return Failure::invalid(text);
    }
    match source.kind() {
        ErrorKind::TimedOut => {
            let text =
                "the upload was given up, because nothing arrived for a minute; send it again";
            Failure::new(Code::BadRequest, text)
        }
        ErrorKind::UnexpectedEof => {
            let text = "the upload ended before its body was complete; send it again";
            Failure::new(Code::BadRequest, text)
        }
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            Failure::new(Code::InternalError, "the disk of the server's artifacts is full")
        }
        _ => error.into(),
    }
}
