//! What the receiver of the output can show: its width and colours.

use std::ffi::OsString;
use std::io::{IsTerminal, stderr, stdout};
use std::os::fd::AsFd;

use rustix::termios::tcgetwinsize;

/// Width of a terminal that does not tell its own.
const USUAL_WIDTH: usize = 80;

/// Width and colours of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Screen {
    /// Number of characters in a line; `None` without a limit.
    pub(crate) width: Option<usize>,
    /// Whether colours are shown.
    pub(crate) has_colours: bool,
}

/// Whether a table may leave out columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Width {
    /// It may, so that its lines fit the terminal.
    #[default]
    OfTerminal,
    /// It may not.
    Unlimited,
}

impl Screen {
    /// A file: no colours, and lines of any length.
    pub(crate) const FILE: Self = Self { width: None, has_colours: false };

    /// That of stdout.
    pub(crate) fn of_stdout(width: Width) -> Self {
        let is_terminal = stdout().is_terminal();
        let width = match width {
            Width::Unlimited => None,
            Width::OfTerminal => {
                let columns = std::env::var("COLUMNS").ok();
                let of_terminal = is_terminal.then(|| terminal_width(stdout()));
                line_width(columns.as_deref(), of_terminal)
            }
        };
        Self { width, has_colours: has_colours(is_terminal, |name| std::env::var_os(name)) }
    }

    /// That of stderr, whose lines are not cut.
    pub(crate) fn of_stderr() -> Self {
        let is_terminal = stderr().is_terminal();
        Self { width: None, has_colours: has_colours(is_terminal, |name| std::env::var_os(name)) }
    }
}

fn terminal_width(stream: impl AsFd) -> usize {
    let columns = tcgetwinsize(stream).map_or(0, |size| usize::from(size.ws_col));
    if columns == 0 { USUAL_WIDTH } else { columns }
}

/// The variable `COLUMNS` counts before the width of the terminal, also where the output goes to a file or a pipe. Without
/// either there is no limit, so that a script gets the same lines everywhere.
fn line_width(columns: Option<&str>, of_terminal: Option<usize>) -> Option<usize> {
    let given = columns.and_then(|columns| columns.trim().parse().ok()).filter(|given| *given > 0);
    given.or(of_terminal)
}

/// As <https://bixense.com/clicolors/> and <https://no-color.org> have it: `NO_COLOR` turns colours off, else
/// `CLICOLOR_FORCE` turns them on, else a terminal has them unless `CLICOLOR` is 0 or `TERM` is `dumb`.
fn has_colours(is_terminal: bool, variable: impl Fn(&str) -> Option<OsString>) -> bool {
    let given = |name: &str| variable(name).filter(|value| !value.is_empty());
    if given("NO_COLOR").is_some() {
        return false;
    }
    if given("CLICOLOR_FORCE").is_some_and(|value| value != "0") {
        return true;
    }
    is_terminal
        && given("CLICOLOR").is_none_or(|value| value != "0")
        && given("TERM").is_none_or(|value| value != "dumb")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_before_the_terminal_and_a_file_has_no_limit() {
        assert_eq!(line_width(None, None), None);
        assert_eq!(line_width(None, Some(120)), Some(120));
        assert_eq!(line_width(Some("60"), Some(120)), Some(60));
        assert_eq!(line_width(Some("60"), None), Some(60));
        for useless in ["", "0", "wide", "-1"] {
            assert_eq!(line_width(Some(useless), Some(120)), Some(120), "{useless}");
        }
    }

    #[test]
    fn colours_follow_the_conventions() {
        let shown = |is_terminal: bool, variables: &[(&str, &str)]| {
            has_colours(is_terminal, |name| {
                let found = variables.iter().find(|(given, _)| *given == name);
                found.map(|(_, value)| (*value).into())
            })
        };
        assert!(shown(true, &[]));
        assert!(!shown(false, &[]));
        assert!(!shown(true, &[("NO_COLOR", "1")]));
        assert!(shown(true, &[("NO_COLOR", "")]));
        assert!(shown(false, &[("CLICOLOR_FORCE", "1")]));
        assert!(!shown(false, &[("CLICOLOR_FORCE", "0")]));
        assert!(!shown(false, &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]));
        assert!(!shown(true, &[("CLICOLOR", "0")]));
        assert!(!shown(true, &[("TERM", "dumb")]));
    }
}
