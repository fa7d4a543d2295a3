//! A source on an MLflow server, read through its REST API.
//!
//! The public API returns the history of one metric of one run. Servers also have an internal call for up to a hundred
//! runs; if it is missing, or would cut the result, the public one is used.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use herdbook_domain::Timestamp;
use herdbook_domain::import::Finding;
use herdbook_domain::tags::Tags;
use herdbook_store::tables::metric::Metric;
use herdbook_store::{Notices, StoreError};
use serde_json::{Value, json};

use super::http::{CallError, Client};
use super::records::{
    ArtifactsUnreadable, ExperimentRecord, ModelRecord, ModelVersionRecord, Reader, RunData,
    RunInfo,
};

const API: &str = "/api/2.0/mlflow";
const BULK_HISTORY: &str = "/ajax-api/2.0/mlflow/metrics/get-history-bulk";
/// The most values that the call for many runs returns.
const MAX_BULK_VALUES: usize = 25_000;
/// The most runs that it accepts.
const MAX_BULK_RUNS: usize = 100;
const PAGE: u32 = 1_000;

pub(super) struct Server {
    client: Client,
    /// Params and metric keys of each run, from the listing of runs.
    listed: BTreeMap<String, ListedRun>,
    has_bulk_history: bool,
}

#[derive(Default)]
struct ListedRun {
    params: BTreeMap<String, String>,
    metric_keys: BTreeSet<String>,
}

impl Server {
    pub(super) fn open(address: &str, notices: &Notices) -> Result<Self, StoreError> {
        let client = Client::new(address, notices)?;
        let body = json!({"max_results": 1, "view_type": "ALL"});
        client
            .post(&format!("{API}/experiments/search"), &body)
            .map_err(|error| client.error(&error, "it is not an MLflow server"))?;
        Ok(Self { client, listed: BTreeMap::new(), has_bulk_history: true })
    }

    /// All pages of a search.
    fn search(&self, call: &str, field: &str, body: &Value) -> Result<Vec<Value>, StoreError> {
        let mut found = Vec::new();
        let mut body = body.clone();
        loop {
            let mut page = self
                .client
                .post(&format!("{API}/{call}"), &body)
                .map_err(|error| self.client.error(&error, call))?;
            if let Some(Value::Array(entries)) = page.get_mut(field).map(Value::take) {
                found.extend(entries);
            }
            match page["next_page_token"].as_str().filter(|token| !token.is_empty()) {
                Some(token) => body["page_token"] = Value::from(token),
                None => return Ok(found),
            }
        }
    }

    /// All pages of a search by `GET`.
    fn look_up(
        &self,
        call: &str,
        field: &str,
        query: &[(&str, &str)],
    ) -> Result<Vec<Value>, CallError> {
        let mut found = Vec::new();
        let mut token = String::new();
        loop {
            let mut query = query.to_vec();
            if !token.is_empty() {
                query.push(("page_token", &token));
            }
            let mut page = self.client.get(call, &query)?;
            if let Some(Value::Array(entries)) = page.get_mut(field).map(Value::take) {
                found.extend(entries);
            }
            match page["next_page_token"].as_str().filter(|token| !token.is_empty()) {
                Some(next) => next.clone_into(&mut token),
                None => return Ok(found),
            }
        }
    }

    fn history(&self, run: &str, key: &str) -> Result<Vec<Metric>, StoreError> {
        let call = format!("{API}/metrics/get-history");
        let query = [("run_id", run), ("metric_key", key)];
        let values = self
            .look_up(&call, "metrics", &query)
            .map_err(|error| self.client.error(&error, "the history of a metric"))?;
        Ok(values.iter().filter_map(metric).collect())
    }

    /// The history of one metric of many runs; `None` if the server cannot return all of it.
    fn bulk_history(
        &mut self,
        runs: &[&RunInfo],
        key: &str,
    ) -> Option<BTreeMap<String, Vec<Metric>>> {
        if !self.has_bulk_history {
            return None;
        }
        let mut query: Vec<(&str, &str)> =
            runs.iter().map(|run| ("run_id", run.id.as_str())).collect();
        query.push(("metric_key", key));
        let answer = match self.client.get(BULK_HISTORY, &query) {
            Ok(answer) => answer,
            Err(CallError::NotFound) => {
                self.has_bulk_history = false;
                return None;
            }
            // With NaN this result is not valid JSON. The call for one run returns NaN as a string.
            Err(CallError::Failed(_) | CallError::Unreachable(_)) => return None,
        };
        let values = answer["metrics"].as_array().cloned().unwrap_or_default();
        if values.len() >= MAX_BULK_VALUES {
            return None;
        }
        let mut found: BTreeMap<String, Vec<Metric>> = BTreeMap::new();
        for value in &values {
            if let (Some(run), Some(metric)) = (value["run_id"].as_str(), metric(value)) {
                found.entry(run.to_owned()).or_default().push(metric);
            }
        }
        Some(found)
    }

