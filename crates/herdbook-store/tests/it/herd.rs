//! A store in a temporary folder, and helpers for tests.

use std::collections::BTreeMap;
use std::time::Duration;

use herdbook_domain::tags::{Tags, key};
use herdbook_domain::{
    Actor, Channel, EnhancedFrom, Enhancement, EventKind, ExperimentName, Honesty, ModelName,
    ModelType, Origin, PromotionRequest, Reason, Registration, RunId, Stage, Timeframe, Timestamp,
    VersionKey, VersionNumber,
};
use herdbook_store::{
    Candidates, Contaminated, Effect, EventQuery, Finish, Measured, Metric, Missing, OpenOptions,
    Promotion, RunStart, Session, Store, StoreError, VersionQuery,
};
use tempfile::TempDir;

use crate::backend::{self, Database, Foreign};

/// The content of model files in tests that do not load them.
pub(crate) const MODEL_FILE: &[u8] = b"a model";

pub(crate) struct Herd {
    pub(crate) folder: TempDir,
    pub(crate) store: Session,
    pub(crate) database: Database,
}

pub(crate) fn options(missing: Missing) -> OpenOptions {
    OpenOptions { missing, busy_timeout: Duration::from_secs(30), ..OpenOptions::default() }
}

/// A session of the actor `tester`.
pub(crate) fn session(store: &Store) -> Session {
    store.session(Actor::parse("tester").unwrap(), Channel::Cli)
}

pub(crate) fn model() -> ModelName {
    ModelName::parse("1H_trading_model").unwrap()
}

pub(crate) fn number(version: i64) -> VersionNumber {
    VersionNumber::new(version).unwrap()
}

pub(crate) fn version(version: i64) -> VersionKey {
    VersionKey { name: model(), version: number(version) }
}

pub(crate) fn promotion(of: i64, target: Stage) -> PromotionRequest {
    PromotionRequest {
        key: version(of),
        target,
        reason: Some(Reason::parse("tested").unwrap()),
        expected_champion: None,
        force: false,
    }
}

