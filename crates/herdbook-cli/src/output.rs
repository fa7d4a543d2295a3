//! Data to stdout, everything else to stderr.

use std::io::{self, Write};

use herdbook_store::MetricSelection;
use serde::Serialize;

use crate::failure::Failure;
use crate::shell::quoted;

/// Form of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// For people.
    Text,
    /// For programs: one JSON value.
    Json,
}

/// Where a command prints.
#[derive(Debug)]
pub(crate) struct Output {
    mode: Mode,
    is_quiet: bool,
    /// As given by flag; commands that are printed carry it on.
    tracking_uri: Option<String>,
}

impl Output {
    pub(crate) fn new(mode: Mode, is_quiet: bool, tracking_uri: Option<String>) -> Self {
        Self { mode, is_quiet, tracking_uri }
    }

    /// A command as the user can type it to reach the same store.
    pub(crate) fn command(&self, command: &str) -> String {
        match &self.tracking_uri {
            Some(uri) => format!("{command} --tracking-uri {}", quoted(uri)),
            None => command.to_owned(),
        }
    }

    pub(crate) fn is_quiet(&self) -> bool {
        self.is_quiet
    }

    /// Whether data is printed as JSON: everything there is, not only what a table shows.
    pub(crate) fn is_json(&self) -> bool {
        self.mode == Mode::Json
    }

    /// Prints the data of a command: the value as JSON, or the text. Only the one that is printed is made.
    pub(crate) fn data<T: Serialize>(
        &mut self,
        value: impl FnOnce() -> T,
        text: impl FnOnce() -> String,
    ) -> Result<(), Failure> {
        let mut stdout = io::stdout().lock();
        match self.mode {
            Mode::Json => writeln!(stdout, "{}", to_json(&value())),
            Mode::Text => writeln!(stdout, "{}", text().trim_end()),
        }?;
        Ok(stdout.flush()?)
    }

    /// The metrics to read for a table that shows some of them: JSON has them all.
    pub(crate) fn metrics(&self, shown: &'static [&'static str]) -> MetricSelection {
        match self.mode {
            Mode::Json => MetricSelection::All,
            Mode::Text => MetricSelection::Only(shown),
        }
    }

    /// Prints something that is no data: which store, a fallback.
    ///
    /// A closed stderr loses the note and nothing else: the command goes on.
    pub(crate) fn note(&mut self, text: &str) {
        if !self.is_quiet {
            let _ = writeln!(io::stderr(), "{text}");
        }
    }

    /// Prints why a command did not do what it should.
    pub(crate) fn failure(&mut self, failure: &Failure) -> io::Result<()> {
        if self.mode == Mode::Json && failure.is_after_data {
            return Ok(());
        }
        if self.mode == Mode::Json {
            return writeln!(io::stdout(), "{}", to_json(&failure.to_json()));
        }
        writeln!(io::stderr(), "error: {}", failure.message)?;
        match &failure.hint {
            Some(hint) => writeln!(io::stderr(), "hint: {hint}"),
            None => Ok(()),
        }
    }
}

fn to_json<T: Serialize>(value: &T) -> String {
    serde_json::to_string_pretty(value).expect("what commands print has text keys only")
}
