//! From bytes to text: UTF-8, UTF-16, or an older encoding of one byte a character.

use std::borrow::Cow;

use crate::error::MarketError;

/// So many bytes show whether every second one is zero, as in UTF-16 without a byte order mark.
const UTF_16_SAMPLE: usize = 64;

/// A file as text.
pub(super) struct Decoded<'a> {
    pub(super) text: Cow<'a, str>,
    /// Remark for the user on the encoding.
    pub(super) remark: Option<String>,
}

/// The file as text, without its byte order mark.
///
/// Bytes that are not UTF-8 are read as Windows-1252. It has every byte, and the numbers and dates of a file are the same
/// in all encodings of this kind.
///
/// # Errors
/// [`MarketError::NotText`] or [`MarketError::EmptyFile`].
pub(super) fn decoded<'a>(bytes: &'a [u8], file: &str) -> Result<Decoded<'a>, MarketError> {
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    // Some programs end a file with Ctrl-Z.
    let bytes = bytes.strip_suffix(b"\x1a").unwrap_or(bytes);
    let not_text = |position: usize| MarketError::NotText {
        file: file.to_owned(),
        line: line_at(bytes, position),
    };
    let (text, remark) = match (utf_16(bytes), std::str::from_utf8(bytes)) {
        (Some(text), _) => (Cow::Owned(text), Some("the file is UTF-16".to_owned())),
        (None, Ok(text)) => (Cow::Borrowed(text), None),
        (None, Err(_)) => {
            let text = bytes.iter().map(|byte| windows_1252(*byte)).collect();
            (
                Cow::Owned(text),
                Some("the file is not UTF-8, and is read as Windows-1252".to_owned()),
            )
        }
    };
    if let Some(position) = first_control(text.as_bytes()) {
        return Err(not_text(position.min(bytes.len())));
    }
    if text.trim().is_empty() {
        return Err(MarketError::EmptyFile { file: file.to_owned() });
    }
    Ok(Decoded { text, remark })
}

/// The position of the first control character that no text has.
fn first_control(bytes: &[u8]) -> Option<usize> {
    const CHUNK: usize = 4_096;
    let is_control = |byte: &u8| {
        (*byte < b' ' || *byte == 0x7f) && !matches!(byte, b'\t' | b'\n' | b'\r' | b'\x0c')
    };
    // Without an early end inside a chunk the loop is compiled to vector instructions.
    let has_control =
        |chunk: &[u8]| chunk.iter().fold(false, |found, byte| found | is_control(byte));
    let chunk = bytes.chunks(CHUNK).position(has_control)?;
    bytes[chunk * CHUNK..].iter().position(is_control).map(|within| chunk * CHUNK + within)
}

/// The text of a file in UTF-16, which begins with a byte order mark or has a zero in every second byte.
fn utf_16(bytes: &[u8]) -> Option<String> {
    let is_zero = |start: usize| {
        let sample = &bytes[..bytes.len().min(UTF_16_SAMPLE)];
        let mut found = sample.iter().skip(start).step_by(2).peekable();
        sample.len() > 3 && found.peek().is_some() && found.all(|byte| *byte == 0)
    };
    let to_unit: fn([u8; 2]) -> u16 = match bytes {
        [0xff, 0xfe, ..] => u16::from_le_bytes,
        [0xfe, 0xff, ..] => u16::from_be_bytes,
        _ if is_zero(1) && !is_zero(0) => u16::from_le_bytes,
        _ if is_zero(0) && !is_zero(1) => u16::from_be_bytes,
        _ => return None,
    };
    let units = bytes.chunks_exact(2).map(|pair| to_unit([pair[0], pair[1]]));
    let text = char::decode_utf16(units).map(|found| found.unwrap_or(char::REPLACEMENT_CHARACTER));
    let mut text: String = text.collect();
    if text.starts_with('\u{feff}') {
        text.remove(0);
    }
    Some(text)
}

fn windows_1252(byte: u8) -> char {
    match byte {
        0x80 => '€',
        0x92 => '’',
        _ => char::from(byte),
    }
}

/// The error for a record that the CSV reader refuses. This does not happen with valid UTF-8 in memory.
pub(super) fn unreadable(error: &::csv::Error, text: &str, file: &str) -> MarketError {
    let start = error.position().map_or(0, ::csv::Position::byte);
    MarketError::NotText { file: file.to_owned(), line: line_of_record(text, start as usize) }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<String, MarketError> {
        decoded(bytes, "a.csv").map(|decoded| decoded.text.into_owned())
    }

    #[test]
    fn utf_16_is_read_with_and_without_its_mark() {
        for units in ["\u{feff}date,open\n", "date,open\n"] {
            let little: Vec<u8> = units.encode_utf16().flat_map(u16::to_le_bytes).collect();
            let big: Vec<u8> = units.encode_utf16().flat_map(u16::to_be_bytes).collect();
            for bytes in [little, big] {
                assert_eq!(read(&bytes).unwrap(), "date,open\n");
            }
        }
    }

    #[test]
    fn older_encodings_are_read_and_binary_files_refused() {
        assert_eq!(read(b"Schlu\xdfkurs;\x80\n").unwrap(), "Schlußkurs;€\n");
        for bytes in [&b"a,b\n\0"[..], b"a,b\n\x01", b"\xff\x00\x13"] {
            assert!(matches!(read(bytes), Err(MarketError::NotText { .. })), "{bytes:?}");
        }
        assert!(matches!(read(b" \n\x1a"), Err(MarketError::EmptyFile { .. })));
    }
}
