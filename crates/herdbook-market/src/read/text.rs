//! From bytes to text. Empty files and files that are not text are refused here.

use crate::error::MarketError;

/// The file as text, without its byte order mark.
///
/// # Errors
/// [`MarketError::NotText`] or [`MarketError::EmptyFile`].
pub(super) fn checked<'a>(bytes: &'a [u8], file: &str) -> Result<&'a str, MarketError> {
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    let not_text = |position: usize| MarketError::NotText {
        file: file.to_owned(),
        line: line_at(bytes, position),
    };
    let text = std::str::from_utf8(bytes).map_err(|error| not_text(error.valid_up_to()))?;
    if let Some(position) = text.find('\0') {
        return Err(not_text(position));
    }
    if text.trim().is_empty() {
        return Err(MarketError::EmptyFile { file: file.to_owned() });
    }
    Ok(text)
}

/// The error for a record that the CSV reader refuses. This does not happen with valid UTF-8 in memory.
pub(super) fn unreadable(error: &::csv::Error, text: &str, file: &str) -> MarketError {
    let start = error.position().map_or(0, ::csv::Position::byte);
    MarketError::NotText { file: file.to_owned(), line: line_of_record(text, start as usize) }
}

/// The first line that is not blank.
pub(super) fn first_line(text: &str) -> &str {
    text.lines().find(|line| !line.is_empty()).unwrap_or_default()
}

/// Number of line ends: an upper bound for the number of bars below a header.
pub(super) fn count_lines(text: &str) -> usize {
    count_newlines(text.as_bytes())
}

#[expect(clippy::naive_bytecount, reason = "one pass over the file, much cheaper than parsing it")]
fn count_newlines(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte == b'\n').count()
}

/// Line number, from 1, of the record at a byte position, which may point at blank lines before the record.
pub(super) fn line_of_record(text: &str, position: usize) -> u64 {
    let n_blank = text.as_bytes()[position..]
        .iter()
        .take_while(|byte| matches!(**byte, b'\n' | b'\r'))
        .count();
    line_at(text.as_bytes(), position + n_blank)
}

fn line_at(bytes: &[u8], position: usize) -> u64 {
    1 + count_newlines(&bytes[..position]) as u64
}
