//! Prints data to stdout and everything else to stderr, or passes both to the program that called the command.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use herdbook_domain::Channel;
use herdbook_store::{
    Level, MetricSelection, Notices, Store, text_without_secrets, uri_without_secrets,
};
use herdbook_training::Observer;
use serde::Serialize;
use serde_json::Value;

use crate::failure::{CANNOT_WRITE, Failure};
use crate::host::{Host, Relay};
use crate::input;
use crate::paint;
use crate::progress::{TrainingBar, cancel_on_signal};
use crate::screen::{Screen, Width};
use crate::shell::quoted;
use crate::shown::Shown;
use crate::table::LeftOut;
use crate::terminal;

/// Form of the printed data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// For people.
    Text,
    /// For programs: one JSON value.
    Json,
}

/// The receiver of a command's data, notes and progress.
pub(crate) struct Output<'a> {
    sink: Sink<'a>,
    is_quiet: bool,
    /// Value of `--tracking-uri`, repeated in every command that is printed for the user.
    tracking_uri: Option<String>,
    width: Width,
}

/// Receiver of the output.
enum Sink<'a> {
    Terminal(Mode),
    Call { host: &'a mut dyn Host, answer: Option<Answer> },
}

/// The data of a command that a program called.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The data that `--json` prints.
    pub value: Value,
    /// The text that the command prints for people.
    pub text: String,
}

impl<'a> Output<'a> {
    pub(crate) fn new(mode: Mode, is_quiet: bool, tracking_uri: Option<String>) -> Self {
        Self { sink: Sink::Terminal(mode), is_quiet, tracking_uri, width: Width::default() }
    }

    /// Sets whether tables may leave out columns.
    #[must_use]
    pub(crate) fn with_width(self, width: Width) -> Self {
        Self { width, ..self }
    }

    /// The output of a call, which keeps the data as a value.
    pub(crate) fn of_call(host: &'a mut dyn Host, tracking_uri: Option<String>) -> Self {
        let sink = Sink::Call { host, answer: None };
        Self { sink, is_quiet: false, tracking_uri, width: Width::Unlimited }
    }

    /// The data of a call, or `None` if the command returned none.
    pub(crate) fn into_answer(self) -> Option<Answer> {
        match self.sink {
            Sink::Terminal(_) => None,
            Sink::Call { answer, .. } => answer,
        }
    }

    /// Whether notes and progress bars stay off the terminal.
    pub(crate) fn is_quiet(&self) -> bool {
        self.is_quiet || matches!(self.sink, Sink::Call { .. })
    }

    /// Channel recorded in the history.
    pub(crate) fn channel(&self) -> Channel {
        match &self.sink {
            Sink::Terminal(_) => Channel::Cli,
            Sink::Call { host, .. } => host.channel(),
        }
    }

    /// Reads a file that the arguments name.
    pub(crate) fn read(&mut self, path: &Path) -> io::Result<Vec<u8>> {
        match &mut self.sink {
            Sink::Terminal(_) => input::read_data(path),
            Sink::Call { host, .. } => host.read(path),
        }
    }

