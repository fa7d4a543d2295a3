//! The history that an import makes of the tags of one version.

use herdbook_domain::import::{FindingKind, ImportPlan, TargetFacts, TargetVersion, plan_import};
use herdbook_domain::tags::key;
use herdbook_domain::{EventDraft, EventKind, Timestamp, VersionKey};

use crate::import::{at, empty, kinds, model, number, run, source, stage_of, tags, version};

/// Kind, stages and time of the events of a plan.
fn told(plan: &ImportPlan) -> Vec<String> {
    let one = |(at, event): &(Timestamp, EventDraft)| {
        let stage = |stage: &Option<String>| stage.clone().unwrap_or_default();
        format!("{} {} {}>{}", at, event.kind, stage(&event.from), stage(&event.to))
    };
    plan.events.iter().map(one).collect()
}

fn reasons(plan: &ImportPlan) -> Vec<Option<&str>> {
    plan.events.iter().map(|(_, event)| event.reason.as_deref()).collect()
}

#[test]
fn gap_between_recorded_changes_is_filled_by_an_adoption() {
    let plan = plan_import(
        &source(vec![version(
            "a",
            1,
            1,
            &[
                (key::PROMOTION_STAGE, "archived"),
                ("promotion_20250605_100000", "beta -> champion"),
                ("promotion_20250607_100000", "champion -> archived"),
            ],
        )]),
        &empty(),
    );
    assert_eq!(kinds(&plan), ["history_gap"]);
    assert_eq!(
        told(&plan),
        [
            "2025-06-01T00:00:01Z registered >development",
            "2025-06-05T08:00:00Z adopted development>beta",
            "2025-06-05T08:00:00Z stage_changed beta>champion",
            "2025-06-07T08:00:00Z stage_changed champion>archived",
        ]
    );
}

#[test]
fn stage_beyond_the_recorded_changes_is_adopted_when_the_tags_say_it_was_reached() {
    for (last_promoted_at, when) in [
        (Some("20250620_120000"), "2025-06-20T10:00:00Z"),
        (Some("20250602_120000"), "2025-06-05T08:00:00Z"),
        (Some("some day"), "2025-06-05T08:00:00Z"),
        (None, "2025-06-05T08:00:00Z"),
    ] {
        let mut more = vec![
            (key::PROMOTION_STAGE, "champion"),
            ("promotion_20250605_100000", "development -> beta"),
        ];
        more.extend(last_promoted_at.map(|text| (key::LAST_PROMOTED_AT, text)));
        let plan = plan_import(&source(vec![version("a", 1, 1, &more)]), &empty());
        let is_unreadable = last_promoted_at == Some("some day");
        let unreadable = is_unreadable.then_some("unknown_word");
        let expected: Vec<&str> = unreadable.into_iter().chain(["stage_differs"]).collect();
        assert_eq!(kinds(&plan), expected);
        assert_eq!(told(&plan)[2], format!("{when} adopted beta>champion"));
        assert_eq!(stage_of(&plan, 0), Some("champion"));
    }
}

#[test]
fn changes_of_one_minute_keep_their_order_and_get_keys_of_their_own() {
    let plan = plan_import(
        &source(vec![version(
            "a",
            1,
            1,
            &[
                (key::PROMOTION_STAGE, "archived"),
                ("promotion_20250605_1000_10", "champion -> archived"),
                ("promotion_20250605_1000_2", "beta -> champion"),
                ("promotion_20250605_1000", "development -> beta"),
            ],
        )]),
        &empty(),
    );
    assert_eq!(kinds(&plan), [""; 0]);
    let tags = &plan.versions[0].tags;
    assert_eq!(tags["promotion_20250605_0800"], "development -> beta");
    assert_eq!(tags["promotion_20250605_0800_2"], "beta -> champion");
    assert_eq!(tags["promotion_20250605_0800_3"], "champion -> archived");
    assert!(!tags.keys().any(|key| key.starts_with("promotion_20250605_10")), "{tags:?}");
}

