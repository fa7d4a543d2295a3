//! Lists of quoted texts, written as a Python tuple, which MLflow evaluates.

/// The texts of a list such as `('a', "b")`; `None` if it holds anything else.
pub(super) fn texts(list: &str) -> Option<Vec<String>> {
    let mut rest = list.strip_prefix('(')?.strip_suffix(')')?.trim();
    let mut texts = Vec::new();
    while !rest.is_empty() {
        let (text, after) = text(rest)?;
        texts.push(text);
        rest = after.trim_start();
        match rest.strip_prefix(',') {
            Some(after) => rest = after.trim_start(),
            None if rest.is_empty() => {}
            None => return None,
        }
    }
    Some(texts)
}

/// A quoted text at the start, and what follows it.
fn text(rest: &str) -> Option<(String, &str)> {
    let quote = rest.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    let mut text = String::new();
    let mut chars = rest[1..].chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => escape(&mut text, chars.next()?),
            '\n' => return None,
            _ if c == quote => return Some((text, chars.as_str())),
            _ => text.push(c),
        }
    }
    None
}

/// Appends the character that a backslash and another character stand for in Python.
fn escape(text: &mut String, escaped: char) {
    match escaped {
        'n' => text.push('\n'),
        't' => text.push('\t'),
        'r' => text.push('\r'),
        '\\' | '\'' | '"' => text.push(escaped),
        _ => text.extend(['\\', escaped]),
    }
}
