//! What can go wrong between a request to train and a registered model.

use herdbook_domain::{
    Honesty, ModelType, RunId, RunStatus, Symbol, Timeframe, Timestamp, VersionKey, Window,
};
use herdbook_market::MarketError;
use herdbook_ppo::PpoError;
use herdbook_store::StoreError;

/// Why nothing was trained, or what was trained was not registered.
#[derive(Debug, thiserror::Error)]
pub enum TrainingError {
    /// The bars, costs or windows cannot be used.
    #[error(transparent)]
    Market(#[from] MarketError),
    /// The hyperparameters or a model file cannot be used.
    #[error(transparent)]
    Ppo(#[from] PpoError),
    /// The records cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Zero timesteps were asked for.
    #[error("0 timesteps train nothing: give at least 1")]
    NoTimesteps,
    /// The same file has a version already.
    #[error("{key} was registered with the very same file")]
    AlreadyImported {
        /// The version.
        key: VersionKey,
    },
    /// A model's file says that it is of another timeframe.
    #[error("`{file}` says that its model is of timeframe `{said}`, not `{asked}`: give that")]
    TimeframeMismatch {
        /// Its name.
        file: String,
        /// As in the file.
        said: String,
        /// As given.
        asked: String,
    },
    /// A file of hyperparameters cannot be used.
    #[error("`{file}`, line {line}: {problem}")]
    ConfigFile {
        /// Its name.
        file: String,
        /// Where.
        line: usize,
        /// What is wrong.
        problem: String,
    },
    /// A child cannot have other networks than its parent.
    #[error(
        "{key} has the networks {parents}, and its child has them too: leave `net_arch` and `activation` out, or set {asked} to the same"
    )]
    NetworkMismatch {
        /// The parent.
        key: VersionKey,
        /// Its networks.
        parents: String,
        /// Those asked for.
        asked: String,
    },
    /// Two ways of setting one hyperparameter.
    #[error(
        "`adaptive` steers the learning rate itself: leave the schedule of `learning_rate` out, or enhance in another way"
    )]
    LearningRateConflict,
    /// No model that could be a parent.
    #[error("there is no `{model_type}` model{} of {symbol} at {timeframe}{} to enhance{}", or_base(*model_type), with_metric(metric.as_deref()), passed_text(*passed))]
    NoParent {
        /// The type asked for.
        model_type: ModelType,
        /// The child's symbol.
        symbol: Symbol,
        /// The child's timeframe.
        timeframe: Timeframe,
        /// The metric it was to be the best of.
        metric: Option<String>,
        /// What there was but may not be a parent.
        passed: ExcludedCandidates,
    },
    /// The registered model has no champion.
    #[error("`{model}` has no champion to enhance")]
    NoChampion {
        /// The registered model.
        model: String,
    },
    /// The run named as parent registered no model.
    #[error("run `{run_id}` has no registered model: only registered models can be enhanced")]
    NotRegistered {
        /// The run.
        run_id: RunId,
    },
    /// An enhanced model without a parent.
    #[error(
        "run `{run_id}` is to be registered as `{model_type}`, but names no parent: give `base_run_id`"
    )]
    NoParentNamed {
        /// The run.
        run_id: RunId,
        /// Its type.
        model_type: ModelType,
    },
    /// What is needed to load the version's model is missing.
    #[error("{key} {problem}: its model cannot be used")]
    Unusable {
        /// The version.
        key: VersionKey,
        /// What is missing.
        problem: &'static str,
    },
    /// The parent was trained on something else.
    #[error(
        "{key} was trained on {what} `{found}`, but this training is on `{expected}`: a child has its parent's {what}"
    )]
    ParentMismatch {
        /// The parent.
        key: VersionKey,
        /// Timeframe or symbol.
        what: &'static str,
        /// The parent's.
        found: String,
        /// The child's.
        expected: String,
    },
    /// The version's file is not the one that was registered.
    #[error(
        "the model file of {key} has the SHA-256 {found}, but {registered} was registered: it was altered"
    )]
    AlteredModel {
        /// The version.
        key: VersionKey,
        /// Hash of the file as it is.
        found: String,
        /// Hash of the file as it was.
        registered: String,
    },
    /// The model sees the market in another way than this version can show it.
    #[error(
        "the model of {key} expects an environment that this herdbook does not have ({problem})"
    )]
    ForeignEnvironment {
        /// The version.
        key: VersionKey,
        /// What does not fit.
        problem: String,
    },
    /// The test window holds bars that an ancestor has seen.
    #[error("the test window ({} to {}) holds bars of {symbol} that this model or an ancestor was trained or validated on: its results would mean nothing (honesty `{}`)", test.start, test.end, Honesty::Contaminated)]
    Contaminated {
        /// The symbol.
        symbol: Symbol,
        /// The window.
        test: Window,
    },
    /// No bar is new to a version.
    #[error(
        "no two bars of this file are new to {key}: it or an ancestor was trained, validated or tested on what comes before {from}"
    )]
    NoNewBars {
        /// The version.
        key: VersionKey,
        /// From when on bars are new.
        from: Timestamp,
    },
    /// No bar with features had ended yet.
    #[error(
        "no bar that a model can act on has ended by {now}: give older bars too, or set the clock"
    )]
    NoClosedBar {
        /// The moment of asking.
        now: Timestamp,
    },
    /// What a prediction would stand on is older than allowed.
    #[error(
        "the {what} is of {since}, {} ago, and may be {} old (flag `{flag}`)",
        age(*age_ms), age(*allowed_ms)
    )]
    TooOld {
        /// The bar, or the model.
        what: &'static str,
        /// The flag that says how old it may be.
        flag: &'static str,
        /// When the bar ended, or the model was registered.
        since: Timestamp,
        /// Milliseconds since then.
        age_ms: i64,
        /// Milliseconds allowed.
        allowed_ms: i64,
    },
    /// The run left nothing to go on from.
    #[error("run `{run_id}` ({status}) has no checkpoint: there is nothing to go on from")]
    NoCheckpoint {
        /// The run.
        run_id: RunId,
        /// Its status.
        status: RunStatus,
    },
    /// What a run would go on with is not what it began with.
    #[error(
        "run `{run_id}` began with `{param}` = `{before}`, and would go on with `{now}`: it can only go on as it began"
    )]
    ResumeMismatch {
        /// The run.
        run_id: RunId,
        /// The first param that differs.
        param: String,
        /// As recorded.
        before: String,
        /// As it would be.
        now: String,
    },
    /// The user stopped it.
    #[error(
        "training was cancelled after {timesteps} timesteps: run `{run_id}` is KILLED, nothing was registered"
    )]
    Cancelled {
        /// The run.
        run_id: RunId,
        /// Timesteps trained until then.
        timesteps: u64,
    },
}

fn or_base(model_type: ModelType) -> &'static str {
    if model_type == ModelType::Base { "" } else { " and no `base` model" }
}

fn with_metric(metric: Option<&str>) -> String {
    metric.map(|metric| format!(" with the metric `{metric}`")).unwrap_or_default()
}

/// A length of time in hours or days with one decimal, minutes below.
fn age(millis: i64) -> String {
    let hours = millis as f64 / 3_600_000.0;
    match hours {
        ..2.0 => format!("{:.0} min", hours * 60.0),
        ..48.0 => format!("{hours:.1} h"),
        _ => format!("{:.1} d", hours / 24.0),
    }
}

fn passed_text(passed: ExcludedCandidates) -> &'static str {
    match passed {
        ExcludedCandidates::None => "",
        ExcludedCandidates::Contaminated => {
            ": those there are contaminated, and only a version number names one"
        }
    }
}

/// Models that were found but may not be parents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExcludedCandidates {
    /// There were none.
    None,
    /// All there were are contaminated.
    Contaminated,
}
