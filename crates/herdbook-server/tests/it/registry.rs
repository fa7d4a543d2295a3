//! The model registry as MLflow 3.17.2 answers. The texts were compared with a stock server.

use herdbook_server::LifeCycle;
use serde_json::{Value, json};

use crate::server::Server;

fn server() -> Server {
    Server::new(LifeCycle::default())
}

/// A server with the model `churn`, which has a version.
fn with_version() -> Server {
    let server = server();
    server.post("registered-models/create", json!({"name": "churn"}));
    let version = json!({"name": "churn", "source": "s3://b/x"});
    assert_eq!(server.post("model-versions/create", version).0, 200);
    server
}

fn names(answer: &Value) -> Vec<&str> {
    let models = answer["registered_models"].as_array().map(Vec::as_slice).unwrap_or_default();
    models.iter().map(|model| model["name"].as_str().unwrap()).collect()
}

#[test]
fn version_has_the_fields_that_mlflow_sends() {
    let server = with_version();
    let (status, answer) = server.get("model-versions/get?name=churn&version=1");
    let version = answer["model_version"].as_object().unwrap();
    assert_eq!(status, 200);
    let shown: Vec<&str> = version.keys().map(String::as_str).collect();
    assert_eq!(
        shown,
        [
            "creation_timestamp",
            "current_stage",
            "description",
            "last_updated_timestamp",
            "name",
            "run_id",
            "run_link",
            "source",
            "status",
            "version"
        ]
    );
    assert_eq!((&version["version"], &version["current_stage"]), (&json!("1"), &json!("None")));
    assert_eq!((&version["run_id"], &version["description"]), (&json!(""), &json!("")));
    let (_, answer) = server.get("model-versions/get-download-uri?name=churn&version=1");
    assert_eq!(answer, json!({"artifact_uri": "s3://b/x"}));
}

#[test]
fn refusals_have_the_words_of_mlflow() {
    let server = with_version();
    for (method, path, body, status, text) in [
        (
            "POST",
            "registered-models/create",
            json!({"name": "churn"}),
            400,
            "Registered Model (name=churn) already exists.",
        ),
        (
            "POST",
            "registered-models/create",
            json!({}),
            400,
            "Missing value for required parameter 'name'. See the API docs for more information about request parameters.",
        ),
        (
            "POST",
            "registered-models/create",
            json!({"name": "a/b"}),
            400,
            "Invalid model name 'a/b'. Names cannot contain '/' or ':'.",
        ),
        (
            "GET",
            "registered-models/get?name=x",
            json!({}),
            404,
            "Registered Model with name=x not found",
        ),
        (
            "GET",
            "model-versions/get?name=churn&version=7",
            json!({}),
            404,
            "Model Version (name=churn, version=7) not found",
        ),
        (
            "GET",
            "model-versions/get?name=churn&version=x",
            json!({}),
            400,
            "Parameter 'version' must be an integer, got 'x'.",
        ),
        (
            "GET",
            "registered-models/alias?name=churn&alias=best",
            json!({}),
            400,
            "Registered model alias best not found.",
        ),
        (
            "POST",
            "registered-models/alias",
            json!({"name": "churn", "alias": "v1", "version": "1"}),
            400,
            "Version alias name 'v1' is reserved.",
        ),
        (
            "POST",
            "model-versions/transition-stage",
            json!({"name": "churn", "version": "1", "stage": "foo", "archive_existing_versions": false}),
            400,
            "Invalid Model Version stage: foo. Value must be one of None, Staging, Production, Archived.",
        ),
        (
            "POST",
            "model-versions/create",
            json!({"name": "churn", "source": "/etc/passwd"}),
            400,
            "Invalid model version source: '/etc/passwd'. To use a local path as a model version source, the run_id request parameter has to be specified and the local path has to be contained within the artifact directory of the run specified by the run_id.",
        ),
        (
            "POST",
            "model-versions/create",
            json!({"name": "churn", "source": "runs:/abc/m", "run_id": "x"}),
            400,
            "Invalid model version source: 'runs:/abc/m'. The run_id request parameter must identify the resource that contains the source.",
        ),
        (
            "GET",
            "registered-models/search?max_results=1001",
            json!({}),
            400,
            "Invalid value \"1001\" for parameter 'max_results' supplied:  Hint: Value was of type 'str'. See the API docs for more information about request parameters.",
        ),
    ] {
        assert_eq!(server.refused(method, path, body), (status, text.to_owned()), "{path}");
    }
}

