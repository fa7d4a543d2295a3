//! Failures as users see them: a code, a message, a hint and an exit status.

use std::ffi::OsString;
use std::io;
use std::path::Path;

use herdbook_domain::{Judgement, ModelName, Refusal, Symbol, SymbolClash, VersionKey};
use herdbook_store::{StoreError, text_without_secrets};
use herdbook_training::TrainingError;
use serde_json::json;

use crate::shell;

/// Beginning of the message of a failure to write to stdout.
pub(crate) const CANNOT_WRITE: &str = "cannot write the output: ";

/// Kind of a failure, for scripts to act on. Part of the JSON interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is explained by its name")]
pub enum Code {
    NotFound,
    ForbiddenTransition,
    Conflict,
    Contaminated,
    GateFailed,
    TooOld,
    Cancelled,
    InvalidInput,
    StoreBusy,
    StoreSchema,
    StoreFailed,
}

impl Code {
    /// Spelling in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::ForbiddenTransition => "forbidden_transition",
            Self::Conflict => "conflict",
            Self::Contaminated => "contaminated",
            Self::GateFailed => "gate_failed",
            Self::TooOld => "too_old",
            Self::Cancelled => "cancelled",
            Self::InvalidInput => "invalid_input",
            Self::StoreBusy => "store_busy",
            Self::StoreSchema => "store_schema",
            Self::StoreFailed => "store_failed",
        }
    }

    /// 1: refused or not found. 2: wrong usage, unusable input, or a failure of the system.
    const fn exit_status(self) -> u8 {
        match self {
            Self::NotFound
            | Self::ForbiddenTransition
            | Self::Conflict
            | Self::Contaminated
            | Self::GateFailed
            | Self::TooOld
            | Self::Cancelled => 1,
            Self::InvalidInput | Self::StoreBusy | Self::StoreSchema | Self::StoreFailed => 2,
        }
    }
}

/// Why a command failed.
#[derive(Debug)]
pub struct Failure {
    code: Code,
    message: String,
    hint: Option<String>,
    /// Flags that resolve an error about a file of bars, as a shell reads them; each is an alternative.
    flags_to_try: Vec<String>,
    /// The verdicts on all conditions, if a promotion was refused because of one.
    pub(crate) conditions: Option<Judgement>,
    is_closed_pipe: bool,
    is_about_broken_record: bool,
    /// Whether the command printed its data before it failed. With `--json` no error is printed then: stdout holds one
    /// JSON value.
    is_after_data: bool,
}

