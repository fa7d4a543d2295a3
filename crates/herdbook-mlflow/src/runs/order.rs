//! The order of a search for runs.

use herdbook_domain::filter::{Field, Order, Searched, parse_order};

use crate::error::MlflowError;
use crate::python;
use crate::sql::Arguments;

/// The joins and the ORDER BY of a search.
#[derive(Debug, Default)]
pub(crate) struct Ordering {
    /// Joins that add the values to order by.
    pub(crate) joins: String,
    /// The terms of ORDER BY.
    pub(crate) terms: String,
}

/// Reads order clauses.
///
/// # Errors
/// [`MlflowError::Refused`] if a clause cannot be read, or two name the same field.
pub(crate) fn parse(clauses: &[String]) -> Result<Vec<Order>, MlflowError> {
    let mut orders: Vec<Order> = Vec::new();
    for clause in clauses {
        let order = parse_order(Searched::Runs, clause)?;
        if orders.iter().any(|known| known.field == order.field) {
            let message =
                format!("`order_by` contains duplicate fields: {}", python::list(clauses));
            return Err(MlflowError::invalid(message));
        }
        orders.push(order);
    }
    Ok(orders)
}

impl Ordering {
    /// By each field in turn; records without it come last, after those whose metric is NaN. Then the newest first, then by
    /// run id.
    pub(crate) fn of(orders: &[Order], args: &mut Arguments) -> Self {
        let mut ordering = Self::default();
        let mut terms = Vec::new();
        for (idx, order) in orders.iter().enumerate() {
            let direction = if order.is_descending { "DESC" } else { "ASC" };
            let alias = format!("o{idx}");
            let (table, key) = match &order.field {
                Field::Metric(key) => ("latest_metrics", key),
                Field::Param(key) => ("params", key),
                Field::Tag(key) => ("tags", key),
                Field::Attribute(name) => {
                    let column = column(name);
                    terms.push(format!("({column} IS NULL), {column} {direction}"));
                    continue;
                }
                Field::Dataset(_) => continue,
            };
            let mark = args.text(key);
            ordering.joins += &format!(
                " LEFT JOIN {table} {alias} ON {alias}.run_uuid = r.run_uuid AND {alias}.key = {mark}"
            );
            let missing = match order.field {
                Field::Metric(_) => format!(
                    "(CASE WHEN {alias}.value IS NULL THEN 2 WHEN {alias}.is_nan THEN 1 ELSE 0 END)"
                ),
                _ => format!("({alias}.value IS NULL)"),
            };
            terms.push(format!("{missing}, {alias}.value {direction}"));
        }
        if !orders.iter().any(|order| order.field == Field::Attribute("start_time")) {
            terms.push("r.start_time DESC".to_owned());
        }
        terms.push("r.run_uuid".to_owned());
        ordering.terms = terms.join(", ");
        ordering
    }
}

/// The column of a run's attribute.
pub(crate) fn column(attribute: &str) -> &'static str {
    match attribute {
        "run_id" => "r.run_uuid",
        "run_name" => "r.name",
        "status" => "r.status",
        "user_id" => "r.user_id",
        "artifact_uri" => "r.artifact_uri",
        "end_time" => "r.end_time",
        // The grammar has no other.
        _ => "r.start_time",
    }
}
