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
        assert_eq!(kinds(&plan), ["stage_differs"]);
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
    assert_eq!(plan.versions[0].tags[key::HONESTY], "clean");
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
    assert_eq!(kinds(&plan), [""; 0]);
    assert_eq!(
        told(&plan)[1..],
        [
            "2025-06-01T00:00:01Z stage_changed development>beta",
            "2025-06-06T08:00:00Z stage_changed beta>champion",
        ]
    );
}
