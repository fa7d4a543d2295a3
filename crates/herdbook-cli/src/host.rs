//! A program that calls commands as functions: where their notes, their progress and their questions go.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use herdbook_domain::Channel;
use herdbook_training::{Observer, Progress};

/// The program behind a call.
pub trait Host {
    /// The door that its acts come through.
    fn channel(&self) -> Channel;

    /// A file that the call names, such as bars: from the disk, or from wherever the program has it.
    fn read(&mut self, path: &Path) -> io::Result<Vec<u8>> {
        std::fs::read(path)
    }

    /// Something that a person should know: which store, a fallback.
    fn note(&mut self, text: &str);

    /// One iteration of a training is done.
    fn progress(&mut self, progress: &Progress);

    /// Raised when a training shall end at its next iteration.
    fn cancelled(&self) -> Arc<AtomicBool>;

    /// Whether the data shall hold what the command line writes to files of its own: curves, trades.
    fn wants_curves(&self) -> bool {
        false
    }
}

/// Tells a host how a training goes.
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
