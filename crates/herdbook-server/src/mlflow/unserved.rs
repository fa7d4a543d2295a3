//! Parts of MLflow that this server does not offer: traces, and what MLflow has for language models. Their requests get a
//! clear refusal (501, which clients do not repeat) instead of an unknown path.

use herdbook_mlflow::Code;

use crate::mlflow::wire::failure::Failure;

/// The beginnings of the paths, below `/api` or `/ajax-api`, with what they are about.
const UNSERVED: [(&str, &str); 19] = [
    ("2.0/mlflow/traces", "traces"),
    ("3.0/mlflow/traces", "traces"),
    ("2.0/mlflow/unified-traces", "traces"),
    ("2.0/mlflow/get-online-trace-details", "traces"),
    ("2.0/mlflow/get-trace-artifact", "traces"),
    ("3.0/mlflow/get-trace-artifact", "traces"),
    ("2.0/mlflow/webhooks", "webhooks"),
    ("2.0/mlflow/gateway-proxy", "the AI gateway"),
    ("3.0/mlflow/gateway", "the AI gateway"),
    ("3.0/mlflow/datasets", "evaluation datasets"),
    ("3.0/mlflow/scorer", "scorers"),
    ("3.0/mlflow/genai", "evaluation of language models"),
    ("3.0/mlflow/prompt-optimization", "optimization of prompts"),
    ("3.0/mlflow/issues", "issues"),
    ("3.0/mlflow/label-schemas", "label schemas"),
    ("3.0/mlflow/review-queues", "review queues"),
    ("3.0/mlflow/jobs", "jobs"),
    ("3.0/jobs", "jobs"),
    ("3.0/mlflow/workspaces", "workspaces"),
];

/// The refusal of a request to a part of MLflow that is not offered; `None` for any other path.
pub(crate) fn refusal(path: &str) -> Option<Failure> {
    let below = path.strip_prefix("/api/").or_else(|| path.strip_prefix("/ajax-api/"));
    let what = match below {
        Some(below) => {
            let found = UNSERVED.iter().find(|(start, _)| below.starts_with(start));
            found.map(|(_, what)| *what)?
        }
        None if path == "/v1/traces" => "traces",
        None if path == "/graphql" => "GraphQL",
        None => return None,
    };
    let message =
        format!("This server does not offer {what}. It keeps experiments, runs and models.");
    Some(Failure::new(Code::NotImplemented, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_that_are_not_offered_are_named() {
        for (path, expected) in [
            ("/api/3.0/mlflow/traces/search", Some("traces")),
            ("/ajax-api/2.0/mlflow/traces", Some("traces")),
            ("/v1/traces", Some("traces")),
            ("/api/3.0/mlflow/scorers/list", Some("scorers")),
            ("/api/2.0/mlflow/webhooks", Some("webhooks")),
            ("/api/2.0/mlflow/runs/unknown", None),
            ("/api/3.0/mlflow/server-features", None),
            ("/other", None),
        ] {
            let found = refusal(path).map(|failure| failure.message);
            let expected = expected.map(|what| {
                format!("This server does not offer {what}. It keeps experiments, runs and models.")
            });
            assert_eq!(found, expected, "{path}");
        }
    }
}
