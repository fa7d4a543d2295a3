//! Endpoints that add entries to a run.

use herdbook_mlflow::runs::{self, Batch, InputDataset, MetricValue, ModelOutput};

use crate::app::App;
use crate::mlflow::endpoint::{Call, Endpoint, Verb};
use crate::mlflow::wire::answer::Answer;
use crate::mlflow::wire::check::Check::{Array, Custom, FloatLike, IntLike, Required, Text};
use crate::mlflow::wire::check::is_missing;
use crate::mlflow::wire::failure::Failure;
use crate::mlflow::wire::json::Json;
use crate::mlflow::wire::message::{Field, Message, PAIR, double, int64, message, text};

pub(crate) static ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        method: Verb::Post,
        path: "runs/log-metric",
        fields: &[
            text("run_id"),
            text("run_uuid"),
            text("key"),
            double("value"),
            int64("timestamp"),
            int64("step"),
            text("model_id"),
            text("dataset_name"),
            text("dataset_digest"),
        ],
        schema: &[
            ("run_id", &[Required, Text]),
            ("key", &[Required, Text]),
            ("value", &[Required, FloatLike]),
            ("timestamp", &[IntLike, Required]),
            ("step", &[IntLike]),
            ("model_id", &[Text]),
            ("dataset_name", &[Text]),
            ("dataset_digest", &[Text]),
        ],
        act: log_metric,
    },
    Endpoint {
        method: Verb::Post,
        path: "runs/log-parameter",
        fields: &[text("run_id"), text("run_uuid"), text("key"), text("value")],
        schema: &[("run_id", &[Required, Text]), ("key", &[Required, Text]), ("value", &[Text])],
        act: log_param,
    },
    Endpoint {
        method: Verb::Post,
        path: "runs/set-tag",
        fields: &[text("run_id"), text("run_uuid"), text("key"), text("value")],
        schema: &[("run_id", &[Required, Text]), ("key", &[Required, Text]), ("value", &[Text])],
        act: set_tag,
    },
    Endpoint {
        method: Verb::Post,
        path: "runs/delete-tag",
        fields: &[text("run_id"), text("key")],
        schema: &[("run_id", &[Required, Text]), ("key", &[Required, Text])],
        act: delete_tag,
    },
    Endpoint {
        method: Verb::Post,
        path: "runs/log-batch",
        fields: &[
            text("run_id"),
            message("metrics", METRIC).repeated(),
            message("params", PAIR).repeated(),
            message("tags", PAIR).repeated(),
        ],
        schema: &[
            ("run_id", &[Text, Required]),
            ("metrics", &[Array, Custom(metrics_are_whole)]),
            ("params", &[Array, Custom(params_have_keys)]),
            ("tags", &[Array, Custom(tags_have_keys)]),
        ],
        act: log_batch,
    },
    Endpoint {
        method: Verb::Post,
        path: "runs/log-model",
        fields: &[text("run_id"), text("model_json")],
        schema: &[("run_id", &[Text, Required]), ("model_json", &[Text, Required])],
        act: log_model,
    },
    Endpoint {
        method: Verb::Post,
        path: "runs/log-inputs",
        fields: &[
            text("run_id"),
            message("datasets", DATASET_INPUT).repeated(),
            message("models", MODEL).repeated(),
        ],
        schema: &[("run_id", &[Required, Text]), ("datasets", &[Array]), ("models", &[Array])],
        act: log_inputs,
    },
    Endpoint {
        method: Verb::Post,
        path: "runs/outputs",
        fields: &[text("run_id"), message("models", MODEL).repeated()],
        schema: &[("run_id", &[Required, Text]), ("models", &[Required, Array])],
        act: log_outputs,
    },
];

static METRIC: &[Field] = &[
    text("key"),
    double("value"),
    int64("timestamp"),
    int64("step"),
    text("dataset_name"),
    text("dataset_digest"),
    text("model_id"),
    text("run_id"),
];
static DATASET_INPUT: &[Field] = &[message("tags", PAIR).repeated(), message("dataset", DATASET)];
static DATASET: &[Field] = &[
    text("name"),
    text("digest"),
    text("source_type"),
    text("source"),
    text("schema"),
    text("profile"),
];
static MODEL: &[Field] = &[text("model_id"), int64("step")];

fn metrics_are_whole(metrics: &Json) -> Result<(), String> {
    have(metrics, "metrics", &["key", "value", "timestamp"])
}

