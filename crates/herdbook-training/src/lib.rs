//! Use cases that join market, trainer and records: train a run, enhance a parent, evaluate, find, report.

mod env_factory;
mod environment;
mod error;
mod models;
mod observer;
mod request;
mod results;
mod resume;
mod run;
mod sweep;

pub use env_factory::{Arena, Stretch};
pub use environment::market_data::{DataSource, MarketData, Tape};
pub use environment::trading_env::{EnvSpec, OBS_LEN, TradingEnv};
pub use error::{Passed, TrainingError};
pub use herdbook_market::metrics::Performance;
pub use herdbook_market::{Boundaries, MarketError, Position, Reading, Sample, Zone, is_decoding};
pub use herdbook_ppo::{Env, EpisodeEnd, PpoConfig, PpoError, Rng};
pub use models::backtest::{Backtest, EquityPoint, Terms};
pub use models::evaluate::{NewEvidence, evaluate};
pub use models::find::{FindQuery, Found, find_best, find_latest, find_parent};
pub use models::import_model::{ImportRequest, Imported, PreparedImport, import_model};
pub use models::parent::{EnhanceRequest, Parent};
pub use models::predict::{Freshness, Prediction};
pub use models::register_run::{RegisterRequest, RegisteredRun, logged_improvements, register_run};
pub use models::registered_model::RegisteredModel;
pub use observer::{Observer, Progress};
pub use request::conditions::conditions_from_toml;
pub use request::hyperparameters::Hyperparameters;
pub use request::schedules::Schedules;
pub use request::train_request::{ContaminatedTest, EPISODE_BARS, PreparedTraining, TrainRequest};
pub use results::evidence::{Deflation, Evidence, deflation};
pub use results::improvement::{ImprovementBasis, ImprovementReport};
pub use results::pictures::Picture;
pub use results::report::{Baselines, Outcome, RunReport, TrainReport};
pub use resume::{PreparedResumption, PreparedRun, Resumption};
pub use run::heartbeat::Heartbeat;
pub use run::train::{resume, train};
pub use sweep::{
    CHOSEN_BY, Membership, PreparedSweep, Spread, SweepKind, SweepReport, train_sweep,
};
