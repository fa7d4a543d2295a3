//! Checks of a request's parameters, with MLflow's texts.

use super::json::Json;
use super::message::Unparsable;

/// A check of one parameter.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Check {
    /// It is given and not empty.
    Required,
    /// These look at the type. They are left out if the whole request could be read.
    Text,
    IntLike,
    FloatLike,
    Array,
    ItemsText,
    /// A check of its own. The error is the text; an empty one stands for the usual text.
    Custom(fn(&Json) -> Result<(), String>),
}

/// The checks of a request: each parameter, by its name, with its checks in order.
pub(crate) type Schema = &'static [(&'static str, &'static [Check])];

/// Checks the parameters in order. The error is MLflow's text for the first that is wrong.
pub(crate) fn check(
    schema: Schema,
    json: &Json,
    parsed: Result<(), Unparsable>,
) -> Result<(), String> {
    for (name, checks) in schema {
        let is_required = checks.iter().any(|check| matches!(check, Check::Required));
        if json.get(name).is_none() && !is_required {
            continue;
        }
        let mut value = json.get(name).unwrap_or(&Json::Null);
        if *name == "run_id" && *value == Json::Null {
            value = json.get("run_uuid").unwrap_or(&Json::Null);
        }
        for check in *checks {
            if let Err(message) = check.apply(name, value, parsed) {
                let more = "See the API docs for more information about request parameters.";
                return Err(format!("{message} {more}"));
            }
        }
    }
    Ok(())
}

impl Check {
    fn apply(self, name: &str, value: &Json, parsed: Result<(), Unparsable>) -> Result<(), String> {
        let is_type_right = match self {
            Self::Required if is_missing(value) => {
                return Err(format!("Missing value for required parameter '{name}'."));
            }
            Self::Required => true,
            Self::Custom(custom) => match custom(value) {
                Err(message) if message.is_empty() => false,
                outcome => return outcome,
            },
            _ if parsed.is_ok() => true,
            Self::Text => matches!(value, Json::Text(_)),
            Self::IntLike => match value {
                Json::Int(_) | Json::Bool(_) => true,
                Json::Float(float) => float.is_finite(),
                Json::Text(text) => herdbook_mlflow::python::parse_int(text).is_some(),
                _ => false,
            },
            Self::FloatLike => match value {
                Json::Int(_) | Json::Float(_) | Json::Bool(_) => true,
                Json::Text(text) => herdbook_mlflow::python::parse_float(text).is_some(),
                _ => false,
            },
            Self::Array => matches!(value, Json::List(_)),
            Self::ItemsText => match value {
                Json::List(items) => items.iter().all(|item| matches!(item, Json::Text(_))),
                _ => false,
            },
        };
        if is_type_right { Ok(()) } else { Err(invalid(name, value)) }
    }
}

/// Whether a value counts as not given.
pub(crate) fn is_missing(value: &Json) -> bool {
    match value {
        Json::Null => true,
        Json::Text(text) => text.is_empty(),
        _ => false,
    }
}

fn invalid(name: &str, value: &Json) -> String {
    format!(
        "Invalid value {} for parameter '{name}' supplied:  Hint: Value was of type '{}'.",
        value.dumped(),
        value.python_type()
    )
}
