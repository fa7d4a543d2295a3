//! Runs on the wire.

use herdbook_mlflow::runs;
use serde::Serialize;

use crate::mlflow::wire::answer::{Double, Pair, pairs};

#[derive(Serialize)]
pub(super) struct OneRun<'a> {
    pub(super) run: Run<'a>,
}

#[derive(Serialize)]
pub(super) struct UpdatedRun<'a> {
    pub(super) run_info: RunInfo<'a>,
}

#[derive(Serialize)]
pub(super) struct Runs<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) runs: Vec<Run<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_page_token: Option<&'a str>,
}

#[derive(Serialize)]
pub(super) struct Run<'a> {
    info: RunInfo<'a>,
    data: RunData<'a>,
    inputs: RunInputs<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outputs: Option<RunOutputs<'a>>,
}

#[derive(Serialize)]
pub(super) struct RunInfo<'a> {
    run_uuid: &'a str,
    experiment_id: String,
    run_name: &'a str,
    user_id: &'a str,
    status: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_time: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_time: Option<i64>,
    #[serde(skip_serializing_if = "str::is_empty")]
    artifact_uri: &'a str,
    lifecycle_stage: &'a str,
    run_id: &'a str,
}

#[derive(Serialize)]
struct RunData<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    metrics: Vec<Metric<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    params: Vec<Pair<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<Pair<'a>>,
}

/// A value of a metric.
#[derive(Serialize)]
pub(crate) struct Metric<'a> {
    key: &'a str,
    value: Double,
    timestamp: i64,
    step: i64,
}

#[derive(Serialize)]
struct RunInputs<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    dataset_inputs: Vec<DatasetInput<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    model_inputs: Vec<ModelInput<'a>>,
}

#[derive(Serialize)]
struct DatasetInput<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<Pair<'a>>,
    dataset: Dataset<'a>,
}

#[derive(Serialize)]
struct Dataset<'a> {
    name: &'a str,
    digest: &'a str,
    source_type: &'a str,
    source: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    schema: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    profile: Option<&'a str>,
}

#[derive(Serialize)]
struct ModelInput<'a> {
    model_id: &'a str,
}

#[derive(Serialize)]
struct RunOutputs<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    model_outputs: Vec<ModelOutput<'a>>,
}

#[derive(Serialize)]
struct ModelOutput<'a> {
    model_id: &'a str,
    step: i64,
}

impl<'a> Run<'a> {
    pub(super) fn of(run: &'a runs::Run) -> Self {
        let output = |(model_id, step): &'a (String, i64)| ModelOutput { model_id, step: *step };
        let model_outputs = run.model_outputs.iter().map(output).collect();
        Self { outputs: Some(RunOutputs { model_outputs }), ..Self::without_outputs(run) }
    }

    pub(super) fn without_outputs(run: &'a runs::Run) -> Self {
        Self {
            info: RunInfo::of(&run.info),
            data: RunData {
                metrics: run.metrics.iter().map(Metric::of).collect(),
                params: pairs(&run.params),
                tags: pairs(&run.tags),
            },
            inputs: RunInputs {
                dataset_inputs: run.datasets.iter().map(DatasetInput::of).collect(),
                model_inputs: run
                    .model_inputs
                    .iter()
                    .map(|model_id| ModelInput { model_id })
                    .collect(),
            },
            outputs: None,
        }
    }
}

impl<'a> RunInfo<'a> {
    pub(super) fn of(info: &'a runs::RunInfo) -> Self {
        Self {
            run_uuid: &info.run_id,
            experiment_id: info.experiment_id.to_string(),
            run_name: &info.name,
            user_id: &info.user_id,
            status: &info.status,
            start_time: info.start_time,
            end_time: info.end_time.filter(|time| *time != 0),
            artifact_uri: &info.artifact_uri,
            lifecycle_stage: &info.lifecycle_stage,
            run_id: &info.run_id,
        }
    }
}

impl<'a> Metric<'a> {
    pub(crate) fn of(value: &'a runs::Latest) -> Self {
        Self {
            key: &value.key,
            value: Double(value.value),
            timestamp: value.timestamp,
            step: value.step,
        }
    }
}

impl<'a> DatasetInput<'a> {
    fn of(used: &'a runs::DatasetUse) -> Self {
        let given = |text: &&str| !text.is_empty();
        Self {
            tags: pairs(&used.tags),
            dataset: Dataset {
                name: &used.name,
                digest: &used.digest,
                source_type: &used.source_type,
                source: &used.source,
                schema: used.schema.as_deref().filter(given),
                profile: used.profile.as_deref().filter(given),
            },
        }
    }
}
