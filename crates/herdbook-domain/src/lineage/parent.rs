//! The choice of a parent for an enhancement: which models are searched for, and in what order.

use serde::{Deserialize, Serialize};

use crate::values::{ModelType, RunId, RunPrefix, VersionNumber, VersionType, number_or_run};

/// A way to name the parent of an enhancement, as in `--enhance`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ParentSelector {
    /// The newest model of the requested type.
    Latest,
    /// The best model of the requested type by a metric.
    Best,
    /// The champion of the registered model.
    Champion,
    /// The model of this run.
    Run(RunId),
    /// This version of the registered model.
    Version(VersionNumber),
    /// The model of the run whose id begins with these digits.
    RunPrefix(RunPrefix),
    /// This version or the run whose id begins with the same digits, whichever exists.
    VersionOrRun(VersionNumber, RunPrefix),
}

impl std::str::FromStr for ParentSelector {
    type Err = InvalidParentSelector;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "latest" => Ok(Self::Latest),
            "best" => Ok(Self::Best),
            "champion" => Ok(Self::Champion),
            _ => match number_or_run(text) {
                (Some(number), Some(run)) => Ok(Self::VersionOrRun(number, run)),
                (Some(number), None) => Ok(Self::Version(number)),
                (None, Some(run)) => Ok(run.whole().map_or(Self::RunPrefix(run), Self::Run)),
                (None, None) => Err(InvalidParentSelector { text: text.to_owned() }),
            },
        }
    }
}

/// A text that is not a parent selector.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{}` is not a parent: give `latest`, `best`, `champion`, a version number, a run id (32 hexadecimal digits) or at \
     least its first 4 digits", text.escape_debug()
)]
pub struct InvalidParentSelector {
    text: String,
}

/// One of the searches that are tried in order until a model is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    /// The type to search for.
    pub model_type: ModelType,
    /// The version type to search for; `None` for either.
    pub version_type: Option<VersionType>,
    /// How a model found by this search differs from the request.
    pub departure: Departure,
}

/// How a search differs from the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Departure {
    /// It searches for what was requested.
    None,
    /// It searches for an `old` version, because there is no `latest` one of the type.
    OldVersion,
    /// It searches for a base model, because there is no model of the type.
    BaseModel,
}

/// The searches for the newest model of a type, in the order to try them: a `latest` version, an `old` one, a base
/// model.
pub fn attempts_for_latest(model_type: ModelType) -> Vec<Attempt> {
    let of_type = |version_type, departure| Attempt {
        model_type,
        version_type: Some(version_type),
        departure,
    };
    let mut attempts = vec![
        of_type(VersionType::Latest, Departure::None),
        of_type(VersionType::Old, Departure::OldVersion),
    ];
    attempts.extend(base_model_fallback(model_type));
    attempts
}

/// The searches for the best model of a type, in the order to try them: the type itself, a base model.
pub fn attempts_for_best(model_type: ModelType) -> Vec<Attempt> {
    let mut attempts = vec![Attempt { model_type, version_type: None, departure: Departure::None }];
    attempts.extend(base_model_fallback(model_type));
    attempts
}

/// The last search: for a base model; `None` where a base model was requested in the first place.
pub fn base_model_fallback(model_type: ModelType) -> Option<Attempt> {
    (model_type != ModelType::Base).then_some(Attempt {
        model_type: ModelType::Base,
        version_type: None,
        departure: Departure::BaseModel,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latest_prefers_a_model_without_children_then_any_then_a_base() {
        let order: Vec<_> = attempts_for_latest(ModelType::Replay)
            .into_iter()
            .map(|attempt| (attempt.model_type, attempt.version_type))
            .collect();
        assert_eq!(
            order,
            [
                (ModelType::Replay, Some(VersionType::Latest)),
                (ModelType::Replay, Some(VersionType::Old)),
                (ModelType::Base, None),
            ]
        );
    }

    #[test]
    fn base_has_nothing_to_fall_back_to() {
        assert_eq!(attempts_for_best(ModelType::Base).len(), 1);
    }

    #[test]
    fn parent_is_named_by_word_run_or_version() {
        assert_eq!("best".parse(), Ok(ParentSelector::Best));
        assert_eq!("3".parse(), Ok(ParentSelector::Version(VersionNumber::new(3).unwrap())));
        assert!(matches!("0123456789abcdef0123456789abcdef".parse(), Ok(ParentSelector::Run(_))));
        assert!(matches!("0123abcd".parse(), Ok(ParentSelector::RunPrefix(_))));
        assert!(matches!("12345678".parse(), Ok(ParentSelector::VersionOrRun(..))));
        assert!("newest".parse::<ParentSelector>().is_err());
    }
}
