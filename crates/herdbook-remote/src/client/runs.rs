//! The calls of MLflow's REST API about experiments, runs and artifacts, one function each.
//!
//! Each function returns the errors of [`Client::get`]: [`StoreError::Unreachable`], [`StoreError::ServerRefused`],
//! [`StoreError::NotMlflow`].

use herdbook_store::{DatasetInput, StoreError};
use serde::Deserialize;
use serde_json::{Value, json};

use super::http::{Client, Method, Trying};
use crate::client::answer::{ServerAnswer, tolerating_absence};
use crate::client::wire::{Experiment, FileInfo, MetricValue, Run};

/// MLflow's largest page of registered models.
pub(super) const MODEL_PAGE: usize = 1_000;
/// MLflow's largest page of experiments.
const EXPERIMENT_PAGE: usize = 50_000;
/// A page of runs. MLflow would send 50,000, but each comes with all its params, tags and metrics, about 10 KB.
const RUN_PAGE: usize = 10_000;
/// The most metrics that MLflow accepts in one `log-batch`.
const BATCH_METRICS: usize = 1000;
/// The most params, or tags, that MLflow accepts in one `log-batch`.
const BATCH_PAIRS: usize = 100;

/// A value of a metric to be logged.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct MetricRow {
    pub(crate) key: String,
    pub(crate) value: f64,
    pub(crate) timestamp: i64,
    pub(crate) step: i64,
}

/// A run to be created.
pub(crate) struct RunToCreate<'a> {
    pub(crate) experiment_id: &'a str,
    pub(crate) user: &'a str,
    pub(crate) start_time: i64,
    pub(crate) tags: &'a [(String, String)],
}

impl Client {
    pub(super) fn call<T: serde::de::DeserializeOwned>(
        &self,
        method: Method,
        call: &str,
        body: &Value,
    ) -> Result<T, StoreError> {
        self.send(method, &path(call), body, Trying::Patiently)
    }

    pub(super) fn post(&self, call: &str, body: &Value) -> Result<(), StoreError> {
        self.call::<Value>(Method::Post, call, body).map(drop)
    }

    // Experiments.

    /// The experiment of a name, deleted or not; `None` if there is none.
    pub(crate) fn experiment(&self, name: &str) -> Result<Option<Experiment>, StoreError> {
        #[derive(Deserialize)]
        struct Answer {
            experiment: Experiment,
        }
        let query = [("experiment_name", name)];
        found(self.get::<Answer>(&path("experiments/get-by-name"), &query))
            .map(|found| found.map(|a| a.experiment))
    }

    /// The experiment of an id, deleted or not; `None` if there is none.
    pub(crate) fn experiment_by_id(&self, id: &str) -> Result<Option<Experiment>, StoreError> {
        #[derive(Deserialize)]
        struct Answer {
            experiment: Experiment,
        }
        found(self.get::<Answer>(&path("experiments/get"), &[("experiment_id", id)]))
            .map(|found| found.map(|a| a.experiment))
    }

    /// Creates an experiment and returns its id. Names are unique: only one of several concurrent calls succeeds.
    pub(crate) fn create_experiment(
        &self,
        name: &str,
        tags: &[(&str, &str)],
    ) -> Result<String, StoreError> {
        #[derive(Deserialize)]
        struct Answer {
            experiment_id: String,
        }
        let body = json!({"name": name, "tags": pairs(tags)});
        Ok(self.call::<Answer>(Method::Post, "experiments/create", &body)?.experiment_id)
    }

    /// Adds a dataset to a run. Repeating the call changes nothing. MLflow before 2.4 has no datasets.
    pub(crate) fn log_input(&self, run_id: &str, input: &DatasetInput) -> Result<(), StoreError> {
        let tags: Vec<(&str, &str)> =
            input.tags.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let dataset = json!({
            "name": input.name, "digest": input.digest, "source_type": DatasetInput::SOURCE_TYPE,
            "source": input.source, "profile": input.profile,
        });
        let body =
            json!({"run_id": run_id, "datasets": [{"dataset": dataset, "tags": pairs(&tags)}]});
        found(self.post("runs/log-inputs", &body)).map(drop)
    }

