//! The interface to a program that calls commands as functions: it receives notes and progress, and answers requests.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use herdbook_domain::Channel;
use herdbook_store::Notices;
use herdbook_training::{Observer, Progress};

/// A program that calls commands as functions.
pub trait Host {
    /// Channel recorded in the history for acts of this program.
    fn channel(&self) -> Channel;

    /// Reads a file that the arguments name, such as bars. The default reads it from the disk.
    ///
    /// # Errors
    /// If the file cannot be read.
    fn read(&mut self, path: &Path) -> io::Result<Vec<u8>> {
        crate::input::read_data(path)
    }

    /// Receives a note for people, such as the URI of the store or a fallback to another model type.
    fn note(&mut self, text: &str);

    /// A receiver of messages from inside operations, which come from several threads. The default ignores them.
    fn notices(&self) -> Notices {
        Notices::default()
    }

    /// Receives the progress after each iteration of a training.
    fn progress(&mut self, progress: &Progress);

    /// A flag; setting it cancels a training at its next iteration.
    fn cancelled(&self) -> Arc<AtomicBool>;

    /// Whether the data of `backtest` includes the equity curve and the trades, which the command line writes to files.
    fn wants_curves(&self) -> bool {
        false
    }
}

/// Passes notices and progress of a training on to a host.
pub(crate) struct Relay<'a>(pub(crate) &'a mut dyn Host);

impl Observer for Relay<'_> {
    fn notice(&mut self, text: &str) {
        self.0.note(text);
    }

    fn stage(&mut self, text: &str) {
        self.0.note(text);
    }

    fn progress(&mut self, progress: &Progress) {
        self.0.progress(progress);
    }
}
