//! Request ids and counters.

use crate::served::Served;

#[test]
fn id_of_a_request_comes_back() {
    let served = Served::new();
    let id = |given: Option<&str>| {
        let mut request = ureq::get(served.url("/health"));
        if let Some(given) = given {
            request = request.header("X-Request-Id", given);
        }
        request.call().unwrap().headers()["x-request-id"].to_str().unwrap().to_owned()
    };
    assert_eq!(id(Some("build-7.a_b")), "build-7.a_b");
    for given in [None, Some("a b"), Some("a\"b"), Some(&*"x".repeat(65))] {
        assert_eq!(id(given).len(), 32, "{given:?}");
    }
}

#[test]
fn requests_acts_and_commits_are_counted_by_route() {
    let served = Served::new();
    served.run();
    served.get("/api/2.0/mlflow/experiments/get?experiment_id=7");
    for number in 0..20 {
        served.get(&format!("/unknown/{number}"));
    }
    let text = served.get("/metrics").body_mut().read_to_string().unwrap();
    for expected in [
        r#"herdbook_requests_total{method="POST",route="/api/2.0/mlflow/runs/create",status="200"} 1"#,
        r#"herdbook_requests_total{method="GET",route="/api/2.0/mlflow/experiments/get",status="404"} 1"#,
        r#"herdbook_requests_total{method="GET",route="none",status="404"} 20"#,
        r#"herdbook_request_duration_seconds_count{route="none"} 20"#,
        "herdbook_requests_in_progress 1",
        "herdbook_store_acts_total 2",
        "herdbook_store_commits_total 2",
    ] {
        assert!(text.lines().any(|line| line == expected), "{expected} in\n{text}");
    }
}
