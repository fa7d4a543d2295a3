//! Searches for experiments.

use herdbook_domain::filter::{
    Comparison, Condition, Field, Operand, Order, Searched, parse_filter, parse_order,
};
use herdbook_store::Store;
use herdbook_store::engine::db::Dialect;

use super::record::{self, Experiment, parse_given_id};
use crate::error::MlflowError;
use crate::page::{Page, Wanted};
use crate::sql::{Arguments, ViewType, number_condition, text_condition};
use crate::validate::check_max_results;

/// A search for experiments.
#[derive(Debug, Clone, Default)]
pub struct ExperimentSearch {
    /// A filter; all experiments if it is empty.
    pub filter: String,
    /// Deleted experiments or not.
    pub view: ViewType,
    /// Order clauses, the first one first; the newest first if there is none.
    pub order_by: Vec<String>,
    /// The token of the wanted page; the first if it is empty.
    pub page_token: String,
    /// Most experiments of the page.
    pub max_results: i64,
}

/// Searches experiments as `experiments/search`.
///
/// # Errors
/// [`MlflowError::Refused`] if the filter, an order clause, the token or `max_results` is not allowed; those of the store.
pub fn search(store: &Store, search: &ExperimentSearch) -> Result<Page<Experiment>, MlflowError> {
    check_max_results(search.max_results)?;
    let conditions = parse_filter(Searched::Experiments, &search.filter)?;
    let orders: Vec<Order> = search
        .order_by
        .iter()
        .map(|clause| parse_order(Searched::Experiments, clause))
        .collect::<Result<_, _>>()?;
    let wanted = Wanted::parse(&search.page_token, search.max_results)?;
    let ids_of = |dialect| statement(dialect, search.view, &conditions, &orders, wanted);
    // Refused before the store is asked.
    ids_of(Dialect::Sqlite)?;
    let page = store.read(|conn| {
        let Ok((sql, args)) = ids_of(conn.dialect()) else { return Ok(None) };
        let ids = conn.query(&sql, args.values().as_slice(), |row| row.get(0))?;
        let page = wanted.page(ids);
        Ok(Some(Page { records: record::load(conn, &page.records)?, next: page.next }))
    })?;
    Ok(page.unwrap_or(Page { records: Vec::new(), next: None }))
}

/// The query for the ids of a page.
fn statement(
    dialect: Dialect,
    view: ViewType,
    conditions: &[Condition],
    orders: &[Order],
    wanted: Wanted,
) -> Result<(String, Arguments), MlflowError> {
    let mut args = Arguments::default();
    let mut all = vec!["e.workspace = 'default'".to_owned()];
    all.push(view.condition("e.lifecycle_stage"));
    for condition in conditions {
        all.push(on_experiment(dialect, condition, &mut args)?);
    }
    let (limit, offset) = (args.integer(wanted.limit()), args.integer(wanted.skipped()));
    let sql = format!(
        "SELECT e.experiment_id FROM experiments e WHERE {} ORDER BY {} LIMIT {limit} OFFSET {offset}",
        all.join(" AND "),
        order_terms(orders)
    );
    Ok((sql, args))
}

fn order_terms(orders: &[Order]) -> String {
    if orders.is_empty() {
        return "e.creation_time DESC, e.experiment_id".to_owned();
    }
    let mut terms: Vec<String> = orders
        .iter()
        .filter_map(|order| match &order.field {
            Field::Attribute(name) => {
                let direction = if order.is_descending { "DESC" } else { "ASC" };
                Some(format!("{} {direction}", column(name)))
            }
            _ => None,
        })
        .collect();
    if !orders.iter().any(|order| order.field == Field::Attribute("experiment_id")) {
        terms.push("e.experiment_id DESC".to_owned());
    }
    terms.join(", ")
}

fn column(attribute: &str) -> &'static str {
    match attribute {
        "name" => "e.name",
        "creation_time" => "e.creation_time",
        "last_update_time" => "e.last_update_time",
        // The grammar has no other.
        _ => "e.experiment_id",
    }
}

/// A condition on an experiment `e`.
fn on_experiment(
    dialect: Dialect,
    condition: &Condition,
    args: &mut Arguments,
) -> Result<String, MlflowError> {
    let Condition { field, comparison, operand } = condition;
    let compared = (*comparison, operand);
    Ok(match field {
        Field::Attribute("experiment_id") => on_id(compared, args)?,
        Field::Attribute("name") => text_condition(dialect, "e.name", compared, args),
        Field::Attribute(name) => number_condition(column(name), compared, args),
        Field::Tag(key) | Field::Metric(key) | Field::Param(key) => {
            let key = args.text(key);
            let has_key = format!(
                "SELECT 1 FROM experiment_tags t WHERE t.experiment_id = e.experiment_id AND t.key = {key}"
            );
            match comparison {
                Comparison::IsNull => format!("NOT EXISTS ({has_key})"),
                Comparison::IsNotNull => format!("EXISTS ({has_key})"),
                _ => {
                    let value = text_condition(dialect, "t.value", compared, args);
                    format!("EXISTS ({has_key} AND {value})")
                }
            }
        }
        // The grammar has no datasets here.
        Field::Dataset(_) => "FALSE".to_owned(),
    })
}

fn on_id(
    (comparison, operand): (Comparison, &Operand),
    args: &mut Arguments,
) -> Result<String, MlflowError> {
    if !matches!(
        comparison,
        Comparison::Equal | Comparison::NotEqual | Comparison::In | Comparison::NotIn
    ) {
        let message = format!("Invalid comparator for experiment_id: {}", comparison.as_str());
        return Err(MlflowError::invalid(message));
    }
    let mark = match operand {
        Operand::List(ids) => {
            let marks: Vec<String> = ids
                .iter()
                .map(|id| Ok(args.integer(parse_given_id(id)?)))
                .collect::<Result<_, MlflowError>>()?;
            format!("({})", marks.join(", "))
        }
        Operand::Text(id) => args.integer(parse_given_id(id)?),
        Operand::Integer(id) => args.integer(*id),
        Operand::Number(_) | Operand::Nothing => args.integer(i64::MIN),
    };
    Ok(format!("e.experiment_id {} {mark}", comparison.as_str()))
}
