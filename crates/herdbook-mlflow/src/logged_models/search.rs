//! Searches for logged models.

use herdbook_domain::filter::{Comparison, Condition, Field, Operand, Searched, parse_filter};
use herdbook_store::Store;
use herdbook_store::engine::db::{Conn, Dialect};

use crate::error::MlflowError;
use crate::experiments::parse_id;
use crate::logged_models::order::Ordering;
use crate::logged_models::record::{self, LoggedModel};
use crate::logged_models::request::{DatasetFilter, ModelSearch};
use crate::logged_models::token;
use crate::page::{Page, Wanted};
use crate::sql::{Arguments, number_condition, text_condition};

/// Models of a page when the request does not say.
const DEFAULT_MAX_RESULTS: i64 = 50;

/// Searches logged models that are not deleted.
///
/// # Errors
/// [`MlflowError::Refused`] if the filter, a dataset, an order clause, the token or `max_results` is not allowed; those of
/// the store.
pub fn search(store: &Store, search: &ModelSearch) -> Result<Page<LoggedModel>, MlflowError> {
    if search.datasets.iter().any(|dataset| dataset.name.is_empty()) {
        let message = "`dataset_name` in the `datasets` clause must be specified.";
        return Err(MlflowError::invalid(message));
    }
    let max = match search.max_results {
        0 => DEFAULT_MAX_RESULTS,
        max if max > 0 => max,
        max => {
            return Err(MlflowError::invalid(format!(
                "Invalid value {max} for parameter 'max_results' supplied: It must be a positive integer."
            )));
        }
    };
    let wanted = Wanted { offset: token::offset(search)?, max };
    let conditions = parse_filter(Searched::LoggedModels, &search.filter)?;
    if search.experiment_ids.iter().any(String::is_empty) {
        let message = "Invalid experiment ID ''. Experiment ID must be a valid integer.";
        return Err(MlflowError::invalid(message));
    }
    let ids: Vec<i64> =
        search.experiment_ids.iter().map(|id| parse_id(id)).collect::<Result<_, _>>()?;
    let mut args = Arguments::default();
    let ordering = Ordering::of(&search.order_by, &mut args)?;
    let page = store.read(|conn| {
        let mut args = args.clone();
        let conditions = where_clause(conn, search, &conditions, &ids, &mut args);
        let sql = format!(
            "SELECT model_id FROM (
                SELECT l.model_id, l.creation_timestamp_ms{} FROM logged_models l WHERE {conditions}
             ) found ORDER BY {} LIMIT {} OFFSET {}",
            ordering.columns,
            ordering.terms,
            args.integer(wanted.limit()),
            args.integer(wanted.offset)
        );
        let ids: Vec<String> = conn.query(&sql, args.values().as_slice(), |row| row.get(0))?;
        let page = wanted.page(ids);
        Ok(Page { records: record::load(conn, &page.records)?, next: page.next })
    })?;
    let next = page.next.map(|_| token::token(search, wanted.offset.saturating_add(max)));
    Ok(Page { records: page.records, next })
}

/// All conditions on a logged model `l`.
fn where_clause(
    conn: &Conn,
    search: &ModelSearch,
    conditions: &[Condition],
    experiment_ids: &[i64],
    args: &mut Arguments,
) -> String {
    let ids: Vec<String> = experiment_ids.iter().map(|id| args.integer(*id)).collect();
    let mut all = vec!["l.lifecycle_stage <> 'deleted'".to_owned()];
    all.push(if ids.is_empty() {
        "1 = 0".to_owned()
    } else {
        format!("l.experiment_id IN ({})", ids.join(", "))
    });
    let mut has_metric = false;
    for condition in conditions {
        has_metric |= matches!(condition.field, Field::Metric(_));
        all.push(on_model(conn, condition, &search.datasets, args));
    }
    if !has_metric && !search.datasets.is_empty() {
        let on_datasets = on_datasets(&search.datasets, args);
        all.push(exists("logged_model_metrics", &on_datasets));
    }
    all.join(" AND ")
}

/// A condition on a logged model `l`. A clause about a key that the model does not have is never met.
fn on_model(
    conn: &Conn,
    condition: &Condition,
    datasets: &[DatasetFilter],
    args: &mut Arguments,
) -> String {
    let Condition { field, comparison, operand } = condition;
    let compared = (*comparison, operand);
    match field {
        Field::Attribute(name @ ("creation_timestamp_ms" | "last_updated_timestamp_ms")) => {
            number_condition(&format!("l.{name}"), compared, args)
        }
        Field::Attribute(name @ ("status" | "experiment_id"))
            if conn.dialect() == Dialect::Postgres =>
        {
            // PostgreSQL does not compare a number with a text.
            among(conn, &format!("CAST(l.{name} AS TEXT)"), compared, args)
        }
        Field::Attribute(name) => among(conn, &format!("l.{name}"), compared, args),
        Field::Metric(key) => {
            let key = args.text(key);
            let value = number_condition("k.metric_value", compared, args);
            let mut conditions = format!("k.metric_name = {key} AND {value}");
            if !datasets.is_empty() {
                conditions += &format!(" AND {}", on_datasets(datasets, args));
            }
            exists("logged_model_metrics", &conditions)
        }
        Field::Param(key) => {
            let key = args.text(key);
            let value = among(conn, "k.param_value", compared, args);
            exists("logged_model_params", &format!("k.param_key = {key} AND {value}"))
        }
        Field::Tag(key) => {
            let key = args.text(key);
            let value = among(conn, "k.tag_value", compared, args);
            exists("logged_model_tags", &format!("k.tag_key = {key} AND {value}"))
        }
        // The grammar of this search has no datasets.
        Field::Dataset(_) => "1 = 0".to_owned(),
    }
}

/// A condition on a text. In this search the list of `IN` may be empty.
fn among(
    conn: &Conn,
    column: &str,
    compared: (Comparison, &Operand),
    args: &mut Arguments,
) -> String {
    match compared {
        (Comparison::In, Operand::List(texts)) if texts.is_empty() => "1 = 0".to_owned(),
        (Comparison::NotIn, Operand::List(texts)) if texts.is_empty() => "1 = 1".to_owned(),
        _ => text_condition(conn.dialect(), column, compared, args),
    }
}

/// A condition on a metric `k`: it was measured on one of the datasets.
fn on_datasets(datasets: &[DatasetFilter], args: &mut Arguments) -> String {
    let each: Vec<String> = datasets
        .iter()
        .map(|dataset| {
            let name = args.text(&dataset.name);
            let digest = match &dataset.digest {
                Some(digest) => format!("= {}", args.text(digest)),
                None => "IS NULL".to_owned(),
            };
            format!("(k.dataset_name = {name} AND k.dataset_digest {digest})")
        })
        .collect();
    format!("({})", each.join(" OR "))
}

fn exists(table: &str, conditions: &str) -> String {
    format!("EXISTS (SELECT 1 FROM {table} k WHERE k.model_id = l.model_id AND {conditions})")
}