    /// All experiments, deleted ones included.
    pub(crate) fn experiments(&self) -> Result<Vec<Experiment>, StoreError> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(default)]
            experiments: Vec<Experiment>,
            #[serde(default)]
            next_page_token: String,
        }
        pages(|token| {
            let body =
                json!({"max_results": EXPERIMENT_PAGE, "view_type": "ALL", "page_token": token});
            let answer: Answer = self.call(Method::Post, "experiments/search", &body)?;
            Ok((answer.experiments, answer.next_page_token))
        })
    }

    // Runs.

    /// Creates a run, without retries: after a lost answer it may exist already.
    pub(crate) fn create_run(&self, new: &RunToCreate<'_>) -> Result<Run, StoreError> {
        #[derive(Deserialize)]
        struct Answer {
            run: Run,
        }
        let tags: Vec<Value> = new.tags.iter().map(|(key, value)| pair(key, value)).collect();
        let body = json!({
            "experiment_id": new.experiment_id,
            "user_id": new.user,
            "start_time": new.start_time,
            "tags": tags,
        });
        Ok(self.send::<Answer>(Method::Post, &path("runs/create"), &body, Trying::Once)?.run)
    }

    /// A run, deleted or not; `None` if there is none.
    pub(crate) fn run(&self, run_id: &str) -> Result<Option<Run>, StoreError> {
        self.run_trying(run_id, Trying::Patiently)
    }

    /// As [`Client::run`], with or without retries.
    pub(crate) fn run_trying(
        &self,
        run_id: &str,
        trying: Trying,
    ) -> Result<Option<Run>, StoreError> {
        #[derive(Deserialize)]
        struct Answer {
            run: Run,
        }
        let query = [("run_id", run_id)];
        let answer = found(self.get_trying::<Answer>(&path("runs/get"), &query, trying))?;
        Ok(answer.map(|answer| answer.run))
    }

    /// The runs of some experiments that match a filter, deleted ones included.
    pub(crate) fn runs(
        &self,
        experiments: &[String],
        filter: &str,
    ) -> Result<Vec<Run>, StoreError> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(default)]
            runs: Vec<Run>,
            #[serde(default)]
            next_page_token: String,
        }
        if experiments.is_empty() {
            return Ok(Vec::new());
        }
        pages(|token| {
            let body = json!({
                "experiment_ids": experiments,
                "filter": filter,
                "run_view_type": "ALL",
                "max_results": RUN_PAGE,
                "page_token": token,
            });
            let answer: Answer = self.call(Method::Post, "runs/search", &body)?;
            Ok((answer.runs, answer.next_page_token))
        })
    }

    /// Sets fields of a run.
    pub(crate) fn update_run(
        &self,
        run_id: &str,
        changes: &[(&str, Value)],
    ) -> Result<(), StoreError> {
        let mut body = json!({"run_id": run_id});
        for (key, value) in changes {
            body[key] = value.clone();
        }
        self.post("runs/update", &body)
    }

    /// Marks a run as deleted.
    pub(crate) fn delete_run(&self, run_id: &str) -> Result<(), StoreError> {
        self.post("runs/delete", &json!({"run_id": run_id}))
    }

    /// Writes a param. The server refuses another value for an existing key.
    pub(crate) fn log_param(&self, run_id: &str, key: &str, value: &str) -> Result<(), StoreError> {
        self.post("runs/log-parameter", &json!({"run_id": run_id, "key": key, "value": value}))
    }

    /// Logs metrics. The call may be repeated.
    pub(crate) fn log_metrics(
        &self,
        run_id: &str,
        metrics: &[MetricRow],
        trying: Trying,
    ) -> Result<(), StoreError> {
        for batch in metrics.chunks(BATCH_METRICS) {
            let rows: Vec<Value> = batch
                .iter()
                .map(|row| {
                    json!({"key": row.key, "value": number(row.value), "timestamp": row.timestamp,
                           "step": row.step})
                })
                .collect();
            let body = json!({"run_id": run_id, "metrics": rows});
            self.send::<Value>(Method::Post, &path("runs/log-batch"), &body, trying)?;
        }
        Ok(())
    }

    /// Writes params.
    pub(crate) fn log_params(
        &self,
        run_id: &str,
        params: &[(String, String)],
    ) -> Result<(), StoreError> {
        for batch in params.chunks(BATCH_PAIRS) {
            let rows: Vec<Value> = batch.iter().map(|(key, value)| pair(key, value)).collect();
            self.post("runs/log-batch", &json!({"run_id": run_id, "params": rows}))?;
        }
        Ok(())
    }

    /// Sets tags of a run.
    pub(crate) fn set_run_tags(
        &self,
        run_id: &str,
        tags: &[(String, String)],
    ) -> Result<(), StoreError> {
        for batch in tags.chunks(BATCH_PAIRS) {
            let rows: Vec<Value> = batch.iter().map(|(key, value)| pair(key, value)).collect();
            self.post("runs/log-batch", &json!({"run_id": run_id, "tags": rows}))?;
        }
        Ok(())
    }

    /// Sets one tag of a run.
    pub(crate) fn set_run_tag(
        &self,
        run_id: &str,
        key: &str,
        value: &str,
        trying: Trying,
    ) -> Result<(), StoreError> {
        let body = json!({"run_id": run_id, "key": key, "value": value});
        self.send::<Value>(Method::Post, &path("runs/set-tag"), &body, trying).map(drop)
    }

    /// Removes a tag of a run. It is not an error if the tag does not exist or the run was deleted.
    pub(crate) fn delete_run_tag(&self, run_id: &str, key: &str) -> Result<(), StoreError> {
        tolerating_absence(self.post("runs/delete-tag", &json!({"run_id": run_id, "key": key})))
    }

    /// Every logged value of a metric.
    pub(crate) fn metric_history(
        &self,
        run_id: &str,
        key: &str,
    ) -> Result<Vec<MetricValue>, StoreError> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(default)]
            metrics: Vec<MetricValue>,
            #[serde(default)]
            next_page_token: String,
        }
        pages(|token| {
            let mut query = vec![("run_id", run_id), ("metric_key", key), ("max_results", "25000")];
            if !token.is_empty() {
                query.push(("page_token", token));
            }
            let answer: Answer = self.get(&path("metrics/get-history"), &query)?;
            Ok((answer.metrics, answer.next_page_token))
        })
    }

    // Artifacts behind the server's proxy.

    /// The files in a folder; none if the folder does not exist.
    pub(crate) fn list_artifacts(&self, folder: &str) -> Result<Vec<FileInfo>, StoreError> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(default)]
            files: Vec<FileInfo>,
        }
        let answer: Answer = self.get(ARTIFACTS, &[("path", folder)])?;
        Ok(answer.files)
    }

    /// Deletes a file. It is not an error if it does not exist.
    pub(crate) fn delete_artifact(&self, path: &str) -> Result<(), StoreError> {
        let endpoint = artifact_endpoint(path);
        found(self.send::<Value>(Method::Delete, &endpoint, &json!({}), Trying::Patiently))
            .map(drop)
    }
}

