//! Bars in memory. They are written as a CSV file and then read like any other file, so that all bars are read and
//! checked by the same code.

use std::fmt::Write as _;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use herdbook_cli::{Failure, data_source};
use herdbook_domain::{Symbol, Timeframe};
use herdbook_store::now;
use herdbook_training::{BadRows, DataSource, Jumps, ReadOptions};
use numpy::{PyReadonlyArray1, PyUntypedArrayMethods};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::error::{detached, invalid};

/// Stands for the file name of bars in memory, in arguments and messages.
const NAME: &str = "bars in memory";

/// Bars in memory, stored as CSV.
#[pyclass(frozen, module = "herdbook._native")]
pub(crate) struct Bars {
    csv: Arc<Vec<u8>>,
}

/// The values of one column: whole numbers (including times in epoch milliseconds), floats or texts.
#[derive(FromPyObject)]
pub(crate) enum Column<'py> {
    Whole(PyReadonlyArray1<'py, i64>),
    Real(PyReadonlyArray1<'py, f64>),
    Text(Vec<String>),
}

impl Column<'_> {
    fn len(&self) -> usize {
        match self {
            Self::Whole(values) => values.len(),
            Self::Real(values) => values.len(),
            Self::Text(values) => values.len(),
        }
    }

    /// Appends one value to the CSV. A number is written as the shortest text that parses to the same number.
    fn write(&self, row: usize, csv: &mut String) {
        let _ = match self {
            Self::Whole(values) => write!(csv, "{}", values.as_array()[row]),
            Self::Real(values) => write!(csv, "{}", values.as_array()[row]),
            Self::Text(values) => write!(csv, "{}", quoted(&values[row])),
        };
    }
}

#[pymethods]
impl Bars {
    /// Takes columns of equal length, named like those of a file.
    #[new]
    fn new(py: Python<'_>, columns: Vec<(String, Column<'_>)>) -> PyResult<Self> {
        let n_rows = columns.first().map_or(0, |(_, column)| column.len());
        for (name, column) in &columns {
            if column.len() != n_rows {
                let message = format!(
                    "the column `{name}` has {} values, the first column has {n_rows}: all columns must have the same length",
                    column.len()
                );
                return Err(invalid(py, &message, None));
            }
        }
        let names: Vec<String> = columns.iter().map(|(name, _)| quoted(name)).collect();
        let mut csv = names.join(",");
        csv.push('\n');
        for row in 0..n_rows {
            for (idx, (_, column)) in columns.iter().enumerate() {
                if idx > 0 {
                    csv.push(',');
                }
                column.write(row, &mut csv);
            }
            csv.push('\n');
        }
        Ok(Self { csv: Arc::new(csv.into_bytes()) })
    }

    /// The bars as a CSV file.
    #[getter]
    fn csv<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.csv)
    }

    /// Stands for these bars where a call names a file.
    #[classattr]
    const NAME: &str = NAME;
}

/// Quotes a text as one field of a CSV file, if needed.
fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

/// Whether a path stands for the bars in memory.
pub(crate) fn is_memory(path: &Path) -> bool {
    path.as_os_str() == NAME
}

/// How to read a file, where the file itself leaves it open.
#[derive(FromPyObject)]
pub(crate) struct ReadingOptions {
    #[pyo3(item)]
    columns: Option<String>,
    #[pyo3(item)]
    volume_column: Option<String>,
    #[pyo3(item)]
    bar_timezone: Option<String>,
    #[pyo3(item)]
    member: Option<String>,
    #[pyo3(item)]
    time_format: Option<String>,
    #[pyo3(item)]
    bars_stamped: Option<String>,
    #[pyo3(item)]
    decimal: Option<String>,
    #[pyo3(item)]
    skip_bad_rows: bool,
    /// Whether jumps of the price that look like splits are used as they are.
    #[pyo3(item)]
    allow_jump: bool,
}

/// Bars from a file, from memory, or else the built-in sample of the timeframe.
pub(crate) fn source(
    py: Python<'_>,
    path: Option<std::path::PathBuf>,
    bars: Option<&Bars>,
    timeframe: Timeframe,
    symbol: Option<String>,
    reading: ReadingOptions,
) -> PyResult<DataSource> {
    let csv = bars.map(|bars| Arc::clone(&bars.csv));
    detached(py, move || {
        let symbol = symbol.as_deref().map(Symbol::parse).transpose()?;
        let jumps = if reading.allow_jump { Jumps::Allowed } else { Jumps::Refused };
        let reading = ReadOptions {
            columns: reading.columns,
            volume_column: reading.volume_column,
            zone: parsed("bar_timezone", reading.bar_timezone.as_deref())?,
            member: reading.member,
            time_format: parsed("time_format", reading.time_format.as_deref())?,
            stamped: parsed("bars_stamped", reading.bars_stamped.as_deref())?,
            decimal: parsed("decimal", reading.decimal.as_deref())?,
            bad_rows: if reading.skip_bad_rows { BadRows::Skip } else { BadRows::Refuse },
        };
        let source = match (path, csv) {
            (_, Some(csv)) => data_source(Path::new(NAME), csv.to_vec(), symbol, reading, now()),
            (Some(path), None) => {
                let bytes = herdbook_cli::read_data(&path).map_err(|error| {
                    Failure::usage(&format!("cannot read `{}`: {error}", path.display()))
                })?;
                data_source(&path, bytes, symbol, reading, now())
            }
            (None, None) => return Ok(DataSource::sample(timeframe)?.0),
        };
        Ok(DataSource { jumps, ..source? })
    })
}

/// An argument with a syntax of its own.
fn parsed<T: FromStr<Err = String>>(name: &str, text: Option<&str>) -> Result<Option<T>, Failure> {
    text.map(str::parse).transpose().map_err(|error| Failure::usage(&format!("{name}: {error}")))
}