impl Herd {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::new(folder.path());
        let store = backend::open(&database.location, Missing::Create).unwrap();
        Self { folder, store, database }
    }

    pub(crate) fn another_store(&self) -> Session {
        backend::open(self.store.location(), Missing::Refuse).unwrap()
    }

    /// The database as another program sees it.
    pub(crate) fn foreign(&self) -> Foreign {
        self.database.foreign()
    }

    pub(crate) fn start(&self, parent: Option<&RunId>) -> (RunId, Origin) {
        let start = start(parent);
        (self.store.start_run(&start).unwrap(), start.origin)
    }

    pub(crate) fn finish(&self, run_id: &RunId, origin: Origin, reward: f64) -> VersionKey {
        self.store.store_artifact(run_id, "models/1H/model.zip", MODEL_FILE).unwrap();
        let finish = finish(run_id, origin, &[("evaluation/best_mean_reward", reward)]);
        self.store.finish_and_register(&finish).unwrap().key
    }

    pub(crate) fn train(&self, parent: Option<&RunId>, reward: f64) -> RunId {
        let (run_id, origin) = self.start(parent);
        self.finish(&run_id, origin, reward);
        run_id
    }

    /// Registers a base model of a run with these params, in place of those of [`start`].
    pub(crate) fn train_with(&self, params: &[(&str, &str)], reward: f64) -> RunId {
        let mut start = start(None);
        start.params.extend(params.iter().map(|(key, value)| ((*key).into(), (*value).into())));
        let run_id = self.store.start_run(&start).unwrap();
        self.finish(&run_id, start.origin, reward);
        run_id
    }

    pub(crate) fn promote(&self, of: i64, target: Stage) -> Result<Promotion, StoreError> {
        self.store.promote(&promotion(of, target), Effect::Commit)
    }

    pub(crate) fn tag(&self, of: i64, key: &str) -> Option<String> {
        self.store.version(&version(of)).unwrap().tags.get(key).cloned()
    }

    /// Checks every invariant that can be checked in the database.
    pub(crate) fn assert_invariants(&self) {
        let mut champions = 0;
        for record in self.store.versions(&VersionQuery::default()).unwrap().records {
            let run = self.store.run(record.run_id.as_ref().unwrap()).unwrap();
            for key in [key::PROMOTION_STAGE, key::VERSION_TYPE, key::MODEL_TYPE, key::TIMEFRAME] {
                assert_eq!(run.tags.get(key), record.tags.get(key), "{key} of {}", record.key);
            }
            let query = EventQuery {
                name: Some(record.key.name.clone()),
                version: Some(record.key.version),
                ..EventQuery::default()
            };
            let history = self.store.events(&query).unwrap();
            let end = history
                .iter()
                .rev()
                .find(|event| {
                    !matches!(event.what.kind, EventKind::Superseded | EventKind::Repaired)
                })
                .and_then(|event| event.what.to.clone());
            assert_eq!(record.tags.get(key::PROMOTION_STAGE), end.as_ref(), "{}", record.key);
            let stage = record.stage().unwrap();
            assert_eq!(record.mlflow_stage, stage.mlflow_stage());
            champions += usize::from(stage == Stage::Champion);
        }
        assert!(champions <= 1);
        let alias = backend::number(
            &self.foreign(),
            "SELECT version FROM registered_model_aliases WHERE alias = 'champion'",
        );
        let champion = self.store.champion(&model()).unwrap();
        assert_eq!(alias, champion.map(|record| i64::from(record.key.version.get())));
        self.assert_chain();
    }

    fn assert_chain(&self) {
        let mut previous = herdbook_domain::GENESIS_HASH.to_owned();
        for (index, event) in self.store.events(&EventQuery::default()).unwrap().iter().enumerate()
        {
            assert_eq!(event.id, i64::try_from(index).unwrap() + 1);
            assert_eq!(event.previous_hash, previous);
            assert_eq!(event.hash, event.compute_hash());
            previous.clone_from(&event.hash);
        }
    }
}

/// A training on hourly bars, of a child if there is a parent.
pub(crate) fn start(parent: Option<&RunId>) -> RunStart {
    let enhanced = parent.map(|parent| EnhancedFrom {
        enhancement: Enhancement::Continued,
        parent: parent.clone(),
        previous_timesteps: 2048,
    });
    RunStart {
        experiment: ExperimentName::parse("stock_trading_rl_1H").unwrap(),
        model: model(),
        origin: Origin { timeframe: Timeframe::Hour1, enhanced },
        params: BTreeMap::from([("data.symbol".to_owned(), "EURUSD".to_owned())]),
        tags: Tags::new(),
        user_tags: Tags::new(),
        name: None,
    }
}

pub(crate) fn finish(run_id: &RunId, origin: Origin, metrics: &[(&str, f64)]) -> Finish {
    Finish {
        registration: Registration {
            run_id: run_id.clone(),
            name: model(),
            origin,
            trained_timesteps: 2048,
            honesty: Honesty::Clean,
            model_sha256: herdbook_domain::hex_sha256(MODEL_FILE),
        },
        metrics: metrics.iter().map(|(key, value)| metric(key, *value, 1)).collect(),
        run_tags: Tags::new(),
        measured: Measured::default(),
    }
}

pub(crate) fn metric(key: &str, value: f64, step: i64) -> Metric {
    Metric { key: key.to_owned(), value, at: Timestamp::from_millis(step), step }
}

/// All usable base models.
pub(crate) fn candidates() -> Candidates {
    Candidates {
        timeframe: Timeframe::Hour1,
        model_type: ModelType::Base,
        version_type: None,
        symbol: None,
        min_timesteps: 0,
        contaminated: Contaminated::Included,
        passed_over: Vec::new(),
    }
}
