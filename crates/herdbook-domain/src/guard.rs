//! Tags that the rulebook keeps: others may repeat what they say, never say something else.

use crate::tags::{Tags, key};
use crate::{Refusal, window_params};

/// What a run is told at its start or at its registration, and nobody may say otherwise afterwards.
const OF_ORIGIN: [&str; 5] = [
    key::TIMEFRAME,
    key::MODEL_TYPE,
    key::ENHANCEMENT_TYPE,
    key::BASE_MODEL_PATH,
    key::BASE_MODEL_RUN_ID,
];
/// What only acts change.
const OF_STATE: [&str; 5] = [
    key::VERSION_TYPE,
    key::PROMOTION_STAGE,
    key::HONESTY,
    key::LAST_PROMOTED_AT,
    window_params::FINGERPRINT,
];
/// What only acts change, by the beginning of the key.
const PREFIXES: [&str; 3] = ["promotion_", "demotion_", "herdbook."];
/// What a registration computes: its own values stand, whatever is given.
const COMPUTED: [&str; 5] = [
    key::ENHANCEMENT_TYPE,
    key::BASE_MODEL_PATH,
    key::ENHANCEMENT_TIMESTAMP,
    key::PREVIOUS_TIMESTEPS,
    key::TOTAL_TIMESTEPS,
];

/// Whether the model of a run is registered: from then on its origin stands too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunPhase {
    /// Its origin may still be told.
    Unregistered,
    /// It is what it is.
    Registered,
}

/// The tags that may be written to a run on which (or for which) `present` stands. Guarded tags that say the same
/// are left out.
pub fn guard_run_tags(given: &Tags, present: &Tags, phase: RunPhase) -> Result<Tags, Refusal> {
    guard(given, present, |key| {
        is_state(key) || (phase == RunPhase::Registered && OF_ORIGIN.contains(&key))
    })
}

/// The tags that a new version may have beside those that its registration plans, and the keys of those that give
/// way to the planned ones.
pub fn guard_version_tags(given: &Tags, planned: &Tags) -> Result<(Tags, Vec<String>), Refusal> {
    let differs = |key: &String, value: &String| planned.get(key) != Some(value);
    let is_computed = |key: &String| COMPUTED.contains(&key.as_str());
    let overruled = given.iter().filter(|(key, value)| is_computed(key) && differs(key, value));
    let overruled = overruled.map(|(key, _)| key.clone()).collect();
    let others: Tags = given
        .iter()
        .filter(|(key, _)| !is_computed(key))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    let free = guard(&others, planned, |key| is_state(key) || OF_ORIGIN.contains(&key))?;
    Ok((free, overruled))
}

fn guard(given: &Tags, present: &Tags, is_guarded: impl Fn(&str) -> bool) -> Result<Tags, Refusal> {
    let mut free = Tags::new();
    for (key, value) in given {
        if !is_guarded(key) {
            free.insert(key.clone(), value.clone());
        } else if present.get(key) != Some(value) {
            return Err(Refusal::GuardedTag {
                key: key.clone(),
                value: value.clone(),
                present: present.get(key).cloned(),
                way: way_out(key),
            });
        }
    }
    Ok(free)
}

fn is_state(key: &str) -> bool {
    OF_STATE.contains(&key) || PREFIXES.iter().any(|prefix| key.starts_with(prefix))
}

fn way_out(key: &str) -> &'static str {
    match key {
        key::PROMOTION_STAGE => "a promotion changes it",
        key::VERSION_TYPE => "it turns `old` when a child is registered",
        key::HONESTY => "it follows from the recorded windows",
        _ if OF_ORIGIN.contains(&key) => "it is fixed when the model is registered",
        _ => "it is written by the acts it tells of",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(pairs: &[(&str, &str)]) -> Tags {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn stage_cannot_be_written_as_a_tag() {
        let present = tags(&[("promotion_stage", "development")]);
        let given = tags(&[("promotion_stage", "champion")]);
        let refused = guard_run_tags(&given, &present, RunPhase::Registered).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "the tag `promotion_stage` cannot be set to `champion`, it is `development`: \
             herdbook's rules keep it, and a promotion changes it"
        );
        assert!(guard_run_tags(&given, &Tags::new(), RunPhase::Unregistered).is_err());
    }

    #[test]
    fn guarded_tag_that_says_the_same_is_left_out() {
        let present = tags(&[("version_type", "old")]);
        let given = tags(&[("version_type", "old"), ("note", "a b")]);
        let free = guard_run_tags(&given, &present, RunPhase::Registered).unwrap();
        assert_eq!(free, tags(&[("note", "a b")]));
    }

    #[test]
    fn origin_may_be_told_until_the_model_is_registered() {
        let given = tags(&[("base_model_run_id", "0123456789abcdef0123456789abcdef")]);
        assert_eq!(guard_run_tags(&given, &Tags::new(), RunPhase::Unregistered).unwrap(), given);
        assert!(guard_run_tags(&given, &Tags::new(), RunPhase::Registered).is_err());
    }

    #[test]
    fn every_key_of_a_change_of_stage_is_guarded() {
        for key in ["promotion_20250610_1417", "demotion_reason", "last_promoted_at", "honesty"] {
            let given = tags(&[(key, "x")]);
            assert!(guard_run_tags(&given, &Tags::new(), RunPhase::Unregistered).is_err(), "{key}");
        }
    }

    #[test]
    fn registration_overrules_what_it_computes_and_refuses_what_it_decides() {
        let planned = tags(&[("total_timesteps", "4096"), ("promotion_stage", "development")]);
        let given = tags(&[("total_timesteps", "5000"), ("author", "ada")]);
        let (free, overruled) = guard_version_tags(&given, &planned).unwrap();
        assert_eq!((free, overruled), (tags(&[("author", "ada")]), vec!["total_timesteps".into()]));
        assert!(guard_version_tags(&tags(&[("promotion_stage", "beta")]), &planned).is_err());
    }
}