    /// Observer of a training: a progress bar, or the calling program.
    pub(crate) fn observer(&mut self) -> Box<dyn Observer + '_> {
        match &mut self.sink {
            Sink::Terminal(_) => Box::new(TrainingBar::new(self.is_quiet)),
            Sink::Call { host, .. } => Box::new(Relay(*host)),
        }
    }

    /// A flag that cancels a training at its next iteration.
    pub(crate) fn cancelled(&self) -> Result<Arc<AtomicBool>, Failure> {
        match &self.sink {
            Sink::Terminal(_) => cancel_on_signal(),
            Sink::Call { host, .. } => Ok(host.cancelled()),
        }
    }

    /// Whether the data includes curves and trades.
    pub(crate) fn wants_curves(&self) -> bool {
        matches!(&self.sink, Sink::Call { host, .. } if host.wants_curves())
    }

    /// A command line that reaches the same store. It shows no password.
    pub(crate) fn command(&self, command: &str) -> String {
        match &self.tracking_uri {
            Some(uri) => format!("{command} --tracking-uri {}", quoted(&uri_without_secrets(uri))),
            None => command.to_owned(),
        }
    }

    /// Whether the data is needed as JSON, with every field and not only those of a table.
    pub(crate) fn is_json(&self) -> bool {
        matches!(self.sink, Sink::Terminal(Mode::Json) | Sink::Call { .. })
    }

    /// Prints the data of a command, either `value` as JSON or `text`; the other closure is not called. A call gets both.
    pub(crate) fn data<T: Serialize, S: Into<Shown>>(
        &mut self,
        value: impl FnOnce() -> T,
        text: impl FnOnce() -> S,
    ) -> Result<(), Failure> {
        let (text, left_out) = match &mut self.sink {
            Sink::Call { answer, .. } => {
                let value = serde_json::to_value(value()).expect(TEXT_KEYS);
                let (text, _) = text().into().render(Screen::FILE);
                *answer = Some(Answer { value, text: text.trim_end().to_owned() });
                return Ok(());
            }
            Sink::Terminal(Mode::Json) => (to_json(&value()), LeftOut::default()),
            Sink::Terminal(Mode::Text) => text().into().render(Screen::of_stdout(self.width)),
        };
        let mut stdout = io::stdout().lock();
        writeln!(stdout, "{}", text.trim_end())?;
        stdout.flush()?;
        drop(stdout);
        self.note_left_out(&left_out);
        Ok(())
    }

    /// Notes what a table left out to fit the terminal, and how to see it.
    fn note_left_out(&mut self, left_out: &LeftOut) {
        let mut what = Vec::new();
        let named: Vec<&str> =
            left_out.columns.iter().map(String::as_str).filter(|it| !it.is_empty()).collect();
        if !named.is_empty() {
            what.push(format!("not shown: {}", named.join(", ")));
        }
        if left_out.has_cut_cells {
            what.push("texts that end with … are cut".to_owned());
        }
        if !what.is_empty() {
            self.note(&format!(
                "note: to fit the terminal, {}; `--wide` shows all of it, `--json` every field",
                what.join("; ")
            ));
        }
    }

    /// As [`Output::data`], for a command that has changed the records. Where the data cannot be written, the act has
    /// happened all the same: this is said on stderr, and the command succeeds, because repeating it would act twice.
    ///
    /// Where an event of the act lies in the future of the clock, a note and the field `ahead_of_clock` say so.
    pub(crate) fn data_of_act<T: Serialize, S: Into<Shown>>(
        &mut self,
        store: &Store,
        value: impl FnOnce() -> T,
        text: impl FnOnce() -> S,
    ) -> Result<(), Failure> {
        let ahead = store.ahead_of_clock();
        if let Some(ahead) = ahead {
            self.note(&format!(
                "warning: the newest event of this model {ahead}. A history never goes back, so this act got its time. \
                 If the clock is behind, correct it; `herdbook doctor` names the event"
            ));
        }
        let value = || {
            let mut value = serde_json::to_value(value()).expect(TEXT_KEYS);
            if let (Some(ahead), Some(fields)) = (ahead, value.as_object_mut()) {
                fields.insert("ahead_of_clock".to_owned(), serde_json::json!(ahead));
            }
            value
        };
        match self.data(value, text) {
            Err(failure) if !failure.is_closed_pipe() => {
                let why = failure.message().trim_start_matches(CANNOT_WRITE);
                let _ = writeln!(
                    io::stderr(),
                    "warning: the act was done, but its output could not be written: {why}"
                );
                Ok(())
            }
            outcome => outcome,
        }
    }

    /// The metrics to read: those a table shows, or all of them for JSON.
    pub(crate) fn metrics(&self, shown: &'static [&'static str]) -> MetricSelection {
        match self.sink {
            Sink::Terminal(Mode::Text) => MetricSelection::Only(shown),
            Sink::Terminal(Mode::Json) | Sink::Call { .. } => MetricSelection::All,
        }
    }

    /// Prints one line of JSON of a command that goes on, and passes it on at once. A call gets no lines.
    pub(crate) fn line<T: Serialize>(&mut self, value: &T) -> Result<(), Failure> {
        if matches!(self.sink, Sink::Call { .. }) {
            return Err(Failure::usage("`--watch` prints lines, so it needs the command line"));
        }
        let text = serde_json::to_string(value).expect(TEXT_KEYS);
        let mut stdout = io::stdout().lock();
        writeln!(stdout, "{}", terminal::json(&text))?;
        Ok(stdout.flush()?)
    }

    /// Prints a warning, also with `--quiet`.
    pub(crate) fn warn(&mut self, text: &str) {
        self.notices().say(Level::Warning, &format!("warning: {text}"));
    }

    /// Prints a note for people, such as the URI of the store or a fallback to another model type.
    ///
    /// If stderr is closed, the note is lost and the command continues.
    pub(crate) fn note(&mut self, text: &str) {
        match &mut self.sink {
            Sink::Call { host, .. } => {
                host.note(&text_without_secrets(text.trim_start_matches("note: ")));
            }
            Sink::Terminal(_) if self.is_quiet => {}
            Sink::Terminal(_) => {
                let _ = writeln!(io::stderr(), "{}", message(text));
            }
        }
    }

    /// A receiver of messages from inside operations, such as that a host is waited for. Warnings are also printed with
    /// `--quiet`.
    pub(crate) fn notices(&self) -> Notices {
        let is_quiet = self.is_quiet;
        match &self.sink {
            Sink::Call { host, .. } => host.notices(),
            Sink::Terminal(_) => Notices::new(move |level, text| {
                if level == Level::Warning || !is_quiet {
                    let _ = writeln!(io::stderr(), "{}", message(text));
                }
            }),
        }
    }

    /// Prints a failure with its hint.
    pub(crate) fn failure(&mut self, failure: &Failure) -> io::Result<()> {
        if matches!(self.sink, Sink::Terminal(Mode::Json)) {
            if failure.is_after_data() {
                return Ok(());
            }
            return writeln!(io::stdout(), "{}", to_json(&failure.to_json()));
        }
        writeln!(io::stderr(), "{}", message(&format!("error: {}", failure.message())))?;
        match failure.hint() {
            Some(hint) => writeln!(io::stderr(), "{}", message(&format!("hint: {hint}"))),
            None => Ok(()),
        }
    }
}

/// A message as stderr shows it.
fn message(text: &str) -> String {
    let text = terminal::message(&text_without_secrets(text));
    paint::message(text, Screen::of_stderr().has_colours)
}

const TEXT_KEYS: &str = "every map in the output has text keys";

fn to_json<T: Serialize>(value: &T) -> String {
    terminal::json(&serde_json::to_string_pretty(value).expect(TEXT_KEYS))
}
