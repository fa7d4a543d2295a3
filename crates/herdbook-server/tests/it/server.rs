//! A server on a free port, over a store of its own.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;

use herdbook_domain::{Actor, Channel};
use herdbook_mlflow::ArtifactRoot;
use herdbook_server::{Config, LifeCycle, serve};
use herdbook_store::{Location, Missing, OpenOptions, Session, Store, new_id, params};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A server. It goes on until the test's process ends.
pub(crate) struct Server {
    address: SocketAddr,
    /// Another session on the same store.
    pub(crate) store: Session,
    folder: TempDir,
}

impl Server {
    pub(crate) fn new(life_cycle: LifeCycle) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let location = Location::resolve(None, folder.path()).unwrap();
        let options = OpenOptions { missing: Missing::Create, ..OpenOptions::default() };
        let store = Store::open(location, &options).unwrap();
        let session = store.session(Actor::parse("ada").unwrap(), Channel::Cli);
        let artifacts = folder.path().join("artifacts");
        let config = Config {
            host: "127.0.0.1".to_owned(),
            port: 0,
            artifact_root: ArtifactRoot::new(artifacts.display().to_string()),
            life_cycle,
        };
        let (ready, address) = mpsc::channel();
        let served = session.clone();
        thread::spawn(move || serve(&served, config, |address| ready.send(address).unwrap()));
        Self { address: address.recv().unwrap(), store: session, folder }
    }

    /// The status and body of an answer.
    pub(crate) fn call(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let agent: ureq::Agent =
            ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let uri = format!("http://{}/api/2.0/mlflow/{path}", self.address);
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(uri)
            .header("Content-Type", "application/json")
            .body(body.to_string())
            .unwrap();
        let mut response = agent.run(request).unwrap();
        let text = response.body_mut().read_to_string().unwrap();
        (response.status().as_u16(), serde_json::from_str(&text).unwrap())
    }

    #[expect(clippy::needless_pass_by_value, reason = "tests write the bodies in place")]
    pub(crate) fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.call("POST", path, &body)
    }

    pub(crate) fn get(&self, path: &str) -> (u16, Value) {
        self.call("GET", path, &json!({}))
    }

    /// The error of a refused request: its status and text.
    #[expect(clippy::needless_pass_by_value, reason = "tests write the bodies in place")]
    pub(crate) fn refused(&self, method: &str, path: &str, body: Value) -> (u16, String) {
        let (status, answer) = self.call(method, path, &body);
        assert!((400..500).contains(&status), "{status} {answer}");
        (status, answer["message"].as_str().unwrap().to_owned())
    }

    /// A finished run with tags, and a model file if it has a timeframe.
    pub(crate) fn run(&self, tags: &[(&str, &str)]) -> String {
        let id = new_id();
        let artifacts = self.artifacts(&id);
        self.store
            .write(|act| {
                act.tx.execute(
                    "INSERT INTO runs (run_uuid, name, source_type, user_id, status, start_time, lifecycle_stage,
                        artifact_uri, experiment_id)
                     VALUES (?1, 'r', 'UNKNOWN', 'u', 'FINISHED', 1, 'active', ?2, 0)",
                    params![id.as_str(), artifacts.display().to_string()],
                )?;
                for (key, value) in tags {
                    act.tx.execute(
                        "INSERT INTO tags (key, value, run_uuid) VALUES (?1, ?2, ?3)",
                        params![*key, *value, id.as_str()],
                    )?;
                }
                Ok(())
            })
            .unwrap();
        if let Some((_, timeframe)) = tags.iter().find(|(key, _)| *key == "timeframe") {
            let folder = artifacts.join("models").join(timeframe);
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join("model.zip"), "a model").unwrap();
        }
        id
    }

    fn artifacts(&self, run_id: &str) -> PathBuf {
        self.folder.path().join("artifacts/0").join(run_id).join("artifacts")
    }

    /// Fails if the doctor finds a breach.
    pub(crate) fn assert_healthy(&self) {
        let breaches = self.store.examination().unwrap().breaches;
        assert!(breaches.is_empty(), "{breaches:#?}");
    }
}
