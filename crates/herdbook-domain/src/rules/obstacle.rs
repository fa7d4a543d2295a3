//! Reasons why a version cannot be used, or may not return by a rollback.

use std::fmt;

use crate::values::{RunId, Symbol, VersionNumber};

/// The reason why a version cannot be used, and so may not rise to beta or champion.
///
/// The text is a clause whose subject is the version, such as `was deleted`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obstacle {
    /// It was deleted through MLflow.
    Deleted,
    /// MLflow's own status of the version is not `READY`.
    NotReady {
        /// The status as written.
        status: String,
    },
    /// It names no run, so it has no model file.
    WithoutRun,
    /// Its run is not on record, for example after `mlflow gc`.
    RunMissing {
        /// The run.
        run_id: RunId,
    },
    /// Its run was deleted through MLflow, which can restore it.
    RunDeleted {
        /// The run.
        run_id: RunId,
    },
    /// The experiment of its run was deleted through MLflow, which can restore it.
    ExperimentDeleted {
        /// The name of the experiment.
        experiment: String,
    },
    /// Its model file does not exist or cannot be read.
    FileMissing {
        /// Where the file is expected.
        path: String,
    },
    /// Its model file is not the one that was registered.
    FileAltered {
        /// Where the file is.
        path: String,
    },
    /// No hash of its model file was recorded, because it was registered outside herdbook. This bars only a rollback.
    FileUnknown,
    /// A rollback removed it from the champion's place, at any time in the past. This bars only a rollback.
    RolledBack,
    /// The champion that it would displace by a rollback is of another symbol. This bars only a rollback.
    OtherSymbol(SymbolClash),
}

impl Obstacle {
    /// Whether the version cannot be used at all. The other obstacles bar only its return by a rollback.
    pub const fn bars_use(&self) -> bool {
        !matches!(self, Self::FileUnknown | Self::RolledBack | Self::OtherSymbol(_))
    }

    /// How the obstacle can be removed, as a clause; `None` where nothing general can be said.
    pub fn way_out(&self) -> Option<String> {
        match self {
            Self::RunDeleted { run_id } => {
                Some(format!("`mlflow runs restore --run-id {run_id}` restores the run"))
            }
            Self::ExperimentDeleted { .. } => {
                Some("`mlflow experiments restore --experiment-id …` restores it".to_owned())
            }
            Self::FileMissing { .. } | Self::FileAltered { .. } => {
                Some("restore the file from a backup; `herdbook verify` checks it".to_owned())
            }
            Self::WithoutRun | Self::RunMissing { .. } => Some(
                "register the model again, with `herdbook import-model` or from a run".to_owned(),
            ),
            Self::NotReady { .. } => Some(
                "wait until MLflow has finished the registration, or register it again".to_owned(),
            ),
            Self::OtherSymbol(_) => {
                Some("`--force` lets a version of another symbol return".to_owned())
            }
            Self::Deleted | Self::FileUnknown | Self::RolledBack => None,
        }
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deleted => f.write_str("was deleted"),
            Self::NotReady { status } => {
                write!(f, "has the status `{}` in MLflow, not `READY`", status.escape_debug())
            }
            Self::WithoutRun => f.write_str("was registered without a run and has no model file"),
            Self::RunMissing { run_id } => {
                write!(f, "belongs to the run `{run_id}`, which does not exist")
            }
            Self::RunDeleted { run_id } => {
                write!(f, "belongs to a deleted run (`{run_id}`, which is in MLflow's trash)")
            }
            Self::ExperimentDeleted { experiment } => write!(
                f,
                "belongs to a run of the deleted experiment `{}`",
                experiment.escape_debug()
            ),
            Self::FileMissing { path } => {
                write!(f, "has no model file: `{path}` is missing or cannot be read")
            }
            Self::FileAltered { path } => {
                write!(f, "has an altered model file: `{path}` is not the registered one")
            }
            Self::FileUnknown => f.write_str("has no recorded hash of its model file"),
            Self::RolledBack => f.write_str("was removed by a rollback"),
            Self::OtherSymbol(clash) => clash.fmt(f),
        }
    }
}

/// A version and the champion that it would displace, whose symbols differ.
///
/// Symbols are compared without regard to case. A version without a recorded symbol is of the same symbol only as
/// another version without one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SymbolClash {
    /// The symbol of the version; `None` where none is recorded.
    pub symbol: Option<Symbol>,
    /// The champion.
    pub champion: VersionNumber,
    /// The champion's symbol; `None` where none is recorded.
    pub champions: Option<Symbol>,
}

impl SymbolClash {
    /// Compares the symbols of a version and of the champion; `None` where they are the same.
    pub fn between(
        symbol: Option<&Symbol>,
        (champion, champions): (VersionNumber, Option<&Symbol>),
    ) -> Option<Self> {
        let folded = |symbol: Option<&Symbol>| symbol.map(|symbol| symbol.as_str().to_lowercase());
        (folded(symbol) != folded(champions)).then(|| Self {
            symbol: symbol.cloned(),
            champion,
            champions: champions.cloned(),
        })
    }
}

/// A clause whose subject is the version: `is of IBM, but the champion, version 1, is of SPY`.
impl fmt::Display for SymbolClash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.symbol {
            Some(symbol) => write!(f, "is of {symbol}")?,
            None => f.write_str("has no recorded symbol")?,
        }
        write!(f, ", but the champion, version {}, ", self.champion)?;
        match &self.champions {
            Some(symbol) => write!(f, "is of {symbol}"),
            None => f.write_str("has none recorded"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clash(symbol: Option<&str>, champions: Option<&str>) -> Option<String> {
        let [symbol, champions] =
            [symbol, champions].map(|text| text.map(|text| Symbol::parse(text).unwrap()));
        SymbolClash::between(symbol.as_ref(), (VersionNumber::FIRST, champions.as_ref()))
            .map(|clash| clash.to_string())
    }

    #[test]
    fn symbols_are_the_same_whatever_their_case_and_unknown_ones_only_among_themselves() {
        assert_eq!(clash(Some("SPY"), Some("spy")), None);
        assert_eq!(clash(None, None), None);
        insta::assert_snapshot!(clash(Some("IBM"), Some("SPY")).unwrap(), @"is of IBM, but the champion, version 1, is of SPY");
        insta::assert_snapshot!(clash(None, Some("SPY")).unwrap(), @"has no recorded symbol, but the champion, version 1, is of SPY");
        insta::assert_snapshot!(clash(Some("IBM"), None).unwrap(), @"is of IBM, but the champion, version 1, has none recorded");
    }

    #[test]
    fn only_some_obstacles_bar_use() {
        assert!(Obstacle::Deleted.bars_use());
        assert!(Obstacle::WithoutRun.bars_use());
        for obstacle in [Obstacle::FileUnknown, Obstacle::RolledBack] {
            assert!(!obstacle.bars_use(), "{obstacle}");
        }
    }
}