#[test]
fn prompts_are_hidden_unless_the_filter_asks_for_them() {
    let server = with_version();
    let tags = json!([{"key": "mlflow.prompt.is_prompt", "value": "true"}]);
    server.post("registered-models/create", json!({"name": "hello", "tags": tags}));
    let search = |filter: &str| {
        server.get(&format!("registered-models/search?max_results=9&filter={filter}")).1
    };
    assert_eq!(names(&search("")), ["churn"]);
    assert_eq!(names(&search("tag.%60mlflow.prompt.is_prompt%60%20!=%20'true'")), ["churn"]);
    assert_eq!(names(&search("tag.%60mlflow.prompt.is_prompt%60%20=%20'true'")), ["hello"]);
}

#[test]
fn pages_of_a_search_follow_each_other() {
    let server = server();
    for name in ["a", "b", "c"] {
        server.post("registered-models/create", json!({"name": name}));
    }
    let (_, first) = server.get("registered-models/search?max_results=2");
    let token = first["next_page_token"].as_str().unwrap();
    let (_, second) =
        server.get(&format!("registered-models/search?max_results=2&page_token={token}"));
    assert_eq!((names(&first), names(&second)), (vec!["a", "b"], vec!["c"]));
    assert!(second.get("next_page_token").is_none());
}

#[test]
fn deleted_version_keeps_its_number_and_loses_its_aliases() {
    let server = with_version();
    server
        .post("registered-models/alias", json!({"name": "churn", "alias": "best", "version": "1"}));
    assert_eq!(
        server.call("DELETE", "model-versions/delete", &json!({"name": "churn", "version": "1"})).0,
        200
    );
    assert_eq!(server.get("model-versions/get?name=churn&version=1").0, 404);
    let (_, model) = server.get("registered-models/get?name=churn");
    assert!(model["registered_model"].get("aliases").is_none());
    let (_, next) =
        server.post("model-versions/create", json!({"name": "churn", "source": "s3://b/y"}));
    assert_eq!(next["model_version"]["version"], "2");
}

#[test]
fn newest_version_of_each_stage_is_shown() {
    let server = with_version();
    for source in ["s3://b/y", "s3://b/z"] {
        server.post("model-versions/create", json!({"name": "churn", "source": source}));
    }
    let to_production = json!({"name": "churn", "version": "1", "stage": "production", "archive_existing_versions": true});
    let (_, moved) = server.post("model-versions/transition-stage", to_production);
    assert_eq!(moved["model_version"]["current_stage"], "Production");
    let (_, latest) =
        server.post("registered-models/get-latest-versions", json!({"name": "churn"}));
    let shown: Vec<(&Value, &Value)> = latest["model_versions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|version| (&version["version"], &version["current_stage"]))
        .collect();
    assert_eq!(shown, [(&json!("1"), &json!("Production")), (&json!("3"), &json!("None"))]);
}

#[test]
fn model_takes_its_versions_tags_and_aliases_to_its_new_name() {
    let server = with_version();
    server.post(
        "model-versions/set-tag",
        json!({"name": "churn", "version": "1", "key": "k", "value": "v"}),
    );
    server
        .post("registered-models/alias", json!({"name": "churn", "alias": "best", "version": "1"}));
    server.post("registered-models/rename", json!({"name": "churn", "new_name": "loss"}));
    let (_, version) = server.get("registered-models/alias?name=loss&alias=best");
    assert_eq!(version["model_version"]["tags"], json!([{"key": "k", "value": "v"}]));
    assert_eq!(server.get("registered-models/get?name=churn").0, 404);
}
