//! `predict --watch`: acts after each bar that closes in a file that grows, and prints one line of JSON each time.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use herdbook_domain::Timestamp;
use herdbook_store::{Store, now};
use herdbook_training::{
    AgeLimits, BarsCheck, DataSource, Follower, Holding, Naming, Prediction, RegisteredModel, Step,
    Tape,
};

use crate::args::PredictArgs;
use crate::commands::predict::shown::to_json;
use crate::failure::{Code, Failure};
use crate::format;
use crate::output::Output;
use crate::watched_file::{FileState, WatchedFile};
use crate::{bars, running};

/// Interval at which the file and the signals are looked at.
const LOOK: Duration = Duration::from_millis(200);
/// A reading that took this share of the time since the last one does not keep a core busy.
const REST_PER_READING: u32 = 5;
/// A trouble counts only when it lasts: a file that is being written anew is short for a moment.
const PATIENCE: Duration = Duration::from_secs(2);
/// Interval at which a reading is repeated while there is trouble.
const AGAIN: Duration = Duration::from_secs(1);
/// The writer of the file may stamp and write a bar this long before its end, because clocks differ.
const CLOCK_DIFFERENCE_MS: i64 = 1_000;

/// Watches the file until a signal comes.
pub(super) fn run(
    args: &PredictArgs,
    path: &Path,
    holding: Holding,
    store: &Store,
    output: &mut Output,
) -> Result<(), Failure> {
    let stop = output.cancelled()?;
    let file = WatchedFile::new(path);
    let model = running::load(running::find_version(&args.running, store)?, store, output)?;
    read(&file)?;
    output.note(&format!("watching `{}`; Ctrl-C ends it", path.display()));
    let mut watch = Watch {
        args,
        store,
        file,
        model,
        follower: Follower::new(holding),
        seen: None,
        trouble: None,
        has_warned: false,
        next_reading: Instant::now(),
        said: BTreeSet::new(),
    };
    while !stop.load(Ordering::Relaxed) {
        watch.look(output)?;
        thread::sleep(LOOK);
    }
    Ok(())
}

struct Watch<'a> {
    args: &'a PredictArgs,
    store: &'a Store,
    file: WatchedFile,
    model: RegisteredModel,
    follower: Follower,
    /// State of the file at the last reading, and the time up to which its bars could count.
    seen: Option<(FileState, Timestamp)>,
    trouble: Option<Trouble>,
    /// Whether a warning said that there is trouble, and none yet that it is over.
    has_warned: bool,
    next_reading: Instant,
    /// Notes that were printed; each is printed once.
    said: BTreeSet<String>,
}

/// A reading that fails.
struct Trouble {
    message: String,
    since: Instant,
    is_said: bool,
}

