//! Imports of any source, however contradictory: what is written keeps the rules.

use std::collections::{BTreeMap, BTreeSet};

use herdbook_domain::import::{
    FindingKind, ImportPlan, SourceFile, SourceHistory, SourceRecords, SourceRun, SourceVersion,
    TargetFacts, TargetVersion, Zone, plan_import,
};
use herdbook_domain::tags::{Tags, key};
use herdbook_domain::{
    EventDraft, EventKind, ModelName, RunId, RunStatus, Stage, Timestamp, VersionKey, VersionNumber,
};
use proptest::prelude::*;
use proptest::sample::select;

const NOW: &str = "2026-01-01T00:00Z";

pub(crate) fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

pub(crate) fn run(id: u8) -> RunId {
    RunId::parse(&format!("{id:032x}")).unwrap()
}

pub(crate) fn model(name: &str) -> ModelName {
    ModelName::parse(name).unwrap()
}

pub(crate) fn number(version: i64) -> VersionNumber {
    VersionNumber::new(version).unwrap()
}

pub(crate) fn tags(pairs: &[(&str, &str)]) -> Tags {
    pairs.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect()
}

/// An hourly base model, registered in June, with further tags.
pub(crate) fn version(name: &str, version: i64, of: u8, more: &[(&str, &str)]) -> SourceVersion {
    let mut all = tags(&[
        (key::TIMEFRAME, "1H"),
        (key::MODEL_TYPE, "base"),
        (key::VERSION_TYPE, "latest"),
        (key::PROMOTION_STAGE, "development"),
    ]);
    all.extend(tags(more));
    SourceVersion {
        key: VersionKey { name: model(name), version: number(version) },
        run_id: Some(run(of)),
        created_at: Timestamp::from_millis(at("2025-06-01T00:00Z").millis() + version * 1_000),
        tags: all,
        mlflow_stage: "None".to_owned(),
        model_file: Some(SourceFile { artifact: "models/1H/model.zip".to_owned(), sha256: None }),
    }
}

pub(crate) fn source(versions: Vec<SourceVersion>) -> SourceRecords {
    let runs = versions.iter().filter_map(|version| {
        let run_id = version.run_id.clone()?;
        let run = SourceRun { run_id, status: RunStatus::Finished, tags: Tags::new() };
        Some((run.run_id.clone(), run))
    });
    SourceRecords {
        label: "sqlite:///old.db".to_owned(),
        zone: "Europe/Berlin".parse().unwrap(),
        runs: runs.collect(),
        versions,
        aliases: BTreeMap::new(),
        history: SourceHistory::default(),
        deleted_children: BTreeMap::new(),
    }
}

pub(crate) fn empty() -> TargetFacts {
    TargetFacts { now: at(NOW), ..TargetFacts::default() }
}

pub(crate) fn kinds(plan: &ImportPlan) -> Vec<&'static str> {
    plan.findings.iter().map(|finding| finding.kind.as_str()).collect()
}

pub(crate) fn stage_of(plan: &ImportPlan, idx: usize) -> Option<&str> {
    plan.versions[idx].tags.get(key::PROMOTION_STAGE).map(String::as_str)
}

#[test]
fn recorded_changes_become_history_in_utc() {
    let source = source(vec![version(
        "a",
        1,
        1,
        &[
            (key::PROMOTION_STAGE, "beta"),
            ("promotion_20250610_141733", "development -> beta"),
            (key::LAST_PROMOTED_AT, "20250610_141733"),
            (key::PROMOTION_REASON, "passes"),
        ],
    )]);
    let plan = plan_import(&source, &empty());
    assert_eq!(kinds(&plan), [""; 0]);
    let tags = &plan.versions[0].tags;
    assert_eq!(
        tags.get("promotion_20250610_1217").map(String::as_str),
        Some("development -> beta")
    );
    assert!(!tags.contains_key("promotion_20250610_141733"));
    assert_eq!(tags[key::LAST_PROMOTED_AT], "20250610_1217");
    assert_eq!(tags[key::HONESTY], "unknown");
    let (when, change) = &plan.events[1];
    assert_eq!(when.to_string(), "2025-06-10T12:17:33Z");
    assert_eq!(change.reason.as_deref(), Some("passes"));
    assert!(change.details.contains("promotion_20250610_141733"), "{}", change.details);
    assert!(change.details.contains("sqlite:///old.db"), "{}", change.details);
}

