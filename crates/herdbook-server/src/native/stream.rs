//! The body of an answer whose parts are made while it is sent.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use http_body::Frame;
use tokio::sync::mpsc;

/// Sends the parts of a body. An error breaks the connection, so that the client does not take the parts for the whole.
pub(super) type Sender = mpsc::Sender<io::Result<Bytes>>;

/// A body, and the sender of its parts. At most `n_waiting` parts wait for the client.
pub(super) fn body(n_waiting: usize) -> (Sender, Body) {
    let (sender, receiver) = mpsc::channel(n_waiting);
    (sender, Body::new(Parts(receiver)))
}

struct Parts(mpsc::Receiver<io::Result<Bytes>>);

impl http_body::Body for Parts {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.0.poll_recv(context).map(|part| part.map(|part| part.map(Frame::data)))
    }
}
