//! The closes of a series of bars, compact enough to be kept with every run.
//!
//! # Format
//! One line `herdbook-closes 1 <bar length in ms> <number of bars>`, then two columns, deflated together. Both are
//! sequences of signed LEB128 numbers in zigzag order. Times: the difference between each step and the one before, in
//! ms. Closes: the difference from the close before, in units of [`UNIT`].

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;

use crate::bars::Bar;

/// Unit of the natural logarithm of a close: a hundredth of a basis point.
const UNIT: f64 = 1e-6;
const MAGIC: &str = "herdbook-closes";
const VERSION: &str = "1";
/// Limit for the number of bars of a file of closes.
const MAX_BARS: usize = 1 << 27;

/// The closes of a series of bars: open time and natural logarithm of the close of each bar, in ascending order of time.
///
/// The logarithms are rounded to 0.01 basis points, so that the closes of equal bars are equal, and their files too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closes {
    bar_ms: i64,
    times_ms: Vec<i64>,
    units: Vec<i64>,
}

impl Closes {
    /// The closes of bars of the length `bar_ms`, in ascending order of time.
    pub fn of(bars: &[Bar], bar_ms: i64) -> Self {
        Self {
            bar_ms,
            times_ms: bars.iter().map(|bar| bar.open_time_ms).collect(),
            units: bars.iter().map(|bar| units_of(bar.close)).collect(),
        }
    }

    pub(super) fn from_parts(bar_ms: i64, times_ms: Vec<i64>, units: Vec<i64>) -> Self {
        debug_assert_eq!(times_ms.len(), units.len());
        Self { bar_ms, times_ms, units }
    }

    /// Length of one bar in milliseconds.
    pub fn bar_ms(&self) -> i64 {
        self.bar_ms
    }

    /// Open time of each bar, in milliseconds since 1970-01-01T00:00:00Z.
    pub fn times_ms(&self) -> &[i64] {
        &self.times_ms
    }

    /// End of the last bar, in milliseconds since 1970-01-01T00:00:00Z; 0 without a bar.
    pub fn end_ms(&self) -> i64 {
        self.times_ms.last().map_or(0, |last| last + self.bar_ms)
    }

    /// Number of bars.
    pub fn len(&self) -> usize {
        self.times_ms.len()
    }

    /// Whether there is no bar.
    pub fn is_empty(&self) -> bool {
        self.times_ms.is_empty()
    }

    /// Natural logarithm of each close in hundredths of a basis point.
    pub(super) fn units(&self) -> &[i64] {
        &self.units
    }

    /// The bars that open from `from_ms` on and before `to_ms`.
    #[must_use]
    pub fn between(&self, from_ms: i64, to_ms: i64) -> Self {
        let first = self.times_ms.partition_point(|at| *at < from_ms);
        let end = self.times_ms.partition_point(|at| *at < to_ms).max(first);
        Self {
            bar_ms: self.bar_ms,
            times_ms: self.times_ms[first..end].to_vec(),
            units: self.units[first..end].to_vec(),
        }
    }

    /// The file of the closes; see the module for its format.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut columns = Vec::with_capacity(3 * self.len());
        let (mut time, mut step) = (0, 0);
        for at in &self.times_ms {
            write_number(at.wrapping_sub(time).wrapping_sub(step), &mut columns);
            (step, time) = (at.wrapping_sub(time), *at);
        }
        let mut last = 0;
        for units in &self.units {
            write_number(units - last, &mut columns);
            last = *units;
        }
        let head = format!("{MAGIC} {VERSION} {} {}\n", self.bar_ms, self.len());
        let mut encoder = DeflateEncoder::new(head.into_bytes(), Compression::default());
        let written = encoder.write_all(&columns).and_then(|()| encoder.finish());
        written.expect("writing into memory cannot fail")
    }

    /// Reads a file of closes; `None` for anything else, such as a later version.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let end = bytes.iter().take(128).position(|byte| *byte == b'\n')?;
        let head = std::str::from_utf8(&bytes[..end]).ok()?;
        let mut words = head.split(' ');
        if (words.next(), words.next()) != (Some(MAGIC), Some(VERSION)) {
            return None;
        }
        let bar_ms: i64 = words.next()?.parse().ok().filter(|length| *length > 0)?;
        let n_bars: usize = words.next()?.parse().ok().filter(|n| *n <= MAX_BARS)?;
        let mut columns = Vec::new();
        // A number has at most 10 bytes.
        let limit = 20 * n_bars as u64;
        DeflateDecoder::new(&bytes[end + 1..]).take(limit).read_to_end(&mut columns).ok()?;
        let mut rest = columns.as_slice();
        let (mut time, mut step) = (0_i64, 0_i64);
        let mut times_ms = Vec::new();
        for _ in 0..n_bars {
            step = step.wrapping_add(read_number(&mut rest)?);
            time = time.wrapping_add(step);
            times_ms.push(time);
        }
        let mut last = 0_i64;
        let mut units = Vec::new();
        for _ in 0..n_bars {
            last = last.wrapping_add(read_number(&mut rest)?);
            units.push(last);
        }
        let is_ascending = times_ms.windows(2).all(|pair| pair[0] < pair[1]);
        (is_ascending && rest.is_empty()).then_some(Self { bar_ms, times_ms, units })
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the logarithm of a finite price is below 1,000"
)]
fn units_of(close: f64) -> i64 {
    (libm::log(close) / UNIT).round() as i64
}

