//! Logged models.

use herdbook_mlflow::logged_models::{
    self, DatasetFilter, LoggedModel, ModelMetric, ModelSearch, NewModel, OrderBy,
};
use serde::Serialize;

use crate::app::App;
use crate::mlflow::endpoint::{Call, Endpoint, Verb};
use crate::mlflow::wire::answer::{Answer, Double, Pair, answer, pairs};
use crate::mlflow::wire::check::Check::{Array, IntLike, ItemsText, Required, Text};
use crate::mlflow::wire::failure::Failure;
use crate::mlflow::wire::message::{Field, Message, boolean, enumeration, int32, message, text};

static PAIR: &[Field] = &[text("key"), text("value")];
static DATASET: &[Field] = &[text("dataset_name"), text("dataset_digest")];
static ORDER_BY: &[Field] =
    &[text("field_name"), boolean("ascending"), text("dataset_name"), text("dataset_digest")];
static STATUS: &[(&str, i64)] = &[
    ("LOGGED_MODEL_STATUS_UNSPECIFIED", 0),
    ("LOGGED_MODEL_PENDING", 1),
    ("LOGGED_MODEL_READY", 2),
    ("LOGGED_MODEL_UPLOAD_FAILED", 3),
];

pub(crate) static ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        method: Verb::Post,
        path: "logged-models",
        fields: &[
            text("experiment_id"),
            text("name"),
            text("model_type"),
            text("source_run_id"),
            message("params", PAIR).repeated(),
            message("tags", PAIR).repeated(),
        ],
        schema: &[
            ("experiment_id", &[Text, Required]),
            ("name", &[Text]),
            ("model_type", &[Text]),
            ("source_run_id", &[Text]),
            ("params", &[Array]),
            ("tags", &[Array]),
        ],
        act: create,
    },
    Endpoint {
        method: Verb::Post,
        path: "logged-models/search",
        fields: &[
            text("experiment_ids").repeated(),
            text("filter"),
            message("datasets", DATASET).repeated(),
            int32("max_results"),
            message("order_by", ORDER_BY).repeated(),
            text("page_token"),
        ],
        schema: &[
            ("experiment_ids", &[Array, ItemsText, Required]),
            ("filter", &[Text]),
            ("datasets", &[Array]),
            ("max_results", &[IntLike]),
            ("order_by", &[Array]),
            ("page_token", &[Text]),
        ],
        act: search,
    },
    Endpoint {
        method: Verb::Get,
        path: "logged-models/{model_id}",
        fields: &[],
        schema: &[],
        act: get,
    },
    Endpoint {
        method: Verb::Patch,
        path: "logged-models/{model_id}",
        fields: &[text("model_id"), enumeration("status", STATUS)],
        schema: &[("model_id", &[Text, Required]), ("status", &[IntLike, Required])],
        act: finalize,
    },
    Endpoint {
        method: Verb::Delete,
        path: "logged-models/{model_id}",
        fields: &[],
        schema: &[],
        act: delete,
    },
    Endpoint {
        method: Verb::Patch,
        path: "logged-models/{model_id}/tags",
        fields: &[text("model_id"), message("tags", PAIR).repeated()],
        schema: &[("tags", &[Array])],
        act: set_tags,
    },
    Endpoint {
        method: Verb::Delete,
        path: "logged-models/{model_id}/tags/{tag_key}",
        fields: &[],
        schema: &[],
        act: delete_tag,
    },
    Endpoint {
        method: Verb::Post,
        path: "logged-models/{model_id}/params",
        fields: &[text("model_id"), message("params", PAIR).repeated()],
        schema: &[("model_id", &[Text, Required]), ("params", &[Array])],
        act: log_params,
    },
];

/// A logged model on the wire.
#[derive(Serialize)]
struct Model<'a> {
    info: Info<'a>,
    data: Data<'a>,
}

#[derive(Serialize)]
struct Info<'a> {
    model_id: &'a str,
    experiment_id: String,
    name: &'a str,
    creation_timestamp_ms: i64,
    last_updated_timestamp_ms: i64,
    artifact_uri: &'a str,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    model_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_run_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_message: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<Pair<'a>>,
}

#[derive(Serialize)]
struct Data<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    params: Vec<Pair<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    metrics: Vec<Metric<'a>>,
}

#[derive(Serialize)]
struct Metric<'a> {
    key: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Double>,
    timestamp: i64,
    step: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    dataset_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dataset_digest: Option<&'a str>,
    model_id: &'a str,
    run_id: &'a str,
}

