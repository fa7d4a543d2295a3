//! Answers have the shapes of MLflow.

use serde_json::{Value, json};

use crate::served::Served;

#[test]
fn run_has_the_fields_that_mlflow_sends() {
    let served = Served::new();
    let body = r#"{"experiment_id": "0", "user_id": "ada", "start_time": "7", "run_name": "a", "tags": []}"#;
    let created = served.done("runs/create", body);
    let id = created["run"]["info"]["run_id"].as_str().unwrap().to_owned();
    let info = json!({
        "run_uuid": id, "experiment_id": "0", "run_name": "a", "user_id": "ada", "status": "RUNNING", "start_time": 7,
        "artifact_uri": format!("mlflow-artifacts:/0/{id}/artifacts"), "lifecycle_stage": "active", "run_id": id,
    });
    let tags = json!([{"key": "mlflow.runName", "value": "a"}]);
    let run = json!({"run": {"info": info, "data": {"tags": tags}, "inputs": {}}});
    assert_eq!(created, run);
    let batch = json!({"run_id": id, "metrics": [
        {"key": "nan", "value": "NaN", "timestamp": 1}, {"key": "inf", "value": "Infinity", "timestamp": 1, "step": 2}
    ], "params": [{"key": "p"}]});
    assert_eq!(served.done("runs/log-batch", &batch.to_string()), json!({}));
    let (_, read) = served.get_json(&format!("runs/get?run_uuid={id}&run_id={id}"));
    assert_eq!(
        read["run"]["data"]["metrics"],
        json!([
            {"key": "inf", "value": 1.797_693_134_862_315_7e308, "timestamp": 1, "step": 2},
            {"key": "nan", "value": "NaN", "timestamp": 1, "step": 0},
        ])
    );
    assert_eq!(read["run"]["data"]["params"], json!([{"key": "p", "value": ""}]));
    assert_eq!(read["run"]["outputs"], json!({}));
    let ended = format!(r#"{{"run_id": "{id}", "status": "FINISHED", "end_time": 9}}"#);
    let ended = served.done("runs/update", &ended);
    assert_eq!(
        (&ended["run_info"]["status"], &ended["run_info"]["end_time"]),
        (&json!("FINISHED"), &json!(9))
    );
}

#[test]
fn errors_have_code_text_and_class() {
    let served = Served::new();
    let (status, body) = served.get_json("experiments/get?experiment_id=7");
    assert_eq!(status, 404);
    assert_eq!(
        body,
        json!({
            "error_code": "RESOURCE_DOES_NOT_EXIST", "message": "No Experiment with id=7 exists", "sqlstate": "KAM00",
            "error_class": "RESOURCE_NOT_FOUND",
        })
    );
    let (status, body) = served.post("experiments/create", r#"{"name": "Default"}"#);
    assert_eq!((status, &body["error_code"]), (400, &json!("RESOURCE_ALREADY_EXISTS")));
    for (path, status) in [("/nothing", 404), ("/api/2.0/mlflow/runs/create", 405)] {
        let answer = served.get(path);
        assert_eq!(answer.status().as_u16(), status);
        assert_eq!(answer.headers()["content-type"], "text/html; charset=utf-8");
    }
}

#[test]
fn parameters_are_checked_with_the_texts_of_mlflow() {
    let served = Served::new();
    let id = served.run();
    let message = |path: &str, body: String| {
        let (status, answer) = served.post(path, &body);
        assert_eq!((status, &answer["error_code"]), (400, &json!("INVALID_PARAMETER_VALUE")));
        answer["message"].as_str().unwrap().to_owned()
    };
    let more = "See the API docs for more information about request parameters.";
    let batch = format!(r#"{{"run_id": "{id}", "metrics": [{{"key": "m", "value": 1}}]}}"#);
    assert_eq!(
        message("runs/log-batch", batch),
        format!("Missing value for required parameter 'metrics[0].timestamp'. {more}")
    );
    assert_eq!(
        message("runs/search", r#"{"max_results": 50001}"#.to_owned()),
        format!(
            "Invalid value 50001 for parameter 'max_results' supplied:  Hint: Value was of type 'int'. {more}"
        )
    );
    assert_eq!(
        message("experiments/create", r#"{"name": ["a", 1.5]}"#.to_owned()),
        format!(
            "Invalid value [\"a\",1.5] for parameter 'name' supplied:  Hint: Value was of type 'list'. {more}"
        )
    );
    assert_eq!(
        message("runs/search", r#"{"max_results": 1, "maxResults": 1}"#.to_owned()),
        "Request specifies both 'max_results' and 'maxResults'; provide only one of them."
    );
}

#[test]
fn searches_are_answered_in_pages() {
    let served = Served::new();
    let (first, second) = (served.run(), served.run());
    for (id, value) in [(&first, 1), (&second, 2)] {
        let body = json!({"run_id": id, "key": "m", "value": value, "timestamp": 1});
        served.done("runs/log-metric", &body.to_string());
    }
    let search = |token: &str| {
        let body = json!({"experiment_ids": ["0"], "order_by": ["metrics.m DESC"], "max_results": 1, "page_token": token});
        served.done("runs/search", &body.to_string())
    };
    let page = search("");
    assert_eq!(page["runs"][0]["info"]["run_id"], json!(second));
    let last = search(page["next_page_token"].as_str().unwrap());
    assert_eq!(last["runs"][0]["info"]["run_id"], json!(first));
    assert_eq!(last.get("next_page_token"), None);
    assert_eq!(served.done("runs/search", "{}"), json!({}));
    let (_, found) =
        served.get_json("experiments/search?max_results=5&order_by=name&order_by=experiment_id");
    assert_eq!(found["experiments"][0]["name"], json!("Default"));
}

#[test]
fn histories_are_answered_for_clients_and_for_pages() {
    let served = Served::new();
    let id = served.run();
    for (step, value) in [(0, json!(1.0)), (1, json!("NaN"))] {
        let body =
            json!({"run_id": id, "key": "m", "value": value, "timestamp": step, "step": step});
        served.done("runs/log-metric", &body.to_string());
    }
    let (_, history) = served.get_json(&format!("metrics/get-history?run_id={id}&metric_key=m"));
    let values: Vec<&Value> =
        history["metrics"].as_array().unwrap().iter().map(|metric| &metric["value"]).collect();
    assert_eq!(values, [&json!(1.0), &json!("NaN")]);
    let (_, none) = served.get_json("metrics/get-history?run_id=nope&metric_key=m");
    assert_eq!(none, json!({}));
    let page = format!("/ajax-api/2.0/mlflow/metrics/get-history-bulk?run_id={id}&metric_key=m");
    let text = served.get(&page).body_mut().read_to_string().unwrap();
    assert!(text.ends_with(r#""step":1,"timestamp":1,"value":NaN}]}"#), "{text}");
    let interval =
        format!("metrics/get-history-bulk-interval?run_ids={id}&metric_key=m&max_results=1");
    assert_eq!(served.get_json(&interval).1["metrics"].as_array().unwrap().len(), 1);
    assert_eq!(served.get_json(&format!("{interval}&start_step=0")).0, 400);
}

#[test]
fn probes_are_answered() {
    let served = Served::new();
    for (path, expected) in [("/health", "OK"), ("/version", "3.17.2"), ("/ready", "OK")] {
        assert_eq!(served.get(path).body_mut().read_to_string().unwrap(), expected);
    }
    let text = served.get("/api/3.0/mlflow/server-info").body_mut().read_to_string().unwrap();
    let info: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(info["multipart_uploads_enabled"], json!(false));
}
