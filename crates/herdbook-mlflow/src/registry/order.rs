//! The order of searches in the registry.

use herdbook_domain::filter::{Field, Order, Searched, parse_order};

use crate::error::MlflowError;
use crate::python;

/// The terms of ORDER BY, from order clauses and then the terms that break ties.
///
/// # Errors
/// [`MlflowError::Refused`] if a clause cannot be read, or two name the same column.
pub(super) fn terms(
    searched: Searched,
    clauses: &[String],
    column: fn(&'static str) -> &'static str,
    ties: &[(&'static str, &'static str)],
) -> Result<String, MlflowError> {
    let mut columns: Vec<&str> = Vec::new();
    let mut terms = Vec::new();
    for clause in clauses {
        let Order { field, is_descending } = parse_order(searched, clause)?;
        let Field::Attribute(name) = field else { continue };
        let column = column(name);
        if columns.contains(&column) {
            return Err(MlflowError::invalid(format!(
                "`order_by` contains duplicate fields: {}",
                python::list(clauses)
            )));
        }
        columns.push(column);
        terms.push(format!("{column} {}", if is_descending { "DESC" } else { "ASC" }));
    }
    for (column, direction) in ties {
        if !columns.contains(column) {
            terms.push(format!("{column} {direction}"));
        }
    }
    Ok(terms.join(", "))
}