#[test]
fn of_two_champions_the_one_made_last_stays() {
    let champion = |number, of, change: &str| {
        version(
            "a",
            number,
            of,
            &[
                (key::PROMOTION_STAGE, "champion"),
                ("promotion_20250602_100000", "development -> beta"),
                (change, "beta -> champion"),
            ],
        )
    };
    let source = source(vec![
        champion(1, 1, "promotion_20250605_100000"),
        champion(2, 2, "promotion_20250604_100000"),
    ]);
    let plan = plan_import(&source, &empty());
    assert_eq!(kinds(&plan), ["two_champions"]);
    assert_eq!((stage_of(&plan, 0), stage_of(&plan, 1)), (Some("champion"), Some("archived")));
    let crowned = (model("a"), "champion".to_owned(), number(1));
    assert_eq!(plan.aliases, [crowned]);
}

#[test]
fn champion_of_the_target_keeps_its_place_and_versions_are_numbered_on() {
    let target = TargetFacts {
        versions: vec![TargetVersion {
            key: VersionKey { name: model("a"), version: number(3) },
            run_id: Some(run(9)),
            created_at: at("2025-01-01"),
            deleted: false,
            tags: tags(&[(key::PROMOTION_STAGE, "champion")]),
        }],
        highest: BTreeMap::from([(model("a"), number(3))]),
        ..empty()
    };
    let plan = plan_import(
        &source(vec![version("a", 7, 1, &[(key::PROMOTION_STAGE, "champion")])]),
        &target,
    );
    assert_eq!(kinds(&plan), ["stage_without_history", "version_gap", "champion_in_target"]);
    assert_eq!(plan.versions[0].key.version, number(4));
    assert_eq!(plan.versions[0].tags["imported_from_version"], "7");
    assert_eq!(stage_of(&plan, 0), Some("beta"));
}

#[test]
fn child_makes_its_parent_old_and_nothing_else_does() {
    let parent = run(1).to_string();
    let child = [(key::MODEL_TYPE, "replay"), (key::BASE_MODEL_RUN_ID, parent.as_str())];
    let source = source(vec![
        version("a", 1, 1, &[]),
        version("a", 2, 2, &child),
        version("a", 3, 3, &[(key::VERSION_TYPE, "old")]),
    ]);
    let plan = plan_import(&source, &empty());
    assert_eq!(kinds(&plan), ["latest_with_children", "old_without_children"]);
    let types: Vec<&str> =
        plan.versions.iter().map(|it| it.tags[key::VERSION_TYPE].as_str()).collect();
    assert_eq!(types, ["old", "latest", "latest"]);
    assert_eq!(plan.versions[2].tags["imported_version_type"], "old");
    let superseded = plan.events.iter().filter(|(_, it)| it.kind == EventKind::Superseded);
    assert_eq!(superseded.count(), 1);
}

#[test]
fn version_without_a_stage_takes_no_part_and_is_kept_as_it_is() {
    let mut other = version("image_classifier", 1, 1, &[]);
    other.tags = tags(&[("team", "vision")]);
    other.mlflow_stage = "Production".to_owned();
    let plan = plan_import(&source(vec![other.clone()]), &empty());
    assert_eq!((plan.versions[0].tags.clone(), plan.events.len()), (other.tags, 0));
    assert_eq!(plan.versions[0].mlflow_stage, "Production");
}

#[test]
fn each_contradiction_is_named() {
    let parent = run(8).to_string();
    let source = source(vec![
        version("a", 1, 1, &[(key::PROMOTION_STAGE, "live"), ("promotion_20250605_100000", "up")]),
        version(
            "a",
            2,
            2,
            &[
                ("promotion_20250605_100000", "beta -> champion"),
                ("promotion_20250606_100000", "archived -> champion"),
            ],
        ),
        version("a", 3, 3, &[(key::MODEL_TYPE, "replay"), (key::BASE_MODEL_RUN_ID, &parent)]),
        version("a", 5, 5, &[(key::TIMEFRAME, "2H")]),
        version("a", 6, 4, &[("promotion_20990605_100000", "development -> beta")]),
        version("a", 7, 1, &[]),
    ]);
    let plan = plan_import(&source, &empty());
    let found: BTreeSet<&str> = kinds(&plan).into_iter().collect();
    let wanted = [
        "duplicate_registration",
        "forbidden_change",
        "future_time",
        "history_gap",
        "parent_missing",
        "stage_differs",
        "unknown_word",
        "version_gap",
    ];
    assert_eq!(found, BTreeSet::from(wanted));
}

