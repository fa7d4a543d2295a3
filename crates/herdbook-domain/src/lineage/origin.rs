//! The origin of a model: trained from nothing, or enhanced from a parent.

use crate::tags::{Tags, key};
use crate::values::{Enhancement, ModelType, RunId, Timeframe};

/// The origin of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Length of one bar.
    pub timeframe: Timeframe,
    /// The parent and how it was enhanced; `None` for a base model.
    pub enhanced: Option<EnhancedFrom>,
}

/// The parent of an enhanced model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnhancedFrom {
    /// How the parent was enhanced.
    pub enhancement: Enhancement,
    /// The parent's run.
    pub parent: RunId,
    /// Timesteps that the parent and its ancestors were trained for.
    pub previous_timesteps: u64,
}

impl Origin {
    /// Tags that a run gets from its origin, and that nobody may change once the model is registered.
    pub const TAG_KEYS: [&str; 5] = [
        key::TIMEFRAME,
        key::MODEL_TYPE,
        key::ENHANCEMENT_TYPE,
        key::BASE_MODEL_PATH,
        key::BASE_MODEL_RUN_ID,
    ];

    /// The model's type.
    pub fn model_type(&self) -> ModelType {
        self.enhanced.as_ref().map_or(ModelType::Base, |enhanced| enhanced.enhancement.model_type())
    }

    /// The tags of a run from its start: those of [`Origin::TAG_KEYS`], without the last three for a base model.
    pub fn run_tags(&self) -> Tags {
        let mut tags = Tags::from([
            (key::TIMEFRAME.to_owned(), self.timeframe.to_string()),
            (key::MODEL_TYPE.to_owned(), self.model_type().to_string()),
        ]);
        if let Some(enhanced) = &self.enhanced {
            let path = enhanced.parent.model_path(self.timeframe);
            tags.insert(key::ENHANCEMENT_TYPE.to_owned(), enhanced.enhancement.to_string());
            tags.insert(key::BASE_MODEL_PATH.to_owned(), path);
            tags.insert(key::BASE_MODEL_RUN_ID.to_owned(), enhanced.parent.to_string());
        }
        tags
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enhanced_model_has_every_tag_of_its_origin_and_a_base_model_only_two() {
        let parent = RunId::parse(&"a".repeat(32)).unwrap();
        let enhanced = EnhancedFrom {
            enhancement: Enhancement::Replay,
            parent: parent.clone(),
            previous_timesteps: 2048,
        };
        let child = Origin { timeframe: Timeframe::Hour1, enhanced: Some(enhanced) };
        let tags = child.run_tags();
        assert_eq!(tags.len(), Origin::TAG_KEYS.len());
        assert!(Origin::TAG_KEYS.iter().all(|key| tags.contains_key(*key)));
        assert_eq!(tags[key::MODEL_TYPE], "replay");
        assert_eq!(tags[key::BASE_MODEL_PATH], format!("runs:/{parent}/models/1H/model.zip"));
        let base = Origin { timeframe: Timeframe::Day1, enhanced: None };
        assert_eq!(base.model_type(), ModelType::Base);
        assert_eq!(base.run_tags().len(), 2);
    }
}