    fn info(&mut self, run: &Value) -> Option<RunInfo> {
        let info = &run["info"];
        let id = text(info, "run_id").or_else(|| text(info, "run_uuid"))?;
        let pairs = |field: &str| pairs(&run["data"][field]);
        let metrics = run["data"]["metrics"].as_array().into_iter().flatten();
        let listed = ListedRun {
            params: pairs("params"),
            metric_keys: metrics.filter_map(|metric| text(metric, "key")).collect(),
        };
        self.listed.insert(id.clone(), listed);
        let tags = pairs("tags");
        Some(RunInfo {
            id,
            experiment: text(info, "experiment_id").unwrap_or_default(),
            name: text(info, "run_name")
                .or_else(|| tags.get("mlflow.runName").cloned())
                .unwrap_or_default(),
            user: text(info, "user_id").unwrap_or_default(),
            status: text(info, "status").unwrap_or_default(),
            is_deleted: info["lifecycle_stage"] == "deleted",
            started_at: number(info, "start_time"),
            ended_at: number(info, "end_time"),
            artifact_uri: text(info, "artifact_uri").unwrap_or_default(),
            tags,
        })
    }

    fn versions(&self, name: &str) -> Result<Vec<ModelVersionRecord>, StoreError> {
        let quoted = if name.contains('\'') { format!("\"{name}\"") } else { format!("'{name}'") };
        let filter = format!("name = {quoted}");
        let call = format!("{API}/model-versions/search");
        let found = self
            .look_up(&call, "model_versions", &[("filter", &filter), ("max_results", "1000")])
            .map_err(|error| self.client.error(&error, "the versions of a model"))?;
        let mut versions: Vec<ModelVersionRecord> = found.iter().filter_map(version).collect();
        versions.sort_by_key(|version| version.number);
        Ok(versions)
    }

    fn walk(
        &self,
        run: &str,
        folder: Option<&str>,
        found: &mut Vec<String>,
    ) -> Result<(), CallError> {
        let call = format!("{API}/artifacts/list");
        let mut query = vec![("run_id", run)];
        query.extend(folder.map(|folder| ("path", folder)));
        for file in self.look_up(&call, "files", &query)? {
            let Some(path) = text(&file, "path").filter(|path| is_below(path)) else { continue };
            // Without this check, a server that lists a folder inside itself would cause an endless recursion.
            let is_deeper = folder.is_none_or(|folder| path.starts_with(&format!("{folder}/")));
            if file["is_dir"] == true && is_deeper {
                self.walk(run, Some(&path), found)?;
            } else if file["is_dir"] != true {
                found.push(path);
            }
        }
        Ok(())
    }
}

impl Reader for Server {
    fn label(&self) -> String {
        self.client.address().to_owned()
    }

    fn experiments(&mut self) -> Result<Vec<ExperimentRecord>, StoreError> {
        let body = json!({"max_results": PAGE, "view_type": "ALL"});
        let found = self.search("experiments/search", "experiments", &body)?;
        let experiment = |it: &Value| {
            Some(ExperimentRecord {
                id: text(it, "experiment_id")?,
                name: text(it, "name")?,
                is_deleted: it["lifecycle_stage"] == "deleted",
                created_at: number(it, "creation_time"),
                updated_at: number(it, "last_update_time"),
                tags: pairs(&it["tags"]),
            })
        };
        Ok(found.iter().filter_map(experiment).collect())
    }

    fn runs(&mut self) -> Result<Vec<RunInfo>, StoreError> {
        let ids: Vec<String> = self.experiments()?.into_iter().map(|it| it.id).collect();
        let mut found = Vec::new();
        for ids in ids.chunks(100) {
            let body = json!({
                "experiment_ids": ids, "run_view_type": "ALL", "max_results": PAGE,
                "order_by": ["attributes.start_time ASC"],
            });
            let runs = self.search("runs/search", "runs", &body)?;
            found.extend(runs.iter().filter_map(|run| self.info(run)));
        }
        found.sort_by(|one, other| (one.started_at, &one.id).cmp(&(other.started_at, &other.id)));
        Ok(found)
    }

    fn models(&mut self) -> Result<Vec<ModelRecord>, StoreError> {
        let call = format!("{API}/registered-models/search");
        let found = self
            .look_up(&call, "registered_models", &[("max_results", "1000")])
            .map_err(|error| self.client.error(&error, "the registered models"))?;
        let mut models = Vec::new();
        for model in &found {
            let Some(name) = text(model, "name") else { continue };
            let aliases = model["aliases"].as_array().into_iter().flatten();
            models.push(ModelRecord {
                created_at: number(model, "creation_timestamp"),
                updated_at: number(model, "last_updated_timestamp"),
                description: text(model, "description").unwrap_or_default(),
                tags: pairs(&model["tags"]),
                aliases: aliases
                    .filter_map(|it| Some((text(it, "alias")?, number(it, "version")?)))
                    .collect(),
                versions: self.versions(&name)?,
                name,
            });
        }
        Ok(models)
    }