impl Failure {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: text_without_secrets(&message.into()),
            hint: None,
            flags_to_try: Vec::new(),
            conditions: None,
            is_closed_pipe: false,
            is_about_broken_record: false,
            is_after_data: false,
        }
    }

    /// A failure with [`Code::InvalidInput`].
    pub fn usage(message: &str) -> Self {
        Self::new(Code::InvalidInput, message)
    }

    /// A failure that the printed data already reports.
    pub(crate) fn after_data(code: Code, message: impl Into<String>) -> Self {
        Self { is_after_data: true, ..Self::new(code, message) }
    }

    #[must_use]
    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(text_without_secrets(&hint.into()));
        self
    }

    /// The same failure, with the place in a file that it is about.
    #[must_use]
    pub(crate) fn in_file(self, path: &Path, line: usize) -> Self {
        let message = format!("`{}`, line {line}: {}", path.display(), self.message);
        Self { message, ..self }
    }

    /// Adds a hint if there is none yet.
    #[must_use]
    pub(crate) fn or_hint(self, hint: impl FnOnce(Code) -> Option<String>) -> Self {
        let hint = self.hint.clone().or_else(|| hint(self.code));
        Self { hint, ..self }
    }

    /// Names the flags to try in the hint: each added to the command that failed, or alone if there is no command line.
    #[must_use]
    pub(crate) fn with_flags_to_try(self, command: Option<&[OsString]>) -> Self {
        let Some((first, others)) = self.flags_to_try.split_first() else { return self };
        let first = command.map_or_else(|| first.clone(), |args| shell::with_flag(args, first));
        let others = others.iter().map(|flag| format!("`{flag}` instead"));
        let all: Vec<String> = std::iter::once(format!("try `{first}`")).chain(others).collect();
        let hint = all.join(", or ");
        self.with_hint(hint)
    }

    /// What went wrong.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to do about it, if known.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    pub(crate) fn is_after_data(&self) -> bool {
        self.is_after_data
    }

    /// Whether a row of the database has a value that its column does not allow.
    pub(crate) fn is_about_broken_record(&self) -> bool {
        self.is_about_broken_record
    }

    pub(crate) fn is_closed_pipe(&self) -> bool {
        self.is_closed_pipe
    }

    /// Kind of the failure.
    pub fn code(&self) -> Code {
        self.code
    }

    pub(crate) fn exit_status(&self) -> u8 {
        self.code.exit_status()
    }

    pub(crate) fn to_json(&self) -> serde_json::Value {
        let mut error =
            json!({"code": self.code.as_str(), "message": self.message, "hint": self.hint});
        if let Some(conditions) = &self.conditions {
            error["conditions"] = json!(conditions);
        }
        json!({"error": error})
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self {
            is_closed_pipe: error.kind() == io::ErrorKind::BrokenPipe,
            ..Self::new(Code::StoreFailed, format!("{CANNOT_WRITE}{error}"))
        }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::new(Code::InvalidInput, format!("{error:#}"))
    }
}

impl From<herdbook_domain::InvalidName> for Failure {
    fn from(error: herdbook_domain::InvalidName) -> Self {
        Self::usage(&error.to_string())
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let mut failure = Self::new(store_code(&error), error.to_string());
        failure.is_about_broken_record = matches!(error, StoreError::BrokenRecord { .. });
        if let StoreError::Refused(Refusal::GateFailed { judgement, .. }) = &error {
            failure.conditions = Some(judgement.clone());
        }
        match store_hint(&error) {
            Some(hint) => failure.with_hint(hint),
            None => failure,
        }
    }
}

impl From<TrainingError> for Failure {
    fn from(error: TrainingError) -> Self {
        if let TrainingError::Store(error) = error {
            return error.into();
        }
        let mut failure = Self::new(training_code(&error), error.to_string());
        if let TrainingError::Market(error) = &error {
            failure.flags_to_try = error.flags_to_try();
        }
        match training_hint(&error) {
            Some(hint) => failure.with_hint(hint),
            None => failure,
        }
    }
}

