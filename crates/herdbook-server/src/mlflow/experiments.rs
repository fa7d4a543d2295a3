//! Experiments.

use herdbook_mlflow::ViewType;
use herdbook_mlflow::experiments::{self, ExperimentSearch, NewExperiment};
use serde::Serialize;

use crate::app::App;
use crate::mlflow::endpoint::{Call, Endpoint, Verb};
use crate::mlflow::wire::answer::{Answer, Pair, answer, pairs};
use crate::mlflow::wire::check::Check::{Array, IntLike, Required, Text};
use crate::mlflow::wire::failure::Failure;
use crate::mlflow::wire::message::{Field, PAIR, enumeration, int64, message, text};

pub(crate) static ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        method: Verb::Post,
        path: "experiments/create",
        fields: &[text("name"), text("artifact_location"), message("tags", PAIR).repeated()],
        schema: &[("name", &[Required, Text]), ("artifact_location", &[Text]), ("tags", &[Array])],
        act: create,
    },
    Endpoint {
        method: Verb::GetOrPost,
        path: "experiments/search",
        fields: &[
            int64("max_results"),
            text("page_token"),
            text("filter"),
            text("order_by").repeated(),
            enumeration("view_type", VIEW_TYPES),
        ],
        schema: &[
            ("view_type", &[IntLike]),
            ("max_results", &[IntLike]),
            ("order_by", &[Array]),
            ("filter", &[Text]),
            ("page_token", &[Text]),
        ],
        act: search,
    },
    Endpoint { method: Verb::Get, path: "experiments/get", fields: ID, schema: ID_GIVEN, act: get },
    Endpoint {
        method: Verb::Get,
        path: "experiments/get-by-name",
        fields: &[text("experiment_name")],
        schema: &[("experiment_name", &[Required, Text])],
        act: get_by_name,
    },
    Endpoint {
        method: Verb::Post,
        path: "experiments/delete",
        fields: ID,
        schema: ID_GIVEN,
        act: delete,
    },
    Endpoint {
        method: Verb::Post,
        path: "experiments/restore",
        fields: ID,
        schema: ID_GIVEN,
        act: restore,
    },
    Endpoint {
        method: Verb::Post,
        path: "experiments/update",
        fields: &[text("experiment_id"), text("new_name")],
        schema: &[("experiment_id", &[Required, Text]), ("new_name", &[Text, Required])],
        act: update,
    },
    Endpoint {
        method: Verb::Post,
        path: "experiments/set-experiment-tag",
        fields: &[text("experiment_id"), text("key"), text("value")],
        schema: &[
            ("experiment_id", &[Required, Text]),
            ("key", &[Required, Text]),
            ("value", &[Text]),
        ],
        act: set_tag,
    },
    Endpoint {
        method: Verb::Post,
        path: "experiments/delete-experiment-tag",
        fields: &[text("experiment_id"), text("key")],
        schema: &[("experiment_id", &[Required, Text]), ("key", &[Required, Text])],
        act: delete_tag,
    },
];

/// Endpoints that only MLflow's UI uses.
pub(crate) static UI_ENDPOINTS: &[Endpoint] = &[Endpoint {
    method: Verb::Post,
    path: "experiments/search-datasets",
    fields: &[text("experiment_ids").repeated()],
    schema: &[],
    act: search_datasets,
}];

static ID: &[Field] = &[text("experiment_id")];
static ID_GIVEN: crate::mlflow::wire::check::Schema = &[("experiment_id", &[Required, Text])];

/// Names and numbers of [`ViewType`].
pub(crate) static VIEW_TYPES: &[(&str, i64)] =
    &[("ACTIVE_ONLY", 1), ("DELETED_ONLY", 2), ("ALL", 3)];

/// The view of a number on the wire.
pub(crate) fn view_type(number: i64) -> ViewType {
    match number {
        2 => ViewType::DeletedOnly,
        3 => ViewType::All,
        _ => ViewType::ActiveOnly,
    }
}

/// An experiment on the wire.
#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "the names are MLflow's")]
struct Experiment<'a> {
    experiment_id: String,
    name: &'a str,
    artifact_location: &'a str,
    lifecycle_stage: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_update_time: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    creation_time: Option<i64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<Pair<'a>>,
    workspace: &'static str,
}

impl<'a> Experiment<'a> {
    fn of(experiment: &'a experiments::Experiment) -> Self {
        let given = |time: &i64| *time != 0;
        Self {
            experiment_id: experiment.id.to_string(),
            name: &experiment.name,
            artifact_location: &experiment.artifact_location,
            lifecycle_stage: &experiment.lifecycle_stage,
            last_update_time: experiment.last_update_time.filter(given),
            creation_time: experiment.creation_time.filter(given),
            tags: pairs(&experiment.tags),
            workspace: "default",
        }
    }
}