impl Watch<'_> {
    /// Reads the file if it has changed, and acts. Errors that can pass are reported once and tried again.
    fn look(&mut self, output: &mut Output) -> Result<(), Failure> {
        if Instant::now() < self.next_reading {
            return Ok(());
        }
        let state = self.file.state().ok().map(|state| (state, counts_by(state, now())));
        if state.is_some() && state == self.seen && self.trouble.is_none() {
            return Ok(());
        }
        let started = Instant::now();
        let outcome = self.read_and_act(output);
        let pause = if outcome.is_err() { AGAIN / 4 } else { Duration::ZERO };
        self.next_reading = started + (started.elapsed() * REST_PER_READING).max(pause);
        match outcome {
            Ok(()) => {
                self.trouble = None;
                if std::mem::take(&mut self.has_warned) {
                    output.warn("the bars can be read again");
                }
                Ok(())
            }
            // A model does not get younger, and nobody reads the output any more.
            Err(failure) if failure.code() == Code::TooOld || failure.is_closed_pipe() => {
                Err(failure)
            }
            Err(failure) => self.bear(failure, output),
        }
    }

    /// Reports a failure that lasts. Before the first action it ends the command.
    fn bear(&mut self, failure: Failure, output: &mut Output) -> Result<(), Failure> {
        let trouble = match self.trouble.take() {
            Some(trouble) if trouble.message == failure.message() => trouble,
            _ => Trouble {
                message: failure.message().to_owned(),
                since: Instant::now(),
                is_said: false,
            },
        };
        let lasts = trouble.since.elapsed() >= PATIENCE;
        if lasts && self.follower.followed().is_none() {
            return Err(failure);
        }
        if lasts && !trouble.is_said {
            let message = &trouble.message;
            output.warn(&format!("no action while this lasts: {message}"));
            self.has_warned = true;
        }
        if lasts {
            self.next_reading = Instant::now() + AGAIN;
        }
        self.trouble = Some(Trouble { is_said: lasts, ..trouble });
        Ok(())
    }

    fn read_and_act(&mut self, output: &mut Output) -> Result<(), Failure> {
        let Some((bytes, state)) = read(&self.file)? else {
            return Ok(());
        };
        let at = now();
        let (running, reading) = (&self.args.running, self.args.running.reading.clone());
        let (symbol, is_of_model) = running::instrument(running, &self.model);
        let source = bars::source(self.file.path(), bytes, symbol, reading, at)?;
        let naming = if is_of_model { Naming::OfModel } else { source.naming };
        let source = DataSource { naming, ..source };
        let tape = Tape::read(&source, self.model.timeframe)?;
        let closed_by = closed_by(&tape, state, at);
        if self.follower.has_news(&tape, closed_by) {
            self.reload(output)?;
            self.act(&source, &tape, (closed_by, at), output)?;
        }
        self.seen = Some((state, counts_by(state, at)));
        Ok(())
    }

    /// Loads the model that the arguments name now: the champion may be another one than at the last bar.
    fn reload(&mut self, output: &mut Output) -> Result<(), Failure> {
        let version = running::find_version(&self.args.running, self.store)?;
        if version.key != self.model.version.key {
            output.note(&format!("note: {} acts from now on", version.key));
        }
        self.model = RegisteredModel::load(self.store, version)?;
        Ok(())
    }

    fn act(
        &mut self,
        source: &DataSource,
        tape: &Tape,
        (closed_by, at): (Timestamp, Timestamp),
        output: &mut Output,
    ) -> Result<(), Failure> {
        let limits = AgeLimits { bar_ms: self.args.max_bar_age, model_ms: self.args.max_age };
        let mut follower = self.follower.clone();
        let step = follower.step(&self.model, tape, closed_by, at, limits)?;
        let mut lines = Vec::new();
        for prediction in &step.predictions {
            lines.push((prediction, self.check(source, tape, prediction, output)?));
        }
        // From here on the bars are acted on. An error before leaves them for the next look.
        self.follower = follower;
        if let Some(note) = running::other_symbol(&self.model, source)
            && self.said.insert(note.clone())
        {
            output.note(&note);
        }
        tell(&step, output);
        for (prediction, check) in lines {
            output.line(&to_json(&self.model, tape, prediction, &check))?;
        }
        Ok(())
    }

    fn check(
        &mut self,
        source: &DataSource,
        tape: &Tape,
        prediction: &Prediction,
        output: &mut Output,
    ) -> Result<BarsCheck, Failure> {
        let check = BarsCheck::of(self.store, &self.model, source, tape, prediction.bar)?;
        for note in &check.notes {
            if self.said.insert(note.clone()) {
                output.note(&format!("note: {note}"));
            }
        }
        Ok(check)
    }
}

/// Says what happened to the account and the bars.
fn tell(step: &Step, output: &mut Output) {
    if let Some(at) = step.changed {
        output.warn(&format!(
            "the bar that opens at {} UTC was changed after it was acted on",
            format::moment(at)
        ));
    }
    if let Some(at) = step.lost {
        output.warn(&format!(
            "the position lost all its equity in the bar that opens at {} UTC; the account continues flat",
            format::moment(at)
        ));
    }
    match step.n_too_old {
        0 => {}
        1 => output.warn("1 bar closed longer ago than `--max-bar-age`; no action after it"),
        n => output.warn(&format!(
            "{n} bars closed longer ago than `--max-bar-age`; no action after them"
        )),
    }
}

fn read(file: &WatchedFile) -> Result<Option<(Vec<u8>, FileState)>, Failure> {
    let path = file.path().display();
    Ok(file.read().with_context(|| format!("cannot read `{path}` (flag `--watch`)"))?)
}

/// The time up to which bars in a file of this state count: a bar is complete if the file was written after its end.
fn counts_by(state: FileState, at: Timestamp) -> Timestamp {
    let written = state.written.millis().saturating_add(CLOCK_DIFFERENCE_MS);
    Timestamp::from_millis(at.millis().min(written))
}

/// As [`counts_by`], unless the newest bar opens after the file was written: then the time of the file is not that of
/// its contents, as after unpacking an archive.
fn closed_by(tape: &Tape, state: FileState, at: Timestamp) -> Timestamp {
    let counts = counts_by(state, at);
    if tape.bars.last_ms() > counts.millis() { at } else { counts }
}
