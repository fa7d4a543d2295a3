//! Refusals: why an act is not permitted, with the messages that users read.

use super::conditions::Judgement;
use super::obstacle::{Obstacle, SymbolClash};
use super::request::ExpectedChampion;
use crate::values::{ModelName, Stage, VersionKey, VersionNumber};

/// Why an act is refused. Nothing was written.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// The table of transitions has no such change.
    #[error("{key} is in `{from}` and may go to {}, not to `{to}`", list(from.targets()))]
    ForbiddenTransition {
        /// The version.
        key: VersionKey,
        /// Its stage.
        from: Stage,
        /// The stage asked for.
        to: Stage,
    },
    /// The champion is not the one the caller expected.
    #[error("{} (expected {expected})", present_champion(name, *found))]
    ChampionChanged {
        /// The registered model.
        name: ModelName,
        /// The champion the caller expected.
        expected: ExpectedChampion,
        /// The champion there is.
        found: Option<VersionNumber>,
    },
    /// A contaminated version may not go to beta or champion.
    #[error(
        "{key} is contaminated and may not go to `{to}`: its test window holds bars that it or an ancestor was trained or validated on, so its test results are not valid"
    )]
    Contaminated {
        /// The version.
        key: VersionKey,
        /// The stage asked for.
        to: Stage,
    },
    /// Enforced conditions are not met.
    #[error("{key} may not go to `{to}`: {}", unmet(judgement))]
    GateFailed {
        /// The version.
        key: VersionKey,
        /// The stage asked for.
        to: Stage,
        /// The verdicts on all conditions, met ones included.
        judgement: Judgement,
    },
    /// The version cannot be used, so no reader of its new stage could use it.
    #[error("{key} {why}, so it cannot be used and may not go to `{to}`")]
    Unusable {
        /// The version.
        key: VersionKey,
        /// The stage asked for.
        to: Stage,
        /// Why it cannot be used.
        why: Obstacle,
    },
    /// The champion that the version would displace is of another symbol.
    #[error("{key} may not go to `{}`: it {clash}", Stage::Champion)]
    OtherSymbol {
        /// The version.
        key: VersionKey,
        /// The two symbols.
        clash: SymbolClash,
    },
    /// A forced change has no reason.
    #[error("a forced change of {key} needs a reason: give `--reason`")]
    ForceWithoutReason {
        /// The version.
        key: VersionKey,
    },
    /// The stage tag and the end of the history differ, because the tag was written without an act.
    #[error(
        "{key} is tagged `{tag}`, but its history ends in `{history}`: the tag was changed outside herdbook; set it back to `{history}` first"
    )]
    StageDisagrees {
        /// The version.
        key: VersionKey,
        /// The stage tag as written.
        tag: String,
        /// The stage at the end of the history.
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
    /// The version has neither a valid stage tag nor a history.
    #[error(
        "{key} has no valid `promotion_stage` tag: it was not registered by herdbook; set the tag to {} to manage it with herdbook",
        list(Stage::ALL)
    )]
    NotManaged {
        /// The version.
        key: VersionKey,
    },
    /// A tag that only acts may change.
    #[error(
        "the tag `{key}` {} and cannot be set to `{value}`: herdbook's rules protect it; {way}",
        present.as_ref().map_or_else(|| "is not set".to_owned(), |present| format!("is `{present}`"))
    )]
    GuardedTag {
        /// The key of the tag.
        key: String,
        /// The value asked for.
        value: String,
        /// The value it has.
        present: Option<String>,
        /// How the tag changes instead, as a clause.
        way: &'static str,
    },
}

fn present_champion(name: &ModelName, found: Option<VersionNumber>) -> String {
    match found {
        Some(version) => format!("the champion of `{name}` is version {version}"),
        None => format!("`{name}` has no champion"),
    }
}

fn unmet(judgement: &Judgement) -> String {
    judgement.unmet().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

fn list(stages: &[Stage]) -> String {
    let named: Vec<String> = stages.iter().map(|stage| format!("`{stage}`")).collect();
    match named.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} or {last}", others.join(", ")),
        _ => named.concat(),
    }
}

fn passed_over(passed: &[PassedOver]) -> String {
    if passed.is_empty() {
        return ": no other version was ever champion".to_owned();
    }
    let each: Vec<String> =
        passed.iter().map(|passed| format!("version {} {}", passed.version, passed.why)).collect();
    format!(": {}", each.join("; "))
}

/// A former champion that may not return by a rollback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassedOver {
    /// The version.
    pub version: VersionNumber,
    /// Why it may not return.
    pub why: Obstacle,
}
