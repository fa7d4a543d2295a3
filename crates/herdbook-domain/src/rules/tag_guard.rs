//! Tags that the rulebook protects: a caller may repeat their value, but not change it.

use super::refusal::Refusal;
use crate::evidence::window_params;
use crate::lineage::Origin;
use crate::tags::{Tags, key};

/// Tags that only acts change.
const STATE_KEYS: [&str; 5] = [
    key::VERSION_TYPE,
    key::PROMOTION_STAGE,
    key::HONESTY,
    key::LAST_PROMOTED_AT,
    window_params::FINGERPRINT,
];
/// Beginnings of further keys that only acts change.
const STATE_PREFIXES: [&str; 3] = ["promotion_", "demotion_", "herdbook."];
/// Tags that a registration computes. Values given for them are overruled, not refused.
const COMPUTED_KEYS: [&str; 5] = [
    key::ENHANCEMENT_TYPE,
    key::BASE_MODEL_PATH,
    key::ENHANCEMENT_TIMESTAMP,
    key::PREVIOUS_TIMESTEPS,
    key::TOTAL_TIMESTEPS,
];

/// Whether the model of a run is registered. From then on the tags of its origin are protected too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunPhase {
    /// No model of the run is registered: the tags of its origin may be written.
    Unregistered,
    /// The model of the run is registered.
    Registered,
}

/// Checks tags that a caller wants to write to a run, and returns those to write.
///
/// `present` are the tags that the run has, or that its start plans. Protected tags with an unchanged value are left
/// out of the result.
///
/// # Errors
/// [`Refusal::GuardedTag`] for the first protected tag with another value than `present` has.
pub fn guard_run_tags(given: &Tags, present: &Tags, phase: RunPhase) -> Result<Tags, Refusal> {
    guard(given, present, |key| {
        is_state(key) || (phase == RunPhase::Registered && Origin::TAG_KEYS.contains(&key))
    })
}

/// Checks tags that a caller gives to a new version besides the `planned` ones of its registration.
///
/// Returns the tags to add, and the keys of given tags that are overruled by planned ones, because the registration
/// computes them.
///
/// # Errors
/// [`Refusal::GuardedTag`] for the first other protected tag whose value is not the planned one.
pub fn guard_version_tags(given: &Tags, planned: &Tags) -> Result<(Tags, Vec<String>), Refusal> {
    let differs = |key: &String, value: &String| planned.get(key) != Some(value);
    let is_computed = |key: &String| COMPUTED_KEYS.contains(&key.as_str());
    let overruled = given.iter().filter(|(key, value)| is_computed(key) && differs(key, value));
    let overruled = overruled.map(|(key, _)| key.clone()).collect();
    let others: Tags = given
        .iter()
        .filter(|(key, _)| !is_computed(key))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    let free = guard(&others, planned, |key| is_state(key) || Origin::TAG_KEYS.contains(&key))?;
    Ok((free, overruled))
}

/// Checks a tag that a caller wants to write to a registered version. Returns whether it is to be written: a protected tag
/// with the value that it has already is not.
///
/// # Errors
/// [`Refusal::GuardedTag`] for a protected tag with another value than `present`.
pub fn guard_version_tag(key: &str, value: &str, present: Option<&str>) -> Result<bool, Refusal> {
    if !is_guarded_on_version(key) {
        return Ok(true);
    }
    if present == Some(value) {
        return Ok(false);
    }
    Err(Refusal::GuardedTag {
        key: key.to_owned(),
        value: value.to_owned(),
        present: present.map(str::to_owned),
        way: way_out(key),
    })
}

/// Checks a tag that a caller wants to remove from a registered version or its run. Removing a tag that does not exist
/// changes nothing and is allowed.
///
/// # Errors
/// [`Refusal::GuardedTagRemoval`] for a protected tag.
pub fn guard_tag_removal(key: &str, present: Option<&str>) -> Result<(), Refusal> {
    match present {
        Some(present) if is_guarded_on_version(key) => Err(Refusal::GuardedTagRemoval {
            key: key.to_owned(),
            present: present.to_owned(),
            way: way_out(key),
        }),
        _ => Ok(()),
    }
}

fn is_guarded_on_version(key: &str) -> bool {
    is_state(key) || Origin::TAG_KEYS.contains(&key) || COMPUTED_KEYS.contains(&key)
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
    STATE_KEYS.contains(&key) || STATE_PREFIXES.iter().any(|prefix| key.starts_with(prefix))
}

fn way_out(key: &str) -> &'static str {
    match key {
        key::PROMOTION_STAGE => "a promotion changes it",
        key::VERSION_TYPE => "it turns `old` when a child is registered",
        key::HONESTY => "it follows from the recorded windows",
        _ if Origin::TAG_KEYS.contains(&key) || COMPUTED_KEYS.contains(&key) => {
            "it is fixed when the model is registered"
        }
        _ => "herdbook writes it when a version changes stage",
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
            "the tag `promotion_stage` is `development` and cannot be set to `champion`: \
             herdbook's rules protect it; a promotion changes it"
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
    fn protected_tag_of_a_version_can_be_repeated_but_neither_changed_nor_removed() {
        for key in ["promotion_stage", "version_type", "base_model_run_id", "total_timesteps"] {
            assert_eq!(guard_version_tag(key, "x", Some("x")), Ok(false));
            assert!(guard_version_tag(key, "y", Some("x")).is_err(), "{key}");
            assert!(guard_version_tag(key, "y", None).is_err(), "{key}");
            assert!(guard_tag_removal(key, Some("x")).is_err(), "{key}");
            assert_eq!(guard_tag_removal(key, None), Ok(()));
        }
        assert_eq!(guard_version_tag("desk", "fx", Some("rates")), Ok(true));
        assert_eq!(guard_tag_removal("desk", Some("fx")), Ok(()));
        assert_eq!(
            guard_tag_removal("promotion_20250610_1417", Some("beta -> champion"))
                .unwrap_err()
                .to_string(),
            "the tag `promotion_20250610_1417` is `beta -> champion` and cannot be removed: herdbook's rules protect it; \
             herdbook writes it when a version changes stage"
        );
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
