//! Notices about long waits, for example for a server that does not answer.

use std::sync::OnceLock;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

/// A wait that is longer than this is announced.
pub const SILENT: Duration = Duration::from_secs(2);

static NOTICE: OnceLock<fn(&str)> = OnceLock::new();

/// Sets the function that receives a notice about each long wait of this process, such as one that prints it. Only the
/// first call has an effect; without one nobody is told.
pub fn on_long_wait(notice: fn(&str)) {
    // A second caller keeps the first one's function.
    let _ = NOTICE.set(notice);
}

/// Announces a long wait. `text` says what is waited for, and how long at most.
pub fn announce(text: &str) {
    if let Some(notice) = NOTICE.get() {
        notice(text);
    }
}

/// A call that may take long. Unless it is dropped within [`SILENT`], it is announced.
#[derive(Debug)]
pub struct Watch {
    _running: mpsc::Sender<()>,
}

impl Watch {
    /// Begins to watch a call; `text` announces it.
    pub fn begin(text: String) -> Self {
        let (running, ended) = mpsc::channel::<()>();
        std::thread::spawn(move || {
            if ended.recv_timeout(SILENT) == Err(RecvTimeoutError::Timeout) {
                announce(&text);
            }
        });
        Self { _running: running }
    }
}
