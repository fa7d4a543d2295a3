//! Value types: what they accept, and that they read back what they print.

use herdbook_domain::{
    Actor, Channel, ConditionOutcome, Enhancement, EventKind, ExperimentName, Honesty, MetricName,
    ModelName, ModelType, Reason, RunId, RunStatus, Stage, Symbol, Timeframe, Timestamp,
    Transition, VersionNumber, VersionType, import::FindingKind,
};
use proptest::prelude::*;

#[test]
fn permitted_changes_of_stage_are_those_of_the_specification() {
    use Stage::{Archived, Beta, Champion, Development};
    let permitted = [
        (Development, Beta),
        (Development, Archived),
        (Beta, Development),
        (Beta, Champion),
        (Beta, Archived),
        (Champion, Beta),
        (Champion, Archived),
        (Archived, Development),
        (Archived, Beta),
    ];
    for from in Stage::ALL {
        for to in Stage::ALL {
            let is_permitted = permitted.contains(&(*from, *to));
            let change = from.change_to(*to);
            assert_eq!(change.is_some(), is_permitted, "{from} -> {to}");
            assert_eq!(change.map(Transition::from), is_permitted.then_some(*from));
        }
    }
}

#[test]
fn every_change_is_a_rise_a_demotion_or_neither_as_the_specification_says() {
    use Stage::{Archived, Beta, Champion, Development};
    let rises = [(Development, Beta), (Beta, Champion), (Archived, Beta)];
    let demotions = [(Champion, Beta), (Champion, Archived), (Beta, Development)];
    for (from, to) in
        Stage::ALL.iter().flat_map(|from| from.targets().iter().map(|to| (*from, *to)))
    {
        let change = from.change_to(to).unwrap();
        assert_eq!(change.is_rise(), rises.contains(&(from, to)), "{change}");
        assert_eq!(change.is_demotion(), demotions.contains(&(from, to)), "{change}");
    }
}

macro_rules! assert_closed_sets {
    ($($set:ty),*) => {$(
        for (member, name) in <$set>::ALL.iter().zip(<$set>::NAMES) {
            assert_eq!(member.to_string(), *name);
            assert_eq!(name.parse(), Ok(*member));
            let json = serde_json::to_string(member).unwrap();
            assert_eq!(json, format!("\"{name}\""));
            assert_eq!(serde_json::from_str::<$set>(&json).unwrap(), *member);
            let near_miss = format!("{name} ");
            let error = near_miss.parse::<$set>().unwrap_err();
            assert_eq!((error.text, error.valid), (near_miss, <$set>::NAMES));
        }
    )*};
}

#[test]
fn every_word_of_every_closed_set_is_read_back_and_a_near_miss_is_refused() {
    assert_closed_sets!(
        Stage,
        Timeframe,
        ModelType,
        VersionType,
        Enhancement,
        RunStatus,
        Honesty,
        Channel,
        EventKind,
        ConditionOutcome,
        FindingKind
    );
}

#[test]
fn enhancement_and_the_model_type_it_makes_have_one_spelling() {
    for enhancement in Enhancement::ALL {
        assert_eq!(enhancement.as_str(), enhancement.model_type().as_str());
    }
}

#[test]
fn json_does_not_bypass_the_checks_of_names() {
    assert!(serde_json::from_str::<ModelName>("\"a/b\"").is_err());
    assert!(serde_json::from_str::<ModelName>("\"\"").is_err());
    assert!(serde_json::from_str::<Reason>("\"two\\nlines\"").is_err());
    assert!(serde_json::from_str::<RunId>("\"0123\"").is_err());
    assert!(serde_json::from_str::<VersionNumber>("0").is_err());
    assert!(serde_json::from_str::<Timestamp>("\"yesterday\"").is_err());
}

proptest! {
    #[test]
    fn prop_moment_of_the_years_1_to_9999_is_read_back_as_printed(
        millis in -62_135_596_800_000..253_402_300_800_000_i64,
    ) {
        let at = Timestamp::from_millis(millis);
        prop_assert_eq!(Timestamp::parse(&at.to_string()), Ok(at));
    }

    #[test]
    fn prop_moment_in_a_tag_keeps_its_minute(minute in 0..200_000_000_i64, ms in 0..60_000_i64) {
        let at = Timestamp::from_millis(minute * 60_000 + ms);
        prop_assert_eq!(Timestamp::from_tag(&at.tag()).map(Timestamp::millis), Some(minute * 60_000));
    }

    #[test]
    fn prop_any_moment_can_be_printed(millis in any::<i64>()) {
        let at = Timestamp::from_millis(millis);
        prop_assert!(at.to_string().ends_with('Z') && !at.tag().is_empty());
    }

    #[test]
    fn prop_accepted_names_are_kept_to_the_letter_and_hold_no_control_character(text in "\\PC{0,20}|.{0,20}") {
        let hides = |text: &str| text.chars().any(char::is_control) || text.trim().is_empty();
        for name in [
            ExperimentName::parse(&text).map(|it| it.to_string()),
            Reason::parse(&text).map(|it| it.to_string()),
            Actor::parse(&text).map(|it| it.to_string()),
            MetricName::parse(&text).map(|it| it.to_string()),
            ModelName::parse(&text).map(|it| it.to_string()),
        ].into_iter().flatten() {
            prop_assert!(!hides(&name));
            prop_assert_eq!(&name, &text);
        }
        if let Ok(symbol) = Symbol::parse(&text) {
            prop_assert!(!hides(symbol.as_str()));
            prop_assert_eq!(symbol.as_str(), text.trim());
        }
        if let Ok(name) = ModelName::parse(&text) {
            prop_assert!(!name.as_str().contains(['/', ':']));
        }
    }
}