fn any_version() -> impl Strategy<Value = SourceVersion> {
    let word = |words: &'static [&'static str]| proptest::option::weighted(0.8, select(words));
    let changes = proptest::collection::vec(
        (
            select(
                &[
                    "20250605_100000",
                    "20250605_100001",
                    "20250604_0900",
                    "20250604_0900_2",
                    "20991231_235959",
                    "2025",
                ][..],
            ),
            select(
                &[
                    "development -> beta",
                    "beta -> champion",
                    "champion -> archived",
                    "archived -> beta",
                    "development->champion",
                    "up",
                ][..],
            ),
        ),
        0..4,
    );
    let demotion = (
        word(&["20250604_0900", "20250605_100001", "20250606_120000", "20991231_235959", "then"]),
        word(&["New champion promoted", ""]),
    );
    (
        (select(&["a", "b"][..]), 1_i64..5, proptest::option::weighted(0.9, 1_u8..5)),
        word(&["1H", "1h", "4H", "week"]),
        word(&["base", "replay", "enhanced"]),
        word(&["latest", "old", "newest"]),
        word(&["development", "beta", "champion", "champion", "archived", "live"]),
        word(&["continued", "none"]),
        (proptest::option::of(1_u8..7), demotion),
        changes,
    )
        .prop_map(
            |(
                (name, no, of),
                timeframe,
                kind,
                latest,
                stage,
                enhancement,
                (parent, demotion),
                changes,
            )| {
                let mut found = version(name, no, of.unwrap_or(1), &[]);
                found.run_id = of.map(run);
                found.tags = Tags::new();
                let parent = parent.map(|id| run(id).to_string());
                let words = [
                    (key::TIMEFRAME, timeframe),
                    (key::MODEL_TYPE, kind),
                    (key::VERSION_TYPE, latest),
                    (key::PROMOTION_STAGE, stage),
                    (key::ENHANCEMENT_TYPE, enhancement),
                    (key::BASE_MODEL_RUN_ID, parent.as_deref()),
                    (key::DEMOTION_TIMESTAMP, demotion.0),
                    (key::DEMOTION_REASON, demotion.1),
                ];
                found.tags.extend(
                    words
                        .into_iter()
                        .filter_map(|(key, word)| Some((key.to_owned(), word?.to_owned()))),
                );
                found.tags.extend(
                    changes
                        .into_iter()
                        .map(|(at, change)| (format!("promotion_{at}"), change.to_owned())),
                );
                found
            },
        )
}

fn any_source() -> impl Strategy<Value = SourceRecords> {
    proptest::collection::vec(any_version(), 0..8).prop_map(|versions| {
        let distinct: BTreeMap<VersionKey, SourceVersion> =
            versions.into_iter().map(|version| (version.key.clone(), version)).collect();
        source(distinct.into_values().collect())
    })
}

/// The target after a plan was carried out.
fn after(plan: &ImportPlan, before: &TargetFacts) -> TargetFacts {
    let mut target = before.clone();
    for version in &plan.versions {
        target.versions.push(TargetVersion {
            key: version.key.clone(),
            run_id: version.run_id.clone(),
            created_at: version.created_at,
            deleted: false,
            tags: version.tags.clone(),
        });
        let highest = target.highest.entry(version.key.name.clone()).or_insert(version.key.version);
        *highest = version.key.version.max(*highest);
    }
    for (key, changes) in &plan.superseded {
        if let Some(version) = target.versions.iter_mut().find(|version| version.key == *key) {
            changes.apply(&mut version.tags);
        }
    }
    target
}