fn store_code(error: &StoreError) -> Code {
    match error {
        StoreError::Refused(refusal) => refusal_code(refusal),
        StoreError::NoStore { .. }
        | StoreError::NoSuchModel { .. }
        | StoreError::NoSuchVersion { .. }
        | StoreError::DeletedVersion { .. }
        | StoreError::NoSuchRun { .. }
        | StoreError::NoSuchRunPrefix { .. } => Code::NotFound,
        StoreError::RunNotRunning { .. }
        | StoreError::RunNotFinished { .. }
        | StoreError::AlreadyRegistered { .. }
        | StoreError::CannotRegister { .. }
        | StoreError::EvaluatedMeanwhile { .. }
        | StoreError::TestedMeanwhile { .. }
        | StoreError::NotResumable { .. }
        | StoreError::TwoChampions { .. }
        | StoreError::Moved { .. }
        | StoreError::Copied { .. }
        | StoreError::Restored { .. }
        | StoreError::HistoryChanged { .. }
        | StoreError::PlanChanged { .. }
        | StoreError::ActIdUsed { .. }
        | StoreError::CannotRelocate { .. } => Code::Conflict,
        StoreError::UnsupportedUri { .. }
        | StoreError::BadAccess { .. }
        | StoreError::NotUtf8 { .. }
        | StoreError::FileStore { .. }
        | StoreError::Source { .. }
        | StoreError::SameStore { .. }
        | StoreError::DeletedExperiment { .. }
        | StoreError::ForeignArtifacts { .. }
        | StoreError::UnknownModelInConditions { .. }
        | StoreError::CannotLog { .. }
        | StoreError::CannotStart { .. }
        | StoreError::AmbiguousRun { .. }
        | StoreError::VersionOrRun { .. } => Code::InvalidInput,
        StoreError::NotADatabase { .. } | StoreError::Schema { .. } => Code::StoreSchema,
        StoreError::Busy { .. }
        | StoreError::StoreBusy { .. }
        | StoreError::NoFreeConnection { .. }
        | StoreError::FileNotHashed { .. } => Code::StoreBusy,
        StoreError::CannotOpen { .. }
        | StoreError::Replaced { .. }
        | StoreError::ReadOnly { .. }
        | StoreError::DiskFull { .. }
        | StoreError::InputOutput { .. }
        | StoreError::Artifact { .. }
        | StoreError::BrokenRecord { .. }
        | StoreError::Damaged { .. }
        | StoreError::Database { .. }
        | StoreError::Unreachable { .. }
        | StoreError::NotMlflow { .. }
        | StoreError::ServerRefused { .. }
        | StoreError::Unfinished { .. }
        | StoreError::OutcomeUnknown { .. }
        | StoreError::Server { .. }
        | StoreError::RolledBack
        | StoreError::Sqlite(_)
        | StoreError::Postgres(_) => Code::StoreFailed,
    }
}

fn refusal_code(refusal: &Refusal) -> Code {
    match refusal {
        Refusal::ForbiddenTransition { .. } => Code::ForbiddenTransition,
        Refusal::ChampionChanged { .. }
        | Refusal::StageDisagrees { .. }
        | Refusal::Unusable { .. }
        | Refusal::OtherSymbol { .. }
        | Refusal::NotManaged { .. }
        | Refusal::GuardedTag { .. }
        | Refusal::GuardedTagRemoval { .. }
        | Refusal::NotDeletable { .. }
        | Refusal::NotEntered { .. }
        | Refusal::ModelNotDeletable { .. }
        | Refusal::NotRenamable { .. } => Code::Conflict,
        Refusal::Contaminated { .. } => Code::Contaminated,
        Refusal::GateFailed { .. } => Code::GateFailed,
        Refusal::NoFormerChampion { .. } => Code::NotFound,
        Refusal::ForceWithoutReason { .. } => Code::InvalidInput,
    }
}

