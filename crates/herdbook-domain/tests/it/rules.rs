//! The invariants of stages and champions hold after any sequence of requests.

use herdbook_domain::tags::key;
use herdbook_domain::{
    EnhancedFrom, Enhancement, EventKind, ExpectedChampion, Honesty, Origin, PromotionRequest,
    Reason, Refusal, RollbackRequest, Stage, Timeframe, Timestamp, VersionKey, VersionNumber,
};
use proptest::prelude::*;

use crate::register::{Register, model};

#[derive(Debug, Clone)]
pub(crate) enum Act {
    Train { contaminated: bool },
    Enhance { parent: usize, enhancement: Enhancement },
    Promote { version: usize, target: Stage, reason: Option<&'static str>, force: bool },
    Rollback,
    PromoteExpecting { version: usize, target: Stage, champion: u32 },
}

pub(crate) fn act() -> impl Strategy<Value = Act> {
    let stage = || prop::sample::select(Stage::ALL);
    prop_oneof![
        1 => any::<bool>().prop_map(|contaminated| Act::Train { contaminated }),
        1 => (any::<usize>(), prop::sample::select(Enhancement::ALL))
            .prop_map(|(parent, enhancement)| Act::Enhance { parent, enhancement }),
        1 => Just(Act::Rollback),
        6 => (any::<usize>(), stage(), prop::option::of(Just("because")), any::<bool>()).prop_map(
            |(version, target, reason, force)| Act::Promote { version, target, reason, force }
        ),
        1 => (any::<usize>(), stage(), 0..6_u32).prop_map(|(version, target, champion)| {
            Act::PromoteExpecting { version, target, champion }
        }),
    ]
}

fn pick(register: &Register, index: usize) -> Option<VersionNumber> {
    let versions: Vec<_> = register.versions.keys().copied().collect();
    (!versions.is_empty()).then(|| versions[index % versions.len()])
}

pub(crate) fn promotion(version: VersionNumber, target: Stage) -> PromotionRequest {
    PromotionRequest {
        key: VersionKey { name: model(), version },
        target,
        reason: None,
        expected_champion: None,
        force: false,
    }
}

fn rollback() -> RollbackRequest {
    RollbackRequest { name: model(), reason: Reason::parse("it lost money").unwrap(), force: false }
}

/// Carries one act out and says whether it was refused.
pub(crate) fn perform(register: &mut Register, act: &Act, at: Timestamp) -> Result<(), Refusal> {
    match act {
        Act::Train { contaminated } => {
            let honesty = if *contaminated { Honesty::Contaminated } else { Honesty::Clean };
            register.register(Origin { timeframe: Timeframe::Hour1, enhanced: None }, honesty, at);
            Ok(())
        }
        Act::Enhance { parent, enhancement } => {
            let Some(parent) = pick(register, *parent) else {
                return Ok(());
            };
            let enhanced = EnhancedFrom {
                enhancement: *enhancement,
                parent: register.versions[&parent].run_id.clone(),
                previous_timesteps: 2048,
            };
            register.register(
                Origin { timeframe: Timeframe::Hour1, enhanced: Some(enhanced) },
                Honesty::Clean,
                at,
            );
            Ok(())
        }
        Act::Promote { version, target, reason, force } => {
            let Some(version) = pick(register, *version) else {
                return Ok(());
            };
            let request = PromotionRequest {
                reason: reason.map(|text| Reason::parse(text).unwrap()),
                force: *force,
                ..promotion(version, *target)
            };
            register.promote(&request, at)
        }
        Act::Rollback => register.rollback(&rollback(), at),
        Act::PromoteExpecting { version, target, champion } => {
            let Some(version) = pick(register, *version) else {
                return Ok(());
            };
            let expected = VersionNumber::new(i64::from(*champion))
                .map_or(ExpectedChampion::Nobody, ExpectedChampion::Version);
            let request = PromotionRequest {
                expected_champion: Some(expected),
                ..promotion(version, *target)
            };
            register.promote(&request, at)
        }
    }
}

fn assert_invariants(register: &Register) {
    let tag = |version: &crate::register::Version, key: &str| version.tags.get(key).cloned();
    let champions: Vec<_> = register
        .versions
        .iter()
        .filter(|(_, version)| version.tags[key::PROMOTION_STAGE] == "champion")
        .map(|(number, _)| *number)
        .collect();
    assert!(champions.len() <= 1, "champions: {champions:?}");
    assert_eq!(register.alias, champions.first().copied());
    for (number, version) in &register.versions {
        let stage = tag(version, key::PROMOTION_STAGE);
        assert_eq!(stage, register.history_end(*number).map(|stage| stage.to_string()));
        let run = &register.runs[&version.run_id];
        for key in [
            key::TIMEFRAME,
            key::MODEL_TYPE,
            key::VERSION_TYPE,
            key::PROMOTION_STAGE,
            key::ENHANCEMENT_TYPE,
            key::BASE_MODEL_PATH,
            key::BASE_MODEL_RUN_ID,
        ] {
            assert_eq!(run.get(key), version.tags.get(key), "{key} of version {number}");
        }
        let has_child = register.versions.values().any(|child| {
            child.tags.get(key::BASE_MODEL_RUN_ID) == Some(&version.run_id.to_string())
        });
        let expected = if has_child { "old" } else { "latest" };
        assert_eq!(version.tags[key::VERSION_TYPE], expected);
        let changes = register.events.iter().filter(|event| {
            event.kind == EventKind::StageChanged && event.version == Some(*number)
        });
        let kept = version.tags.keys().filter(|key| {
            key.strip_prefix("promotion_")
                .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        });
        assert_eq!(changes.count(), kept.count(), "every change has its own tag");
    }
}

proptest! {
    #[test]
    fn prop_any_sequence_of_requests_keeps_the_invariants(
        acts in prop::collection::vec((act(), 0..90_000_i64), 1..60)
    ) {
        let mut register = Register::default();
        let mut at = 1_749_565_025_000;
        for (act, pause) in acts {
            at += pause;
            let before = register.clone();
            if perform(&mut register, &act, Timestamp::from_millis(at)).is_err() {
                prop_assert_eq!(&register, &before, "a refusal writes nothing");
            }
            assert_invariants(&register);
            prop_assert_eq!(&register.events[..before.events.len()], &before.events[..]);
        }
    }
}

/// A register whose version 1 is champion and version 2 in beta.
fn champion_and_beta() -> Register {
    let mut register = Register::default();
    let at = Timestamp::from_millis(1_749_565_025_000);
    for _ in 0..2 {
        register.register(
            Origin { timeframe: Timeframe::Hour1, enhanced: None },
            Honesty::Clean,
            at,
        );
    }
    for (version, target) in [(1, Stage::Beta), (1, Stage::Champion), (2, Stage::Beta)] {
        let version = VersionNumber::new(version).unwrap();
        register.promote(&promotion(version, target), at).unwrap();
    }
    register
}

#[test]
fn promoting_to_champion_archives_the_old_one() {
    let mut register = champion_and_beta();
    let at = Timestamp::from_millis(1_749_568_625_000);
    let second = VersionNumber::new(2).unwrap();
    register.promote(&promotion(second, Stage::Champion), at).unwrap();
    let first = &register.versions[&VersionNumber::FIRST].tags;
    assert_eq!(first[key::PROMOTION_STAGE], "archived");
    assert_eq!(first[key::DEMOTION_REASON], "New champion promoted");
    assert_eq!(first["promotion_20250610_1517"], "champion -> archived");
    assert_eq!(register.alias, Some(second));
}

#[test]
fn refusal_names_the_version_its_stage_and_the_legal_stages() {
    let mut register = champion_and_beta();
    let at = Timestamp::from_millis(1_749_568_625_000);
    let refusal =
        register.promote(&promotion(VersionNumber::FIRST, Stage::Development), at).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "`1H_trading_model` version 1 is in `champion` and may go to `beta` or `archived`, \
         not to `development`"
    );
    let second = VersionNumber::new(2).unwrap();
    let refusal = register.promote(&promotion(second, Stage::Beta), at).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "`1H_trading_model` version 2 is in `beta` and may go to `development`, `champion` or `archived`, \
         not to `beta`"
    );
}

