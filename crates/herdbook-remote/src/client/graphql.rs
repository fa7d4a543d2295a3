//! Several records in one call, through the GraphQL endpoint of MLflow's user interface.
//!
//! The endpoint only reads, and is not part of MLflow's documented API: a proxy may hide it, and other versions of MLflow may
//! lack it. So it only saves calls. If it does not send all that was asked for, the caller fetches the same records through
//! the REST API.

use std::sync::atomic::Ordering;

use herdbook_store::StoreError;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::http::{Client, Method, Trying};
use crate::client::registry::VERSION_PAGE;
use crate::client::wire::{Experiment, ModelVersion, Run};

const ENDPOINT: &str = "/graphql";
/// The fields of a page of versions, and of a run with its experiment.
const FRAGMENTS: &str = "
fragment page on MlflowSearchModelVersionsResponse { nextPageToken modelVersions {
    name version creationTimestamp lastUpdatedTimestamp userId currentStage source runId description status
    statusMessage runLink tags { key value } } }
fragment found on MlflowGetRunResponse { run {
    info { runId experimentId runName userId status startTime endTime artifactUri lifecycleStage }
    data { metrics { key value timestamp step } params { key value } tags { key value } }
    experiment { experimentId name artifactLocation lifecycleStage tags { key value } } } }";

/// The records that are asked for.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    /// Filters of versions.
    pub(crate) filters: [&'a str; 2],
    /// Ids of at most eight runs: MLflow accepts ten parts in one call.
    pub(crate) runs: &'a [&'a str],
}

/// The records that were asked for, all of them.
#[derive(Debug, Default)]
pub(crate) struct Answered {
    /// The versions that match each filter.
    pub(crate) versions: [Vec<ModelVersion>; 2],
    pub(crate) runs: Vec<Run>,
    /// The experiments of the runs; one may be there twice.
    pub(crate) experiments: Vec<Experiment>,
}

#[derive(Deserialize)]
struct Page {
    #[serde(rename = "modelVersions")]
    versions: Vec<ModelVersion>,
    #[serde(rename = "nextPageToken")]
    next_page: String,
}

#[derive(Deserialize)]
struct Found {
    run: RunWithExperiment,
}

#[derive(Deserialize)]
struct RunWithExperiment {
    #[serde(flatten)]
    run: Run,
    experiment: Experiment,
}

impl Client {
    /// Fetches versions and runs in one call. `None` if the answer lacks anything: the server has no such endpoint, denies a
    /// part, or has no such run. It is then not asked again by this process.
    pub(crate) fn together(&self, asked: &Asked<'_>) -> Option<Answered> {
        if self.lacks_graphql.load(Ordering::Relaxed) {
            return None;
        }
        let answer = self.send::<Value>(Method::Post, ENDPOINT, &request(asked), Trying::Once);
        let answered = match answer {
            Ok(answer) => parse(answer, asked),
            // The REST API waits for the server as long as is configured.
            Err(StoreError::Unreachable { .. }) => return None,
            Err(_) => None,
        };
        self.lacks_graphql.store(answered.is_none(), Ordering::Relaxed);
        answered
    }
}

/// The body of the call: a query with a part per filter and per run.
fn request(asked: &Asked<'_>) -> Value {
    let (mut types, mut parts, mut variables) = (String::new(), String::new(), Map::new());
    for (idx, filter) in asked.filters.iter().enumerate() {
        types += &format!("$v{idx}: MlflowSearchModelVersionsInput!, ");
        parts += &format!("v{idx}: mlflowSearchModelVersions(input: $v{idx}) {{ ...page }} ");
        variables.insert(format!("v{idx}"), json!({"filter": filter, "maxResults": VERSION_PAGE}));
    }
    for (idx, run) in asked.runs.iter().enumerate() {
        types += &format!("$r{idx}: MlflowGetRunInput!, ");
        parts += &format!("r{idx}: mlflowGetRun(input: $r{idx}) {{ ...found }} ");
        variables.insert(format!("r{idx}"), json!({"runId": run}));
    }
    let fragments = if asked.runs.is_empty() {
        // GraphQL refuses fragments that are not used.
        FRAGMENTS.split_once("fragment found").map_or(FRAGMENTS, |(page, _)| page)
    } else {
        FRAGMENTS
    };
    json!({"query": format!("query({types}) {{ {parts} }}{fragments}"), "variables": variables})
}