fn store_hint(error: &StoreError) -> Option<String> {
    match error {
        StoreError::NoStore { .. } => {
            Some("`herdbook train --timeframe …` creates one; `--tracking-uri` opens another".into())
        }
        StoreError::Unreachable { store, .. } if store.starts_with("http") => {
            Some("check that `mlflow server` is running there; `--tracking-uri` or `MLFLOW_TRACKING_URI` gives its address".into())
        }
        StoreError::ServerRefused { status: 401 | 403, .. } => Some(
            "sign in with `MLFLOW_TRACKING_USERNAME` and `MLFLOW_TRACKING_PASSWORD`, or `MLFLOW_TRACKING_TOKEN`"
                .into(),
        ),
        StoreError::Unreachable { .. } => Some(
            "check host, port, user, password and database; `createdb` creates a database"
                .into(),
        ),
        StoreError::OutcomeUnknown { .. } => {
            Some("`herdbook history` and `herdbook list` show whether it happened".into())
        }
        StoreError::Busy { .. } | StoreError::StoreBusy { .. } => Some("try again, or wait longer with `--lock-timeout`".into()),
        StoreError::AmbiguousRun { .. } => Some("give more digits of the id".into()),
        StoreError::VersionOrRun { .. } => {
            Some("give more digits of the run id, or name the version with `--model-version`".into())
        }
        StoreError::NoSuchRunPrefix { .. } => {
            Some("`herdbook list` and `herdbook history` show the beginnings of run ids".into())
        }
        StoreError::NoSuchModel { .. } | StoreError::NoSuchVersion { .. } => {
            Some("`herdbook list` shows every version".into())
        }
        StoreError::Damaged { .. } | StoreError::NotADatabase { .. } => Some(
            "restore it from a backup; `herdbook doctor` lists the damage of a store that still opens"
                .into(),
        ),
        StoreError::TwoChampions { .. } => {
            Some("`herdbook doctor` shows what the history records about each".into())
        }
        StoreError::Moved { .. } => Some(
            "`herdbook relocate` checks the files at their new place and updates the records; if the folder is only \
             mounted elsewhere, mount it where it was"
                .into(),
        ),
        StoreError::Copied { .. } => {
            Some("`herdbook relocate --copy` makes the copy a store of its own".into())
        }
        StoreError::Restored { .. } => Some(
            "`herdbook relocate` if the original is gone; else `herdbook relocate --copy` with `--from` and `--to`"
                .into(),
        ),
        StoreError::HistoryChanged { .. } => Some(
            "restore a newer backup, or accept the present history with `herdbook verify --accept-history --reason …`"
                .into(),
        ),
        StoreError::UnknownModelInConditions { name, known_models } => {
            Some(models_to_name(name, known_models))
        }
        StoreError::CannotRelocate { .. } => Some(
            "bring the files back and try again; `--force` with a `--reason` relocates anyway; the history records what \
             was overridden"
                .into(),
        ),
        StoreError::Artifact { source, .. } if source.kind() == io::ErrorKind::NotFound => Some(
            "if the files were moved, `herdbook relocate --to FOLDER` updates their locations".into(),
        ),
        StoreError::Refused(Refusal::StageDisagrees { .. }) => {
            Some("`herdbook doctor --repair` restores the recorded stage".into())
        }
        StoreError::Refused(Refusal::Contaminated { .. }) => {
            Some("`--force` with a `--reason` promotes it anyway; the history records that".into())
        }
        StoreError::Refused(Refusal::Unusable { why, .. }) => why.way_out(),
        StoreError::Refused(Refusal::OtherSymbol { key, clash }) => Some(other_symbol(key, clash)),
        StoreError::Refused(Refusal::NoFormerChampion { passed, .. }) => {
            passed.iter().find_map(|passed| passed.why.way_out())
        }
        StoreError::Refused(Refusal::GateFailed { .. }) => Some(
            "`--force` with a `--reason` promotes it anyway; the history records what was overridden"
                .into(),
        ),
        StoreError::Refused(Refusal::ChampionChanged { .. }) => {
            Some("`herdbook history` shows who promoted it and why".into())
        }
        _ => None,
    }
}

/// Names are compared exactly, so that a condition never applies to less than its author thinks.
fn models_to_name(name: &ModelName, known: &[String]) -> String {
    let wanted = name.as_str().to_lowercase();
    let is_meant = |known: &&String| {
        let known = known.to_lowercase();
        known == wanted || known.ends_with(&format!("_{wanted}"))
    };
    let meant: Vec<String> = known.iter().filter(is_meant).map(|it| format!("`{it}`")).collect();
    if meant.is_empty() {
        "correct the name under `models` in the file of the conditions; `herdbook list` shows the registered models"
            .to_owned()
    } else {
        format!("`models` takes full names of registered models: write {}", meant.join(" or "))
    }
}

