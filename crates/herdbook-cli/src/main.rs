//! The `herdbook` binary: the library's `main` with this process's arguments.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(herdbook_cli::main(std::env::args_os().collect()))
}
