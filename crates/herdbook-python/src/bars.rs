//! Bars that a program holds in memory, written down as the file that they could have come from: one way of reading
//! and checking bars, wherever they are.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use herdbook_cli::{Failure, data_source};
use herdbook_domain::{Symbol, Timeframe};
use herdbook_training::{DataSource, ReadOptions};
use numpy::{PyReadonlyArray1, PyUntypedArrayMethods};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::error::{detached, invalid};

/// What bars in memory are called where a file would have its name.
const NAME: &str = "bars in memory";

/// Bars in memory, as CSV.
#[pyclass(frozen, module = "herdbook._native")]
pub(crate) struct Bars {
    csv: Arc<Vec<u8>>,
}

/// The values of one column: whole numbers (times in epoch milliseconds among them), numbers, or texts.
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

    /// Adds one value. Of a number it is the shortest text that reads back as the same number.
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
    /// Columns of one length, by the names that a file's header would have.
    #[new]
    fn new(py: Python<'_>, columns: Vec<(String, Column<'_>)>) -> PyResult<Self> {
        let n_rows = columns.first().map_or(0, |(_, column)| column.len());
        for (name, column) in &columns {
            if column.len() != n_rows {
                let message = format!(
                    "the column `{name}` has {} values where the first has {n_rows}: bars need one of each",
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

    /// The file.
    #[getter]
    fn csv<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.csv)
    }

    /// Where a call names a file, this names these bars.
    #[classattr]
    const NAME: &str = NAME;
}

/// A text as one field of a CSV file.
fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

/// Whether a path names the bars in memory.
pub(crate) fn is_memory(path: &Path) -> bool {
    path.as_os_str() == NAME
}

/// What a file does not say of itself.
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
}

/// Bars from a file, from memory, or those carried in the program.
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
        let reading = ReadOptions {
            columns: reading.columns,
            volume_column: reading.volume_column,
            zone: match reading.bar_timezone {
                Some(text) => Some(
                    text.parse()
                        .map_err(|error| Failure::usage(&format!("bar_timezone: {error}")))?,
                ),
                None => None,
            },
            member: reading.member,
        };
        match (path, csv) {
            (_, Some(csv)) => data_source(Path::new(NAME), csv.to_vec(), symbol, reading),
            (Some(path), None) => {
                let bytes = std::fs::read(&path).map_err(|error| {
                    Failure::usage(&format!("cannot read `{}`: {error}", path.display()))
                })?;
                data_source(&path, bytes, symbol, reading)
            }
            (None, None) => Ok(DataSource::sample(timeframe)?.0),
        }
    })
}
