//! Starting programs. Each command is printed before it starts and named when it fails.

use std::process::{Command, Stdio};

use anyhow::{Context, ensure};

/// Runs a program with its output on the terminal, and fails if it fails.
pub(crate) fn to_end(command: &mut Command) -> anyhow::Result<()> {
    let shown = shown(command);
    println!("   $ {shown}");
    let status =
        command.stdin(Stdio::null()).status().with_context(|| format!("cannot start `{shown}`"))?;
    ensure!(status.success(), "`{shown}` failed with {status}");
    Ok(())
}

/// Runs a program and returns its standard output.
pub(crate) fn output(command: &mut Command) -> anyhow::Result<String> {
    let shown = shown(command);
    let output =
        command.stdin(Stdio::null()).output().with_context(|| format!("cannot start `{shown}`"))?;
    ensure!(
        output.status.success(),
        "`{shown}` failed with {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn shown(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program());
    let name = program.file_name().unwrap_or(command.get_program());
    std::iter::once(name)
        .chain(command.get_args())
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failure_names_the_program_its_arguments_and_its_error_output() {
        let error = output(Command::new("/bin/sh").args(["-c", "echo no >&2; exit 3"]));
        let message = error.unwrap_err().to_string();
        assert!(message.starts_with("`sh -c echo no"), "{message}");
        assert!(message.ends_with("failed with exit status: 3: no"), "{message}");
    }

    #[test]
    fn missing_program_is_named() {
        let error = to_end(&mut Command::new("/nowhere/cargo-nothing")).unwrap_err();
        assert_eq!(error.to_string(), "cannot start `cargo-nothing`");
    }
}
