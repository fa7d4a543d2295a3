//! Commands as functions: the work in a thread of its own, Python's callbacks and Ctrl-C in the calling one.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use herdbook_cli::{Failure, Host};
use herdbook_domain::Channel;
use herdbook_training::Progress;
use pyo3::prelude::*;
use serde_json::Value;

use crate::bars;
use crate::error::{internal, raise};
use crate::json;

/// How long Ctrl-C may wait: not felt by a person, no load for the machine.
const SIGNAL_INTERVAL: Duration = Duration::from_millis(50);
/// A search through a deep lineage needs no more; a thread's default is less than the main one's.
const STACK_BYTES: usize = 8 << 20;

/// What the work tells the calling thread.
enum Message {
    Note(String),
    Progress(Progress),
}

/// Runs a command and answers its data.
///
/// `bars` is a CSV file that stands where the arguments name `Bars.NAME`; `note` is called with each remark, `progress` with trained
/// and asked-for timesteps, timesteps a second, and the mean rewards of episodes and of the last validation. An
/// exception in either, and Ctrl-C, end a training at its next iteration: its run is KILLED.
#[pyfunction]
#[pyo3(signature = (args, *, bars=None, note=None, progress=None, curves=false))]
pub(crate) fn call(
    py: Python<'_>,
    args: Vec<String>,
    bars: Option<Vec<u8>>,
    note: Option<Bound<'_, PyAny>>,
    progress: Option<Bound<'_, PyAny>>,
    curves: bool,
) -> PyResult<Py<PyAny>> {
    let (sender, receiver) = mpsc::channel();
    let cancelled = Arc::new(AtomicBool::new(false));
    let mut host = Worker { bars, sender, cancelled: Arc::clone(&cancelled), curves };
    let work = std::thread::Builder::new()
        .name("herdbook".to_owned())
        .stack_size(STACK_BYTES)
        .spawn(move || herdbook_cli::call(args, &mut host))?;
    let listener = Listener { note, progress, cancelled };
    let raised = listener.listen(py, receiver);
    let done: Result<Result<Value, Failure>, _> = py.detach(|| work.join());
    if let Some(raised) = raised {
        return Err(raised);
    }
    match done {
        Ok(Ok(value)) => Ok(json::to_python(py, &value)?.unbind()),
        Ok(Err(failure)) => Err(raise(py, &failure)),
        Err(panic) => Err(internal(py, panic.as_ref())),
    }
}

/// The calling thread while the work goes on.
struct Listener<'py> {
    note: Option<Bound<'py, PyAny>>,
    progress: Option<Bound<'py, PyAny>>,
    cancelled: Arc<AtomicBool>,
}

impl Listener<'_> {
    /// Listens until the work is done; the first exception ends the work and is answered.
    fn listen(&self, py: Python<'_>, mut receiver: Receiver<Message>) -> Option<PyErr> {
        let mut raised: Option<PyErr> = None;
        loop {
            let (back, heard) = py.detach(move || {
                let heard = receiver.recv_timeout(SIGNAL_INTERVAL);
                (receiver, heard)
            });
            receiver = back;
            let answered = match heard {
                Ok(_) if raised.is_some() => Ok(()),
                Ok(message) => self.answer(&message),
                Err(RecvTimeoutError::Timeout) => Ok(()),
                Err(RecvTimeoutError::Disconnected) => return raised,
            };
            let unbroken = answered.and_then(|()| py.check_signals());
            if let (Err(error), None) = (unbroken, &raised) {
                self.cancelled.store(true, Ordering::Relaxed);
                raised = Some(error);
            }
        }
    }

    fn answer(&self, message: &Message) -> PyResult<()> {
        match (message, &self.note, &self.progress) {
            (Message::Note(text), Some(note), _) => {
                note.call1((crate::wording::for_python(text),)).map(drop)
            }
            (Message::Progress(progress), _, Some(callback)) => {
                let Progress { trained, target, steps_per_second, .. } = *progress;
                let rewards = (progress.mean_episode_reward, progress.validation_reward);
                callback.call1((trained, target, steps_per_second, rewards.0, rewards.1)).map(drop)
            }
            _ => Ok(()),
        }
    }
}

/// The host of the work, in its thread.
struct Worker {
    bars: Option<Vec<u8>>,
    sender: Sender<Message>,
    cancelled: Arc<AtomicBool>,
    curves: bool,
}

impl Host for Worker {
    fn channel(&self) -> Channel {
        Channel::Python
    }

    fn read(&mut self, path: &Path) -> io::Result<Vec<u8>> {
        match &self.bars {
            Some(csv) if bars::is_memory(path) => Ok(csv.clone()),
            _ => std::fs::read(path),
        }
    }

    fn note(&mut self, text: &str) {
        // Whoever listened has heard enough.
        let _ = self.sender.send(Message::Note(text.to_owned()));
    }

    fn progress(&mut self, progress: &Progress) {
        let _ = self.sender.send(Message::Progress(*progress));
    }

    fn cancelled(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.cancelled)
    }

    fn wants_curves(&self) -> bool {
        self.curves
    }
}