#[derive(Serialize)]
struct OneExperiment<'a> {
    experiment: Experiment<'a>,
}

#[derive(Serialize)]
struct Experiments<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    experiments: Vec<Experiment<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<&'a str>,
}

#[derive(Serialize)]
struct Created {
    experiment_id: String,
}

#[derive(Serialize)]
struct Datasets<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    dataset_summaries: Vec<Dataset<'a>>,
}

#[derive(Serialize)]
struct Dataset<'a> {
    experiment_id: String,
    name: &'a str,
    digest: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    context: &'a str,
}

fn create(app: &App, call: &Call) -> Result<Answer, Failure> {
    let new = NewExperiment {
        name: call.message.text("name").to_owned(),
        artifact_location: call.message.text("artifact_location").to_owned(),
        tags: call.message.pairs("tags"),
    };
    let id = experiments::create(app.session(), app.artifact_root(), &new)?;
    answer(&Created { experiment_id: id.to_string() })
}

fn search(app: &App, call: &Call) -> Result<Answer, Failure> {
    let message = &call.message;
    let search = ExperimentSearch {
        filter: message.text("filter").to_owned(),
        view: view_type(message.int("view_type")),
        order_by: message.texts("order_by"),
        page_token: message.text("page_token").to_owned(),
        max_results: message.int("max_results"),
    };
    let page = experiments::search(app.session(), &search)?;
    answer(&Experiments {
        experiments: page.records.iter().map(Experiment::of).collect(),
        next_page_token: page.next.as_deref(),
    })
}

fn get(app: &App, call: &Call) -> Result<Answer, Failure> {
    let found = experiments::get(app.session(), call.message.text("experiment_id"))?;
    answer(&OneExperiment { experiment: Experiment::of(&found) })
}

fn get_by_name(app: &App, call: &Call) -> Result<Answer, Failure> {
    let found = experiments::get_by_name(app.session(), call.message.text("experiment_name"))?;
    answer(&OneExperiment { experiment: Experiment::of(&found) })
}

fn delete(app: &App, call: &Call) -> Result<Answer, Failure> {
    experiments::delete(app.session(), call.message.text("experiment_id"))?;
    Ok(Answer::empty())
}

fn restore(app: &App, call: &Call) -> Result<Answer, Failure> {
    experiments::restore(app.session(), call.message.text("experiment_id"))?;
    Ok(Answer::empty())
}

fn update(app: &App, call: &Call) -> Result<Answer, Failure> {
    let (id, name) = (call.message.text("experiment_id"), call.message.text("new_name"));
    if !name.is_empty() {
        experiments::rename(app.session(), id, name)?;
    }
    Ok(Answer::empty())
}

fn set_tag(app: &App, call: &Call) -> Result<Answer, Failure> {
    let message = &call.message;
    let (id, key) = (message.text("experiment_id"), message.text("key"));
    experiments::set_tag(app.session(), id, key, message.text("value"))?;
    Ok(Answer::empty())
}

fn delete_tag(app: &App, call: &Call) -> Result<Answer, Failure> {
    let (id, key) = (call.message.text("experiment_id"), call.message.text("key"));
    experiments::delete_tag(app.session(), id, key)?;
    Ok(Answer::empty())
}

fn search_datasets(app: &App, call: &Call) -> Result<Answer, Failure> {
    /// Most experiments of a request.
    const MAX_EXPERIMENTS: usize = 20;
    let ids = call.message.texts("experiment_ids");
    if ids.is_empty() {
        return Err(Failure::invalid(
            "SearchDatasets request must specify at least one experiment_id.",
        ));
    }
    if ids.len() > MAX_EXPERIMENTS {
        return Err(Failure::invalid(format!(
            "SearchDatasets request cannot specify more than {MAX_EXPERIMENTS} experiment_ids. Received {} \
             experiment_ids.",
            ids.len()
        )));
    }
    let found = experiments::datasets(app.session(), &ids)?;
    let dataset = |summary: &'_ experiments::DatasetSummary| summary.experiment_id.to_string();
    answer(&Datasets {
        dataset_summaries: found
            .iter()
            .map(|summary| Dataset {
                experiment_id: dataset(summary),
                name: &summary.name,
                digest: &summary.digest,
                context: &summary.context,
            })
            .collect(),
    })
}