fn write_number(number: i64, out: &mut Vec<u8>) {
    let mut rest = (number.wrapping_shl(1) ^ (number >> 63)).cast_unsigned();
    while rest >= 0x80 {
        out.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

fn read_number(bytes: &mut &[u8]) -> Option<i64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some((number >> 1).cast_signed() ^ -((number & 1).cast_signed()));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closes(n_bars: usize) -> Closes {
        let bar = |idx: usize| Bar {
            open_time_ms: 1_483_308_000_000 + 60_000 * (idx + idx / 390 * 1_050) as i64,
            open: 1.0,
            high: 1e9,
            low: 0.5,
            close: 100.0 + (idx as f64 * 0.7).sin(),
            volume: 0.0,
        };
        Closes::of(&(0..n_bars).map(bar).collect::<Vec<_>>(), 60_000)
    }

    /// Version 1 as stored. Such files stay in stores forever and must stay readable.
    const FROZEN: &str = "68657264626f6f6b2d636c6f736573203120363030303020340a6be8b97f6075d8fe47d7812403c393c99b58d6a47c30f92a0400";

    #[test]
    fn file_is_read_back_and_equal_for_equal_bars() {
        for n_bars in [0, 1, 2, 1_000] {
            let written = closes(n_bars).to_bytes();
            assert_eq!(written, closes(n_bars).to_bytes());
            assert_eq!(Closes::from_bytes(&written), Some(closes(n_bars)), "{n_bars}");
        }
    }

    #[test]
    fn frozen_sample_of_version_1_is_read() {
        let bytes: Vec<u8> = (0..FROZEN.len() / 2)
            .map(|idx| u8::from_str_radix(&FROZEN[2 * idx..2 * idx + 2], 16).unwrap())
            .collect();
        assert_eq!(Closes::from_bytes(&bytes), Some(closes(4)));
    }

    #[test]
    fn damaged_file_and_later_version_are_not_read() {
        let written = closes(100).to_bytes();
        assert_eq!(Closes::from_bytes(&written[..written.len() / 2]), None);
        assert_eq!(Closes::from_bytes(b""), None);
        let text = String::from_utf8_lossy(&written[..17]).replace("closes 1", "closes 2");
        assert_eq!(Closes::from_bytes(&[text.as_bytes(), &written[17..]].concat()), None);
        let many = format!("{MAGIC} {VERSION} 60000 999999999999\n");
        assert_eq!(Closes::from_bytes(many.as_bytes()), None);
    }

    #[test]
    fn bars_between_two_times_include_the_first_and_not_the_second() {
        let all = closes(10);
        let times = all.times_ms();
        assert_eq!(all.between(times[2], times[5]).times_ms(), &times[2..5]);
        assert!(all.between(times[5], times[2]).is_empty());
    }

    #[test]
    fn extreme_numbers_are_written_and_read() {
        for number in [0, 1, -1, 63, 64, -65, i64::MAX, i64::MIN] {
            let mut bytes = Vec::new();
            write_number(number, &mut bytes);
            assert_eq!(read_number(&mut bytes.as_slice()), Some(number));
        }
    }
}
