//! Reading bars from the bytes of a file.
//!
//! Columns are known by their names, in any order and case; what cannot be read with certainty is
//! refused with the place and the value. Nothing is filled in, corrected or sorted (a file that goes back in
//! time throughout is turned round, and says so); the one thing dropped is a row that repeats the one above
//! it exactly, and those are counted.
//!
//! Each kind of file has a module that gives its rows as [`cell::Row`]; everything after that is the same for all.

mod bars;
mod cell;
mod csv;
mod header;
mod json;
mod length;
mod packed;
mod parquet;
mod preamble;
mod reading;
mod text;
mod time;
mod times;
mod zone;

use crate::MarketError;

pub use bars::RawBars;
pub use header::Column;
pub use parquet::is_decoding;
pub use reading::Reading;
pub use zone::Zone;

/// First bytes of files that hold tables in a way that is not read here, and what to call them.
const FOREIGN: [(&[u8], &str); 5] = [
    (b"ARROW1", "an Arrow or Feather file"),
    (b"FEA1", "a Feather file"),
    (b"ORC", "an ORC file"),
    (b"\x89HDF", "an HDF5 file"),
    (b"\xd0\xcf\x11\xe0", "an Excel file"),
];

/// Reads bars from a file that says everything of itself; see [`read_bars_as`].
pub fn read_bars(bytes: &[u8], file: &str) -> Result<RawBars, MarketError> {
    read_bars_as(bytes, file, &Reading::default())
}

/// Reads bars from a file's bytes; `file` names it in errors.
///
/// - **File**: text in UTF-8, Parquet, or JSON; also gzipped, or in a zip archive.
/// - **Header**: needed, in one of the first eight lines, unless `reading` gives one. `timestamp`, `time`, `date`,
///   `datetime`, `open time`, `unix` … (or one `date` and one `time` column), `open`, `high`, `low`, `close` or
///   their first letters, `volume` and the like (without one, volume is 0; of several, `reading` chooses). An
///   instrument's name before them is recognised. Other columns are ignored. Fields are separated by `,` `;`
///   or a tab, whichever the header has most of.
/// - **Times**: ISO 8601 text, also with a 12-hour clock, in UTC unless they have a zone or `reading` gives one;
///   or epoch seconds to nanoseconds, decided by the size of the first and then the same for the whole file. They
///   are the bars' opens, oldest or newest first. Programs that are known to write local times must have their zone given.
pub fn read_bars_as(bytes: &[u8], file: &str, reading: &Reading) -> Result<RawBars, MarketError> {
    let unpacked = packed::unpacked(bytes, file, reading)?;
    let bytes = unpacked.bytes.as_ref();
    let raw = match bytes.trim_ascii_start().first() {
        _ if parquet::is_parquet(bytes) => parquet::read(bytes, file, reading),
        Some(b'[' | b'{') => json::read(bytes, file, reading),
        _ => match FOREIGN.iter().find(|(start, _)| bytes.starts_with(start)) {
            Some((_, what)) => Err(MarketError::ForeignFormat { file: file.to_owned(), what }),
            None => csv::read(bytes, file, reading),
        },
    }?;
    Ok(match unpacked.remark {
        Some(remark) => raw.with_remark(remark),
        None => raw,
    })
}