fn training_code(error: &TrainingError) -> Code {
    match error {
        TrainingError::Store(error) => store_code(error),
        TrainingError::NoParent { .. }
        | TrainingError::NoChampion { .. }
        | TrainingError::NotRegistered { .. }
        | TrainingError::NoCheckpoint { .. }
        | TrainingError::NoNewBars { .. }
        | TrainingError::NoTimeframe { .. }
        | TrainingError::Unusable { .. } => Code::NotFound,
        TrainingError::OtherInstrument { .. }
        | TrainingError::NamedOtherwise { .. }
        | TrainingError::ContradictingBars { .. }
        | TrainingError::AlteredModel { .. }
        | TrainingError::ForeignEnvironment { .. }
        | TrainingError::LostFile { .. }
        | TrainingError::CannotRegister { .. }
        | TrainingError::AlreadyImported { .. } => Code::Conflict,
        TrainingError::TooOld { .. } | TrainingError::AgeUnknown { .. } => Code::TooOld,
        TrainingError::Contaminated { .. } | TrainingError::KnownBars { .. } => Code::Contaminated,
        TrainingError::Cancelled { .. } => Code::Cancelled,
        TrainingError::Market(_)
        | TrainingError::Ppo(_)
        | TrainingError::Name(_)
        | TrainingError::NoTimesteps
        | TrainingError::UnnamedInstrument { .. }
        | TrainingError::ConfigFile { .. }
        | TrainingError::NetworkMismatch { .. }
        | TrainingError::LearningRateConflict
        | TrainingError::NoClosedBar { .. }
        | TrainingError::HoldingOutside { .. }
        | TrainingError::HoldingLost { .. }
        | TrainingError::ParentMismatch { .. }
        | TrainingError::TimeframeMismatch { .. }
        | TrainingError::NoParentNamed { .. }
        | TrainingError::ResumeMismatch { .. } => Code::InvalidInput,
    }
}

fn training_hint(error: &TrainingError) -> Option<String> {
    match error {
        TrainingError::NoChampion { .. } => {
            Some("`herdbook promote … --target-stage champion` makes a version the champion".into())
        }
        TrainingError::NamedOtherwise { named, .. } => Some(format!(
            "`--symbol {}` names it as the file does; a column that does not name the instrument is left out with \
             `--columns`",
            shell::quoted(named)
        )),
        TrainingError::OtherInstrument { symbol, .. }
        | TrainingError::UnnamedInstrument { symbol, .. } => Some(format!(
            "if the bars are of {symbol}, say so with `--symbol {symbol}`; otherwise name their instrument with `--symbol`"
        )),
        TrainingError::ContradictingBars { .. } => Some(
            "give the bars of the instrument, or name the one that they are of with `--symbol`".into(),
        ),
        TrainingError::NoNewBars { from, .. } => Some(format!(
            "give a file that goes on after {from}; `herdbook backtest` shows a result without recording it"
        )),
        TrainingError::KnownBars { .. } => {
            Some("give bars that are later than those; `herdbook backtest` shows a result without recording it".into())
        }
        TrainingError::NotRegistered { run_id } => Some(format!(
            "`herdbook register {run_id}` registers the parent, if it has a model file"
        )),
        TrainingError::Contaminated { .. } => Some(
            "start the test window later with `--test-from`, or train a model that is marked as \
             contaminated with `--allow-contaminated`"
                .into(),
        ),
        TrainingError::Unusable { why, .. } => why.way_out(),
        TrainingError::HoldingOutside { .. } => Some(
            "give a time in the bar at whose open the position was entered with `--position-since`; bars that go \
             further back let it be earlier"
                .into(),
        ),
        TrainingError::HoldingLost { .. } => {
            Some("`--position flat` predicts for an account without a position".into())
        }
        _ => None,
    }
}

/// The way out for a version of another symbol: each symbol gets a registered model of its own.
fn other_symbol(key: &VersionKey, clash: &SymbolClash) -> String {
    let symbol = clash.symbol.as_ref().map_or("…", Symbol::as_str);
    let timeframe = key.name.as_str().split_once('_').map_or("…", |(timeframe, _)| timeframe);
    format!(
        "`herdbook train --timeframe {timeframe} --model={} …` gives this symbol a registered model of its own; \
         `--force` with a `--reason` displaces the champion anyway, and the history records that",
        shell::quoted(&format!("{symbol}_model"))
    )
}