    fn run_data(&mut self, runs: &[&RunInfo]) -> Result<Vec<RunData>, StoreError> {
        let mut run_data: BTreeMap<&str, RunData> = BTreeMap::new();
        for some in runs.chunks(MAX_BULK_RUNS) {
            let mut keys: BTreeMap<String, Vec<&RunInfo>> = BTreeMap::new();
            for run in some {
                let Some(listed) = self.listed.get(&run.id) else { continue };
                run_data.entry(&run.id).or_default().params.clone_from(&listed.params);
                for key in &listed.metric_keys {
                    keys.entry(key.clone()).or_default().push(run);
                }
            }
            for (key, with_it) in keys {
                let mut histories = self.bulk_history(&with_it, &key);
                for run in with_it {
                    let metrics = match &mut histories {
                        Some(histories) => histories.remove(&run.id).unwrap_or_default(),
                        None => self.history(&run.id, &key)?,
                    };
                    run_data.entry(&run.id).or_default().metrics.extend(metrics);
                }
            }
        }
        Ok(runs.iter().map(|run| run_data.remove(run.id.as_str()).unwrap_or_default()).collect())
    }

    fn artifacts(&mut self, run: &RunInfo) -> Result<Vec<String>, ArtifactsUnreadable> {
        let mut found = Vec::new();
        match self.walk(&run.id, None, &mut found) {
            Ok(()) => Ok(found),
            Err(CallError::NotFound) => Ok(Vec::new()),
            Err(CallError::Failed(problem) | CallError::Unreachable(problem)) => {
                let root = format!("{}, experiment {}", self.client.address(), run.experiment);
                Err(ArtifactsUnreadable { root, problem })
            }
        }
    }

    fn folder(&self, _run: &RunInfo) -> Option<PathBuf> {
        None
    }

    fn fetch(&mut self, run: &RunInfo, artifact: &str, to: &Path) -> std::io::Result<()> {
        let query = [("path", artifact), ("run_id", run.id.as_str())];
        let mut content = self.client.content("/get-artifact", &query).map_err(|error| {
            std::io::Error::other(match error {
                CallError::NotFound => "not found on the server".to_owned(),
                CallError::Failed(problem) | CallError::Unreachable(problem) => problem,
            })
        })?;
        std::io::copy(&mut content, &mut fs::File::create(to)?).map(drop)
    }

    fn findings(&mut self) -> Vec<Finding> {
        Vec::new()
    }
}

/// Whether a path from a server stays inside the folder that it is joined to.
fn is_below(path: &str) -> bool {
    !path.is_empty() && Path::new(path).components().all(|it| matches!(it, Component::Normal(_)))
}

fn version(it: &Value) -> Option<ModelVersionRecord> {
    Some(ModelVersionRecord {
        number: number(it, "version")?,
        created_at: number(it, "creation_timestamp"),
        updated_at: number(it, "last_updated_timestamp"),
        description: text(it, "description").unwrap_or_default(),
        user: text(it, "user_id").unwrap_or_default(),
        stage: text(it, "current_stage").unwrap_or_else(|| "None".to_owned()),
        location: text(it, "source").unwrap_or_default(),
        run_id: text(it, "run_id").filter(|id| !id.is_empty()),
        tags: pairs(&it["tags"]),
    })
}

fn metric(it: &Value) -> Option<Metric> {
    let value = match &it["value"] {
        Value::String(text) => match text.as_str() {
            "NaN" => f64::NAN,
            "Infinity" => f64::INFINITY,
            "-Infinity" => f64::NEG_INFINITY,
            other => other.parse().ok()?,
        },
        other => other.as_f64()?,
    };
    Some(Metric {
        key: text(it, "key")?,
        value,
        at: Timestamp::from_millis(number(it, "timestamp").unwrap_or(0)),
        step: number(it, "step").unwrap_or(0),
    })
}

fn text(it: &Value, field: &str) -> Option<String> {
    it.get(field)?.as_str().map(str::to_owned)
}

/// A number, or a string with a number: the JSON form of 64-bit numbers in protobuf.
fn number(it: &Value, field: &str) -> Option<i64> {
    let value = it.get(field)?;
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

fn pairs(list: &Value) -> Tags {
    let pair = |it: &Value| Some((text(it, "key")?, text(it, "value").unwrap_or_default()));
    list.as_array().into_iter().flatten().filter_map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nan_and_infinity_are_read_from_strings() {
        let value = |value: Value| metric(&json!({"key": "a", "value": value, "timestamp": "7"}));
        assert!(value(json!("NaN")).unwrap().value.is_nan());
        let finite = |it: Value| value(it).unwrap().value.to_string();
        assert_eq!((finite(json!("-Infinity")), finite(json!(0.1))), ("-inf".into(), "0.1".into()));
        assert_eq!(value(json!(1)).unwrap().at.millis(), 7);
        assert_eq!(value(json!("x")), None);
    }

    #[test]
    fn path_from_a_server_stays_inside_the_folder() {
        assert!(is_below("models/1H/model.zip"));
        for path in ["", "/etc/passwd", "../x", "a/../../x"] {
            assert!(!is_below(path), "{path}");
        }
    }
}
