//! Use cases that join market, trainer and records: train a run, enhance a parent, evaluate, find, report.

mod arena;
mod backtest;
mod checkpoint;
mod conditions_file;
mod config_file;
mod enhancement;
mod env;
mod error;
mod evaluate;
mod evaluation;
mod evidence;
mod exports;
mod find;
mod heartbeat;
mod import;
mod journal;
mod learning;
mod market_data;
mod npy;
mod parent;
mod patience;
mod pictures;
mod plan;
mod predict;
mod record;
mod register;
mod registered_model;
mod report;
mod request;
mod resume;
mod schedule;
mod starts;
mod sweep;
mod train;

pub use arena::{Arena, Stretch};
pub use backtest::{Backtest, EquityPoint, Terms};
pub use conditions_file::conditions_from_toml;
pub use config_file::Hyperparameters;
pub use env::{EnvSpec, OBS_LEN, TradingEnv};
pub use error::{Passed, TrainingError};
pub use evaluate::{NewEvidence, evaluate};
pub use evidence::{Deflation, Evidence, deflation};
pub use find::{FindQuery, Found, find_best, find_latest, find_parent};
pub use heartbeat::Heartbeat;
pub use herdbook_market::metrics::Performance;
pub use herdbook_market::{Boundaries, MarketError, Position, ReadOptions, Sample, Zone};
pub use herdbook_ppo::{Env, EpisodeEnd, PpoConfig, PpoError, Rng};
pub use import::{ImportRequest, Imported, PreparedImport, import_model};
pub use market_data::{DataSource, MarketData, Tape};
pub use parent::{EnhanceRequest, Parent};
pub use pictures::Picture;
pub use predict::{Freshness, Prediction};
pub use record::{ImprovementBasis, ImprovementReport};
pub use register::{RegisterRequest, RegisteredRun, logged_improvements, register_run};
pub use registered_model::RegisteredModel;
pub use report::{Baselines, Outcome, RunReport, TrainReport};
pub use request::{ContaminatedTest, EPISODE_BARS, PreparedTraining, TrainRequest};
pub use resume::{PreparedResumption, PreparedRun, Resumption};
pub use schedule::Schedules;
pub use sweep::{
    CHOSEN_BY, Membership, PreparedSweep, Spread, SweepKind, SweepReport, train_sweep,
};
pub use train::{resume, train};

/// Is told how a training goes.
pub trait Observer {
    /// Something that a person should know: a fallback, rows dropped.
    fn notice(&mut self, text: &str);

    /// One of several trainings begins.
    fn stage(&mut self, text: &str);

    /// One iteration was trained.
    fn progress(&mut self, progress: &Progress);
}

/// How far a training has come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// Timesteps trained.
    pub trained: u64,
    /// Timesteps asked for.
    pub target: u64,
    /// Since the training began.
    pub steps_per_second: f64,
    /// Mean reward of the episodes that ended in the last rollout.
    pub mean_episode_reward: Option<f64>,
    /// Mean reward of the last evaluation on the validation window.
    pub validation_reward: Option<f64>,
}
