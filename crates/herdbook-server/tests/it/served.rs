//! A server on a free port.

use std::net::SocketAddr;
use std::sync::mpsc;

use herdbook_domain::{Actor, Channel};
use herdbook_mlflow::ArtifactRoot;
use herdbook_server::{Config, LifeCycle, serve};
use herdbook_store::{Location, Missing, OpenOptions, Store};
use serde_json::Value;
use tempfile::TempDir;
use ureq::{Agent, Body, http::Response};

/// A server. It ends with the process of the test.
pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    pub(crate) agent: Agent,
    pub(crate) folder: TempDir,
}

impl Served {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let location = Location::resolve(None, folder.path()).unwrap();
        let artifacts = folder.path().join("mlartifacts");
        let options = OpenOptions {
            missing: Missing::Create,
            artifacts_destination: Some(artifacts),
            ..OpenOptions::default()
        };
        let store = Store::open(location, &options).unwrap();
        let session = store.session(Actor::parse("tester").unwrap(), Channel::Http);
        let config = Config {
            host: "127.0.0.1".to_owned(),
            port: 0,
            artifact_root: ArtifactRoot::new(ArtifactRoot::PROXY),
            life_cycle: LifeCycle::default(),
        };
        let (tell, told) = mpsc::channel();
        std::thread::spawn(move || serve(&session, config, |address| tell.send(address).unwrap()));
        let address = told.recv().unwrap();
        let agent = Agent::config_builder().http_status_as_error(false).build().into();
        Self { address, agent, folder }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn get(&self, path: &str) -> Response<Body> {
        self.agent.get(self.url(path)).call().unwrap()
    }

    /// Sends a body as JSON to a path of the API.
    pub(crate) fn post(&self, path: &str, body: &str) -> (u16, Value) {
        let url = self.url(&format!("/api/2.0/mlflow/{path}"));
        let request = self.agent.post(url).content_type("application/json");
        json(request.send(body).unwrap())
    }

    /// As [`Served::post`], and the answer must be 200.
    pub(crate) fn done(&self, path: &str, body: &str) -> Value {
        let (status, answer) = self.post(path, body);
        assert_eq!(status, 200, "{answer}");
        answer
    }

    pub(crate) fn get_json(&self, path: &str) -> (u16, Value) {
        json(self.get(&format!("/api/2.0/mlflow/{path}")))
    }

    /// Creates a run and returns its id.
    pub(crate) fn run(&self) -> String {
        let run = self.done("runs/create", r#"{"experiment_id": "0", "start_time": 1}"#);
        run["run"]["info"]["run_id"].as_str().unwrap().to_owned()
    }
}

fn json(mut answer: Response<Body>) -> (u16, Value) {
    let text = answer.body_mut().read_to_string().unwrap();
    (answer.status().as_u16(), serde_json::from_str(&text).unwrap())
}
