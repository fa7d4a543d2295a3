//! Raw flags of the commands that run a registered model.

use std::path::PathBuf;

use clap::Args as ClapArgs;
use herdbook_domain::{Stage, Symbol, Timestamp, VersionNumber};
use herdbook_training::{BarStamp, DecimalMark, Position, TimeFormat, Zone};

use crate::args::family::OptionalFamily;
use crate::args::number;
use crate::args::reference::Reference;

/// How to read an ambiguous file of bars. The flags need a file, which is one of the group `bars`.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct ReadingArgs {
    /// Names of all columns, such as time,open,high,low,close,volume, in place of the file's header if it has one; or some by
    /// their names in the file, such as close=Last, or their numbers from 1, such as close=5
    #[arg(long, value_name = "NAMES", requires = "bars")]
    pub(crate) columns: Option<String>,
    /// Volume column of a file that has several; `none` for no volume
    #[arg(long, value_name = "NAME", requires = "bars")]
    pub(crate) volume_column: Option<String>,
    /// Format of the times: day-first, month-first, year-first, excel, s, ms, us, ns, or a pattern such as
    /// `%d/%m/%Y %H:%M`
    #[arg(long, value_name = "FORMAT", requires = "bars")]
    pub(crate) time_format: Option<TimeFormat>,
    /// Time zone of timestamps that have none: UTC, +02:00, Europe/Athens or `America/New_York+07:00` [default: UTC]
    #[arg(long, value_name = "ZONE", allow_hyphen_values = true, requires = "bars")]
    pub(crate) bar_timezone: Option<Zone>,
    /// Whether the time of a bar is its open or its close [default: open, unless the file shows otherwise]
    #[arg(long, value_name = "open|close", requires = "bars")]
    pub(crate) bars_stamped: Option<BarStamp>,
    /// Decimal mark of the numbers: `.` or `,` [default: as the numbers of the file show]
    #[arg(long, value_name = "MARK", requires = "bars")]
    pub(crate) decimal: Option<DecimalMark>,
    /// Leave out rows without valid prices, and record how many
    #[arg(long, requires = "bars")]
    pub(crate) skip_bad_rows: bool,
    /// File to read from a zip archive of several files
    #[arg(long, value_name = "NAME", requires = "bars")]
    pub(crate) member: Option<String>,
    /// Use bars whose price jumps like that of a share that was split, and record the jumps
    #[arg(long, requires = "bars")]
    pub(crate) allow_jump: bool,
}

