//! Text from outside (names, tags, cells of files, answers of servers) as a terminal may show it.

use std::fmt::Write as _;

use herdbook_domain::is_active;

/// Escapes control characters and those that reorder text, except line breaks and tabs.
pub(crate) fn printable(text: &str) -> String {
    escaped(text, |c| is_active(c) && !"\n\t".contains(c))
}

/// As [`printable`], and escapes line breaks: the text cannot begin a line of its own.
pub(crate) fn one_line(text: &str) -> String {
    escaped(text, is_active)
}

/// As [`printable`], and indents all lines but the first: a line break in a value from outside cannot pretend to be
/// another message.
pub(crate) fn message(text: &str) -> String {
    let mut shown = String::new();
    for (idx, line) in printable(text).split('\n').enumerate() {
        if idx > 0 {
            shown.push('\n');
        }
        if idx > 0 && !line.is_empty() && !line.starts_with(' ') {
            shown.push_str("  ");
        }
        shown.push_str(line);
    }
    shown
}

/// Escapes in JSON what JSON itself allows in strings but a terminal may act on.
pub(crate) fn json(json: &str) -> String {
    let mut shown = String::with_capacity(json.len());
    for c in json.chars() {
        if is_active(c) && !c.is_ascii_whitespace() {
            write!(shown, "\\u{:04x}", u32::from(c)).expect("writing to memory succeeds");
        } else {
            shown.push(c);
        }
    }
    shown
}

fn escaped(text: &str, is_escaped: impl Fn(char) -> bool) -> String {
    // Most texts are cells of tables, without anything to escape.
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return text.to_owned();
    }
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' | '\t' if is_escaped(c) => shown.extend(c.escape_default()),
            c if is_escaped(c) => shown.extend(c.escape_unicode()),
            c => shown.push(c),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminal_gets_no_control_characters() {
        let hostile = "a\u{1b}[2Jb\u{9b}31m\u{202e}c\u{7f}\rd\u{8}";
        let shown = printable(hostile);
        assert_eq!(shown, r"a\u{1b}[2Jb\u{9b}31m\u{202e}c\u{7f}\rd\u{8}");
        assert_eq!(one_line("a\nb\tc"), r"a\nb\tc");
        assert_eq!(printable("a\nb\té ü 中 –"), "a\nb\té ü 中 –");
        assert_eq!(message("a\nerror: b\n  c\n\nd"), "a\n  error: b\n  c\n\n  d");
    }

    #[test]
    fn json_stays_the_same_value() {
        let value = serde_json::json!({"a": "\u{1b}\u{9b}31m\u{202e}\n", "b": [1]});
        let text = json(&serde_json::to_string_pretty(&value).unwrap());
        assert!(!text.chars().any(|c| is_active(c) && c != '\n'), "{text}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }
}
