//! Code and hint of every error of the store, and of every refusal by the rules.

use std::io;

use herdbook_domain::{ModelName, Refusal, Symbol, SymbolClash, VersionKey};
use herdbook_store::StoreError;

use super::{Code, Failure};
use crate::shell;

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

/// Kind of an error.
pub(super) fn store_code(error: &StoreError) -> Code {
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
        | StoreError::EvaluatedMeanwhile { .. }
        | StoreError::TestedMeanwhile { .. }
        | StoreError::NotResumable { .. }
        | StoreError::TwoChampions { .. }
        | StoreError::Moved { .. }
        | StoreError::Copied { .. }
        | StoreError::Restored { .. }
        | StoreError::HistoryChanged { .. }
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
        | Refusal::GuardedTag { .. } => Code::Conflict,
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
