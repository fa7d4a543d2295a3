//! Splits Rust source into tokens, in enough detail to find imports, paths and items. Comments are dropped.

/// One token of a source file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    pub(crate) kind: Kind,
    /// The text; of a string literal the part between the quotes, of `r#type` the part `type`.
    pub(crate) text: &'a str,
    /// Counted from 1.
    pub(crate) line: u32,
}

/// The kinds of tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An identifier or a keyword.
    Word,
    /// `::`, or any other single character of punctuation.
    Punctuation,
    /// A string literal of any kind.
    Text,
    /// A number, a character or a lifetime.
    Other,
}

impl Token<'_> {
    /// Whether this is the given keyword or punctuation.
    pub(crate) fn is(&self, text: &str) -> bool {
        self.text == text && matches!(self.kind, Kind::Word | Kind::Punctuation)
    }
}

/// The tokens of a file, in order.
pub(crate) fn tokens(source: &str) -> Vec<Token<'_>> {
    let mut lexer = Lexer { source, at: 0, line: 1 };
    let mut found = Vec::new();
    while let Some(token) = lexer.next_token() {
        found.push(token);
    }
    found
}

struct Lexer<'a> {
    source: &'a str,
    at: usize,
    line: u32,
}

impl<'a> Lexer<'a> {
    fn next_token(&mut self) -> Option<Token<'a>> {
        self.skip_blanks_and_comments();
        let rest = self.rest();
        let first = rest.chars().next()?;
        if let Some((quote, length)) = string_start(rest) {
            return Some(self.string(quote, length));
        }
        if rest.starts_with("r#") && rest[2..].starts_with(is_word) {
            self.at += 2;
            return Some(self.word());
        }
        Some(match first {
            '\'' => self.character_or_lifetime(),
            _ if rest.starts_with("b'") => {
                self.at += 1;
                self.character_or_lifetime()
            }
            _ if first.is_ascii_digit() => Token { kind: Kind::Other, ..self.word() },
            _ if is_word(first) => self.word(),
            _ if rest.starts_with("::") => self.take(Kind::Punctuation, 2),
            _ => self.take(Kind::Punctuation, first.len_utf8()),
        })
    }

    fn rest(&self) -> &'a str {
        &self.source[self.at..]
    }

    fn take(&mut self, kind: Kind, length: usize) -> Token<'a> {
        let token = Token { kind, text: &self.rest()[..length], line: self.line };
        self.line += newlines(token.text);
        self.at += length;
        token
    }

    fn word(&mut self) -> Token<'a> {
        let rest = self.rest();
        self.take(Kind::Word, rest.find(|c| !is_word(c)).unwrap_or(rest.len()))
    }

    fn skip_blanks_and_comments(&mut self) {
        loop {
            let rest = self.rest();
            let length = if rest.starts_with(char::is_whitespace) {
                rest.len() - rest.trim_start().len()
            } else if rest.starts_with("//") {
                rest.find('\n').unwrap_or(rest.len())
            } else if rest.starts_with("/*") {
                block_comment(rest)
            } else {
                return;
            };
            self.take(Kind::Other, length);
        }
    }

    /// A string whose opening, up to and including its quote, is `opening` bytes long.
    fn string(&mut self, quote: Quote, opening: usize) -> Token<'a> {
        let line = self.line;
        let body = &self.rest()[opening..];
        let (inside, closing) = match quote {
            Quote::Escaped => (escaped_end(body, '"'), 1),
            Quote::Raw { hashes } => {
                let end = format!("\"{}", "#".repeat(hashes));
                (body.find(&end).unwrap_or(body.len()), end.len())
            }
        };
        let text = &body[..inside];
        self.take(Kind::Text, (opening + inside + closing).min(self.rest().len()));
        Token { kind: Kind::Text, text, line }
    }

    /// `'a'` and `'\n'` are characters; `'a` is a lifetime.
    fn character_or_lifetime(&mut self) -> Token<'a> {
        let body = &self.rest()[1..];
        let mut chars = body.char_indices().skip(1);
        let length = if body.starts_with('\\') {
            escaped_end(body, '\'') + 2
        } else if let Some((at, '\'')) = chars.next() {
            at + 2
        } else {
            1 + body.find(|c| !is_word(c)).unwrap_or(body.len())
        };
        self.take(Kind::Other, length.min(self.rest().len()))
    }
}

/// How a string ends.
#[derive(Clone, Copy)]
enum Quote {
    Escaped,
    Raw { hashes: usize },
}

/// The kind of string literal that begins a text, and the length of its opening: `"`, `b"`, `r"`, `br##"` …
fn string_start(text: &str) -> Option<(Quote, usize)> {
    let unprefixed = text.strip_prefix(['b', 'c']).unwrap_or(text);
    let prefix = text.len() - unprefixed.len();
    if unprefixed.starts_with('"') {
        return Some((Quote::Escaped, prefix + 1));
    }
    let raw = unprefixed.strip_prefix('r')?;
    let hashes = raw.len() - raw.trim_start_matches('#').len();
    raw[hashes..].starts_with('"').then_some((Quote::Raw { hashes }, prefix + 1 + hashes + 1))
}

/// The position of the closing quote in a text with escapes.
fn escaped_end(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return at,
            _ => {}
        }
    }
    text.len()
}

/// The length of a block comment, with nested comments.
fn block_comment(text: &str) -> usize {
    let mut depth = 0_u32;
    let mut at = 0;
    while at < text.len() {
        let rest = &text.as_bytes()[at..];
        if rest.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    text.len()
}

fn newlines(text: &str) -> u32 {
    text.bytes().filter(|byte| *byte == b'\n').count() as u32
}

fn is_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(source: &str) -> Vec<&str> {
        tokens(source).iter().filter(|t| t.kind == Kind::Word).map(|t| t.text).collect()
    }

    #[test]
    fn comments_strings_and_characters_hold_no_words() {
        assert_eq!(words("a // crate::b\n/* c /* d */ e */ f"), ["a", "f"]);
        assert_eq!(words(r##"a "b \" c" r#"d " e"# b"f" br"g\" h"##), ["a", "h"]);
        assert_eq!(words(r"a 'b' '\'' b'c' '\u{1F}' d"), ["a", "d"]);
    }

    #[test]
    fn lifetime_is_not_a_character() {
        assert_eq!(
            words("fn f<'a>(x: &'a str, y: &'static T) {}"),
            ["fn", "f", "x", "str", "y", "T"]
        );
    }

    #[test]
    fn raw_word_is_a_word() {
        assert_eq!(words("r#type::r#move"), ["type", "move"]);
    }

    #[test]
    fn lines_are_counted_through_strings_and_comments() {
        let source = "a\n\"x\ny\" /*\n*/ b\n";
        let lines: Vec<(&str, u32)> = tokens(source).iter().map(|t| (t.text, t.line)).collect();
        assert_eq!(lines, [("a", 1), ("x\ny", 2), ("b", 4)]);
    }

    #[test]
    fn path_separator_is_one_token() {
        let texts: Vec<&str> = tokens("a::b:c").iter().map(|t| t.text).collect();
        assert_eq!(texts, ["a", "::", "b", ":", "c"]);
    }
}