#[test]
fn force_needs_a_reason_whether_it_is_needed_or_not() {
    let mut register = champion_and_beta();
    let second = VersionNumber::new(2).unwrap();
    let request = PromotionRequest { force: true, ..promotion(second, Stage::Champion) };
    let refusal = register.promote(&request, Timestamp::from_millis(0)).unwrap_err();
    assert!(matches!(refusal, Refusal::ForceWithoutReason { .. }), "{refusal}");
}

#[test]
fn expectation_of_another_champion_loses() {
    let mut register = champion_and_beta();
    let second = VersionNumber::new(2).unwrap();
    let request = PromotionRequest {
        expected_champion: Some(ExpectedChampion::Nobody),
        ..promotion(second, Stage::Champion)
    };
    let refusal = register.promote(&request, Timestamp::from_millis(0)).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "the champion of `1H_trading_model` is version 1 (expected no champion)"
    );
}

#[test]
fn demotion_keeps_its_reason_until_the_next_promotion() {
    let mut register = champion_and_beta();
    let at = Timestamp::from_millis(1_749_568_625_000);
    let request = PromotionRequest {
        reason: Some(Reason::parse("drawdown too deep").unwrap()),
        ..promotion(VersionNumber::FIRST, Stage::Beta)
    };
    register.promote(&request, at).unwrap();
    let tags = register.versions[&VersionNumber::FIRST].tags.clone();
    assert_eq!(tags[key::DEMOTION_REASON], "drawdown too deep");
    assert_eq!(tags[key::DEMOTION_TIMESTAMP], "20250610_1517");

    register.promote(&promotion(VersionNumber::FIRST, Stage::Champion), at).unwrap();
    let tags = &register.versions[&VersionNumber::FIRST].tags;
    assert!(!tags.contains_key(key::DEMOTION_REASON));
    assert!(!tags.contains_key(key::PROMOTION_REASON));
    assert!(tags.contains_key("promotion_20250610_1517_2"));
}

