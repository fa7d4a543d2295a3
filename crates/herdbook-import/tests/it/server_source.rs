//! Imports from a server: its pages, its histories of metrics, its artifacts and its refusals.

use herdbook_domain::RunId;
use herdbook_import::{ImportReport, ImportRequest, Source, SourceOptions, target_location};
use herdbook_store::{Missing, Session, StoreError};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::backend::open;
use crate::fake_server::{Answer, FakeServer};
use crate::old_stores::import_into;

const RUN: &str = "0123456789abcdef0123456789abcdef";
const OTHER: &str = "fedcba9876543210fedcba9876543210";

/// How a server differs from the usual one.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Quirk {
    None,
    /// It answers the call for the histories of many runs with this status.
    BulkStatus(u16),
    /// It answers that call with bare NaN, which is not JSON.
    BareNan,
    /// It answers that call with the most values that it ever returns, so there may be more.
    Cut,
    /// It lists a folder inside itself, and a file outside the artifacts.
    HostileListing,
}

fn run(id: &str, start: i64) -> Value {
    json!({
        "info": {
            "run_id": id, "experiment_id": "7", "status": "FINISHED", "start_time": start,
            "end_time": "1751353300000", "artifact_uri": format!("mlflow-artifacts:/7/{id}/artifacts"),
            "lifecycle_stage": "active", "user_id": "ada", "run_name": format!("run {start}"),
        },
        "data": {
            "metrics": [{"key": "loss", "value": 0.5}],
            "params": [{"key": "gamma", "value": "0.99"}],
            "tags": [{"key": "timeframe", "value": "1H"}, {"key": "model_type", "value": "base"}],
        },
    })
}

fn version() -> Value {
    json!({
        "name": "1H_m", "version": "3", "creation_timestamp": 1_751_353_400_000_i64,
        "current_stage": "None", "source": format!("mlflow-artifacts:/7/{RUN}/artifacts/models/1H"),
        "run_id": RUN,
        "tags": [
            {"key": "timeframe", "value": "1H"}, {"key": "model_type", "value": "base"},
            {"key": "promotion_stage", "value": "development"},
        ],
    })
}

fn answer(path: &str, body: &Value, quirk: Quirk) -> Answer {
    let ok = |value: Value| (200, value.to_string());
    let is = |call: &str| path.contains(call);
    let is_second_page = is("page_token=second") || body["page_token"] == "second";
    if is("experiments/search") {
        ok(
            json!({"experiments": [{"experiment_id": "7", "name": "theirs", "lifecycle_stage": "active"}]}),
        )
    } else if is("runs/search") && is_second_page {
        ok(json!({"runs": [run(OTHER, 1_751_353_100_000)]}))
    } else if is("runs/search") {
        ok(json!({"runs": [run(RUN, 1_751_353_200_000)], "next_page_token": "second"}))
    } else if is("registered-models/search") {
        ok(json!({"registered_models": [
            {"name": "1H_m", "creation_timestamp": 1, "aliases": [{"alias": "mine", "version": "3"}]},
        ]}))
    } else if is("model-versions/search") {
        ok(json!({"model_versions": [version()]}))
    } else if is("get-history-bulk") {
        bulk_history(quirk)
    } else if is("metrics/get-history") && is_second_page {
        ok(json!({"metrics": [{"key": "loss", "value": "NaN", "timestamp": "2", "step": "2"}]}))
    } else if is("metrics/get-history") {
        ok(json!({"metrics": [{"key": "loss", "value": 0.5, "timestamp": 1, "step": 1}],
            "next_page_token": "second"}))
    } else if is("artifacts/list") {
        ok(json!({"files": files(path, quirk)}))
    } else if is("get-artifact") {
        (200, "a model".to_owned())
    } else {
        (404, json!({"error_code": "ENDPOINT_NOT_FOUND", "message": path}).to_string())
    }
}

