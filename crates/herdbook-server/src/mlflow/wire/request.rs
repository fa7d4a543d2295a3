//! Reads a request's message from its query or its body.

use axum::http::{HeaderMap, Method, header};

use super::check::{Schema, check};
use super::failure::Failure;
use super::json::{Json, NotJson};
use super::message::{Field, Kind, Message};

/// A request as it came.
#[derive(Debug)]
pub(crate) struct Raw<'a> {
    pub(crate) method: &'a Method,
    pub(crate) headers: &'a HeaderMap,
    /// The query string, still encoded; empty if there is none.
    pub(crate) query: &'a str,
    pub(crate) body: &'a [u8],
}

/// The parameters of a query string, decoded, in order.
pub(crate) fn parameters(query: &str) -> Vec<(String, String)> {
    form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

impl Raw<'_> {
    /// Reads the message and checks its parameters, in MLflow's order.
    pub(crate) fn message(
        &self,
        fields: &'static [Field],
        schema: Schema,
    ) -> Result<Message, Failure> {
        if fields.is_empty() {
            // MLflow does not look at the body of such a request.
            return Ok(Message::new(fields));
        }
        let json = if *self.method == Method::GET && !self.query.is_empty() {
            from_query(&parameters(self.query), fields)?
        } else {
            self.json()?
        };
        if let Some((snake, camel)) = Message::conflict(&json, fields) {
            return Err(Failure::invalid(format!(
                "Request specifies both '{snake}' and '{camel}'; provide only one of them."
            )));
        }
        let mut message = Message::new(fields);
        let parsed = message.fill(&json);
        check(schema, &json, parsed).map_err(Failure::invalid)?;
        Ok(message)
    }

    /// The body as a JSON object. A body that is not JSON, or is another value, is an empty object, as in MLflow.
    pub(crate) fn json(&self) -> Result<Json, Failure> {
        self.require_json()?;
        let json = match Json::parse(self.body) {
            // Old clients encode twice.
            Ok(Json::Text(text)) => Json::parse(text.as_bytes()).map_err(|_| {
                Failure::invalid("The body of the request is a text that holds no JSON.")
            })?,
            Ok(json) => json,
            Err(NotJson::Malformed) => Json::Null,
            Err(NotJson::TooDeep) => {
                return Err(Failure::invalid("The body of the request is nested too deeply."));
            }
        };
        match json {
            json @ Json::Object(_) => Ok(json),
            _ => Ok(Json::Object(Vec::new())),
        }
    }

    /// Fails if the body of a POST or PUT is not declared as JSON.
    fn require_json(&self) -> Result<(), Failure> {
        if *self.method != Method::POST && *self.method != Method::PUT {
            return Ok(());
        }
        let Some(given) = self.headers.get(header::CONTENT_TYPE) else {
            return Err(Failure::invalid("Bad Request. Content-Type header is missing."));
        };
        let kind = given.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
        if kind == "application/json" {
            return Ok(());
        }
        Err(Failure::invalid("Bad Request. Content-Type must be one of ['application/json']."))
    }
}

/// The parameters of a query as if they had come in a body.
fn from_query(parameters: &[(String, String)], fields: &'static [Field]) -> Result<Json, Failure> {
    let mut entries = Vec::new();
    for field in fields {
        let mut values =
            parameters.iter().filter(|(name, _)| name == field.name).map(|(_, value)| value);
        let Some(first) = values.next() else { continue };
        let value = if field.is_repeated {
            let all = std::iter::once(first).chain(values);
            Json::List(all.map(|value| Json::Text(value.clone())).collect())
        } else if matches!(field.kind, Kind::Bool) {
            match first.to_lowercase().as_str() {
                "true" => Json::Bool(true),
                "false" => Json::Bool(false),
                _ => {
                    return Err(Failure::invalid(format!(
                        "Invalid boolean value: {first}, must be 'true' or 'false'."
                    )));
                }
            }
        } else {
            Json::Text(first.clone())
        };
        entries.push((field.name.to_owned(), value));
    }
    Ok(Json::Object(entries))
}

#[cfg(test)]
mod tests {
    use super::super::check::Check::{IntLike, Required, Text};
    use super::super::message::{boolean, int64, text};
    use super::*;

    static FIELDS: &[Field] =
        &[text("run_id"), text("run_uuid"), text("names").repeated(), boolean("flag"), int64("n")];
    static SCHEMA: Schema = &[("run_id", &[Required, Text]), ("n", &[IntLike])];

    fn read(method: &Method, query: &str, body: &str) -> Result<Message, String> {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, "application/json; charset=utf-8".parse().unwrap());
        let raw = Raw { method, headers: &headers, query, body: body.as_bytes() };
        raw.message(FIELDS, SCHEMA).map_err(|failure| failure.message)
    }

    #[test]
    fn query_is_read_like_a_body() {
        let message =
            read(&Method::GET, "run_id=a+b%C3%A4&names=x&names=y&flag=TRUE&n=5", "").unwrap();
        assert_eq!(message.text("run_id"), "a bä");
        assert_eq!(message.texts("names"), ["x", "y"]);
        assert!(message.boolean("flag") && message.int("n") == 5);
        assert_eq!(
            read(&Method::GET, "run_id=a&flag=1", "").unwrap_err(),
            "Invalid boolean value: 1, must be 'true' or 'false'."
        );
        assert_eq!(read(&Method::GET, "", "{\"run_id\": \"a\"}").unwrap().text("run_id"), "a");
    }

    #[test]
    fn texts_about_parameters_are_those_of_mlflow() {
        let more = "See the API docs for more information about request parameters.";
        for (body, expected) in [
            ("", "Missing value for required parameter 'run_id'."),
            ("{\"run_id\": \"\"}", "Missing value for required parameter 'run_id'."),
            ("{\"runId\": \"a\"}", "Missing value for required parameter 'run_id'."),
            (
                "{\"run_id\": 0}",
                "Invalid value 0 for parameter 'run_id' supplied:  Hint: Value was of type 'int'.",
            ),
            (
                "{\"run_id\": \"a\", \"n\": \"x\"}",
                "Invalid value \"x\" for parameter 'n' supplied:  Hint: Value was of type 'str'.",
            ),
        ] {
            assert_eq!(
                read(&Method::POST, "", body).unwrap_err(),
                format!("{expected} {more}"),
                "{body}"
            );
        }
        assert!(read(&Method::POST, "", "{\"run_uuid\": \"a\"}").is_ok());
    }

    #[test]
    fn body_that_is_not_declared_as_json_is_refused() {
        let headers = HeaderMap::new();
        let raw = Raw { method: &Method::POST, headers: &headers, query: "", body: b"{}" };
        assert!(raw.json().unwrap_err().message.contains("Content-Type header is missing"));
        let raw = Raw { method: &Method::PATCH, headers: &headers, query: "", body: b"{}" };
        assert!(raw.json().is_ok());
    }
}
