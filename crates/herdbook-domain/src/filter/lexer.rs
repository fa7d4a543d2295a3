//! The words of a filter.

use crate::filter::condition::Comparison;

/// A word of a filter, with its text as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token<'t> {
    pub(super) kind: Kind,
    pub(super) text: &'t str,
}

/// The kind of a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A name, which may have quoted parts: `metrics.loss`, `` tags.`a b` ``, `"name"`.
    Name,
    /// A text in single quotes.
    Text,
    Integer,
    Float,
    Comparison(Comparison),
    And,
    /// A list in parentheses.
    List,
    Semicolon,
    /// Anything else.
    Other,
}

/// Divides a filter into words, without white space.
pub(super) fn tokens(filter: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut rest = filter;
    loop {
        rest = rest.trim_start();
        let Some(first) = rest.chars().next() else { return tokens };
        let (kind, length) = next(rest, first);
        let (text, after) = rest.split_at(length);
        tokens.push(Token { kind, text });
        rest = after;
    }
}

/// Kind and length in bytes of the word at the start of a text that is not empty.
fn next(rest: &str, first: char) -> (Kind, usize) {
    if let Some(found) = keyword(rest) {
        return found;
    }
    match first {
        '\'' => match quoted(rest, '\'') {
            Some(length) => (Kind::Text, length),
            None => (Kind::Other, first.len_utf8()),
        },
        '(' => match list(rest) {
            Some(length) => (Kind::List, length),
            None => (Kind::Other, 1),
        },
        ';' => (Kind::Semicolon, 1),
        '<' | '>' | '=' | '!' | '~' => comparison(rest),
        _ => number(rest).or_else(|| name(rest)).unwrap_or((Kind::Other, first.len_utf8())),
    }
}

/// Comparisons that are words, and `AND`.
fn keyword(rest: &str) -> Option<(Kind, usize)> {
    const PHRASES: [(&[&str], Kind); 7] = [
        (&["AND"], Kind::And),
        (&["LIKE"], Kind::Comparison(Comparison::Like)),
        (&["ILIKE"], Kind::Comparison(Comparison::Ilike)),
        (&["IN"], Kind::Comparison(Comparison::In)),
        (&["NOT", "IN"], Kind::Comparison(Comparison::NotIn)),
        (&["IS", "NULL"], Kind::Comparison(Comparison::IsNull)),
        (&["IS", "NOT", "NULL"], Kind::Comparison(Comparison::IsNotNull)),
    ];
    PHRASES.iter().find_map(|(words, kind)| Some((*kind, phrase(rest, words)?)))
}

/// Length of words, in any case and separated by white space, at the start of a text; `None` if they are not there, or the
/// last is the start of a longer name.
fn phrase(text: &str, words: &[&str]) -> Option<usize> {
    let mut rest = text;
    for (idx, word) in words.iter().enumerate() {
        if idx > 0 {
            let trimmed = rest.trim_start();
            if trimmed.len() == rest.len() {
                return None;
            }
            rest = trimmed;
        }
        let (head, tail) = rest.split_at_checked(word.len())?;
        if !head.eq_ignore_ascii_case(word) {
            return None;
        }
        rest = tail;
    }
    let goes_on = rest.starts_with(is_name_char) || rest.starts_with('.');
    (!goes_on).then_some(text.len() - rest.len())
}

fn comparison(rest: &str) -> (Kind, usize) {
    let length = rest.find(|c| !"<>=!~".contains(c)).unwrap_or(rest.len());
    let kind = match &rest[..length] {
        "=" => Comparison::Equal,
        "!=" => Comparison::NotEqual,
        "<" => Comparison::Less,
        "<=" => Comparison::AtMost,
        ">" => Comparison::Greater,
        ">=" => Comparison::AtLeast,
        _ => return (Kind::Other, length),
    };
    (Kind::Comparison(kind), length)
}

/// Length of a quoted text with its quotes. A doubled quote, and one after a backslash, do not end it.
fn quoted(rest: &str, quote: char) -> Option<usize> {
    let mut chars = rest.char_indices().skip(1).peekable();
    while let Some((idx, c)) = chars.next() {
        if c == '\\' && quote != '`' {
            chars.next();
        } else if c == quote {
            if quote != '`' && chars.peek().is_some_and(|(_, next)| *next == quote) {
                chars.next();
            } else {
                return Some(idx + c.len_utf8());
            }
        }
    }
    None
}

/// Length of a list with its parentheses.
fn list(rest: &str) -> Option<usize> {
    let mut idx = 1;
    while let Some(c) = rest[idx..].chars().next() {
        match c {
            ')' => return Some(idx + 1),
            '\'' | '"' => idx += quoted(&rest[idx..], c)?,
            _ => idx += c.len_utf8(),
        }
    }
    None
}

/// A number: `1`, `-1.5`, `.5`, `1.`, `1e3`, `1.5E-3`.
fn number(rest: &str) -> Option<(Kind, usize)> {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let sign = usize::from(rest.starts_with('-'));
    let n_whole = digits(&rest[sign..]);
    let mut end = sign + n_whole;
    let mut kind = Kind::Integer;
    if rest[end..].starts_with('.') {
        let n_fraction = digits(&rest[end + 1..]);
        if n_whole + n_fraction == 0 {
            return None;
        }
        (kind, end) = (Kind::Float, end + 1 + n_fraction);
    } else if n_whole == 0 {
        return None;
    }
    if rest[end..].starts_with(['e', 'E']) {
        let after = end + 1 + usize::from(rest[end + 1..].starts_with('-'));
        let n_exponent = digits(&rest[after..]);
        if n_exponent > 0 {
            (kind, end) = (Kind::Float, after + n_exponent);
        }
    }
    (!rest[end..].starts_with(is_name_char)).then_some((kind, end))
}

/// A name: parts joined by dots. A part is a word, or any text in backticks or quotes; the first is not in single quotes.
fn name(rest: &str) -> Option<(Kind, usize)> {
    let mut end = part(rest)?;
    while let Some(after) = rest[end..].strip_prefix('.') {
        let length = match after.chars().next() {
            Some('\'') => quoted(after, '\''),
            _ => part(after),
        };
        let Some(length) = length else { break };
        end += 1 + length;
    }
    Some((Kind::Name, end))
}

fn part(rest: &str) -> Option<usize> {
    match rest.chars().next()? {
        quote @ ('`' | '"') => quoted(rest, quote),
        first if is_name_char(first) => Some(rest.find(|c| !is_name_char(c)).unwrap_or(rest.len())),
        _ => None,
    }
}

fn is_name_char(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$' || c == '#'
}
