//! Page tokens of searches for logged models: the base64 of the search and the number of models before the page. A token
//! works only with the search that it was given for.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::error::MlflowError;
use crate::logged_models::order::OrderBy;
use crate::logged_models::request::ModelSearch;
use crate::python;

/// The token of the page that begins after `offset` models.
pub(crate) fn token(search: &ModelSearch, offset: i64) -> String {
    let ids: Vec<String> = search.experiment_ids.iter().map(|id| python::json_text(id)).collect();
    let text = format!(
        "{{\"experiment_ids\": [{}], \"filter_string\": {}, \"order_by\": {}, \"offset\": {offset}}}",
        ids.join(", "),
        optional(search.filter()),
        if search.order_by.is_empty() { "null".to_owned() } else { orders_json(&search.order_by) }
    );
    STANDARD.encode(text)
}

/// The number of models before the page of a token.
///
/// # Errors
/// [`MlflowError::Refused`] if this is no token, or one of another search.
pub(crate) fn offset(search: &ModelSearch) -> Result<i64, MlflowError> {
    let given = &search.page_token;
    if given.is_empty() {
        return Ok(0);
    }
    let broken =
        |problem: &str| MlflowError::invalid(format!("Invalid page token: {given}. {problem}"));
    let bytes = STANDARD.decode(given).map_err(|_| broken("It is not base64."))?;
    let token: Value = serde_json::from_slice(&bytes).map_err(|_| broken("It is not JSON."))?;
    let Value::Object(token) = token else { return Err(broken("It is not a JSON object.")) };
    let field = |name: &str| token.get(name).filter(|value| !is_empty(value));
    let expected: Vec<Value> = search.experiment_ids.iter().cloned().map(Value::from).collect();
    let found = token.get("experiment_ids").cloned().unwrap_or(Value::Null);
    if found != Value::from(expected) {
        return Err(mismatch("Experiment IDs", "experiment IDs", &ids(search), &found));
    }
    let found = field("filter_string").cloned().unwrap_or(Value::Null);
    if found.as_str() != search.filter() {
        let expected = search.filter().map_or_else(|| "None".to_owned(), str::to_owned);
        return Err(mismatch("Filter string", "filter string", &expected, &found));
    }
    let found = field("order_by").cloned().unwrap_or(Value::Null);
    if found != orders_value(&search.order_by) {
        let expected = shown(&orders_value(&search.order_by));
        return Err(mismatch("Order by", "order by", &expected, &found));
    }
    match field("offset") {
        None => Ok(0),
        Some(offset) => offset
            .as_i64()
            .filter(|offset| *offset >= 0)
            .ok_or_else(|| broken("Its offset is not a number of models.")),
    }
}

fn mismatch(what: &str, requested: &str, expected: &str, found: &Value) -> MlflowError {
    let found = match found {
        Value::String(text) => text.clone(),
        other => shown(other),
    };
    MlflowError::invalid(format!(
        "{what} in the page token do{} not match the requested {requested}. Expected: {expected}. Found: {found}",
        if what == "Experiment IDs" { "" } else { "es" }
    ))
}

fn ids(search: &ModelSearch) -> String {
    python::list(&search.experiment_ids)
}

fn optional(text: Option<&str>) -> String {
    text.map_or_else(|| "null".to_owned(), python::json_text)
}

fn orders_json(orders: &[OrderBy]) -> String {
    let all: Vec<String> = orders
        .iter()
        .map(|order| {
            format!(
                "{{\"field_name\": {}, \"ascending\": {}, \"dataset_name\": {}, \"dataset_digest\": {}}}",
                python::json_text(&order.field_name),
                order.is_ascending,
                optional(order.dataset_name.as_deref()),
                optional(order.dataset_digest.as_deref())
            )
        })
        .collect();
    format!("[{}]", all.join(", "))
}

fn orders_value(orders: &[OrderBy]) -> Value {
    if orders.is_empty() {
        return Value::Null;
    }
    serde_json::from_str(&orders_json(orders)).expect("the text was made as JSON")
}

/// The fields of an order clause, in MLflow's sequence.
const ORDER: [&str; 4] = ["field_name", "ascending", "dataset_name", "dataset_digest"];

/// The value as Python prints it. The fields of an order clause stand in MLflow's sequence.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => python::text(text),
        Value::Array(items) => {
            let shown: Vec<String> = items.iter().map(shown).collect();
            format!("[{}]", shown.join(", "))
        }
        Value::Object(fields) => {
            let place = |key: &str| ORDER.iter().position(|name| *name == key);
            let mut sorted: Vec<(&String, &Value)> = fields.iter().collect();
            sorted.sort_by_key(|(key, _)| place(key).unwrap_or(ORDER.len()));
            let shown: Vec<String> = sorted
                .into_iter()
                .map(|(key, value)| format!("{}: {}", python::text(key), shown(value)))
                .collect();
            format!("{{{}}}", shown.join(", "))
        }
    }
}

/// Whether Python treats the value as false.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::Bool(true) => false,
    }
}