#[test]
fn change_in_the_future_happened_now() {
    let change =
        [(key::PROMOTION_STAGE, "beta"), ("promotion_20990605_100000", "development -> beta")];
    let plan = plan_import(&source(vec![version("a", 1, 1, &change)]), &empty());
    assert_eq!(kinds(&plan), ["future_time"]);
    assert_eq!(told(&plan)[1], "2026-01-01T00:00:00Z stage_changed development>beta");
}

#[test]
fn reasons_of_the_tags_belong_to_the_newest_promotion_and_the_newest_demotion() {
    let plan = plan_import(
        &source(vec![version(
            "a",
            1,
            1,
            &[
                (key::PROMOTION_STAGE, "archived"),
                ("promotion_20250605_100000", "development -> beta"),
                ("promotion_20250606_100000", "beta -> champion"),
                ("promotion_20250607_100000", "champion -> archived"),
                (key::PROMOTION_REASON, "best of\nall"),
                (key::DEMOTION_REASON, "drawdown"),
            ],
        )]),
        &empty(),
    );
    assert_eq!(reasons(&plan), [None, None, Some("best of all"), Some("drawdown")]);
}

#[test]
fn stage_that_nobody_can_read_is_where_the_recorded_changes_end() {
    for (stage, change, expected) in [
        (Some("live"), Some("development -> beta"), "beta"),
        (Some(" Beta "), Some("development -> beta"), "beta"),
        (None, Some("development -> beta"), "beta"),
        (Some("live"), None, "development"),
    ] {
        let mut source_version = version("a", 1, 1, &[]);
        source_version.tags.remove(key::PROMOTION_STAGE);
        source_version
            .tags
            .extend(stage.map(|it| (key::PROMOTION_STAGE.to_owned(), it.to_owned())));
        let change = change.map(|it| ("promotion_20250605_100000".to_owned(), it.to_owned()));
        source_version.tags.extend(change);
        let plan = plan_import(&source(vec![source_version]), &empty());
        assert_eq!(stage_of(&plan, 0), Some(expected), "{stage:?}");
        assert!(!kinds(&plan).is_empty(), "{stage:?}");
    }
}

#[test]
fn times_of_versions_that_herdbook_wrote_are_utc_already() {
    let change = [
        (key::PROMOTION_STAGE, "beta"),
        (key::HONESTY, "clean"),
        ("promotion_20250605_1000", "development -> beta"),
    ];
    let plan = plan_import(&source(vec![version("a", 1, 1, &change)]), &empty());
    assert_eq!(told(&plan)[1], "2025-06-05T10:00:00Z stage_changed development>beta");
    // No history of the source proves the tag.
    assert_eq!(plan.versions[0].tags[key::HONESTY], "unknown");
    assert_eq!(plan.versions[0].tags["imported_honesty"], "clean");
    assert_eq!(kinds(&plan), ["unproven_honesty"]);
}

#[test]
fn child_of_a_version_in_the_target_makes_that_one_old() {
    let parent = run(9).to_string();
    let child = [(key::MODEL_TYPE, "replay"), (key::BASE_MODEL_RUN_ID, parent.as_str())];
    let in_target = |version_type| TargetFacts {
        versions: vec![TargetVersion {
            key: VersionKey { name: model("other"), version: number(1) },
            run_id: Some(run(9)),
            created_at: at("2025-01-01"),
            deleted: false,
            tags: tags(&[(key::PROMOTION_STAGE, "beta"), (key::VERSION_TYPE, version_type)]),
        }],
        runs: [run(9)].into(),
        ..empty()
    };
    let source = source(vec![version("a", 1, 1, &child)]);
    let plan = plan_import(&source, &in_target("latest"));
    assert_eq!(kinds(&plan), [""; 0]);
    let [(key, changes)] = &plan.superseded[..] else { panic!("{:?}", plan.superseded) };
    assert_eq!((key.name.as_str(), changes.set[key::VERSION_TYPE].as_str()), ("other", "old"));
    let superseded = plan.events.iter().filter(|(_, it)| it.kind == EventKind::Superseded);
    assert_eq!(superseded.count(), 1);
    assert!(plan_import(&source, &in_target("old")).superseded.is_empty());
}

