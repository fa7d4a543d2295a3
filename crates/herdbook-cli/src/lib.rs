//! The `herdbook` command line: arguments, commands, output, exit status. No rule lives here.
//!
//! Two ways in: [`main`] works for a terminal, [`call`] for a program that wants a command's data as a value.

mod args;
mod bars;
mod commands;
mod conditions;
mod context;
mod evidence;
mod failure;
mod format;
mod host;
mod output;
mod progress;
mod reference;
mod results;
mod running;
mod shell;
mod table;

use std::ffi::OsString;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::Parser;
use serde_json::Value;

pub use crate::bars::data_source;
pub use crate::conditions::conditions_on_promotion;
pub use crate::context::default_actor;
pub use crate::failure::{Code, Failure};
pub use crate::host::Host;

use crate::args::Args;
use crate::output::{Mode, Output};

/// Exit status of a command that did what it should.
const SUCCESS: u8 = 0;
/// Exit status of a command that was not understood.
const WRONG_USAGE: u8 = 2;

/// Runs one command for a terminal and answers the exit status. The first of the arguments is the program's name.
pub fn main(args: Vec<OsString>) -> u8 {
    let wants_json = args.iter().any(|arg| arg == "--json");
    let args = match Args::try_parse_from(args) {
        Ok(args) => args,
        Err(error) => return usage(&error, wants_json),
    };
    if let Err(error) = ignore_file_size_signal() {
        return report(&error.into(), &mut Output::new(Mode::Text, true, None));
    }
    let mode = if args.global.json { Mode::Json } else { Mode::Text };
    let mut output = Output::new(mode, args.global.quiet, args.global.tracking_uri.clone());
    match commands::run(args, &mut output) {
        Ok(()) => SUCCESS,
        // Whoever read our output has read enough.
        Err(failure) if failure.is_closed_pipe() => SUCCESS,
        Err(failure) => report(&failure, &mut output),
    }
}

/// Runs one command for a program and answers its data: what `--json` would print. The first of the arguments is a
/// command's name.
///
/// # Errors
/// As `--json` would print them. A command that fails only after its data, as `doctor` does while breaches are left,
/// answers the data.
pub fn call(args: Vec<String>, host: &mut dyn Host) -> Result<Value, Failure> {
    let program = [OsString::from("herdbook")];
    let args = program.into_iter().chain(args.into_iter().map(OsString::from));
    let args = Args::try_parse_from(args).map_err(|error| Failure::usage(&wrong_usage(&error)))?;
    let mut output = Output::of_call(host, args.global.tracking_uri.clone());
    let done = commands::run(args, &mut output);
    match (output.into_value(), done) {
        (Some(value), Ok(())) => Ok(value),
        (Some(value), Err(failure)) if failure.is_after_data() => Ok(value),
        (_, Err(failure)) => Err(failure),
        (None, Ok(())) => Ok(Value::Null),
    }
}

/// What is wrong, without the advice for a terminal that follows it.
fn wrong_usage(error: &clap::Error) -> String {
    let text = error.to_string();
    let text = text.trim_start_matches("error: ");
    text.split("\n\nUsage:").next().unwrap_or(text).trim_end().to_owned()
}

/// Help and version are what was asked for; anything else is wrong usage.
fn usage(error: &clap::Error, wants_json: bool) -> u8 {
    if error.use_stderr() && wants_json {
        let text = error.to_string();
        let message = text.trim_start_matches("error: ").trim_end();
        let failure = Failure::usage(message);
        return report(&failure, &mut Output::new(Mode::Json, true, None));
    }
    // A closed pipe is all that can go wrong here.
    let _ = error.print();
    if error.use_stderr() { WRONG_USAGE } else { SUCCESS }
}

/// A write beyond a file-size limit shall be an error that is told, not the end of the process.
fn ignore_file_size_signal() -> std::io::Result<()> {
    #[cfg(unix)]
    signal_hook::flag::register(signal_hook::consts::SIGXFSZ, Arc::new(AtomicBool::new(false)))?;
    Ok(())
}

fn report(failure: &Failure, output: &mut Output) -> u8 {
    if output.failure(failure).is_err() {
        // Stdout is closed or full: stderr may still be read.
        let _ = Output::new(Mode::Text, true, None).failure(failure);
    }
    failure.exit_status()
}
