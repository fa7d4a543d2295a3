//! Test fixture: a store in a temporary folder, seeded random markets, default requests.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use herdbook_domain::{
    Actor, Channel, Enhancement, ExperimentName, MetricName, ModelName, ModelType, ParentSelector,
    Symbol, Timeframe, VersionKey, VersionNumber,
};
use herdbook_store::{Location, Missing, OpenOptions, Session, Store, VersionRecord};
use herdbook_training::{
    Boundaries, ContaminatedTest, DataSource, EnhanceRequest, Observer, PpoConfig, Progress,
    RegisteredPolicy, TrainReport, TrainRequest, TrainingError, train,
};
use tempfile::TempDir;

pub(crate) struct Fixture {
    pub(crate) folder: TempDir,
    pub(crate) store: Session,
}

/// Observer that records everything.
#[derive(Default)]
pub(crate) struct Listener {
    pub(crate) notices: Vec<String>,
    pub(crate) progress: Vec<Progress>,
}

impl Observer for Listener {
    fn notice(&mut self, text: &str) {
        self.notices.push(text.to_owned());
    }

    fn stage(&mut self, text: &str) {
        self.notices.push(text.to_owned());
    }

    fn progress(&mut self, progress: &Progress) {
        self.progress.push(*progress);
    }
}

/// Hourly bars of a geometric random walk as CSV. A longer walk starts with the bars of a shorter one.
pub(crate) fn walk(n_bars: usize, seed: u64, volatility: f64) -> Vec<u8> {
    let mut csv = String::from("timestamp,open,high,low,close,volume\n");
    let mut rng = herdbook_ppo::Rng::new(seed);
    let mut price = 100.0;
    for idx in 0..n_bars {
        let open: f64 = price;
        let close = open * (volatility * rng.normal()).exp();
        let (high, low) = (open.max(close), open.min(close));
        csv +=
            &format!("{},{open},{high},{low},{close},{}\n", 1_500_000_000 + idx * 3_600, idx % 7);
        price = close;
    }
    csv.into_bytes()
}

pub(crate) fn market(bytes: Vec<u8>) -> DataSource {
    DataSource::new("walk.csv", Symbol::parse("WALK").unwrap(), bytes)
}

pub(crate) fn request() -> TrainRequest {
    TrainRequest {
        timeframe: Timeframe::Hour1,
        data: market(walk(1_500, 1, 0.003)),
        boundaries: Boundaries::default(),
        timesteps: 600,
        seed: 7,
        cost_bps: 1.0,
        config: PpoConfig { n_steps: 256, n_epochs: 3, ..PpoConfig::default() },
        schedules: herdbook_training::Schedules::default(),
        model: model(),
        experiment: ExperimentName::parse("stock_trading_rl_1H").unwrap(),
        enhance: None,
        contaminated: ContaminatedTest::Refused,
        membership: None,
        register: RegisteredPolicy::Best,
    }
}

pub(crate) fn child(selector: ParentSelector, enhancement: Enhancement) -> TrainRequest {
    let enhance = EnhanceRequest {
        selector,
        model_type: ModelType::Base,
        metric: MetricName::parse("evaluation/best_mean_reward").unwrap(),
        enhancement,
    };
    TrainRequest { enhance: Some(enhance), ..request() }
}

pub(crate) fn model() -> ModelName {
    ModelName::parse("1H_trading_model").unwrap()
}

impl Fixture {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = OpenOptions {
            missing: Missing::Create,
            busy_timeout: Duration::from_secs(30),
            ..OpenOptions::default()
        };
        let location = Location::resolve(None, folder.path()).unwrap();
        let store = Store::open(location, &options).unwrap();
        let store = store.session(Actor::parse("tester").unwrap(), Channel::Cli);
        Self { folder, store }
    }

    pub(crate) fn train(&self, request: TrainRequest) -> Result<TrainReport, TrainingError> {
        self.train_listening(request, &mut Listener::default())
    }

    pub(crate) fn train_listening(
        &self,
        request: TrainRequest,
        listener: &mut Listener,
    ) -> Result<TrainReport, TrainingError> {
        train(&self.store, &request.prepare()?, listener, &AtomicBool::new(false))
    }

    pub(crate) fn version(&self, number: i64) -> VersionRecord {
        let version = VersionNumber::new(number).unwrap();
        self.store.version(&VersionKey { name: model(), version }).unwrap()
    }

    pub(crate) fn model_file(&self, report: &TrainReport) -> Vec<u8> {
        self.store.read_artifact(&report.run.run_id, "models/1H/model.zip").unwrap()
    }
}
