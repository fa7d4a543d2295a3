//! Reads files of bars.

use std::path::Path;

use anyhow::Context as _;
use herdbook_domain::{Symbol, Timeframe, Timestamp};
use herdbook_training::{BadRows, DataSource, Jumps, Naming, ReadOptions};

use crate::args::ReadingArgs;
use crate::failure::Failure;
use crate::output::Output;

/// Reads the file of `--data`. Without `--symbol` the instrument is the file's name without its extension. Bars count if
/// they have ended by `now`.
pub(crate) fn read(
    path: &Path,
    symbol: Option<Symbol>,
    reading: ReadingArgs,
    now: Timestamp,
    output: &mut Output,
) -> Result<DataSource, Failure> {
    let bytes = output
        .read(path)
        .with_context(|| format!("cannot read `{}` (flag `--data`)", path.display()))?;
    source(path, bytes, symbol, reading, now)
}

/// As [`data_source`], with the flags of the command line.
pub(crate) fn source(
    path: &Path,
    bytes: Vec<u8>,
    symbol: Option<Symbol>,
    reading: ReadingArgs,
    now: Timestamp,
) -> Result<DataSource, Failure> {
    let jumps = if reading.allow_jump { Jumps::Allowed } else { Jumps::Refused };
    Ok(DataSource { jumps, ..data_source(path, bytes, symbol, reading.into(), now)? })
}

/// The bars in `bytes`, the content of the file `path`, of which those count that have ended by `now`. Without a symbol the
/// instrument is the file's name without its extension. Jumps of the price that look like splits are refused.
///
/// # Errors
/// [`Code::InvalidInput`](crate::Code::InvalidInput) if that name is not a valid symbol, or if `path` cannot be made
/// absolute.
pub fn data_source(
    path: &Path,
    bytes: Vec<u8>,
    symbol: Option<Symbol>,
    reading: ReadOptions,
    now: Timestamp,
) -> Result<DataSource, Failure> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let naming = if symbol.is_some() { Naming::Given } else { Naming::OfFile };
    let symbol = match symbol {
        Some(symbol) => symbol,
        None => Symbol::parse(instrument_of(&name)).map_err(|error| {
            Failure::from(error).with_hint("give the instrument with `--symbol`")
        })?,
    };
    let path = std::path::absolute(path).with_context(|| path.display().to_string())?;
    Ok(DataSource {
        path: Some(path),
        naming,
        reading,
        clock: Some(now),
        jumps: Jumps::Refused,
        ..DataSource::new(&name, symbol, bytes)
    })
}

/// Reads the bars of a resumed training: from `moved_to`, else from where the training found them.
pub(crate) fn read_again(
    source: &DataSource,
    moved_to: Option<&Path>,
    timeframe: Timeframe,
    output: &mut Output,
) -> Result<Vec<u8>, Failure> {
    let Some(path) = moved_to.or(source.path.as_deref()) else {
        return Ok(DataSource::sample(timeframe)?.0.bytes);
    };
    output.read(path).with_context(|| format!("cannot read `{}`", path.display())).map_err(
        |error| {
            Failure::from(error).with_hint("if the file was moved, give its new path with `--data`")
        },
    )
}

/// `EURUSD` of `EURUSD.csv`, of `EURUSD.csv.gz`, `EURUSD.csv.zst` and of `EURUSD.csv.zip`.
fn instrument_of(file_name: &str) -> &str {
    let packed =
        [".gz", ".zst", ".zip"].into_iter().find_map(|ending| file_name.strip_suffix(ending));
    let name = packed.unwrap_or(file_name);
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}

impl From<ReadingArgs> for ReadOptions {
    fn from(args: ReadingArgs) -> Self {
        Self {
            columns: args.columns,
            volume_column: args.volume_column,
            zone: args.bar_timezone,
            member: args.member,
            time_format: args.time_format,
            decimal: args.decimal,
            stamped: args.bars_stamped,
            bad_rows: if args.skip_bad_rows { BadRows::Skip } else { BadRows::Refuse },
        }
    }
}
