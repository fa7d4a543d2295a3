//! Shell sessions in Markdown: commands and their expected output.
//!
//! A fenced block marked `console` is a session. A line that begins with `$ ` is a command; following lines with `> `
//! continue it; all other lines are its output. Blocks with another mark (`sh`, `text` …) are not sessions.

/// One command of a session with its output.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Exchange {
    /// The command.
    pub(crate) command: String,
    /// Expected lines of output, in order. The real output may have further lines between them.
    pub(crate) answer: Vec<String>,
}

/// The commands of all sessions of a text, in order.
///
/// # Errors
/// When a session begins with a line of output instead of a command.
pub(crate) fn exchanges(markdown: &str) -> anyhow::Result<Vec<Exchange>> {
    let mut exchanges: Vec<Exchange> = Vec::new();
    let mut fence = Fence::Outside;
    for line in markdown.lines() {
        match (fence, line.strip_prefix("```")) {
            (Fence::Outside, Some("console")) => fence = Fence::NewSession,
            (Fence::Outside, Some(_)) => fence = Fence::Other,
            (_, Some(_)) => fence = Fence::Outside,
            (Fence::NewSession | Fence::Session, None) => {
                read(line, fence, &mut exchanges)?;
                fence = Fence::Session;
            }
            (Fence::Outside | Fence::Other, None) => {}
        }
    }
    Ok(exchanges)
}

/// The first expected line that is missing in the real output, or out of order.
pub(crate) fn missing_line<'a>(shown: &'a [String], real: &str) -> Option<&'a str> {
    let mut lines = real.lines();
    shown.iter().find(|line| !lines.any(|real| matches(line, real))).map(String::as_str)
}

/// The kind of block that a line is in.
#[derive(Clone, Copy)]
enum Fence {
    Outside,
    NewSession,
    Session,
    Other,
}

fn read(line: &str, fence: Fence, exchanges: &mut Vec<Exchange>) -> anyhow::Result<()> {
    if let Some(command) = line.strip_prefix("$ ") {
        exchanges.push(Exchange { command: command.to_owned(), answer: Vec::new() });
        return Ok(());
    }
    let current = match fence {
        Fence::Session => exchanges.last_mut(),
        _ => None,
    };
    let Some(current) = current else {
        anyhow::bail!("a session begins with `{line}`: its first line must begin with `$ `");
    };
    let more = line.strip_prefix("> ").or((line == ">").then_some(""));
    match more {
        Some(more) if current.answer.is_empty() => {
            current.command.push('\n');
            current.command.push_str(more);
        }
        _ if line.trim().is_empty() => {}
        _ => current.answer.push(line.to_owned()),
    }
    Ok(())
}

/// Whether a line of output matches an expected one, in which `…` matches any text and runs of blanks are equal.
fn matches(shown: &str, real: &str) -> bool {
    let shown = single_spaced(shown);
    let real = single_spaced(real);
    let Some((first, others)) = shown.split_once('…') else {
        return shown == real;
    };
    let Some(mut rest) = real.strip_prefix(first) else {
        return false;
    };
    let mut parts = others.split('…').peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
    }
    true
}

fn single_spaced(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn session_blocks_are_read_and_other_blocks_are_not() {
        let markdown = "Install:\n```sh\n$ cargo install\n```\n\
            ```console\n$ one \\\n>\n> two\nanswer\n\n  more\n$ three\n```\ntext\n```console\n$ four\n```\n";
        let exchange = |command: &str, answer: &[&str]| Exchange {
            command: command.to_owned(),
            answer: answer.iter().map(|line| (*line).to_owned()).collect(),
        };
        assert_eq!(
            exchanges(markdown).unwrap(),
            [
                exchange("one \\\n\ntwo", &["answer", "  more"]),
                exchange("three", &[]),
                exchange("four", &[]),
            ]
        );
    }

    #[test]
    fn session_that_begins_with_output_is_refused() {
        let markdown = "```console\n$ one\n```\n```console\nanswer\n```\n";
        let error = exchanges(markdown).unwrap_err().to_string();
        assert!(error.starts_with("a session begins with `answer`"), "{error}");
    }

    #[test]
    fn ellipsis_matches_any_text_of_its_line() {
        assert!(matches("run … in … s", "run 8f3a  in 1.2 s"));
        assert!(matches("version 1 …", "version 1 registered"));
        assert!(matches("…", ""));
        assert!(!matches("run … in … s", "run 8f3a in 1.2 min"));
        assert!(!matches("version 1", "version 12"));
        assert!(!matches("… 1 … 1", "version 1"));
    }

    #[test]
    fn expected_lines_may_have_gaps_but_keep_their_order() {
        let shown = ["b".to_owned(), "d".to_owned()];
        assert_eq!(missing_line(&shown, "a\nb\nc\nd\n"), None);
        assert_eq!(missing_line(&shown, "d\nb\n"), Some("d"));
    }
}