#[test]
fn parent_of_a_child_deleted_in_the_source_stays_old() {
    let mut source = source(vec![version("a", 1, 1, &[(key::VERSION_TYPE, "old")])]);
    source.deleted_children.insert(run(1), at("2025-06-03"));
    let plan = plan_import(&source, &empty());
    assert_eq!(kinds(&plan), [""; 0]);
    assert_eq!(plan.versions[0].tags[key::VERSION_TYPE], "old");
    assert_eq!(told(&plan)[1], "2025-06-03T00:00:00Z superseded latest>old");
}

#[test]
fn alias_champion_follows_the_champion_and_other_aliases_are_kept() {
    let champion = [
        (key::PROMOTION_STAGE, "champion"),
        ("promotion_20250605_100000", "development -> beta"),
        ("promotion_20250606_100000", "beta -> champion"),
    ];
    let mut source = source(vec![version("a", 1, 1, &champion), version("a", 2, 2, &[])]);
    let aliases = [("champion".to_owned(), number(2)), ("candidate".to_owned(), number(2))];
    source.aliases.insert(model("a"), aliases.into());
    let plan = plan_import(&source, &empty());
    let [finding] = &plan.findings[..] else { panic!("{:?}", plan.findings) };
    assert_eq!(finding.kind, FindingKind::AliasDiffers);
    assert_eq!(
        finding.line(),
        "`a`: the alias `champion` points at version 2; \
         the alias points at the champion, version 1 in the source"
    );
    let alias = |name: &str, version| (model("a"), name.to_owned(), number(version));
    assert_eq!(plan.aliases, [alias("champion", 1), alias("candidate", 2)]);
    let taken = TargetFacts { aliases: [(model("a"), "candidate".to_owned())].into(), ..empty() };
    assert_eq!(plan_import(&source, &taken).aliases, [alias("champion", 1)]);
}

#[test]
fn gap_in_a_hostile_number_is_counted_and_not_listed() {
    let versions = vec![version("a", 1, 1, &[]), version("a", i64::from(i32::MAX), 2, &[])];
    let plan = plan_import(&source(versions), &empty());
    assert_eq!(kinds(&plan), ["version_gap"]);
    assert_eq!(plan.findings[0].message, "version 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 … is missing");
}

#[test]
fn change_from_before_the_registration_happened_with_it() {
    let change = [
        (key::PROMOTION_STAGE, "champion"),
        ("promotion_20240605_100000", "development -> beta"),
        ("promotion_20250606_100000", "beta -> champion"),
    ];
    let plan = plan_import(&source(vec![version("a", 1, 1, &change)]), &empty());
    assert_eq!(kinds(&plan), ["before_registration"]);
    assert_eq!(
        told(&plan)[1..],
        [
            "2025-06-01T00:00:01Z stage_changed development>beta",
            "2025-06-06T08:00:00Z stage_changed beta>champion",
        ]
    );
}

/// The tags of a champion of the original project, which records a demotion by two tags of their own.
const DEMOTED: [(&str, &str); 6] = [
    (key::PROMOTION_STAGE, "archived"),
    ("promotion_20250605_100000", "development -> beta"),
    ("promotion_20250606_100000", "beta -> champion"),
    (key::LAST_PROMOTED_AT, "20250606_100000"),
    (key::DEMOTION_TIMESTAMP, "20250608_093005"),
    (key::DEMOTION_REASON, "New champion promoted"),
];

fn with(
    base: &[(&'static str, &'static str)],
    more: &[(&'static str, &'static str)],
) -> Vec<(&'static str, &'static str)> {
    let mut all = base.to_vec();
    all.retain(|(key, _)| !more.iter().any(|(other, _)| other == key));
    all.extend(more);
    all
}