#[test]
fn rollback_brings_the_last_good_champion_back_twice_in_a_row() {
    let mut register = champion_and_beta();
    let at = Timestamp::from_millis(1_749_568_625_000);
    let second = VersionNumber::new(2).unwrap();
    let third = VersionNumber::new(3).unwrap();
    register.register(Origin { timeframe: Timeframe::Hour1, enhanced: None }, Honesty::Clean, at);
    for (version, stage) in
        [(second, Stage::Champion), (third, Stage::Beta), (third, Stage::Champion)]
    {
        register.promote(&promotion(version, stage), at).unwrap();
    }
    register.rollback(&rollback(), at).unwrap();
    assert_eq!(register.champion(), Some(second));
    let third_tags = &register.versions[&third].tags;
    assert_eq!(third_tags[key::DEMOTION_REASON], "Rolled back: it lost money");
    let second_tags = &register.versions[&second].tags;
    assert_eq!(second_tags["promotion_20250610_1517_3"], "archived -> beta");
    assert_eq!(second_tags["promotion_20250610_1517_4"], "beta -> champion");
    assert_eq!(second_tags[key::PROMOTION_REASON], "it lost money");

    register.rollback(&rollback(), at).unwrap();
    assert_eq!(register.champion(), Some(VersionNumber::FIRST));
    assert_invariants(&register);
    let refusal = register.rollback(&rollback(), at).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "`1H_trading_model` has no champion to go back to: version 2 was removed by a rollback; \
         version 3 was removed by a rollback"
    );
    assert_invariants(&register);
}
