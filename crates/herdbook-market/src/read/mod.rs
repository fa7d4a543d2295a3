//! Reading bars from the bytes of a file.
//!
//! Columns are recognised by name, in any order and case. What cannot be read with certainty is refused with its location
//! and value. Nothing is filled in, corrected or sorted, with two exceptions that are reported: a file in descending order
//! of time is reversed, and a row that repeats the one above it exactly is dropped.
//!
//! Each file format has a module that yields its rows as [`cell::Row`]; everything after that is common to all formats.

mod bar_reader;
mod cell;
mod clock;
mod csv;
mod date_order;
mod dates;
mod decimal_mark;
mod faults;
mod guess;
mod header;
mod json;
mod layout;
mod length;
mod market_names;
mod named;
mod number;
mod open_times;
mod options;
mod parquet;
mod raw_bars;
mod rounding;
mod stamps;
mod survey;
mod text;
mod time_format;
mod time_text;
mod unpack;
mod vocabulary;
mod zone;

use crate::error::MarketError;

pub use header::RecognisedColumn;
pub use options::{BadRows, BarStamp, DecimalMark, ReadOptions};
pub use raw_bars::RawBars;
pub use time_format::TimeFormat;
pub use zone::Zone;

/// First bytes and names of known table formats that are not supported.
const UNSUPPORTED: [(&[u8], &str); 5] = [
    (b"ARROW1", "an Arrow or Feather file"),
    (b"FEA1", "a Feather file"),
    (b"ORC", "an ORC file"),
    (b"\x89HDF", "an HDF5 file"),
    (b"\xd0\xcf\x11\xe0", "an Excel file"),
];

/// Reads bars from a file that needs no options; see [`read_bars_as`].
///
/// # Errors
/// As [`read_bars_as`].
///
/// ```
/// use herdbook_domain::Timeframe;
/// use herdbook_market::{read_bars, resample};
///
/// let csv = "\
/// time,open,high,low,close,volume
/// 2017-01-02T07:00:00Z,1.05,1.06,1.04,1.055,10
/// 2017-01-02T07:30:00Z,1.055,1.07,1.05,1.06,5
/// 2017-01-02T08:00:00Z,1.06,1.061,1.02,1.03,7
/// ";
/// let raw = read_bars(csv.as_bytes(), "eurusd.csv")?;
/// assert_eq!(raw.bar_length_ms(), 30 * 60 * 1_000);
///
/// let hourly = resample(raw, Timeframe::Hour1)?;
/// assert_eq!(hourly.len(), 2);
/// assert_eq!((hourly.as_slice()[0].high, hourly.as_slice()[0].volume), (1.07, 15.0));
/// # Ok::<(), herdbook_market::MarketError>(())
/// ```
pub fn read_bars(bytes: &[u8], file: &str) -> Result<RawBars, MarketError> {
    read_bars_as(bytes, file, &ReadOptions::default())
}

/// Reads bars from the bytes of a file. `file` is its name for error messages.
///
/// - **Format**: CSV in UTF-8, Parquet or JSON; also gzipped, or in a zip archive.
/// - **Header**: required in one of the first eight lines, unless `options` gives it. It names the time (`timestamp`,
///   `time`, `date`, `datetime`, `open time`, `unix` …, or one `date` and one `time` column), `open`, `high`, `low` and
///   `close` or their first letters, and optionally `volume` or the like. Without it volume is 0; of several, `options`
///   chooses one. The name of an instrument may precede them. Other columns are ignored. Fields are separated by `,`, `;`
///   or a tab, whichever the header has most of.
/// - **Times**: when each bar opens, in ascending or descending order. ISO 8601 text, also with a 12-hour clock, in UTC
///   unless the text or `options` name another zone; or epoch seconds, milliseconds, microseconds or nanoseconds. The
///   size of the first number decides the unit for the whole file. For exports of programs that are known to write local
///   times, `options` must name the zone.
///
/// # Errors
/// A variant of [`MarketError`] for each cause, most with the location and the value.
pub fn read_bars_as(
    bytes: &[u8],
    file: &str,
    options: &ReadOptions,
) -> Result<RawBars, MarketError> {
    let unpacked = unpack::unpacked(bytes, file, options)?;
    let bytes = unpacked.bytes.as_ref();
    let raw = match bytes.trim_ascii_start().first() {
        _ if parquet::is_parquet(bytes) => parquet::read(bytes, file, options),
        Some(b'[' | b'{') => json::read(bytes, file, options),
        _ => match UNSUPPORTED.iter().find(|(start, _)| bytes.starts_with(start)) {
            Some((_, what)) => Err(MarketError::ForeignFormat { file: file.to_owned(), what }),
            None => csv::read(bytes, file, options),
        },
    }?;
    Ok(match unpacked.remark {
        Some(remark) => raw.with_remark(remark),
        None => raw,
    })
}