/// The records in an answer; `None` if one is missing or cannot be read.
fn parse(mut answer: Value, asked: &Asked<'_>) -> Option<Answered> {
    if !answer["errors"].is_null() {
        return None;
    }
    let mut part = |key: String| answer["data"][key].take();
    let mut answered = Answered::default();
    for (idx, versions) in answered.versions.iter_mut().enumerate() {
        let page: Page = serde_json::from_value(part(format!("v{idx}"))).ok()?;
        if !page.next_page.is_empty() {
            return None;
        }
        *versions = page.versions;
    }
    for (idx, run_id) in asked.runs.iter().enumerate() {
        let Found { run } = serde_json::from_value(part(format!("r{idx}"))).ok()?;
        if run.run.info.run_id != *run_id {
            return None;
        }
        answered.runs.push(run.run);
        answered.experiments.push(run.experiment);
    }
    Some(answered)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASKED: Asked<'_> = Asked { filters: ["name = 'a'", "name = 'b'"], runs: &["r"] };

    fn sample() -> Value {
        let version = json!({"name": "a", "version": "2", "creationTimestamp": "7", "runId": "r",
            "lastUpdatedTimestamp": "8", "userId": "", "currentStage": "Staging", "source": "s",
            "description": "", "status": "READY", "statusMessage": "", "runLink": "",
            "tags": [{"key": "promotion_stage", "value": "beta"}]});
        let run = json!({
            "info": {"runId": "r", "experimentId": "1", "runName": "n", "userId": "ada", "status": "FINISHED",
                "startTime": "1", "endTime": "2", "artifactUri": "mlflow-artifacts:/1/r/artifacts",
                "lifecycleStage": "deleted"},
            "data": {"metrics": [{"key": "m", "value": null, "timestamp": "3", "step": "4"}],
                "params": [], "tags": [{"key": "k", "value": "v"}]},
            "experiment": {"experimentId": "1", "name": "e", "artifactLocation": "mlflow-artifacts:/1",
                "lifecycleStage": "deleted", "tags": []},
        });
        json!({"errors": null, "data": {
            "v0": {"nextPageToken": "", "modelVersions": [version]},
            "v1": {"nextPageToken": "", "modelVersions": []},
            "r0": {"run": run},
        }})
    }

    #[test]
    fn versions_and_runs_are_read_from_one_answer() {
        let Answered { versions, runs, experiments } = parse(sample(), &ASKED).unwrap();
        let version = &versions[0][0];
        assert_eq!((version.number(), version.run_id.as_str()), (2, "r"));
        assert_eq!((version.creation_timestamp, version.current_stage.as_str()), (7, "Staging"));
        assert!(versions[1].is_empty());
        let (info, metric) = (&runs[0].info, &runs[0].data.metrics[0]);
        assert_eq!((info.end_time, info.lifecycle_stage.as_str()), (2, "deleted"));
        assert_eq!(info.artifact_uri, "mlflow-artifacts:/1/r/artifacts");
        assert!(metric.value.is_nan() && metric.step == 4, "{metric:?}");
        let experiment = &experiments[0];
        assert_eq!((experiment.id.as_str(), experiment.lifecycle_stage.as_str()), ("1", "deleted"));
    }

    #[test]
    fn answer_that_lacks_anything_is_no_answer() {
        let broken: [fn(&mut Value); 6] = [
            |answer| answer["errors"] = json!(["No Run with id=r exists"]),
            |answer| answer["data"]["r0"] = Value::Null,
            |answer| answer["data"]["v1"] = Value::Null,
            |answer| answer["data"]["v0"]["nextPageToken"] = json!("more"),
            |answer| answer["data"]["r0"]["run"]["info"]["runId"] = json!("another"),
            |answer| *answer = json!({"detail": "Not Found"}),
        ];
        for change in broken {
            let mut answer = sample();
            change(&mut answer);
            assert!(parse(answer.clone(), &ASKED).is_none(), "{answer}");
        }
    }

    #[test]
    fn query_without_runs_has_no_unused_fragment() {
        let asked = Asked { runs: &[], ..ASKED };
        let text = request(&asked)["query"].to_string();
        assert!(text.contains("fragment page") && !text.contains("found"), "{text}");
        assert!(request(&ASKED)["query"].to_string().contains("fragment found"));
    }
}
