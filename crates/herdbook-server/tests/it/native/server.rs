//! A server on a free port, over a store in a temporary folder.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread;

use herdbook_domain::tags::Tags;
use herdbook_domain::{
    Actor, Channel, Conditions, EnhancedFrom, Enhancement, ExperimentName, Honesty, ModelName,
    Origin, PromotionRequest, Reason, Registration, RunId, Stage, Timeframe, Timestamp, VersionKey,
    VersionNumber,
};
use herdbook_mlflow::ArtifactRoot;
use herdbook_server::{Config, LifeCycle, serve};
use herdbook_store::{
    Effect, Finish, Location, Measured, Metric, Missing, OpenOptions, RunStart, Session, Store,
};
use serde_json::Value;
use tempfile::TempDir;
use ureq::Agent;

pub(crate) const MODEL: &str = "1H_trading_model";
pub(crate) const MODEL_FILE: &[u8] = b"a model";
const PREFIX: &str = "/api/herdbook/v1";

pub(crate) struct Server {
    pub(crate) folder: TempDir,
    pub(crate) store: Session,
    pub(crate) address: SocketAddr,
    agent: Agent,
}

impl Server {
    pub(crate) fn new() -> Self {
        Self::with_conditions(Conditions::default())
    }

    pub(crate) fn with_conditions(conditions: Conditions) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let location = Location::resolve(None, folder.path()).unwrap();
        let options = OpenOptions { missing: Missing::Create, ..OpenOptions::default() };
        let store = Store::open(location, &options).unwrap();
        let of_server = store.session(Actor::parse("team").unwrap(), Channel::Cli);
        let config = Config {
            host: "127.0.0.1".to_owned(),
            port: 0,
            artifact_root: ArtifactRoot::new(ArtifactRoot::PROXY),
            life_cycle: LifeCycle { conditions, ..LifeCycle::default() },
        };
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || serve(&of_server, config, |address| sender.send(address).unwrap()));
        let address = receiver.recv().unwrap();
        let agent = Agent::config_builder().http_status_as_error(false).build().into();
        let store = store.session(Actor::parse("tester").unwrap(), Channel::Cli);
        Self { folder, store, address, agent }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{PREFIX}{path}", self.address)
    }

    /// Status and body of an answer to GET.
    pub(crate) fn get(&self, path: &str) -> (u16, Value) {
        let mut answer = self.agent.get(self.url(path)).call().unwrap();
        let body = answer.body_mut().read_to_string().unwrap();
        let body = serde_json::from_str(&body).unwrap_or_else(|_| panic!("{path}: {body}"));
        (answer.status().as_u16(), body)
    }

    /// The body of a successful answer to GET.
    pub(crate) fn read(&self, path: &str) -> Value {
        let (status, body) = self.get(path);
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    /// Status, headers and content of an answer to GET.
    pub(crate) fn download(&self, path: &str) -> (u16, Option<String>, Vec<u8>) {
        let mut answer = self.agent.get(self.url(path)).call().unwrap();
        let length = answer.headers().get("content-length");
        let length = length.map(|value| value.to_str().unwrap().to_owned());
        let content = answer.body_mut().read_to_vec().unwrap();
        (answer.status().as_u16(), length, content)
    }

    /// Status and body of an answer to POST.
    pub(crate) fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.post_text(path, "application/json", &body.to_string())
    }

    pub(crate) fn post_text(&self, path: &str, kind: &str, body: &str) -> (u16, Value) {
        let request = self.agent.post(self.url(path)).content_type(kind);
        let mut answer = request.send(body).unwrap();
        let text = answer.body_mut().read_to_string().unwrap();
        (answer.status().as_u16(), serde_json::from_str(&text).unwrap())
    }

    /// Starts a training and returns its run.
    pub(crate) fn start(&self, parent: Option<&RunId>) -> (RunId, Origin) {
        let enhanced = parent.map(|parent| EnhancedFrom {
            enhancement: Enhancement::Continued,
            parent: parent.clone(),
            previous_timesteps: 2048,
        });
        let origin = Origin { timeframe: Timeframe::Hour1, enhanced };
        let symbol = ("data.symbol".to_owned(), "EURUSD".to_owned());
        let start = RunStart {
            experiment: ExperimentName::parse("stock_trading_rl_1H").unwrap(),
            model: ModelName::parse(MODEL).unwrap(),
            origin: origin.clone(),
            params: BTreeMap::from([symbol, ("timesteps".to_owned(), "2048".to_owned())]),
            tags: Tags::new(),
            user_tags: Tags::new(),
            name: None,
        };
        (self.store.start_run(&start).unwrap(), origin)
    }

    /// Registers a version with these metrics.
    pub(crate) fn train(&self, parent: Option<&RunId>, metrics: &[(&str, f64)]) -> RunId {
        let (run_id, origin) = self.start(parent);
        self.store.store_artifact(&run_id, "models/1H/model.zip", MODEL_FILE).unwrap();
        let finish = Finish {
            registration: Registration {
                run_id: run_id.clone(),
                name: ModelName::parse(MODEL).unwrap(),
                origin,
                trained_timesteps: 2048,
                honesty: Honesty::Clean,
                model_sha256: herdbook_domain::hex_sha256(MODEL_FILE),
            },
            metrics: metrics.iter().map(|(key, value)| metric(key, *value, 1)).collect(),
            run_tags: Tags::new(),
            measured: Measured::default(),
        };
        self.store.finish_and_register(&finish).unwrap();
        run_id
    }

    /// Moves a version to another stage, without the server.
    pub(crate) fn promote(&self, version: i64, target: Stage) {
        let request = PromotionRequest {
            key: key(version),
            target,
            reason: Some(Reason::parse("tested").unwrap()),
            expected_champion: None,
            force: false,
        };
        self.store.promote(&request, Effect::Commit).unwrap();
    }

    /// Versions 1 and 2; 1 is champion and 2 in beta.
    pub(crate) fn with_champion() -> Self {
        let server = Self::new();
        server.add_champion();
        server
    }

    pub(crate) fn add_champion(&self) {
        let base = self.train(None, &FIGURES);
        self.promote(1, Stage::Beta);
        self.promote(1, Stage::Champion);
        self.train(Some(&base), &[("portfolio/total_return", 0.2), ("final/mean_reward", 2.0)]);
        self.promote(2, Stage::Beta);
    }

    /// The number of the champion.
    pub(crate) fn champion(&self) -> Option<u32> {
        let name = ModelName::parse(MODEL).unwrap();
        self.store.champion(&name).unwrap().map(|champion| champion.key.version.get())
    }
}

pub(crate) const FIGURES: [(&str, f64); 3] = [
    ("portfolio/total_return", 0.1),
    ("baseline/buy_and_hold_total_return", 0.05),
    ("final/mean_reward", 1.0),
];

pub(crate) fn key(version: i64) -> VersionKey {
    let name = ModelName::parse(MODEL).unwrap();
    VersionKey { name, version: VersionNumber::new(version).unwrap() }
}

pub(crate) fn metric(key: &str, value: f64, step: i64) -> Metric {
    Metric { key: key.to_owned(), value, at: Timestamp::from_millis(step), step }
}
