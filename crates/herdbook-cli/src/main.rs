//! The `herdbook` command line: arguments, commands, output, exit status. No rule lives here.

mod args;
mod bars;
mod commands;
mod conditions;
mod context;
mod evidence;
mod failure;
mod format;
mod output;
mod progress;
mod reference;
mod results;
mod running;
mod shell;
mod table;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::Parser;

use crate::args::Args;
use crate::failure::Failure;
use crate::output::{Mode, Output};

fn main() -> ExitCode {
    silence_decoder();
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => return usage(&error),
    };
    if let Err(error) = ignore_file_size_signal() {
        return report(&error.into(), &mut Output::new(Mode::Text, true, None));
    }
    let mode = if args.global.json { Mode::Json } else { Mode::Text };
    let mut output = Output::new(mode, args.global.quiet, args.global.tracking_uri.clone());
    match commands::run(args, &mut output) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read our output has read enough.
        Err(failure) if failure.is_closed_pipe() => ExitCode::SUCCESS,
        Err(failure) => report(&failure, &mut output),
    }
}

/// Help and version are what was asked for; anything else is wrong usage.
fn usage(error: &clap::Error) -> ExitCode {
    let wants_json = std::env::args_os().any(|arg| arg == "--json");
    if error.use_stderr() && wants_json {
        let text = error.to_string();
        let message = text.trim_start_matches("error: ").trim_end();
        let failure = Failure::usage(message);
        return report(&failure, &mut Output::new(Mode::Json, true, None));
    }
    // A closed pipe is all that can go wrong here.
    let _ = error.print();
    if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS }
}

/// A damaged file at which the Parquet decoder panics is an error that is told: the panic is caught, and not printed.
fn silence_decoder() {
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !herdbook_training::is_decoding() {
            print(panic);
        }
    }));
}

/// A write beyond a file-size limit shall be an error that is told, not the end of the process.
fn ignore_file_size_signal() -> std::io::Result<()> {
    #[cfg(unix)]
    signal_hook::flag::register(signal_hook::consts::SIGXFSZ, Arc::new(AtomicBool::new(false)))?;
    Ok(())
}

fn report(failure: &Failure, output: &mut Output) -> ExitCode {
    if output.failure(failure).is_err() {
        // Stdout is closed or full: stderr may still be read.
        let _ = Output::new(Mode::Text, true, None).failure(failure);
    }
    ExitCode::from(failure.exit_status())
}
