//! Requests that are wrong: a clear 4xx, and nothing changes.

use std::os::unix::fs::symlink;

use serde_json::json;

use super::server::{MODEL, Server, key};

#[test]
fn wrong_parameters_are_named() {
    let server = Server::with_champion();
    for (path, message) in [
        ("/board?x=1", "unknown field `x`, there are no fields"),
        ("/history?limit=0", "`limit`: 0 is not from 1 to 500"),
        ("/history?limit=100000", "`limit`: 100000 is not from 1 to 500"),
        ("/history?limit=a", "`limit`: `a` is not a number in the permitted range"),
        ("/history?limit=1&limit=2", "duplicate field `limit`"),
        (
            "/history?after=99999999999999999999",
            "`after`: `99999999999999999999` is not a number in the permitted range",
        ),
        ("/lineage", "missing field `name`"),
        ("/compare?first=x&second=y", "`x` is not a version"),
        ("/models/1H_trading_model/versions/0", "`0` is not the number of a version"),
        ("/models/1H_trading_model/versions/-1", "`-1` is not the number of a version"),
        (
            "/models/1H_trading_model/versions/9999999999",
            "`9999999999` is not the number of a version",
        ),
        ("/runs/running?points=0", "`points`: 0 is not from 1 to 2000"),
        ("/runs/running?points=1e9", "`points`: `1e9` is not a number in the permitted range"),
    ] {
        let (status, error) = server.get(path);
        assert_eq!((status, &error["error"]["code"]), (400, &json!("invalid_input")), "{path}");
        assert_eq!(error["error"]["message"], message, "{path}");
    }
    assert_eq!(server.get("/models?timeframe=2H").0, 400);
    assert_eq!(server.get("/history?from=yesterday").0, 400);
    assert_eq!(server.get("/runs/xyz/metrics/loss").0, 400);
    assert_eq!(server.get("/models/%FF").0, 400);
}

#[test]
fn what_does_not_exist_is_404() {
    let server = Server::with_champion();
    let run = "a".repeat(32);
    for path in [
        String::new(),
        "/none".to_owned(),
        "/models/none".to_owned(),
        format!("/models/{MODEL}/versions/77"),
        format!("/models/{MODEL}/versions/77/files"),
        format!("/runs/{run}/metrics/loss"),
        format!("/lineage?name={MODEL}&version=77"),
    ] {
        let (status, error) = server.get(&path);
        assert_eq!(
            (status, &error["error"]["code"]),
            (404, &json!("not_found")),
            "{path}: {error}"
        );
    }
    assert_eq!(server.post("/board", &json!({})).0, 405);
}

#[test]
fn wrong_bodies_change_nothing() {
    let server = Server::with_champion();
    let path = format!("/models/{MODEL}/versions/2/promote");
    for body in [
        "",
        "null",
        "[]",
        "{",
        "{}",
        r#"{"target_stage": "prod"}"#,
        r#"{"target_stage": 3}"#,
        r#"{"target_stage": "champion", "color": "red"}"#,
        r#"{"target_stage": "champion", "target_stage": "archived"}"#,
        r#"{"target_stage": "champion", "dry_run": "no"}"#,
        r#"{"target_stage": "champion", "expect_champion": "1"}"#,
        r#"{"target_stage": "champion", "expect_champion": 0}"#,
        r#"{"target_stage": "champion", "expect_champion": 1.5}"#,
        r#"{"target_stage": "champion", "act_id": "1"}"#,
        r#"{"target_stage": "champion", "reason": ""}"#,
        r#"{"target_stage": "champion", "reason": "a\u0000b"}"#,
        "\u{feff}{\"target_stage\": \"champion\"}",
    ] {
        let (status, error) = server.post_text(&path, "application/json", body);
        assert_eq!(
            (status, &error["error"]["code"]),
            (400, &json!("invalid_input")),
            "{body}: {error}"
        );
    }
    let long = json!({"target_stage": "champion", "reason": "x".repeat(2001)});
    assert_eq!(server.post(&path, &long).0, 400);
    let deep = format!("{}{}", "[".repeat(30_000), "]".repeat(30_000));
    assert_eq!(server.post_text(&path, "application/json", &deep).0, 400);
    let large = json!({"target_stage": "champion", "reason": "x".repeat(70_000)});
    assert_eq!(server.post(&path, &large).0, 413);
    let good = json!({"target_stage": "champion"}).to_string();
    assert_eq!(server.post_text(&path, "text/plain", &good).0, 415);
    assert_eq!(server.champion(), Some(1));
}

#[test]
fn files_outside_of_the_run_are_not_served() {
    let server = Server::with_champion();
    let run_id = server.store.version(&key(1)).unwrap().run_id.unwrap();
    let secret = server.folder.path().join("secret");
    std::fs::write(&secret, "secret").unwrap();
    let models = server.store.artifact_path(&run_id, "models").unwrap();
    symlink(&secret, models.join("link")).unwrap();
    symlink(server.folder.path(), models.join("folder")).unwrap();
    for path in [
        "models/link",
        "models/folder/secret",
        "%2e%2e/%2e%2e/secret",
        "..%2F..%2Fsecret",
        "%2Fetc%2Fpasswd",
        "models%5C..%5Csecret",
        "models%00",
    ] {
        let (status, _, content) =
            server.download(&format!("/models/{MODEL}/versions/1/files/{path}"));
        assert!([400, 404].contains(&status), "{path}: {status}");
        assert!(!String::from_utf8_lossy(&content).contains("secret\""), "{path}");
        assert_ne!(content, b"secret", "{path}");
    }
    for path in ["../..", "/etc", "models/folder"] {
        let (status, body) = server.get(&format!("/models/{MODEL}/versions/1/files?path={path}"));
        let names = body["files"].to_string();
        assert!(status == 400 || status == 404 || !names.contains("secret"), "{path}: {body}");
    }
}

#[test]
fn errors_do_not_tell_where_the_store_is() {
    let server = Server::with_champion();
    let folder = server.folder.path().display().to_string();
    let run_id = server.store.version(&key(2)).unwrap().run_id.unwrap();
    let file = server.store.artifact_path(&run_id, "models/1H/model.zip").unwrap();
    std::fs::write(file, "another model").unwrap();
    let path = format!("/models/{MODEL}/versions/2/promote");
    let (status, error) = server.post(&path, &json!({"target_stage": "champion"}));
    assert_eq!((status, &error["error"]["code"]), (409, &json!("conflict")), "{error}");
    assert!(!error.to_string().contains(&folder), "{error}");
    for path in ["/board", "/info", "/models", &format!("/models/{MODEL}/versions/9/files")] {
        assert!(!server.get(path).1.to_string().contains(&folder), "{path}");
    }
}

#[test]
fn broken_store_is_500_without_its_statements() {
    let server = Server::new();
    let (run_id, _) = server.start(None);
    server.store.write(|act| act.tx.execute_batch("ALTER TABLE metrics RENAME TO moved")).unwrap();
    let (status, error) = server.get(&format!("/runs/{run_id}/metrics/loss"));
    assert_eq!((status, &error["error"]["code"]), (500, &json!("store_failed")), "{error}");
    let message = "the store of this server failed; the server's log has the reason";
    assert_eq!(error["error"]["message"], message);
}
