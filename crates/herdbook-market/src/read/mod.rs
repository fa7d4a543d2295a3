//! Reading bars from the bytes of a file.
//!
//! Each file format has a module that yields its rows as [`cell::Row`], as often as they are needed; everything after that
//! is common to all formats (`named`): the names or the contents give the columns, the first rows and, where they leave it
//! open, all rows give the order of dates and the decimal mark, and then the rows become bars.
//!
//! What cannot be read with certainty is refused with its location, its value and the flag that resolves it. Nothing is
//! filled in. Rows out of order are sorted, a row that repeats another one exactly is dropped, and high and low are widened by
//! rounding errors; each of these is reported.

mod bar_reader;
mod cell;
mod clock;
mod csv;
mod date_order;
mod dates;
mod decimal_mark;
mod ended;
mod faults;
mod file_time;
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
mod row_order;
mod stamps;
mod survey;
mod text;
mod time_format;
mod time_text;
mod unpack;
mod vocabulary;
mod words;
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
/// - **Format**: text, Parquet or JSON; also packed with gzip or zstd, or in a zip archive.
/// - **Header**: in one of the first lines, in any order and with the words that programs use, or given by `options`.
///   Columns without names are recognised by their contents, if these allow only one reading. Without a volume it is 0.
/// - **Times**: when each bar opens, in any order, in UTC unless the text or `options` name another
///   zone. Bars that are stamped at their close are moved to their open.
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
