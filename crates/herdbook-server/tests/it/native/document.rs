//! The `OpenAPI` document.

use std::path::Path;

use serde_json::Value;

use super::server::Server;

#[test]
fn committed_openapi_document_is_the_served_one() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
    let document = herdbook_server::openapi_json().unwrap();
    if std::env::var_os("HERDBOOK_WRITE").is_some() {
        std::fs::write(&file, &document).unwrap();
    }
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        committed == document,
        "`docs/openapi.json` is out of date: `HERDBOOK_WRITE=1 cargo nextest run -p herdbook-server openapi` writes it"
    );
    let served = Server::new().read("/openapi.json");
    assert_eq!(served, serde_json::from_str::<Value>(&committed).unwrap());
}

#[test]
fn every_path_of_the_openapi_document_is_served() {
    let server = Server::new();
    let document: Value = serde_json::from_str(&herdbook_server::openapi_json().unwrap()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    assert_eq!(paths.len(), 17);
    for (path, methods) in paths.iter().filter(|(path, _)| *path != "/events") {
        let path = path
            .replace("{name}", "1H_none")
            .replace("{version}", "1")
            .replace("{run_id}", &"a".repeat(32))
            .replace("{key}", "a/b")
            .replace("{path}", "a/b");
        for method in methods.as_object().unwrap().keys() {
            let (status, answer) = match method.as_str() {
                "get" => server.get(&path),
                "post" => server.post(&path, &serde_json::json!({})),
                other => panic!("{other} {path}"),
            };
            assert_ne!(status, 405, "{method} {path}");
            assert_ne!(answer["error"]["message"], "there is no such path", "{method} {path}");
        }
    }
}
