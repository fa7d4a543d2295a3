//! Cells of a database whose values may have any type.

use std::cell::RefCell;

use herdbook_domain::Timestamp;
use herdbook_domain::import::{Finding, FindingKind};
use herdbook_store::StoreError;
use herdbook_store::engine::db::Row;
use herdbook_store::tables::metric::Metric;

/// Maximum number of characters of a value that a finding shows.
const MAX_SHOWN: usize = 60;

/// A value as text, whatever its type; empty for NULL.
pub(super) fn text(row: &Row<'_>, column: usize) -> Result<String, StoreError> {
    Ok(row.shown(column)?.unwrap_or_default())
}

/// A value of a metric.
pub(super) fn metric(row: &Row<'_>, key: &str) -> Result<Metric, StoreError> {
    let value: f64 = row.get(1)?;
    Ok(Metric {
        key: key.to_owned(),
        value: if row.get(4)? { f64::NAN } else { value },
        at: Timestamp::from_millis(row.get(2)?),
        step: row.get(3)?,
    })
}

/// Reads cells of a table. SQLite keeps any value in any column, and one such value must not end an import.
pub(super) struct Cells<'a> {
    pub(super) table: &'static str,
    /// The values that cannot be read.
    pub(super) bad: &'a RefCell<Vec<Finding>>,
}

impl Cells<'_> {
    /// An integer; `None` for NULL, and with a finding for any other value.
    pub(super) fn integer(
        &self,
        row: &Row<'_>,
        column: usize,
        name: &str,
        of: &str,
    ) -> Result<Option<i64>, StoreError> {
        match row.get::<Option<i64>>(column) {
            Err(StoreError::BrokenRecord { .. }) => {
                let found: String =
                    row.shown(column)?.unwrap_or_default().chars().take(MAX_SHOWN).collect();
                let message = format!(
                    "{of}: `{name}` in the table `{}` is `{found}`, not an integer",
                    self.table
                );
                let finding = Finding::new(FindingKind::Unusable, message, "imported without it");
                self.bad.borrow_mut().push(finding);
                Ok(None)
            }
            outcome => outcome,
        }
    }
}
