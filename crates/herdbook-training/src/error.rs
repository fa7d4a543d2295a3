//! The error type of the crate.

use herdbook_domain::{
    Honesty, InvalidName, ModelType, Obstacle, RunId, RunStatus, Symbol, Timeframe, Timestamp,
    VersionKey, Window,
};
use herdbook_market::MarketError;
use herdbook_ppo::PpoError;
use herdbook_store::StoreError;

/// Errors of trainings and of everything that uses registered models.
#[derive(Debug, thiserror::Error)]
pub enum TrainingError {
    /// The bars, costs or windows cannot be used.
    #[error(transparent)]
    Market(#[from] MarketError),
    /// The hyperparameters or a model file cannot be used.
    #[error(transparent)]
    Ppo(#[from] PpoError),
    /// The store cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The name of a registered model is not valid.
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// Zero timesteps were requested.
    #[error("cannot train for 0 timesteps: give at least 1")]
    NoTimesteps,
    /// The same file is already registered.
    #[error("this file is already registered as {key}")]
    AlreadyImported {
        /// The version.
        key: VersionKey,
    },
    /// A model file names another timeframe than the one given.
    #[error("`{file}` holds a model for timeframe `{said}`, not `{asked}`: give `{said}`")]
    TimeframeMismatch {
        /// Name of the file.
        file: String,
        /// The timeframe in the file.
        said: String,
        /// The timeframe given.
        asked: String,
    },
    /// A TOML file of hyperparameters or conditions cannot be used.
    #[error("`{file}`, line {line}: {problem}")]
    ConfigFile {
        /// Name of the file.
        file: String,
        /// Line of the problem, from 1 on.
        line: usize,
        /// The problem.
        problem: String,
    },
    /// The requested networks differ from those of the parent.
    #[error(
        "the parent {key} has the networks {parents}, but {asked} was requested: leave out `net_arch` and `activation`, or set them as in the parent"
    )]
    NetworkMismatch {
        /// The parent.
        key: VersionKey,
        /// Its networks.
        parents: String,
        /// The requested networks.
        asked: String,
    },
    /// A schedule of the learning rate was combined with `adaptive`, which controls the learning rate.
    #[error(
        "`adaptive` controls the learning rate itself: remove the schedule of `learning_rate`, or use another enhancement"
    )]
    LearningRateConflict,
    /// No model can be the parent.
    #[error("there is no `{model_type}` model{} of {symbol} at {timeframe}{} to enhance{}", or_base(*model_type), with_metric(metric.as_deref()), excluded_text(*excluded))]
    NoParent {
        /// The type searched for.
        model_type: ModelType,
        /// The child's symbol.
        symbol: Symbol,
        /// The child's timeframe.
        timeframe: Timeframe,
        /// The metric, if the best by a metric was searched for.
        metric: Option<String>,
        /// Models that exist but cannot be parents.
        excluded: ExcludedCandidates,
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
    /// A run that cannot be registered as it is.
    #[error("run `{run_id}` cannot be registered: {problem}")]
    CannotRegister {
        /// The run.
        run_id: RunId,
        /// The reason, as a clause.
        problem: String,
    },
    /// An enhanced model without a parent.
    #[error(
        "run `{run_id}` is to be registered as `{model_type}`, but has no parent: give `base_run_id`"
    )]
    NoParentNamed {
        /// The run.
        run_id: RunId,
        /// Its type.
        model_type: ModelType,
    },
    /// A version has no timeframe.
    #[error("the model of {key} cannot be loaded: the version has no timeframe tag")]
    NoTimeframe {
        /// The version.
        key: VersionKey,
    },
    /// A version cannot be used.
    #[error("the model of {key} cannot be loaded: the version {why}")]
    Unusable {
        /// The version.
        key: VersionKey,
        /// Why it cannot be used.
        why: Obstacle,
    },
    /// The parent was trained on another timeframe or symbol.
    #[error(
        "the parent {key} was trained on {what} `{found}`, but this training uses `{expected}`: both must have the same {what}"
    )]
    ParentMismatch {
        /// The parent.
        key: VersionKey,
        /// `timeframe` or `symbol`.
        what: &'static str,
        /// The parent's.
        found: String,
        /// The child's.
        expected: String,
    },
    /// The model file of a version was changed after its registration.
    #[error(
        "the model file of {key} was altered after registration: its SHA-256 is {found}, but {registered} was registered"
    )]
    AlteredModel {
        /// The version.
        key: VersionKey,
        /// Hash of the file as it is.
        found: String,
        /// Hash of the file as it was.
        registered: String,
    },
    /// The model is of another algorithm or kind, or needs an environment that this herdbook does not have.
    #[error("herdbook can neither run nor enhance the model of {key}: {problem}")]
    ForeignEnvironment {
        /// The version.
        key: VersionKey,
        /// The difference.
        problem: String,
    },
    /// The test window has bars that the model or an ancestor was trained or validated on.
    #[error("the test window ({} to {}) has bars of {symbol} that this model or an ancestor was trained or validated on{}: its test results would not be valid (honesty `{}`)", test.start, test.end, known_as(as_what.as_deref()), Honesty::Contaminated)]
    Contaminated {
        /// The symbol.
        symbol: Symbol,
        /// The window.
        test: Window,
        /// The name and times by which the bars were known, as a clause, if they are other ones.
        as_what: Option<String>,
    },
    /// The file names another instrument than that of the model, and the user named none.
    #[error("the bars in `{file}` are of `{named}`, but the model was trained on {symbol}")]
    OtherInstrument {
        /// Name of the file.
        file: String,
        /// The instrument, as the file names it.
        named: String,
        /// The model's instrument.
        symbol: Symbol,
    },
    /// The file names another instrument than the user.
    #[error("the bars in `{file}` are of `{named}`, as the file itself says, and not of {symbol}")]
    NamedOtherwise {
        /// Name of the file.
        file: String,
        /// The instrument, as the file names it.
        named: String,
        /// The instrument as the user named it.
        symbol: Symbol,
    },
    /// The register knows other bars of the instrument at the same times.
    #[error("the bars in `{file}` are not those of {symbol} that run `{run_id}` used: {why}")]
    ContradictingBars {
        /// Name of the file.
        file: String,
        /// The instrument.
        symbol: Symbol,
        /// The run that used the known bars.
        run_id: RunId,
        /// The difference, as a clause.
        why: String,
    },
    /// Nothing tells the instrument of bars that are to be evidence.
    #[error(
        "nothing tells the instrument of `{file}`: evidence about a model of {symbol} needs bars that are known to be of {symbol}"
    )]
    UnnamedInstrument {
        /// Name of the file.
        file: String,
        /// The model's instrument.
        symbol: Symbol,
    },
    /// Bars of an evaluation are known to the model under another name or other times.
    #[error(
        "{n_known} of {n_bars} bars are not new to {key}: it or an ancestor was trained, validated or tested on them{}",
        known_as(Some(as_what))
    )]
    KnownBars {
        /// The version.
        key: VersionKey,
        /// Number of known bars.
        n_known: usize,
        /// Number of bars.
        n_bars: usize,
        /// The name and times by which they are known, as a clause.
        as_what: String,
    },
    /// Fewer than two bars are new to a version.
    #[error(
        "fewer than two bars of this file are new to {key}: it or an ancestor was trained, validated or tested on bars before {from}"
    )]
    NoNewBars {
        /// The version.
        key: VersionKey,
        /// Bars from this time on are new.
        from: Timestamp,
    },
    /// The returns or the closes of an earlier evaluation are missing or altered, so the record cannot be joined.
    #[error(
        "a file of an earlier evaluation, `{artifact}`, is missing or altered; without it the evidence for {key} cannot be \
         judged: evaluate again on the same bars with the same costs, which stores it anew"
    )]
    LostFile {
        /// The version.
        key: VersionKey,
        /// The artifact of the run of the version, or of a copy of it.
        artifact: String,
    },
    /// No bar with features has ended yet.
    #[error(
        "no bar with enough history for a model has ended by {now}: provide older bars, or correct the clock"
    )]
    NoClosedBar {
        /// Time of the prediction.
        now: Timestamp,
    },
    /// A position was entered before the first bar, or after the newest closed one.
    #[error(
        "a {position} position cannot be held since {since}: it must be entered in a closed bar, and the bars go from {} to {}",
        bars.start, bars.end
    )]
    HoldingOutside {
        /// The position.
        position: &'static str,
        /// Time of the entry.
        since: Timestamp,
        /// The closed bars.
        bars: Window,
    },
    /// A position has lost all equity, so it cannot be held any more.
    #[error(
        "a {position} position held since {since} has lost all its equity by the newest closed bar"
    )]
    HoldingLost {
        /// The position.
        position: &'static str,
        /// Open of the bar at which it was entered.
        since: Timestamp,
    },
    /// The newest bar or the model is older than allowed.
    #[error(
        "the {what} is from {since}, {} ago: at most {} is allowed (`{flag}`)",
        age(*age_ms), age(*allowed_ms)
    )]
    TooOld {
        /// The bar or the model, for the message.
        what: &'static str,
        /// The flag that sets the limit.
        flag: &'static str,
        /// End of the bar, or registration of the model.
        since: Timestamp,
        /// Milliseconds since then.
        age_ms: i64,
        /// Milliseconds allowed.
        allowed_ms: i64,
    },
    /// The newest bar or the model is from the future of the clock, so its age is unknown.
    #[error(
        "the {what} is from {since}, in the future of this machine's clock ({now}): its age is unknown, and at most {} is allowed (`{flag}`)",
        age(*allowed_ms)
    )]
    AgeUnknown {
        /// The bar or the model, for the message.
        what: &'static str,
        /// The flag that sets the limit.
        flag: &'static str,
        /// End of the bar, or registration of the model.
        since: Timestamp,
        /// The time by the clock.
        now: Timestamp,
        /// Milliseconds allowed.
        allowed_ms: i64,
    },
    /// The run has no checkpoint that can be read.
    #[error("run `{run_id}` ({status}) has no checkpoint to resume from")]
    NoCheckpoint {
        /// The run.
        run_id: RunId,
        /// Its status.
        status: RunStatus,
    },
    /// A run would be resumed with other params than it was started with.
    #[error(
        "run `{run_id}` was started with `{param}` = `{before}`, but would be resumed with `{now}`: both must be equal"
    )]
    ResumeMismatch {
        /// The run.
        run_id: RunId,
        /// The first param that differs.
        param: String,
        /// Its recorded value.
        before: String,
        /// Its value now.
        now: String,
    },
    /// The user cancelled the training.
    #[error(
        "training was cancelled after {timesteps} timesteps: run `{run_id}` is KILLED, nothing was registered"
    )]
    Cancelled {
        /// The run.
        run_id: RunId,
        /// Timesteps trained before.
        timesteps: u64,
    },
}

