//! Data to stdout, everything else to stderr; or both to the program that calls a command as a function.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use herdbook_domain::Channel;
use herdbook_store::MetricSelection;
use herdbook_training::Observer;
use serde::Serialize;
use serde_json::Value;

use crate::failure::Failure;
use crate::host::{Host, Relay};
use crate::progress::{Bar, cancel_on_signal};
use crate::shell::quoted;

/// Form of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// For people.
    Text,
    /// For programs: one JSON value.
    Json,
}

/// Where a command's data, notes and progress go.
pub(crate) struct Output<'a> {
    sink: Sink<'a>,
    is_quiet: bool,
    /// As given by flag; commands that are printed carry it on.
    tracking_uri: Option<String>,
}

/// Who a command works for.
enum Sink<'a> {
    Terminal(Mode),
    Call { host: &'a mut dyn Host, value: Option<Value> },
}

impl<'a> Output<'a> {
    pub(crate) fn new(mode: Mode, is_quiet: bool, tracking_uri: Option<String>) -> Self {
        Self { sink: Sink::Terminal(mode), is_quiet, tracking_uri }
    }

    /// The output of a call: its data is kept as a value.
    pub(crate) fn of_call(host: &'a mut dyn Host, tracking_uri: Option<String>) -> Self {
        Self { sink: Sink::Call { host, value: None }, is_quiet: false, tracking_uri }
    }

    /// The data of a call, once there is any.
    pub(crate) fn into_value(self) -> Option<Value> {
        match self.sink {
            Sink::Terminal(_) => None,
            Sink::Call { value, .. } => value,
        }
    }

    /// Whether notes and progress are for nobody on this terminal.
    pub(crate) fn is_quiet(&self) -> bool {
        self.is_quiet || matches!(self.sink, Sink::Call { .. })
    }

    /// The door that acts come through.
    pub(crate) fn channel(&self) -> Channel {
        match &self.sink {
            Sink::Terminal(_) => Channel::Cli,
            Sink::Call { host, .. } => host.channel(),
        }
    }

    /// A file that the command was given.
    pub(crate) fn read(&mut self, path: &Path) -> io::Result<Vec<u8>> {
        match &mut self.sink {
            Sink::Terminal(_) => std::fs::read(path),
            Sink::Call { host, .. } => host.read(path),
        }
    }

    /// Whoever is told how a training goes.
    pub(crate) fn observer(&mut self) -> Box<dyn Observer + '_> {
        match &mut self.sink {
            Sink::Terminal(_) => Box::new(Bar::new(self.is_quiet)),
            Sink::Call { host, .. } => Box::new(Relay(*host)),
        }
    }

    /// The flag that ends a training at its next iteration.
    pub(crate) fn cancelled(&self) -> Result<Arc<AtomicBool>, Failure> {
        match &self.sink {
            Sink::Terminal(_) => cancel_on_signal(),
            Sink::Call { host, .. } => Ok(host.cancelled()),
        }
    }

    /// Whether curves and trades belong into the data.
    pub(crate) fn wants_curves(&self) -> bool {
        matches!(&self.sink, Sink::Call { host, .. } if host.wants_curves())
    }

    /// A command as the user can type it to reach the same store.
    pub(crate) fn command(&self, command: &str) -> String {
        match &self.tracking_uri {
            Some(uri) => format!("{command} --tracking-uri {}", quoted(uri)),
            None => command.to_owned(),
        }
    }

    /// Whether data is printed as JSON: everything there is, not only what a table shows.
    pub(crate) fn is_json(&self) -> bool {
        matches!(self.sink, Sink::Terminal(Mode::Json) | Sink::Call { .. })
    }

    /// Prints the data of a command: the value as JSON, or the text. Only the one that is printed is made.
    pub(crate) fn data<T: Serialize>(
        &mut self,
        value: impl FnOnce() -> T,
        text: impl FnOnce() -> String,
    ) -> Result<(), Failure> {
        let mut stdout = io::stdout().lock();
        match &mut self.sink {
            Sink::Call { value: kept, .. } => {
                *kept = Some(serde_json::to_value(value()).expect(TEXT_KEYS));
                return Ok(());
            }
            Sink::Terminal(Mode::Json) => writeln!(stdout, "{}", to_json(&value())),
            Sink::Terminal(Mode::Text) => writeln!(stdout, "{}", text().trim_end()),
        }?;
        Ok(stdout.flush()?)
    }

    /// The metrics to read for a table that shows some of them: JSON has them all.
    pub(crate) fn metrics(&self, shown: &'static [&'static str]) -> MetricSelection {
        match self.sink {
            Sink::Terminal(Mode::Text) => MetricSelection::Only(shown),
            Sink::Terminal(Mode::Json) | Sink::Call { .. } => MetricSelection::All,
        }
    }

    /// Prints something that is no data: which store, a fallback.
    ///
    /// A closed stderr loses the note and nothing else: the command goes on.
    pub(crate) fn note(&mut self, text: &str) {
        match &mut self.sink {
            Sink::Call { host, .. } => host.note(text.trim_start_matches("note: ")),
            Sink::Terminal(_) if self.is_quiet => {}
            Sink::Terminal(_) => {
                let _ = writeln!(io::stderr(), "{text}");
            }
        }
    }

    /// Prints why a command did not do what it should.
    pub(crate) fn failure(&mut self, failure: &Failure) -> io::Result<()> {
        if matches!(self.sink, Sink::Terminal(Mode::Json)) {
            if failure.is_after_data() {
                return Ok(());
            }
            return writeln!(io::stdout(), "{}", to_json(&failure.to_json()));
        }
        writeln!(io::stderr(), "error: {}", failure.message())?;
        match failure.hint() {
            Some(hint) => writeln!(io::stderr(), "hint: {hint}"),
            None => Ok(()),
        }
    }
}

const TEXT_KEYS: &str = "what commands print has text keys only";

fn to_json<T: Serialize>(value: &T) -> String {
    serde_json::to_string_pretty(value).expect(TEXT_KEYS)
}
