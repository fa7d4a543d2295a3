//! Experiments.

use herdbook_mlflow::experiments;
use serde::Serialize;

use crate::app::App;
use crate::mlflow::endpoint::{Call, Endpoint, Verb};
use crate::mlflow::wire::answer::{Answer, Pair, answer, pairs};
use crate::mlflow::wire::check::Check::{Required, Text};
use crate::mlflow::wire::failure::Failure;
use crate::mlflow::wire::message::text;

pub(crate) static ENDPOINTS: &[Endpoint] = &[Endpoint {
    method: Verb::Get,
    path: "experiments/get",
    fields: &[text("experiment_id")],
    schema: &[("experiment_id", &[Required, Text])],
    act: get,
}];

/// An experiment on the wire.
#[derive(Serialize)]
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
        Self {
            experiment_id: experiment.id.to_string(),
            name: &experiment.name,
            artifact_location: &experiment.artifact_location,
            lifecycle_stage: &experiment.lifecycle_stage,
            last_update_time: experiment.last_update_time,
            creation_time: experiment.creation_time,
            tags: pairs(&experiment.tags),
            workspace: "default",
        }
    }
}

#[derive(Serialize)]
struct OneExperiment<'a> {
    experiment: Experiment<'a>,
}

fn get(app: &App, call: &Call) -> Result<Answer, Failure> {
    let found = experiments::get(app.session(), call.message.text("experiment_id"))?;
    answer(&OneExperiment { experiment: Experiment::of(&found) })
}