impl<'a> Model<'a> {
    fn of(model: &'a LoggedModel) -> Self {
        let metric = |metric: &'a ModelMetric| Metric {
            key: &metric.key,
            value: metric.value.map(Double),
            timestamp: metric.timestamp,
            step: metric.step,
            dataset_name: metric.dataset_name.as_deref().filter(|name| !name.is_empty()),
            dataset_digest: metric.dataset_digest.as_deref().filter(|digest| !digest.is_empty()),
            model_id: &model.model_id,
            run_id: &metric.run_id,
        };
        Self {
            info: Info {
                model_id: &model.model_id,
                experiment_id: model.experiment_id.to_string(),
                name: &model.name,
                creation_timestamp_ms: model.creation_timestamp,
                last_updated_timestamp_ms: model.last_updated_timestamp,
                artifact_uri: &model.artifact_location,
                status: status_name(model.status),
                model_type: model.model_type.as_deref(),
                source_run_id: model.source_run_id.as_deref(),
                status_message: model.status_message.as_deref(),
                tags: pairs(&model.tags),
            },
            data: Data {
                params: pairs(&model.params),
                metrics: model.metrics.iter().map(metric).collect(),
            },
        }
    }
}

fn status_name(status: i64) -> &'static str {
    let found = STATUS.iter().find(|(_, number)| *number == status);
    found.map_or(STATUS[0].0, |(name, _)| name)
}

#[derive(Serialize)]
struct OneModel<'a> {
    model: Model<'a>,
}

#[derive(Serialize)]
struct Models<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    models: Vec<Model<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

fn one(model: &LoggedModel) -> Result<Answer, Failure> {
    answer(&OneModel { model: Model::of(model) })
}

fn create(app: &App, call: &Call) -> Result<Answer, Failure> {
    let message = &call.message;
    let new = NewModel {
        experiment_id: message.text("experiment_id").to_owned(),
        name: message.text("name").to_owned(),
        model_type: message.text("model_type").to_owned(),
        source_run_id: message.text("source_run_id").to_owned(),
        params: message.pairs("params"),
        tags: message.pairs("tags"),
    };
    one(&logged_models::create(app.session(), &new)?)
}

fn get(app: &App, call: &Call) -> Result<Answer, Failure> {
    let query = call.query();
    let given = query.iter().find(|(name, _)| name == "allow_deleted");
    let allow_deleted = given.is_some_and(|(_, value)| value.eq_ignore_ascii_case("true"));
    one(&logged_models::get(app.session(), call.path("model_id"), allow_deleted)?)
}

fn finalize(app: &App, call: &Call) -> Result<Answer, Failure> {
    // MLflow takes the id of the body, not that of the path.
    let message = &call.message;
    one(&logged_models::finalize(app.session(), message.text("model_id"), message.int("status"))?)
}

fn delete(app: &App, call: &Call) -> Result<Answer, Failure> {
    logged_models::delete(app.session(), call.path("model_id"))?;
    Ok(Answer::empty())
}

fn set_tags(app: &App, call: &Call) -> Result<Answer, Failure> {
    let tags = call.message.pairs("tags");
    logged_models::set_tags(app.session(), call.path("model_id"), &tags)?;
    Ok(Answer::empty())
}

fn delete_tag(app: &App, call: &Call) -> Result<Answer, Failure> {
    logged_models::delete_tag(app.session(), call.path("model_id"), call.path("tag_key"))?;
    Ok(Answer::empty())
}

fn log_params(app: &App, call: &Call) -> Result<Answer, Failure> {
    let params = call.message.pairs("params");
    logged_models::log_params(app.session(), call.path("model_id"), &params)?;
    Ok(Answer::empty())
}

fn search(app: &App, call: &Call) -> Result<Answer, Failure> {
    let message = &call.message;
    let search = ModelSearch {
        experiment_ids: message.texts("experiment_ids"),
        filter: message.text("filter").to_owned(),
        datasets: message.messages("datasets").map(dataset).collect(),
        order_by: message.messages("order_by").map(order).collect(),
        page_token: message.text("page_token").to_owned(),
        max_results: message.int("max_results"),
    };
    let page = logged_models::search(app.session(), &search)?;
    answer(&Models {
        models: page.records.iter().map(Model::of).collect(),
        next_page_token: page.next,
    })
}

fn dataset(message: &Message) -> DatasetFilter {
    DatasetFilter {
        name: message.text("dataset_name").to_owned(),
        digest: message.some_text("dataset_digest").map(str::to_owned),
    }
}

fn order(message: &Message) -> OrderBy {
    OrderBy {
        field_name: message.text("field_name").to_owned(),
        is_ascending: !message.has("ascending") || message.boolean("ascending"),
        dataset_name: message.some_text("dataset_name").map(str::to_owned),
        dataset_digest: message.some_text("dataset_digest").map(str::to_owned),
    }
}