/// The model to run, and how to read the bars to run it on.
#[derive(Debug, ClapArgs)]
pub(crate) struct RunningArgs {
    /// Version number, `champion`, `latest` or a run id [default: champion]
    #[arg(value_name = "MODEL", conflicts_with_all = ["model_version", "stage"])]
    pub(crate) reference: Option<Reference>,
    /// Version number
    #[arg(long, value_name = "N", conflicts_with = "stage")]
    pub(crate) model_version: Option<VersionNumber>,
    /// Run the newest version in this stage: development, beta, champion or archived
    #[arg(long, value_name = "STAGE", requires = "timeframe")]
    pub(crate) stage: Option<Stage>,
    #[command(flatten)]
    pub(crate) family: OptionalFamily,
    #[command(flatten)]
    pub(crate) reading: ReadingArgs,
    /// Instrument of the bars [default: the instrument that the model was trained on]
    #[arg(long, value_name = "NAME")]
    pub(crate) symbol: Option<Symbol>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct BacktestArgs {
    /// File of bars (CSV, Parquet or JSON, also gzipped or zipped) of the model's timeframe or finer
    #[arg(long, value_name = "FILE", group = "bars")]
    pub(crate) data: PathBuf,
    #[command(flatten)]
    pub(crate) running: RunningArgs,
    /// Costs in basis points of the traded notional, per side [default: as in its training]
    #[arg(long, value_name = "X", allow_negative_numbers = true, value_parser = number::decimal)]
    pub(crate) cost_bps: Option<f64>,
    /// Time of the first action (UTC) [default: the first bar with enough history for the features]
    #[arg(long, value_name = "TIME", value_parser = Timestamp::parse)]
    pub(crate) from: Option<Timestamp>,
    /// New CSV file to write the equity, drawdown and position of each bar to
    #[arg(long, value_name = "FILE")]
    pub(crate) equity: Option<PathBuf>,
    /// Folder to draw equity, trades and positions into, as SVG; created if missing
    #[arg(long, value_name = "FOLDER")]
    pub(crate) pictures: Option<PathBuf>,
    /// New CSV file to write the closed trades to
    #[arg(long, value_name = "FILE")]
    pub(crate) trades: Option<PathBuf>,
    /// New HTML file to write a report with tables and pictures to, for readers without herdbook
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,
    /// Replace existing files of `--equity`, `--trades`, `--report` and `--pictures`; never an input or a file of a store
    #[arg(long)]
    pub(crate) overwrite: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct EvaluateArgs {
    /// File of bars (CSV, Parquet or JSON, also gzipped or zipped) of the model's timeframe or finer
    #[arg(long, value_name = "FILE", group = "bars")]
    pub(crate) data: PathBuf,
    #[command(flatten)]
    pub(crate) running: RunningArgs,
    /// Costs in basis points of the traded notional, per side [default: as in its training]
    #[arg(long, value_name = "X", allow_negative_numbers = true, value_parser = number::decimal)]
    pub(crate) cost_bps: Option<f64>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct PredictArgs {
    /// File of bars (CSV, Parquet or JSON, also gzipped or zipped) of the model's timeframe or finer
    #[arg(long, value_name = "FILE", group = "bars", required_unless_present = "watch")]
    pub(crate) data: Option<PathBuf>,
    /// File of bars to watch: after each bar that closes, print the action as one line of JSON, until Ctrl-C or SIGTERM
    #[arg(long, value_name = "FILE", group = "bars")]
    pub(crate) watch: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) running: RunningArgs,
    /// Position that the account holds: short, flat or long. The model observes it, with its age and unrealised return
    #[arg(long, value_name = "POSITION", default_value = "flat", value_parser = position)]
    pub(crate) position: Position,
    /// Any time (UTC) in the bar at whose open `--position` was filled [default: the newest closed bar]
    #[arg(long, value_name = "TIME", value_parser = Timestamp::parse, requires = "position")]
    pub(crate) position_since: Option<Timestamp>,
    /// Refuse if the model was registered longer ago than this, such as 90m, 2h, 3d or 4w
    #[arg(long, value_name = "DURATION", value_parser = milliseconds)]
    pub(crate) max_age: Option<i64>,
    /// Refuse if the newest closed bar ended longer ago than this
    #[arg(long, value_name = "DURATION", value_parser = milliseconds)]
    pub(crate) max_bar_age: Option<i64>,
}

/// Parses the name of a position.
fn position(text: &str) -> Result<Position, String> {
    Position::ALL
        .into_iter()
        .find(|position| position.as_str() == text)
        .ok_or_else(|| format!("`{text}` is not a position: give short, flat or long"))
}

/// Parses a duration, a whole number of minutes, hours, days or weeks, into milliseconds.
fn milliseconds(text: &str) -> Result<i64, String> {
    const UNITS: [(char, i64); 4] =
        [('m', 60_000), ('h', 3_600_000), ('d', 86_400_000), ('w', 604_800_000)];
    let read = |(unit, millis): (char, i64)| {
        text.strip_suffix(unit)?.parse::<u32>().ok().map(|n| i64::from(n) * millis)
    };
    UNITS.into_iter().find_map(read).ok_or_else(|| {
        format!("`{text}` is not a duration: give a whole number and a unit (m, h, d or w), such as `2h`")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit() {
        assert_eq!(milliseconds("90m"), Ok(5_400_000));
        assert_eq!(milliseconds("2h"), Ok(7_200_000));
        assert_eq!(milliseconds("3d"), Ok(259_200_000));
        for text in ["", "2", "h", "-1h", "1.5h", "2 h", "2y"] {
            assert!(milliseconds(text).is_err(), "{text}");
        }
    }
}
