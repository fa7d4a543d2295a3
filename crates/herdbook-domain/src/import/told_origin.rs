//! The origin of a model as the tags of its run tell it.

use crate::import::parent::parent_of;
use crate::tags::{Tags, key};
use crate::values::{Enhancement, ModelType, RunId, Timeframe};

/// The origin that another program told by the tags of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToldOrigin {
    /// Length of one bar.
    pub timeframe: Timeframe,
    /// How the model was trained.
    pub model_type: ModelType,
    /// The parent's run; `None` if no tag names one.
    pub parent: Option<RunId>,
    /// How the parent was enhanced: by its own tag, else by the model type, else `continued`.
    pub enhancement: Enhancement,
}

/// Reads the origin from the tags of a run. `None` if `timeframe` or `model_type` is missing or not one of our words: then
/// the model is not one of ours.
pub fn told_origin(tags: &Tags) -> Option<ToldOrigin> {
    let timeframe = tags.get(key::TIMEFRAME)?.parse().ok()?;
    let model_type: ModelType = tags.get(key::MODEL_TYPE)?.parse().ok()?;
    let told = tags.get(key::ENHANCEMENT_TYPE).and_then(|text| text.parse().ok());
    let by_type = model_type.as_str().parse().ok();
    Some(ToldOrigin {
        timeframe,
        model_type,
        parent: parent_of(tags),
        enhancement: by_type.or(told).unwrap_or(Enhancement::Continued),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(pairs: &[(&str, &str)]) -> Tags {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn run_of_another_project_is_not_ours() {
        for foreign in [
            tags(&[]),
            tags(&[("timeframe", "1H")]),
            tags(&[("model_type", "base")]),
            tags(&[("timeframe", "weekly"), ("model_type", "base")]),
            tags(&[("timeframe", "1H"), ("model_type", "xgboost")]),
        ] {
            assert_eq!(told_origin(&foreign), None, "{foreign:?}");
        }
    }

    #[test]
    fn model_type_decides_how_the_parent_was_enhanced() {
        let parent = "a".repeat(32);
        let told = |model_type, enhancement| {
            let given = tags(&[
                ("timeframe", "1H"),
                ("model_type", model_type),
                ("enhancement_type", enhancement),
                ("base_model_run_id", &parent),
            ]);
            told_origin(&given).unwrap()
        };
        assert_eq!(told("replay", "continued").enhancement, Enhancement::Replay);
        assert_eq!(told("base", "adaptive").enhancement, Enhancement::Adaptive);
        assert_eq!(told("base", "?").enhancement, Enhancement::Continued);
        assert_eq!(told("base", "?").parent.unwrap().as_str(), parent);
    }
}
