//! Tags of runs and model versions: their keys, and the sets of changes a plan makes to them.

use std::collections::BTreeMap;

use crate::values::{Stage, Timestamp, Transition};

/// Tag keys. A tag is on both the run and the model version, unless its documentation names one of them.
pub mod key {
    /// Length of one bar: a [`Timeframe`](crate::Timeframe).
    pub const TIMEFRAME: &str = "timeframe";
    /// How the model was trained: a [`ModelType`](crate::ModelType).
    pub const MODEL_TYPE: &str = "model_type";
    /// Whether the version has registered children: a [`VersionType`](crate::VersionType).
    pub const VERSION_TYPE: &str = "version_type";
    /// The present [`Stage`](crate::Stage).
    pub const PROMOTION_STAGE: &str = "promotion_stage";
    /// How the parent was enhanced: an [`Enhancement`](crate::Enhancement). Absent on a base model.
    pub const ENHANCEMENT_TYPE: &str = "enhancement_type";
    /// `runs:/<run id>/models/<timeframe>/model.zip` of the parent; absent on a base model.
    pub const BASE_MODEL_PATH: &str = "base_model_path";
    /// The parent's run id; absent on a base model.
    pub const BASE_MODEL_RUN_ID: &str = "base_model_run_id";
    /// Whether the test window is honest: an [`Honesty`](crate::Honesty) state.
    pub const HONESTY: &str = "honesty";
    /// How improvements over the parent were computed; on the run.
    pub const IMPROVEMENT_BASIS: &str = "improvement_basis";
    /// When the enhancement finished, `YYYYMMDD_HHMM` in UTC; on the version.
    pub const ENHANCEMENT_TIMESTAMP: &str = "enhancement_timestamp";
    /// Timesteps that the parent and its ancestors were trained for; on the version of an enhanced model.
    pub const PREVIOUS_TIMESTEPS: &str = "previous_timesteps";
    /// Timesteps that the model and its ancestors were trained for; on the version.
    pub const TOTAL_TIMESTEPS: &str = "total_timesteps";
    /// When the stage last changed, `YYYYMMDD_HHMM` in UTC; on the version.
    pub const LAST_PROMOTED_AT: &str = "last_promoted_at";
    /// Reason of the newest requested change; on the version.
    pub const PROMOTION_REASON: &str = "promotion_reason";
    /// Reason of the last demotion; on the version, until its next promotion.
    pub const DEMOTION_REASON: &str = "demotion_reason";
    /// When the version was last demoted; on the version, until its next promotion.
    pub const DEMOTION_TIMESTAMP: &str = "demotion_timestamp";
}

/// Tags by key.
pub type Tags = BTreeMap<String, String>;

/// Changes to the tags of one run or version.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TagChanges {
    /// Tags to write; they replace present values.
    pub set: Tags,
    /// Keys to remove. Absent ones are ignored.
    pub removed: Vec<String>,
}

impl TagChanges {
    pub(crate) fn set(&mut self, key: &str, value: impl Into<String>) {
        self.set.insert(key.to_owned(), value.into());
    }

    pub(crate) fn set_or_remove(&mut self, key: &str, value: Option<String>) {
        match value {
            Some(value) => self.set(key, value),
            None => self.removed.push(key.to_owned()),
        }
    }

    /// Applies the changes to `tags`: first the removals, then the writes.
    pub fn apply(&self, tags: &mut Tags) {
        for key in &self.removed {
            tags.remove(key);
        }
        tags.extend(self.set.clone());
    }
}

/// The key of the tag that records a change of stage at `at`: `promotion_<YYYYMMDD_HHMM>`, in UTC.
///
/// The second and later changes within one minute get the suffix `_2`, `_3` …: one more than the highest suffix among
/// the keys that are `taken`.
pub fn promotion_key<'a>(at: Timestamp, taken: impl IntoIterator<Item = &'a str>) -> String {
    let first = format!("promotion_{}", at.tag());
    let suffix = taken
        .into_iter()
        .filter_map(|key| match key.strip_prefix(first.as_str())? {
            "" => Some(1),
            rest => rest.strip_prefix('_')?.parse::<u32>().ok(),
        })
        .max();
    match suffix {
        None => first,
        Some(last) => format!("{first}_{}", last + 1),
    }
}

/// Whether a tag records a change of stage: `promotion_` and then a moment, as [`promotion_key`] writes it.
pub fn is_promotion_key(key: &str) -> bool {
    key.strip_prefix("promotion_")
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// The changes to a version's tags by one change of stage. `taken` are its keys that begin with `promotion_`.
pub(crate) fn stage_tags(
    transition: Transition,
    at: Timestamp,
    taken: &[String],
    promotion_reason: PromotionReason,
    demotion_reason: Option<String>,
) -> TagChanges {
    let mut tags = TagChanges::default();
    tags.set(key::PROMOTION_STAGE, transition.to().as_str());
    tags.set(&promotion_key(at, taken.iter().map(String::as_str)), transition.to_string());
    tags.set(key::LAST_PROMOTED_AT, at.tag());
    match promotion_reason {
        PromotionReason::Kept => {}
        PromotionReason::Replaced(reason) => tags.set_or_remove(key::PROMOTION_REASON, reason),
    }
    let demotion = transition.is_demotion();
    tags.set_or_remove(key::DEMOTION_REASON, demotion_reason.filter(|_| demotion));
    tags.set_or_remove(key::DEMOTION_TIMESTAMP, demotion.then(|| at.tag()));
    tags
}

/// The effect of a change of stage on the tag `promotion_reason`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PromotionReason {
    /// The tag stays: nobody asked for this change itself.
    Kept,
    /// The tag is set to the reason of this change, or removed when none was given.
    Replaced(Option<String>),
}

/// The changes to a run's tags when its version enters `stage`.
pub(crate) fn run_stage_tags(stage: Stage) -> TagChanges {
    let mut tags = TagChanges::default();
    tags.set(key::PROMOTION_STAGE, stage.as_str());
    tags
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Timestamp = Timestamp::EXAMPLE;

    #[test]
    fn changes_within_one_minute_get_numbers() {
        let mut taken: Vec<String> = Vec::new();
        for expected in ["promotion_20250610_1417", "promotion_20250610_1417_2"] {
            let key = promotion_key(AT, taken.iter().map(String::as_str));
            assert_eq!(key, expected);
            taken.push(key);
        }
    }

    #[test]
    fn numbers_of_changes_order_as_numbers() {
        let taken = ["promotion_20250610_1417_9", "promotion_20250610_1417_10", "promotion_reason"];
        assert_eq!(promotion_key(AT, taken), "promotion_20250610_1417_11");
    }
}