fn plan_of(versions: &[&[(&str, &str)]]) -> ImportPlan {
    let numbered = (1..).zip(versions);
    let all = numbered.map(|(no, tags)| version("a", i64::from(no), no, tags)).collect();
    plan_import(&source(all), &empty())
}

#[test]
fn demotion_that_only_its_own_tags_record_is_a_change_at_that_time() {
    let plan = plan_of(&[&DEMOTED]);
    assert_eq!(kinds(&plan), [""; 0]);
    assert_eq!(told(&plan)[3], "2025-06-08T07:30:05Z stage_changed champion>archived");
    assert_eq!(reasons(&plan)[3], Some("New champion promoted"));
    assert!(plan.events[3].1.details.contains(r#""tag":"demotion_timestamp""#));
    let tags = &plan.versions[0].tags;
    assert_eq!(tags["promotion_20250608_0730"], "champion -> archived");
    assert_eq!(tags[key::DEMOTION_TIMESTAMP], "20250608_0730");
    assert_eq!(tags[key::DEMOTION_REASON], "New champion promoted");
    assert!(!tags.keys().any(|key| key.starts_with("imported_")), "{tags:?}");
}

#[test]
fn demotion_before_a_later_promotion_is_in_its_place() {
    let again = [
        (key::PROMOTION_STAGE, "beta"),
        ("promotion_20250610_100000", "archived -> beta"),
        (key::LAST_PROMOTED_AT, "20250610_100000"),
    ];
    let plan = plan_of(&[&with(&DEMOTED, &again)]);
    assert_eq!(kinds(&plan), [""; 0]);
    assert_eq!(
        told(&plan)[2..],
        [
            "2025-06-06T08:00:00Z stage_changed beta>champion",
            "2025-06-08T07:30:05Z stage_changed champion>archived",
            "2025-06-10T08:00:00Z stage_changed archived>beta",
        ]
    );
    assert_eq!(reasons(&plan)[3], Some("New champion promoted"));
}

#[test]
fn champion_without_a_time_of_its_demotion_stayed_until_the_next_one() {
    let untimed: Vec<_> =
        DEMOTED.into_iter().filter(|(key, _)| *key != key::DEMOTION_TIMESTAMP).collect();
    let next = [
        (key::PROMOTION_STAGE, "champion"),
        ("promotion_20250607_100000", "development -> beta"),
        ("promotion_20250609_100000", "beta -> champion"),
    ];
    let plan = plan_of(&[&untimed, &next]);
    assert_eq!(kinds(&plan), ["stage_differs"]);
    assert_eq!(
        plan.findings[0].line(),
        "`a` version 1: it is in `archived`, its recorded changes end in `champion`; it keeps its stage; \
         the history has it as `adopted` at 2025-06-09T08:00:00Z"
    );
    let moment = &told(&plan)[5..];
    assert_eq!(
        moment,
        [
            "2025-06-09T08:00:00Z adopted champion>archived",
            "2025-06-09T08:00:00Z stage_changed beta>champion",
        ]
    );
    assert_eq!(plan.versions[0].tags[key::DEMOTION_REASON], "New champion promoted");
}

#[test]
fn champion_leaves_at_the_moment_of_the_promotion_that_displaced_it() {
    // Seconds apart, in either order, or without seconds.
    for (demoted, promoted) in [
        ("20250608_093005", "promotion_20250608_093003"),
        ("20250608_093005", "promotion_20250608_0930"),
        ("20250608_0930", "promotion_20250608_0930"),
        ("20250608_0930", "promotion_20250608_093003"),
    ] {
        let old = with(&DEMOTED, &[(key::DEMOTION_TIMESTAMP, demoted)]);
        let new = [
            (key::PROMOTION_STAGE, "champion"),
            ("promotion_20250607_100000", "development -> beta"),
            (promoted, "beta -> champion"),
        ];
        // The displaced version may have the higher number.
        for versions in [[&old[..], &new[..]], [&new[..], &old[..]]] {
            let plan = plan_of(&versions);
            assert_eq!(kinds(&plan), [""; 0]);
            let mut n_champions = 0;
            for (_, event) in &plan.events {
                n_champions -= i32::from(event.from.as_deref() == Some("champion"));
                n_champions += i32::from(event.to.as_deref() == Some("champion"));
                assert!(n_champions <= 1, "{demoted} {promoted}: {:?}", told(&plan));
            }
        }
    }
}

#[test]
fn times_and_reasons_that_become_no_event_survive() {
    // Beside a recorded rise, no demotion can be at this time.
    let plan = plan_of(&[&[
        (key::PROMOTION_STAGE, "beta"),
        ("promotion_20250605_100000", "development -> beta"),
        (key::LAST_PROMOTED_AT, "20250604_100000"),
        (key::DEMOTION_TIMESTAMP, "20250603_100000"),
        (key::DEMOTION_REASON, "drawdown"),
    ]]);
    let tags = &plan.versions[0].tags;
    assert_eq!(tags["imported_demotion_timestamp"], "20250603_100000");
    assert_eq!(tags["imported_demotion_reason"], "drawdown");
    assert_eq!(tags["imported_last_promoted_at"], "20250604_100000");
    // A time that cannot be read is named.
    let plan = plan_of(&[&with(&DEMOTED, &[(key::DEMOTION_TIMESTAMP, "last week")])]);
    assert_eq!(kinds(&plan), ["unknown_word", "stage_differs"]);
    assert_eq!(plan.versions[0].tags["imported_demotion_timestamp"], "last week");
    assert_eq!(plan.versions[0].tags[key::DEMOTION_REASON], "New champion promoted");
    // One in the future happened now.
    let plan = plan_of(&[&with(&DEMOTED, &[(key::DEMOTION_TIMESTAMP, "20990101_000000")])]);
    assert_eq!(kinds(&plan), ["future_time"]);
    assert_eq!(told(&plan)[3], "2026-01-01T00:00:00Z stage_changed champion>archived");
    // The reason of an earlier demotion survives the one that the import makes.
    let again = [
        (key::PROMOTION_STAGE, "champion"),
        ("promotion_20250610_100000", "archived -> beta"),
        ("promotion_20250611_100000", "beta -> champion"),
    ];
    let newer = [
        (key::PROMOTION_STAGE, "champion"),
        ("promotion_20250605_100000", "development -> beta"),
        ("promotion_20250612_100000", "beta -> champion"),
    ];
    let plan = plan_of(&[&with(&DEMOTED, &again), &newer]);
    assert_eq!(kinds(&plan), ["two_champions"]);
    assert!(reasons(&plan).contains(&Some("New champion promoted")), "{:?}", reasons(&plan));
    assert!(reasons(&plan).contains(&Some("Another champion in the imported store")));
}

#[test]
fn enhanced_type_without_a_parent_or_an_enhancement_is_base() {
    let plan = plan_of(&[&[(key::MODEL_TYPE, "continued")]]);
    assert_eq!(kinds(&plan), ["type_without_parent"]);
    assert_eq!(
        plan.findings[0].line(),
        "`a` version 1: its model type is `continued`, but it names no parent and no enhancement; \
         it is a base model; `imported_model_type` keeps the type"
    );
    let tags = &plan.versions[0].tags;
    assert_eq!(
        (tags[key::MODEL_TYPE].as_str(), tags["imported_model_type"].as_str()),
        ("base", "continued")
    );
    let (run_id, changes) = &plan.run_tags[0];
    assert_eq!((run_id, changes.set[key::MODEL_TYPE].as_str()), (&run(1), "base"));
    // A model that claims an enhancement stays one, although its parent is unknown.
    for claim in [(key::ENHANCEMENT_TYPE, "continued"), (key::BASE_MODEL_PATH, "models/1H/old.zip")]
    {
        let plan = plan_of(&[&[(key::MODEL_TYPE, "continued"), claim]]);
        assert_eq!(kinds(&plan), ["parent_missing"], "{claim:?}");
        assert_eq!(plan.versions[0].tags[key::MODEL_TYPE], "continued");
    }
}