fn or_base(model_type: ModelType) -> &'static str {
    if model_type == ModelType::Base { "" } else { " and no `base` model" }
}

fn known_as(recognised: Option<&str>) -> String {
    match recognised {
        Some(recognised) if !recognised.is_empty() => format!(" (they are {recognised})"),
        _ => String::new(),
    }
}

fn with_metric(metric: Option<&str>) -> String {
    metric.map(|metric| format!(" with the metric `{metric}`")).unwrap_or_default()
}

/// Formats a duration: minutes below 2 hours, hours below 2 days, else days.
fn age(millis: i64) -> String {
    let hours = millis as f64 / 3_600_000.0;
    match hours {
        ..2.0 => format!("{:.0} min", hours * 60.0),
        ..48.0 => format!("{hours:.1} h"),
        _ => format!("{:.1} d", hours / 24.0),
    }
}

fn excluded_text(excluded: ExcludedCandidates) -> &'static str {
    match excluded {
        ExcludedCandidates::None => "",
        ExcludedCandidates::Contaminated => {
            ": the existing ones are contaminated; to enhance one of them, give its version number"
        }
    }
}

/// Models that exist but were excluded as parents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExcludedCandidates {
    /// None exist.
    None,
    /// All existing ones are contaminated.
    Contaminated,
}
