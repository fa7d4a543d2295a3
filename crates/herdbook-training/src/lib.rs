//! Use cases built on market data, the PPO trainer and the store: train, resume, sweep, enhance, backtest, evaluate,
//! predict, find and import models.
//!
//! A training starts with a [`TrainRequest`]. [`TrainRequest::prepare`] checks everything that needs no store;
//! [`train`] does the rest and registers the model.
//!
//! ```
//! use herdbook_domain::{ExperimentName, ModelName, Timeframe};
//! use herdbook_training::{
//!     Boundaries, ContaminatedTest, DataSource, PpoConfig, RegisteredPolicy, Schedules, TrainRequest,
//! };
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (data, _sample) = DataSource::sample(Timeframe::Day1)?;
//! let request = TrainRequest {
//!     timeframe: Timeframe::Day1,
//!     data,
//!     boundaries: Boundaries::default(),
//!     timesteps: 10_000,
//!     seed: 1,
//!     cost_bps: 1.0,
//!     config: PpoConfig::default(),
//!     schedules: Schedules::default(),
//!     model: ModelName::parse("D_trading_model")?,
//!     experiment: ExperimentName::parse("stock_trading_rl_D")?,
//!     enhance: None,
//!     contaminated: ContaminatedTest::Refused,
//!     membership: None,
//!     register: RegisteredPolicy::Best,
//! };
//! let prepared = request.prepare()?;
//! assert!(prepared.market().windows().test.start > prepared.market().windows().train.end);
//! # Ok(())
//! # }
//! ```

mod content;
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

pub use content::stored_closes::OF_TRAINING as CLOSES_ARTIFACT;
pub use content::trials::{DistinctTrial, TestedBars, distinct_trials};
pub use env_factory::{EnvFactory, EnvWindow};
pub use environment::closes_file::ClosesFile;
pub use environment::env_spec::{EPISODE_BARS, EnvSpec};
pub use environment::market_data::{DataSource, Jumps, MarketData, Naming, Tape};
pub use environment::observation::{OBS_LEN, observation_elements};
pub use environment::trading_env::TradingEnv;
pub use error::{ExcludedCandidates, TrainingError};
pub use herdbook_market::metrics::Performance;
pub use herdbook_market::{
    BadRows, BarStamp, Boundaries, DecimalMark, Feature, MarketError, Position, ReadOptions,
    Sample, TimeFormat, Zone,
};
pub use herdbook_ppo::{Env, EpisodeEnd, PpoConfig, PpoError, Rng};
pub use models::backtest::{Backtest, BacktestOptions, EquityPoint};
pub use models::bars_check::BarsCheck;
pub use models::evaluate::{EvaluationResult, evaluate, evaluate_and_record};
pub use models::find::{
    FindQuery, FoundModel, find_best, find_latest, find_latest_of_any_type, find_parent,
};
pub use models::follower::{Follower, Step};
pub use models::holding::Holding;
pub use models::import_model::{
    ImportedModel, ModelImportRequest, PreparedModelImport, import_model,
};
pub use models::parent::Parent;
pub use models::predict::{AgeLimits, Prediction};
pub use models::register_run::{
    MissingParent, RegisterRequest, RegisteredRun, logged_improvements, register_run,
};
pub use models::registered_model::RegisteredModel;
pub use models::unregistered_run::{
    UnregisteredRun, model_timeframes, parents_first, tagged_timeframe,
};
pub use observer::{Observer, Progress};
pub use request::enhance_request::EnhanceRequest;
pub use request::hyperparameters::Hyperparameters;
pub use request::membership::{SweepKind, SweepMembership};
pub use request::schedules::Schedules;
pub use request::settings::{Settings, StoreSetting};
pub use request::train_request::{
    ContaminatedTest, PreparedTraining, RegisteredPolicy, TrainRequest,
};
pub use results::baselines::Baselines;
pub use results::details::breakdown::{Breakdown, Group, GroupedBy};
pub use results::details::figures::Figures;
pub use results::details::measured::Details;
pub use results::details::replay::AtCosts;
pub use results::details::rivals::choice::{RuleKind, RuleResult};
pub use results::details::rivals::random::RandomActions;
pub use results::details::stored::details_of_version;
pub use results::details::tables::TextTable;
pub use results::details::windows::{Gap, WindowKind, WindowResult};
pub use results::evidence::{Deflation, Evidence, deflation};
pub use results::improvement::{ImprovementBasis, ImprovementReport};
pub use results::page::html::{Cells, Page};
pub use results::pictures::Picture;
pub use results::report::{RunReport, TrainReport};
pub use resume::{Outcome, PreparedResumption, PreparedRun, Resumption, resume};
pub use run::heartbeat::Heartbeat;
pub use run::train::train;
pub use sweep::prepared_sweep::PreparedSweep;
pub use sweep::report::{MetricSummary, SweepReport};
pub use sweep::train_sweep::{CHOSEN_BY, train_sweep};
