//! The columns of a Parquet file that hold the bars.

use ::parquet::errors::ParquetError;
use ::parquet::file::reader::RowGroupReader;
use ::parquet::schema::types::{ColumnDescriptor, SchemaDescriptor};

use super::column::ColumnCursor;
use super::value_kind::ValueKind;
use crate::error::MarketError;
use crate::read::header::{Header, HeaderText, TimeColumns, given_names};
use crate::read::options::ReadOptions;
use crate::read::survey::Survey;

/// The name that pandas gives to an index without a name. It is the time where no other column is.
const PANDAS_INDEX: &str = "__index_level_0__";
/// The columns of a file that hold its bars.
pub(super) struct BarTable {
    pub(super) header: Header,
    pub(super) remarks: Vec<String>,
    /// For each required column: number in the header, number in the file, and kind of its values.
    required: Vec<(usize, usize, ValueKind)>,
}

impl BarTable {
    /// Finds the columns of the bars in the schema of a file.
    pub(super) fn find(
        schema: &SchemaDescriptor,
        file: &str,
        options: &ReadOptions,
    ) -> Result<Self, MarketError> {
        // Columns inside lists or structures are ignored.
        let is_plain = |idx: &usize| {
            let column = schema.column(*idx);
            column.path().parts().len() == 1 && column.max_rep_level() == 0
        };
        let numbers: Vec<usize> = (0..schema.num_columns()).filter(is_plain).collect();
        let names: Vec<String> =
            numbers.iter().map(|idx| schema.column(*idx).name().to_owned()).collect();
        let kinds: Vec<Option<ValueKind>> =
            numbers.iter().map(|idx| ValueKind::of(&schema.column(*idx))).collect();
        let (header, remarks) = header(names, &kinds, file, options)?;
        let mut required = Vec::new();
        for (idx, needed) in required_columns(&header) {
            let kind = kinds[idx].filter(|kind| needed.allows(*kind));
            let kind = kind.ok_or_else(|| MarketError::ColumnType {
                file: file.to_owned(),
                column: header.names[idx].clone(),
                found: type_name(&schema.column(numbers[idx])),
                needed: needed.as_str(),
            })?;
            required.push((idx, numbers[idx], kind));
        }
        Ok(Self { header, remarks, required })
    }

    /// Whether a required column holds texts, which may be numbers.
    pub(super) fn has_texts(&self) -> bool {
        self.required.iter().any(|(_, _, kind)| *kind == ValueKind::Text)
    }

    /// Cursors over the required columns of a row group.
    pub(super) fn columns(
        &self,
        group: &dyn RowGroupReader,
    ) -> Result<Vec<ColumnCursor>, ParquetError> {
        let column = |(header_idx, number, kind): &(usize, usize, ValueKind)| {
            Ok(ColumnCursor {
                header_idx: *header_idx,
                kind: *kind,
                reader: group.get_column_reader(*number)?,
            })
        };
        self.required.iter().map(column).collect()
    }
}

/// The type of values that a field of a bar requires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RequiredType {
    Time,
    Number,
    Anything,
}

impl RequiredType {
    const fn allows(self, kind: ValueKind) -> bool {
        match (self, kind) {
            (Self::Anything, _) | (_, ValueKind::Number | ValueKind::Text) => true,
            (Self::Time, kind) => !matches!(kind, ValueKind::Decimal { .. }),
            (Self::Number, kind) => matches!(kind, ValueKind::Decimal { .. }),
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Time => "timestamps, dates or epoch numbers",
            Self::Number => "numbers",
            Self::Anything => "numbers or text",
        }
    }
}

/// The columns that are read, with the type each requires.
fn required_columns(header: &Header) -> Vec<(usize, RequiredType)> {
    let mut required: Vec<(usize, RequiredType)> = match header.time {
        TimeColumns::One(idx) => vec![(idx, RequiredType::Time)],
        TimeColumns::DateAndClock { date, clock } => {
            vec![(date, RequiredType::Time), (clock, RequiredType::Anything)]
        }
    };
    let prices = [header.open, header.high, header.low, header.close];
    required.extend(prices.into_iter().chain(header.volume).map(|idx| (idx, RequiredType::Number)));
    required.extend(header.instrument.map(|idx| (idx, RequiredType::Anything)));
    required
}

fn header(
    names: Vec<String>,
    kinds: &[Option<ValueKind>],
    file: &str,
    options: &ReadOptions,
) -> Result<(Header, Vec<String>), MarketError> {
    let mut remarks = Vec::new();
    let mut names = names;
    let of_names = |names: &[String]| {
        let text = HeaderText { file, line: &names.join(","), names };
        Header::of_names(text, options, &Survey::default())
    };
    if let Some(columns) = &options.columns {
        let given = given_names(columns, &names, file)?;
        if given.len() != names.len() {
            return Err(MarketError::GivenColumns {
                file: file.to_owned(),
                given: given.len(),
                found: names.len(),
                flags: Vec::new(),
            });
        }
        names = given;
        remarks.push("the header was given by the user".to_owned());
    }
    let parsed = of_names(&names);
    let index = names.iter().position(|name| name == PANDAS_INDEX);
    let is_time = |idx: usize| {
        kinds[idx].is_some_and(|kind| kind != ValueKind::Number && RequiredType::Time.allows(kind))
    };
    let header = match (parsed, index) {
        (Err(MarketError::MissingColumns { .. }), Some(idx)) if is_time(idx) => {
            "timestamp".clone_into(&mut names[idx]);
            remarks.push("the index of the pandas frame is the time".to_owned());
            of_names(&names)?
        }
        (parsed, _) => parsed?,
    };
    remarks.extend(header.remarks.iter().cloned());
    Ok((header, remarks))
}

fn type_name(column: &ColumnDescriptor) -> String {
    match column.logical_type_ref() {
        Some(logical) => format!("{logical:?}"),
        None => column.physical_type().to_string(),
    }
}