fn params_have_keys(params: &Json) -> Result<(), String> {
    have(params, "params", &["key"])
}

fn tags_have_keys(tags: &Json) -> Result<(), String> {
    have(tags, "tags", &["key"])
}

/// Fails if an item of a list lacks a field.
fn have(list: &Json, name: &str, fields: &[&str]) -> Result<(), String> {
    let Json::List(items) = list else { return Err(String::new()) };
    for (idx, item) in items.iter().enumerate() {
        for field in fields {
            if item.get(field).is_none_or(is_missing) {
                return Err(format!(
                    "Missing value for required parameter '{name}[{idx}].{field}'."
                ));
            }
        }
    }
    Ok(())
}

fn metric(message: &Message) -> Result<MetricValue, Failure> {
    let some = |name| message.some_text(name).map(str::to_owned);
    if some("dataset_name").is_some() != some("dataset_digest").is_some() {
        let text = "Both dataset_name and dataset_digest must be provided if one is provided";
        return Err(Failure::invalid(text));
    }
    Ok(MetricValue {
        key: message.text("key").to_owned(),
        value: message.double("value"),
        timestamp: message.int("timestamp"),
        step: message.int("step"),
        model_id: some("model_id"),
        dataset_name: some("dataset_name"),
        dataset_digest: some("dataset_digest"),
    })
}

fn log_metric(app: &App, call: &Call) -> Result<Answer, Failure> {
    runs::log_metric(app.session(), call.run_id(), &metric(&call.message)?)?;
    Ok(Answer::empty())
}

fn log_param(app: &App, call: &Call) -> Result<Answer, Failure> {
    let (key, value) = (call.message.text("key"), call.message.text("value"));
    runs::log_param(app.session(), call.run_id(), key, value)?;
    Ok(Answer::empty())
}

fn set_tag(app: &App, call: &Call) -> Result<Answer, Failure> {
    let (key, value) = (call.message.text("key"), call.message.text("value"));
    runs::set_tag(app.session(), call.run_id(), key, value)?;
    Ok(Answer::empty())
}

fn delete_tag(app: &App, call: &Call) -> Result<Answer, Failure> {
    runs::delete_tag(app.session(), call.message.text("run_id"), call.message.text("key"))?;
    Ok(Answer::empty())
}

fn log_batch(app: &App, call: &Call) -> Result<Answer, Failure> {
    let message = &call.message;
    let batch = Batch {
        metrics: message.messages("metrics").map(metric).collect::<Result<_, _>>()?,
        params: message.pairs("params"),
        tags: message.pairs("tags"),
    };
    runs::log_batch(app.session(), message.text("run_id"), &batch)?;
    Ok(Answer::empty())
}

fn log_model(app: &App, call: &Call) -> Result<Answer, Failure> {
    let (run_id, model) = (call.message.text("run_id"), call.message.text("model_json"));
    runs::log_model(app.session(), run_id, model)?;
    Ok(Answer::empty())
}

fn log_inputs(app: &App, call: &Call) -> Result<Answer, Failure> {
    let message = &call.message;
    let datasets: Vec<InputDataset> = message.messages("datasets").map(dataset).collect();
    let models: Vec<String> =
        message.messages("models").map(|model| model.text("model_id").to_owned()).collect();
    runs::log_inputs(app.session(), message.text("run_id"), &datasets, &models)?;
    Ok(Answer::empty())
}

fn dataset(input: &Message) -> InputDataset {
    let tags = input.pairs("tags");
    let Some(dataset) = input.message("dataset") else {
        return InputDataset { tags, ..InputDataset::default() };
    };
    InputDataset {
        name: dataset.text("name").to_owned(),
        digest: dataset.text("digest").to_owned(),
        source_type: dataset.text("source_type").to_owned(),
        source: dataset.text("source").to_owned(),
        schema: dataset.text_if_given("schema").map(str::to_owned),
        profile: dataset.text_if_given("profile").map(str::to_owned),
        tags,
    }
}

fn log_outputs(app: &App, call: &Call) -> Result<Answer, Failure> {
    let output = |model: &Message| ModelOutput {
        model_id: model.text("model_id").to_owned(),
        step: model.int("step"),
    };
    let models: Vec<ModelOutput> = call.message.messages("models").map(output).collect();
    runs::log_outputs(app.session(), call.message.text("run_id"), &models)?;
    Ok(Answer::empty())
}
