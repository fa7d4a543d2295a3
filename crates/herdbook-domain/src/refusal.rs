//! Refusals: what stands against an act, in the words a user reads.

use crate::{ExpectedChampion, Judgement, ModelName, Stage, VersionKey, VersionNumber};

/// Why an act is refused. Nothing was written.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// The table of transitions has no such change.
    #[error("{key} is in `{from}` and may go to {}, not to `{to}`", list(from.targets()))]
    ForbiddenTransition {
        /// Which version.
        key: VersionKey,
        /// Its stage.
        from: Stage,
        /// The stage asked for.
        to: Stage,
    },
    /// The champion is not the one the asker saw.
    #[error("the champion of `{name}` is {}, not {expected} as expected: someone was faster", champion(*found))]
    ChampionChanged {
        /// The registered model.
        name: ModelName,
        /// What the asker believed.
        expected: ExpectedChampion,
        /// What is.
        found: Option<VersionNumber>,
    },
    /// A contaminated model may not rise.
    #[error(
        "{key} is contaminated (its test window holds bars that it or an ancestor was trained on) and may not go to `{to}`: its results mean nothing"
    )]
    Contaminated {
        /// Which version.
        key: VersionKey,
        /// The stage asked for.
        to: Stage,
    },
    /// Conditions that are enforced are not met.
    #[error("{key} may not go to `{to}`: {}", unmet(judgement))]
    GateFailed {
        /// Which version.
        key: VersionKey,
        /// The stage asked for.
        to: Stage,
        /// Every condition, those that are met too.
        judgement: Judgement,
    },
    /// What readers of `@champion` would load is not what was registered.
    #[error("{key} {why} and may not become champion")]
    UnsoundFile {
        /// Which version.
        key: VersionKey,
        /// What is wrong with it.
        why: Obstacle,
    },
    /// Forcing needs to be explained.
    #[error("a forced change of {key} needs a reason: give `--reason`")]
    ForceWithoutReason {
        /// Which version.
        key: VersionKey,
    },
    /// The tag says one thing, the history another: someone wrote past the rules.
    #[error(
        "the tag of {key} says `{tag}` but its history ends in `{history}`: the tag was changed outside herdbook; set it back to `{history}` first"
    )]
    StageDisagrees {
        /// Which version.
        key: VersionKey,
        /// What the tag says.
        tag: String,
        /// Where the history ends.
        history: Stage,
    },
    /// No version may return by a rollback.
    #[error("`{name}` has no champion to go back to{}", passed_over(passed))]
    NoFormerChampion {
        /// The registered model.
        name: ModelName,
        /// Former champions that may not return, and why.
        passed: Vec<PassedOver>,
    },
    /// The version takes no part in promotion.
    #[error(
        "{key} has no valid `promotion_stage` tag: it was not registered by herdbook; give it the tag (one of {}) to let it take part",
        list(Stage::ALL)
    )]
    NotManaged {
        /// Which version.
        key: VersionKey,
    },
    /// A tag that only acts may change.
    #[error(
        "the tag `{key}` cannot be set to `{value}`, it {}: herdbook's rules keep it, and {way}",
        present.as_ref().map_or_else(|| "is not set".to_owned(), |present| format!("is `{present}`"))
    )]
    GuardedTag {
        /// Which tag.
        key: String,
        /// The value asked for.
        value: String,
        /// The value it has.
        present: Option<String>,
        /// What changes it.
        way: &'static str,
    },
}

fn unmet(judgement: &Judgement) -> String {
    judgement.unmet().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

fn list(stages: &[Stage]) -> String {
    stages.iter().map(|stage| format!("`{stage}`")).collect::<Vec<_>>().join(" or ")
}

fn champion(version: Option<VersionNumber>) -> String {
    version.map_or_else(|| "nobody".to_owned(), |version| format!("version {version}"))
}

fn passed_over(passed: &[PassedOver]) -> String {
    if passed.is_empty() {
        return ": no other version was ever champion".to_owned();
    }
    let each: Vec<String> =
        passed.iter().map(|passed| format!("version {} {}", passed.version, passed.why)).collect();
    format!(": {}", each.join(", "))
}

/// A former champion that may not return.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassedOver {
    /// Which.
    pub version: VersionNumber,
    /// What keeps it away.
    pub why: Obstacle,
}

/// What keeps a former champion from returning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obstacle {
    /// It was rolled back from, at some time.
    RolledBack,
    /// It was deleted through MLflow.
    Deleted,
    /// Its model file is not there, or not the one that was registered.
    FileAltered,
    /// Nobody recorded what its model file was: it was registered outside herdbook.
    FileUnknown,
}

impl std::fmt::Display for Obstacle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::RolledBack => "was rolled back from",
            Self::Deleted => "was deleted",
            Self::FileAltered => "has a missing or altered model file",
            Self::FileUnknown => "has no recorded hash of its model file",
        })
    }
}
