//! The values of metrics over time.

use herdbook_mlflow::metrics::{self, HistoryPage, RunValue, Steps};
use herdbook_mlflow::python;
use serde::Serialize;

use crate::app::App;
use crate::mlflow::endpoint::{Call, Endpoint, Verb};
use crate::mlflow::runs::Metric;
use crate::mlflow::wire::answer::{Answer, Double, answer};
use crate::mlflow::wire::check::Check::{Array, Custom, IntLike, ItemsText, Required, Text};
use crate::mlflow::wire::failure::Failure;
use crate::mlflow::wire::json::Json;
use crate::mlflow::wire::message::{int32, text};

/// Most runs of a request.
const MAX_RUNS: usize = 100;
/// Most values of a history of several runs.
const MAX_HISTORY: i64 = 25_000;
/// Most values per run of a sample.
const MAX_SAMPLE: i64 = 2500;

pub(crate) static ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        method: Verb::Get,
        path: "metrics/get-history",
        fields: &[
            text("run_id"),
            text("run_uuid"),
            text("metric_key"),
            text("page_token"),
            int32("max_results"),
        ],
        schema: &[
            ("run_id", &[Text, Required]),
            ("metric_key", &[Text, Required]),
            ("page_token", &[Text]),
        ],
        act: history,
    },
    Endpoint {
        method: Verb::Get,
        path: "metrics/get-history-bulk-interval",
        fields: &[
            text("run_ids").repeated(),
            text("metric_key"),
            int32("start_step"),
            int32("end_step"),
            int32("max_results"),
        ],
        schema: &[
            ("run_ids", &[Required, Array, ItemsText, Custom(at_most_100)]),
            ("metric_key", &[Required, Text]),
            ("start_step", &[IntLike]),
            ("end_step", &[IntLike]),
            ("max_results", &[IntLike, Custom(is_sample_size)]),
        ],
        act: sample,
    },
];

/// Endpoints that only MLflow's UI uses.
pub(crate) static UI_ENDPOINTS: &[Endpoint] = &[Endpoint {
    method: Verb::Get,
    path: "metrics/get-history-bulk",
    fields: &[],
    schema: &[],
    act: history_of_runs,
}];

#[derive(Serialize)]
struct History<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    metrics: Vec<Metric<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<&'a str>,
}

#[derive(Serialize)]
struct Sample<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    metrics: Vec<RunMetric<'a>>,
}

#[derive(Serialize)]
struct RunMetric<'a> {
    key: &'a str,
    value: Double,
    timestamp: i64,
    step: i64,
    run_id: &'a str,
}

impl<'a> RunMetric<'a> {
    fn of(RunValue { run_id, value }: &'a RunValue) -> Self {
        Self {
            key: &value.key,
            value: Double(value.value),
            timestamp: value.timestamp,
            step: value.step,
            run_id,
        }
    }
}

fn at_most_100(run_ids: &Json) -> Result<(), String> {
    let n_runs = match run_ids {
        Json::List(items) => items.len(),
        _ => 0,
    };
    if n_runs <= MAX_RUNS {
        return Ok(());
    }
    Err(format!(
        "GetMetricHistoryBulkInterval request must specify at most {MAX_RUNS} run_ids. Received {n_runs} run_ids."
    ))
}

fn is_sample_size(max: &Json) -> Result<(), String> {
    let number = match max {
        Json::Int(number) => Some(*number),
        Json::Text(text) => python::parse_int(text),
        _ => None,
    };
    if number.is_some_and(|number| (1..=i128::from(MAX_SAMPLE)).contains(&number)) {
        return Ok(());
    }
    Err(format!("max_results must be between 1 and {MAX_SAMPLE}."))
}

fn history(app: &App, call: &Call) -> Result<Answer, Failure> {
    let message = &call.message;
    let wanted = HistoryPage {
        run_id: call.run_id(),
        key: message.text("metric_key"),
        max_results: message.int_if_given("max_results"),
        page_token: message.text("page_token"),
    };
    let page = metrics::history(app.session(), &wanted)?;
    answer(&History {
        metrics: page.records.iter().map(Metric::of).collect(),
        next_page_token: page.next.as_deref(),
    })
}

fn sample(app: &App, call: &Call) -> Result<Answer, Failure> {
    // As in MLflow, these count only in the query.
    let query = call.query();
    let number = |wanted: &str| match query.iter().find(|(name, _)| name == wanted) {
        None => Ok(None),
        Some((_, text)) => {
            match python::parse_int(text).and_then(|number| i64::try_from(number).ok()) {
                Some(number) => Ok(Some(number)),
                None => Err(Failure::invalid(format!(
                    "Parameter '{wanted}' must be an integer, got '{text}'."
                ))),
            }
        }
    };
    let steps = match (number("start_step")?, number("end_step")?) {
        (Some(first), Some(last)) if first > last => {
            return Err(Failure::invalid(format!(
                "end_step must be greater than start_step. Found start_step={first} and end_step={last}."
            )));
        }
        (Some(first), Some(last)) => Some(Steps { first, last }),
        (None, None) => None,
        _ => {
            return Err(Failure::invalid(
                "If either start step or end step are specified, both must be specified.",
            ));
        }
    };
    let max = number("max_results")?.unwrap_or(MAX_SAMPLE).clamp(1, MAX_SAMPLE);
    let message = &call.message;
    let (run_ids, key) = (message.texts("run_ids"), message.text("metric_key"));
    let values = metrics::sample(app.session(), &run_ids, key, steps, max)?;
    answer(&Sample { metrics: values.iter().map(RunMetric::of).collect() })
}

fn history_of_runs(app: &App, call: &Call) -> Result<Answer, Failure> {
    let query = call.query();
    let values = |wanted: &'static str| {
        query.iter().filter(move |(name, _)| name == wanted).map(|(_, value)| value.clone())
    };
    let run_ids: Vec<String> = values("run_id").collect();
    if run_ids.is_empty() {
        return Err(Failure::invalid(
            "GetMetricHistoryBulk request must specify at least one run_id.",
        ));
    }
    if run_ids.len() > MAX_RUNS {
        return Err(Failure::invalid(format!(
            "GetMetricHistoryBulk request cannot specify more than {MAX_RUNS} run_ids. Received {} run_ids.",
            run_ids.len()
        )));
    }
    let Some(key) = values("metric_key").next() else {
        return Err(Failure::invalid("GetMetricHistoryBulk request must specify a metric_key."));
    };
    let max = match values("max_results").next() {
        None => MAX_HISTORY,
        Some(text) => match python::parse_int(&text) {
            Some(number) if number >= 0 => number.min(i128::from(MAX_HISTORY)) as i64,
            _ => {
                return Err(Failure::invalid(format!(
                    "max_results must be a number that is not negative, got '{text}'."
                )));
            }
        },
    };
    let found = metrics::history_of_runs(app.session(), &run_ids, &key, max)?;
    Ok(Answer::of_json(history_json(&found)))
}

/// The answer as MLflow writes it. It is no message: keys are sorted, NaN has no quotes, and the list is there also if it is
/// empty.
fn history_json(values: &[RunValue]) -> String {
    let items: Vec<String> = values
        .iter()
        .map(|RunValue { run_id, value }| {
            format!(
                r#"{{"key":{},"run_id":{},"step":{},"timestamp":{},"value":{}}}"#,
                python::json_text(&value.key),
                python::json_text(run_id),
                value.step,
                value.timestamp,
                python::json_float(value.value)
            )
        })
        .collect();
    format!(r#"{{"metrics":[{}]}}"#, items.join(","))
}
