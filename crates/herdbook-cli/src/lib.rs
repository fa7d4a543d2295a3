//! The `herdbook` command line: arguments, commands, output and exit status. It contains no rule about the records.
//!
//! [`main`] runs a command for a terminal, [`call`] runs one for a program and returns its data as a value.

mod args;
mod bars;
mod commands;
mod conditions;
mod context;
mod details;
mod evidence;
mod failure;
mod format;
mod host;
mod input;
mod lookup;
mod output;
mod output_files;
mod paint;
mod progress;
mod results;
mod running;
mod screen;
mod settings;
mod shell;
mod shown;
mod table;
mod terminal;
mod watched_file;

use std::ffi::OsString;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::Parser;
use herdbook_store::uri_without_secrets;

pub use crate::bars::data_source;
pub use crate::commands::register::registered_run_json;
pub use crate::conditions::conditions_on_promotion;
pub use crate::context::{default_actor, store_location};
pub use crate::failure::{Code, Failure};
pub use crate::host::Host;
pub use crate::input::read_data;
pub use crate::output::Answer;

use crate::args::Args;
use crate::output::{Mode, Output};
use crate::screen::Width;

/// Exit status of a successful command.
const SUCCESS: u8 = 0;
/// Exit status of wrong usage.
const WRONG_USAGE: u8 = 2;

/// Runs one command for a terminal and returns the exit status. The first argument is the program's name.
///
/// ```
/// let args = ["herdbook", "--version"].map(Into::into);
/// assert_eq!(herdbook_cli::main(args.to_vec()), 0);
/// ```
pub fn main(args: Vec<OsString>) -> u8 {
    let wants_json = args.iter().any(|arg| arg == "--json");
    let given = args.clone();
    let args = match Args::try_parse_from(args) {
        Ok(args) => args,
        Err(error) => return usage(&error, &given, wants_json),
    };
    if let Err(error) = ignore_file_size_signal() {
        return report(&error.into(), &mut Output::new(Mode::Text, true, None));
    }
    let mode = if args.global.json { Mode::Json } else { Mode::Text };
    let width = if args.global.wide { Width::Unlimited } else { Width::OfTerminal };
    let mut output =
        Output::new(mode, args.global.quiet, args.global.tracking_uri.clone()).with_width(width);
    match commands::run(args, &mut output) {
        Ok(()) => SUCCESS,
        // The reader of the pipe has all it wants, for example `head`.
        Err(failure) if failure.is_closed_pipe() => SUCCESS,
        Err(failure) => report(&failure.with_flags_to_try(Some(&given)), &mut output),
    }
}

/// Runs one command for a program and returns its data and its text; `None` for a command without data. The first
/// argument is the name of the command.
///
/// # Errors
/// The failure that `--json` would print. A command that fails after printing its data (`doctor` when breaches are
/// left) returns the data.
pub fn call(args: Vec<String>, host: &mut dyn Host) -> Result<Option<Answer>, Failure> {
    let program = [OsString::from("herdbook")];
    let args: Vec<_> = program.into_iter().chain(args.into_iter().map(OsString::from)).collect();
    let given = args.clone();
    let args = Args::try_parse_from(args)
        .map_err(|error| Failure::usage(&wrong_usage(&usage_text(&error, &given))))?;
    let mut output = Output::of_call(host, args.global.tracking_uri.clone());
    let done = commands::run(args, &mut output);
    match (output.into_answer(), done) {
        (answer, Ok(())) => Ok(answer),
        (Some(answer), Err(failure)) if failure.is_after_data() => Ok(Some(answer)),
        (_, Err(failure)) => Err(failure.with_flags_to_try(None)),
    }
}

/// The message of a usage error, without the usage line and the advice for a terminal.
fn wrong_usage(text: &str) -> String {
    let text = text.trim_start_matches("error: ");
    text.split("\n\nUsage:").next().unwrap_or(text).trim_end().to_owned()
}

/// The text of a usage error. It repeats arguments: without their passwords, and with control characters escaped.
fn usage_text(error: &clap::Error, args: &[OsString]) -> String {
    let mut text = error.to_string();
    for arg in args {
        let arg = arg.to_string_lossy();
        let value = arg.split_once('=').map_or("", |(_, value)| value);
        for given in [&*arg, value] {
            let shown = terminal::one_line(&uri_without_secrets(given));
            if shown != given {
                text = text.replace(given, &shown);
            }
        }
    }
    text
}

/// Prints help, version or a usage error, and returns the exit status.
fn usage(error: &clap::Error, args: &[OsString], wants_json: bool) -> u8 {
    let text = usage_text(error, args);
    if error.use_stderr() && wants_json {
        let message = text.trim_start_matches("error: ").trim_end();
        let failure = Failure::usage(message);
        return report(&failure, &mut Output::new(Mode::Json, true, None));
    }
    // Printing fails only on a closed stream, and then nobody reads the text.
    if error.use_stderr() {
        let _ = write!(std::io::stderr(), "{}", terminal::printable(&text));
        return WRONG_USAGE;
    }
    let _ = error.print();
    SUCCESS
}

/// Turns a write beyond the file-size limit into an error; by default the signal would end the process.
fn ignore_file_size_signal() -> std::io::Result<()> {
    #[cfg(unix)]
    signal_hook::flag::register(signal_hook::consts::SIGXFSZ, Arc::new(AtomicBool::new(false)))?;
    Ok(())
}

fn report(failure: &Failure, output: &mut Output) -> u8 {
    if output.failure(failure).is_err() {
        // Stdout is closed or its disk is full; stderr may still work.
        let _ = Output::new(Mode::Text, true, None).failure(failure);
    }
    failure.exit_status()
}
