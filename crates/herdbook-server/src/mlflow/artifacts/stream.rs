//! The body of an answer with a file's content. Threads that may wait are used for one block at a time, so that a client who
//! reads slowly holds none of them, and memory does not depend on the file's length.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use http_body::{Frame, SizeHint};
use tokio::sync::mpsc;

use crate::app::blocking;

/// Bytes that are read at a time.
const BLOCK: u64 = 512 << 10;
/// Blocks that wait for the client.
const WAITING: usize = 2;

/// A part of a body.
#[derive(Debug)]
pub(super) enum Part {
    Text(String),
    /// Bytes of the file, from the first to the one after the last.
    Bytes(u64, u64),
}

impl Part {
    fn len(&self) -> u64 {
        match self {
            Self::Text(text) => text.len() as u64,
            Self::Bytes(start, end) => end - start,
        }
    }
}

/// A body of parts of a file.
pub(super) fn body(file: File, parts: Vec<Part>) -> Body {
    let left = parts.iter().map(Part::len).sum();
    let (sender, receiver) = mpsc::channel(WAITING);
    tokio::spawn(send(file, parts, sender));
    Body::new(FileBody { receiver, left })
}

struct FileBody {
    receiver: mpsc::Receiver<io::Result<Bytes>>,
    left: u64,
}

impl http_body::Body for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.receiver.poll_recv(context).map(|received| {
            let received = received?;
            if let Ok(bytes) = &received {
                self.left = self.left.saturating_sub(bytes.len() as u64);
            }
            Some(received.map(Frame::data))
        })
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

/// Sends the parts. Ends early if the client is gone, or with an error that breaks the connection if the file cannot be read.
async fn send(file: File, parts: Vec<Part>, sender: mpsc::Sender<io::Result<Bytes>>) {
    let mut file = file;
    for part in parts {
        let (mut start, end) = match part {
            Part::Text(text) => {
                if sender.send(Ok(text.into())).await.is_err() {
                    return;
                }
                continue;
            }
            Part::Bytes(start, end) => (start, end),
        };
        while start < end {
            let wanted = BLOCK.min(end - start);
            let read = blocking(move || {
                let block = read_block(&mut file, start, wanted);
                (file, block)
            });
            let Some((returned, block)) = read.await else { return };
            file = returned;
            let has_failed = block.is_err();
            start += wanted;
            if sender.send(block).await.is_err() || has_failed {
                return;
            }
        }
    }
}

fn read_block(file: &mut File, start: u64, wanted: u64) -> io::Result<Bytes> {
    file.seek(SeekFrom::Start(start))?;
    let length = usize::try_from(wanted).map_err(|_| ErrorKind::OutOfMemory)?;
    let mut block = Vec::with_capacity(length);
    file.take(wanted).read_to_end(&mut block)?;
    if block.len() < length {
        // The file became shorter. The client must not take what it got for the whole.
        return Err(ErrorKind::UnexpectedEof.into());
    }
    Ok(block.into())
}
