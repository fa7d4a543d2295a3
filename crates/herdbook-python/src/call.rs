//! Runs commands in a thread of their own. Python's callbacks and Ctrl-C are handled in the calling thread.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use herdbook_cli::{Answer, Failure, Host};
use herdbook_domain::Channel;
use herdbook_store::{Notices, text_without_secrets};
use herdbook_training::Progress;
use pyo3::prelude::*;
use serde_json::Value;

use crate::bars;
use crate::error::{internal, raise};
use crate::json;

/// Interval at which signals are checked. Ctrl-C feels immediate, and the checks cost nothing.
const SIGNAL_INTERVAL: Duration = Duration::from_millis(50);
/// Stack size of the thread: that of a main thread, enough for a search through a deep lineage.
const STACK_BYTES: usize = 8 << 20;

/// A message from the working thread to the calling thread.
enum Message {
    Note(String),
    Progress(Progress),
}

/// Runs a command and returns its data and the text that it prints for people, both `None` for a command without data.
///
/// `bars` is the content of the CSV file that the arguments call `Bars.NAME`. `note` is called with each note.
/// `progress` is called with the trained timesteps, the requested timesteps, timesteps per second, the mean reward of
/// the last episodes and that of the last validation. Ctrl-C, or an exception in one of them, cancels a training at its
/// next iteration, and its run is KILLED.
#[pyfunction]
#[pyo3(signature = (args, *, bars=None, note=None, progress=None, curves=false))]
pub(crate) fn call(
    py: Python<'_>,
    args: Vec<String>,
    bars: Option<Vec<u8>>,
    note: Option<Bound<'_, PyAny>>,
    progress: Option<Bound<'_, PyAny>>,
    curves: bool,
) -> PyResult<(Py<PyAny>, Option<String>)> {
    let (sender, receiver) = mpsc::channel();
    let cancelled = Arc::new(AtomicBool::new(false));
    let mut host = Worker { bars, sender, cancelled: Arc::clone(&cancelled), curves };
    let work = std::thread::Builder::new()
        .name("herdbook".to_owned())
        .stack_size(STACK_BYTES)
        .spawn(move || herdbook_cli::call(args, &mut host))?;
    let listener = Listener { note, progress, cancelled };
    let raised = listener.listen(py, receiver);
    let done: Result<Result<Option<Answer>, Failure>, _> = py.detach(|| work.join());
    if let Some(raised) = raised {
        return Err(raised);
    }
    match done {
        Ok(Ok(answer)) => {
            let (value, text) = answer.map_or((Value::Null, None), |it| (it.value, Some(it.text)));
            Ok((json::to_python(py, &value)?.unbind(), text))
        }
        Ok(Err(failure)) => Err(raise(py, &failure)),
        Err(panic) => Err(internal(py, panic.as_ref())),
    }
}

/// What the calling thread does during the work.
struct Listener<'py> {
    note: Option<Bound<'py, PyAny>>,
    progress: Option<Bound<'py, PyAny>>,
    cancelled: Arc<AtomicBool>,
}

impl Listener<'_> {
    /// Handles messages until the work is done. The first exception cancels the work and is returned.
    fn listen(&self, py: Python<'_>, mut receiver: Receiver<Message>) -> Option<PyErr> {
        let mut raised: Option<PyErr> = None;
        loop {
            let (back, heard) = py.detach(move || {
                let heard = receiver.recv_timeout(SIGNAL_INTERVAL);
                (receiver, heard)
            });
            receiver = back;
            let handled = match heard {
                Ok(_) if raised.is_some() => Ok(()),
                Ok(message) => self.handle(&message),
                Err(RecvTimeoutError::Timeout) => Ok(()),
                Err(RecvTimeoutError::Disconnected) => return raised,
            };
            let outcome = handled.and_then(|()| py.check_signals());
            if let (Err(error), None) = (outcome, &raised) {
                self.cancelled.store(true, Ordering::Relaxed);
                raised = Some(error);
            }
        }
    }

    fn handle(&self, message: &Message) -> PyResult<()> {
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

/// The host of the command, in the working thread.
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
            _ => herdbook_cli::read_data(path),
        }
    }

    fn note(&mut self, text: &str) {
        // The receiver is gone only when the calling thread has stopped listening.
        let _ = self.sender.send(Message::Note(text.to_owned()));
    }

    fn notices(&self) -> Notices {
        let sender = self.sender.clone();
        Notices::new(move |_, text| {
            let text = text_without_secrets(
                text.trim_start_matches("note: ").trim_start_matches("warning: "),
            );
            let _ = sender.send(Message::Note(text));
        })
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