fn is_change(key: &str) -> bool {
    key.strip_prefix("promotion_")
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

fn assert_history_is_whole(version: &TargetVersion, events: &[&EventDraft]) {
    let mut stage: Option<String> = None;
    let mut changes = Vec::new();
    for event in events.iter().filter(|event| event.kind != EventKind::Superseded) {
        assert_eq!(event.from, stage, "{event:?}");
        stage.clone_from(&event.to);
        if event.kind == EventKind::StageChanged {
            let word = |word: &Option<String>| word.clone().unwrap_or_default();
            changes.push(format!("{} -> {}", word(&event.from), word(&event.to)));
        }
    }
    assert_eq!(stage.as_ref(), version.tags.get(key::PROMOTION_STAGE));
    let mut told: Vec<String> =
        version.tags.iter().filter(|(key, _)| is_change(key)).map(|(_, it)| it.clone()).collect();
    if events.is_empty() {
        return;
    }
    told.sort();
    changes.sort();
    assert_eq!(told, changes);
}

fn assert_rules_hold(target: &TargetFacts, events: &[(Timestamp, EventDraft)]) {
    let living = || target.versions.iter();
    let mut champions = BTreeSet::new();
    let mut runs = BTreeSet::new();
    for version in living() {
        let tag = |key: &str| version.tags.get(key).map(String::as_str);
        if tag(key::PROMOTION_STAGE) == Some("champion") {
            assert!(champions.insert(version.key.name.clone()), "two champions");
        }
        if version.tags.contains_key(key::PROMOTION_STAGE) {
            if let Some(run_id) = &version.run_id {
                assert!(runs.insert(run_id.clone()), "two versions of one run take part");
            }
            let own = version.run_id.as_ref().map(RunId::as_str);
            let has_child = own.is_some()
                && living().any(|child| {
                    child.run_id != version.run_id
                        && child.tags.get(key::BASE_MODEL_RUN_ID).map(String::as_str) == own
                });
            assert_eq!(tag(key::VERSION_TYPE), Some(if has_child { "old" } else { "latest" }));
        }
        let of_version: Vec<&EventDraft> = events
            .iter()
            .map(|(_, event)| event)
            .filter(|event| {
                event.name.as_ref() == Some(&version.key.name)
                    && event.version == Some(version.key.version)
            })
            .collect();
        assert_history_is_whole(version, &of_version);
    }
    assert!(events.is_sorted_by_key(|(at, _)| *at));
    assert!(events.iter().all(|(at, _)| *at <= target.now));
}

proptest! {
    #[test]
    fn prop_any_source_leaves_a_target_that_keeps_the_rules(source in any_source()) {
        let plan = plan_import(&source, &empty());
        assert_rules_hold(&after(&plan, &empty()), &plan.events);
    }

    #[test]
    fn prop_second_import_of_any_source_adds_nothing(source in any_source()) {
        let first = plan_import(&source, &empty());
        let second = plan_import(&source, &after(&first, &empty()));
        prop_assert_eq!(second.n_present, source.versions.len());
        prop_assert!(second.versions.is_empty() && second.events.is_empty(), "{:?}", second);
        prop_assert!(second.run_tags.is_empty() && second.superseded.is_empty(), "{:?}", second);
    }

    #[test]
    fn prop_versions_that_come_later_keep_the_rules(source in any_source(), n_first in 0_usize..8) {
        let mut early = source.clone();
        early.versions.truncate(n_first);
        let first = plan_import(&early, &empty());
        let between = after(&first, &empty());
        let second = plan_import(&source, &between);
        let both: Vec<_> = first.events.into_iter().chain(second.events.clone()).collect();
        let target = after(&second, &between);
        prop_assert_eq!(target.versions.len(), source.versions.len());
        let numbers: BTreeSet<_> = target.versions.iter().map(|it| it.key.clone()).collect();
        prop_assert_eq!(numbers.len(), target.versions.len());
        let champions = target.versions.iter().filter(|it| it.tags.get(key::PROMOTION_STAGE).map(String::as_str) == Some(Stage::Champion.as_str()));
        let names: Vec<_> = champions.map(|it| it.key.name.clone()).collect();
        prop_assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
        prop_assert!(!both.is_empty() || target.versions.iter().all(|it| !it.tags.contains_key(key::PROMOTION_STAGE)));
    }
}

#[test]
fn every_kind_of_finding_has_its_own_word() {
    let words: BTreeSet<&str> = FindingKind::NAMES.iter().copied().collect();
    assert_eq!(words.len(), FindingKind::ALL.len());
    assert_eq!(Zone::UTC.to_string(), "UTC");
}