fn bulk_history(quirk: Quirk) -> Answer {
    if let Quirk::BulkStatus(status) = quirk {
        return (status, "{}".to_owned());
    }
    if quirk == Quirk::BareNan {
        let text =
            format!(r#"{{"metrics": [{{"key": "loss", "value": NaN, "run_id": "{RUN}"}}]}}"#);
        return (200, text);
    }
    let value = |run: &str, step: i64| json!({"key": "loss", "value": 0.25, "timestamp": 3, "step": step, "run_id": run});
    let n_values = if quirk == Quirk::Cut { 25_000 } else { 3 };
    let mut values: Vec<Value> = (0..n_values - 1).map(|step| value(RUN, step)).collect();
    values.push(value(OTHER, 9));
    (200, json!({"metrics": values}).to_string())
}

fn files(path: &str, quirk: Quirk) -> Vec<Value> {
    let folder = |path: &str| json!({"path": path, "is_dir": true});
    if !path.contains(RUN) {
        Vec::new()
    } else if path.contains("path=models%2F1H") {
        let mut found =
            vec![json!({"path": "models/1H/model.zip", "is_dir": false, "file_size": 7})];
        if quirk == Quirk::HostileListing {
            found.push(folder("models/1H"));
        }
        found
    } else if path.contains("path=models") {
        vec![folder("models/1H")]
    } else {
        let mut found = vec![folder("models")];
        if quirk == Quirk::HostileListing {
            found.push(json!({"path": "../../outside", "is_dir": false}));
        }
        found
    }
}

struct Target {
    folder: TempDir,
    store: Session,
    request: ImportRequest,
}

impl Target {
    fn of(server: &FakeServer) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let source = Source::parse(&server.address, folder.path()).unwrap();
        let location = target_location(None, folder.path(), &source).unwrap();
        let store = open(&location, Missing::Create).unwrap();
        let zone = "UTC".parse().unwrap();
        Self {
            folder,
            store,
            request: ImportRequest { source, options: SourceOptions::default(), zone },
        }
    }

    fn import(&self) -> Result<ImportReport, StoreError> {
        import_into(&self.store, &self.request)
    }

    /// Step and value of each metric of a run, in the order of the steps.
    fn history(&self, run: &str) -> Vec<(i64, f64, bool)> {
        let conn = rusqlite::Connection::open(self.folder.path().join("mlflow.db")).unwrap();
        conn.prepare("SELECT step, value, is_nan FROM metrics WHERE run_uuid = ?1 ORDER BY step")
            .unwrap()
            .query_map([run], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap()
    }
}

fn imported(quirk: Quirk) -> (FakeServer, Target, ImportReport) {
    let server = FakeServer::start(move |path, body| answer(path, body, quirk));
    let target = Target::of(&server);
    let report = target.import().unwrap();
    (server, target, report)
}

#[test]
fn runs_models_and_files_of_a_server_are_imported_page_by_page() {
    let (server, target, report) = imported(Quirk::None);
    assert_eq!((report.runs.added, report.versions.added, report.files), (2, 1, 1));
    assert_eq!((report.source.as_str(), report.bytes), (server.address.as_str(), 7));
    let run_id = RunId::parse(RUN).unwrap();
    let run = target.store.run(&run_id).unwrap();
    assert_eq!((run.name.as_str(), run.experiment.as_str()), ("run 1751353200000", "theirs"));
    assert_eq!((run.params["gamma"].as_str(), run.metric("loss")), ("0.99", Some(0.25)));
    let model = target.store.read_artifact(&run_id, "models/1H/model.zip").unwrap();
    assert_eq!(model, b"a model");
    let version = target.store.version_of_run(&run_id).unwrap().unwrap();
    let file = target.store.registered_file(&version.key).unwrap().unwrap();
    assert_eq!(file.sha256, herdbook_domain::hex_sha256(b"a model"));
    assert_eq!(server.n_calls("metrics/get-history?"), 0, "one call for both runs is enough");
    assert_eq!(target.history(RUN), [(0, 0.25, false), (1, 0.25, false)]);
    assert_eq!(target.history(OTHER), [(9, 0.25, false)]);
}

#[test]
fn history_is_read_run_by_run_where_the_call_for_many_is_missing_or_incomplete() {
    for quirk in [Quirk::BulkStatus(404), Quirk::BulkStatus(400), Quirk::BareNan, Quirk::Cut] {
        let (server, target, _) = imported(quirk);
        for run in [RUN, OTHER] {
            assert_eq!(target.history(run), [(1, 0.5, false), (2, 0.0, true)], "{quirk:?}");
        }
        assert_eq!(server.n_calls("metrics/get-history?"), 4, "{quirk:?}: two pages of two runs");
    }
}

#[test]
fn listing_of_a_server_neither_loops_nor_leads_out_of_the_artifacts() {
    let (_, target, report) = imported(Quirk::HostileListing);
    assert_eq!(report.files, 1);
    assert!(!target.folder.path().join("outside").exists());
}

#[test]
fn second_import_from_a_server_asks_for_no_histories_and_no_files() {
    let (server, target, _) = imported(Quirk::None);
    let calls = |path: &str| server.n_calls(path);
    let before = (calls("get-history"), calls("get-artifact"));
    let report = target.import().unwrap();
    assert_eq!((report.runs.added, report.versions.added, report.files), (0, 0, 0));
    assert_eq!((calls("get-history"), calls("get-artifact")), before);
}

#[test]
fn refusal_of_a_server_names_the_variables_of_the_credentials() {
    let server = FakeServer::start(|_, _| (401, r#"{"message": "who are you?"}"#.to_owned()));
    let error = Target::of(&server).import().unwrap_err().to_string();
    assert!(error.contains("HTTP 401: who are you?"), "{error}");
    assert!(error.contains("`MLFLOW_TRACKING_TOKEN`"), "{error}");
}

#[test]
fn page_that_is_not_of_mlflow_is_refused() {
    let server = FakeServer::start(|_, _| (200, "<html>a router</html>".to_owned()));
    let error = Target::of(&server).import().unwrap_err();
    assert!(matches!(error, StoreError::Source { .. }), "{error}");
    assert!(error.to_string().contains("it is not an MLflow server"), "{error}");
}

#[test]
fn file_that_a_server_does_not_have_is_reported_and_the_rest_imported() {
    let server = FakeServer::start(|path, body| {
        if path.contains("get-artifact") {
            return (404, r#"{"message": "gone"}"#.to_owned());
        }
        answer(path, body, Quirk::None)
    });
    let target = Target::of(&server);
    let report = target.import().unwrap();
    assert_eq!((report.runs.added, report.files), (2, 0));
    let lines: Vec<String> =
        report.audit.iter().map(herdbook_domain::import::Finding::line).collect();
    assert!(
        lines
            .iter()
            .any(|line| line
                .contains("`models/1H/model.zip` cannot be read: not found on the server")),
        "{lines:?}"
    );
    let artifacts = target.store.artifact_names(&RunId::parse(RUN).unwrap(), "models/1H").unwrap();
    assert_eq!(artifacts, [] as [String; 0], "no incomplete file is left");
}
