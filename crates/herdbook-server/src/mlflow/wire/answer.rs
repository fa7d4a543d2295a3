//! Answers: JSON in which a field stands only if the server set it.

use axum::body::Body;
use axum::http::{HeaderValue, Response, header};
use herdbook_mlflow::Code;
use serde::{Serialize, Serializer};

use super::failure::Failure;

/// The body of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer(Vec<u8>);

impl Answer {
    /// An answer without fields.
    pub(crate) fn empty() -> Self {
        Self(b"{}".to_vec())
    }

    /// An answer that is JSON already.
    pub(crate) fn of_json(json: String) -> Self {
        Self(json.into_bytes())
    }

    pub(crate) fn response(self) -> Response<Body> {
        let mut response = Response::new(Body::from(self.0));
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(header::CONTENT_TYPE, json);
        response
    }
}

/// Renders an answer.
///
/// # Errors
/// [`Code::InternalError`] if the value is no JSON, such as a map whose keys are not texts.
pub(crate) fn answer(value: &impl Serialize) -> Result<Answer, Failure> {
    let rendered = serde_json::to_vec(value).map_err(|error| {
        Failure::new(Code::InternalError, format!("the answer cannot be written: {error}"))
    })?;
    Ok(Answer(rendered))
}

/// A number of the kind `double`: NaN and the infinities are texts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Double(pub(crate) f64);

impl Serialize for Double {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.is_nan() {
            serializer.serialize_str("NaN")
        } else if self.0.is_infinite() {
            serializer.serialize_str(if self.0 > 0.0 { "Infinity" } else { "-Infinity" })
        } else {
            serializer.serialize_f64(self.0)
        }
    }
}

/// A tag, param or other pair.
#[derive(Debug, Serialize)]
pub(crate) struct Pair<'a> {
    key: &'a str,
    value: &'a str,
}

/// The pairs as a repeated message.
pub(crate) fn pairs(pairs: &[(String, String)]) -> Vec<Pair<'_>> {
    pairs.iter().map(|(key, value)| Pair { key, value }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_are_numbers_if_they_are_finite() {
        let doubles = [1.0, -0.5, 1.797_693_134_862_315_7e308, f64::NAN, f64::NEG_INFINITY];
        let shown = serde_json::to_string(&doubles.map(Double)).unwrap();
        assert_eq!(shown, r#"[1.0,-0.5,1.7976931348623157e+308,"NaN","-Infinity"]"#);
    }
}
