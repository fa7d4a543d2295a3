//! The order of a search for logged models.

use crate::error::MlflowError;
use crate::sql::Arguments;

/// A field that results are ordered by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderBy {
    /// A column, or `metrics.` and the name of a metric.
    pub field_name: String,
    /// Whether the smallest comes first.
    pub is_ascending: bool,
    /// Only values on this dataset count, if it is given.
    pub dataset_name: Option<String>,
    /// Only values on the dataset with this digest count, if it is given.
    pub dataset_digest: Option<String>,
}

/// The columns and the ORDER BY of a search.
#[derive(Debug, Default)]
pub(crate) struct Ordering {
    /// Columns to select beside the id, each with a comma before it.
    pub(crate) columns: String,
    /// The terms of ORDER BY.
    pub(crate) terms: String,
}

impl Ordering {
    /// By each field in turn; models without it come last. Then the newest first, then by id.
    ///
    /// # Errors
    /// [`MlflowError::Refused`] if there is no such field.
    pub(crate) fn of(orders: &[OrderBy], args: &mut Arguments) -> Result<Self, MlflowError> {
        let mut ordering = Self::default();
        let mut terms = Vec::new();
        let mut columns: Vec<&str> = Vec::new();
        for (idx, order) in orders.iter().enumerate() {
            let value = match order.field_name.split_once('.') {
                None => {
                    let name = column(&order.field_name)?;
                    columns.push(name);
                    format!("l.{name}")
                }
                Some(("metrics", key)) => latest(key, order, args),
                Some(_) => {
                    return Err(MlflowError::invalid(format!(
                        "Invalid order by field name: {}. Only metrics are supported.",
                        order.field_name
                    )));
                }
            };
            let direction = if order.is_ascending { "ASC" } else { "DESC" };
            ordering.columns += &format!(", {value} AS o{idx}");
            terms.push(format!("(CASE WHEN o{idx} IS NULL THEN 1 ELSE 0 END), o{idx} {direction}"));
        }
        if !columns.contains(&"creation_timestamp_ms") {
            terms.push("creation_timestamp_ms DESC".to_owned());
        }
        if !columns.contains(&"model_id") {
            terms.push("model_id".to_owned());
        }
        ordering.terms = terms.join(", ");
        Ok(ordering)
    }
}

/// The column of a field.
fn column(field: &str) -> Result<&'static str, MlflowError> {
    Ok(match field {
        "model_id" => "model_id",
        "experiment_id" => "experiment_id",
        "name" => "name",
        "artifact_location" => "artifact_location",
        "creation_timestamp" | "creation_time" | "creation_timestamp_ms" => "creation_timestamp_ms",
        "last_updated_timestamp" | "last_updated_timestamp_ms" => "last_updated_timestamp_ms",
        "status" => "status",
        "lifecycle_stage" => "lifecycle_stage",
        "model_type" => "model_type",
        "source_run_id" => "source_run_id",
        "status_message" => "status_message",
        _ => {
            return Err(MlflowError::invalid(format!("Invalid order by field name: {field}")));
        }
    })
}

/// The latest value of a metric, on a dataset if one is named.
fn latest(key: &str, order: &OrderBy, args: &mut Arguments) -> String {
    let mut conditions = format!("m.model_id = l.model_id AND m.metric_name = {}", args.text(key));
    for (column, wanted) in
        [("dataset_name", &order.dataset_name), ("dataset_digest", &order.dataset_digest)]
    {
        if let Some(wanted) = wanted {
            conditions += &format!(" AND m.{column} = {}", args.text(wanted));
        }
    }
    format!(
        "(SELECT m.metric_value FROM logged_model_metrics m WHERE {conditions}
          ORDER BY m.metric_timestamp_ms DESC, m.metric_step DESC, m.run_id LIMIT 1)"
    )
}