const ARTIFACTS: &str = "/api/2.0/mlflow-artifacts/artifacts";

/// The endpoint of a file behind the proxy, each segment of its path escaped.
pub(crate) fn artifact_endpoint(path: &str) -> String {
    let escaped = path
        .split('/')
        .map(|segment| percent_encoding::utf8_percent_encode(segment, SEGMENT).to_string());
    format!("{ARTIFACTS}/{}", escaped.collect::<Vec<_>>().join("/"))
}

/// The characters that are escaped in a segment of a path.
const SEGMENT: &percent_encoding::AsciiSet =
    &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

pub(super) fn path(call: &str) -> String {
    format!("/api/2.0/mlflow/{call}")
}

fn pair(key: &str, value: &str) -> Value {
    json!({"key": key, "value": value})
}

pub(super) fn pairs(pairs: &[(&str, &str)]) -> Vec<Value> {
    pairs.iter().map(|(key, value)| pair(key, value)).collect()
}

/// JSON has no NaN and no infinities: MLflow accepts them as text.
fn number(value: f64) -> Value {
    if value.is_nan() {
        json!("NaN")
    } else if value.is_infinite() {
        json!(if value > 0.0 { "Infinity" } else { "-Infinity" })
    } else {
        json!(value)
    }
}

/// `None` if the server says that the record does not exist.
pub(super) fn found<T>(outcome: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is_absence() => Ok(None),
        Err(error) => Err(error),
    }
}

/// The rows of all pages; `page` fetches the page of a token.
pub(super) fn pages<T>(
    mut page: impl FnMut(&str) -> Result<(Vec<T>, String), StoreError>,
) -> Result<Vec<T>, StoreError> {
    let (mut all, mut token) = (Vec::new(), String::new());
    loop {
        let (mut rows, next) = page(&token)?;
        all.append(&mut rows);
        if next.is_empty() {
            return Ok(all);
        }
        token = next;
    }
}
