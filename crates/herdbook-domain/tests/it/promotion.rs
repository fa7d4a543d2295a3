//! Single promotions, registrations and rollbacks: each rule by itself.

use herdbook_domain::tags::{Tags, key};
use herdbook_domain::{
    ActContext, Actor, AliasChange, Cause, Channel, ConditionOutcome, EnhancedFrom, Enhancement,
    Event, EventKind, ExpectedChampion, FormerChampion, GENESIS_HASH, Honesty, Judgement, Obstacle,
    Origin, PromotionFacts, PromotionPlan, PromotionRequest, Reason, Refusal, Registration,
    RegistrationFacts, RollbackFacts, RollbackRequest, RunId, RunPhase, Seal, SealOrigin, Sealed,
    Stage, Symbol, Timeframe, Timestamp, Unsealed, Verdict, VersionFacts, VersionKey,
    VersionNumber, VersionType, guard_run_tags, guard_version_tags, overrides_of, plan_promotion,
    plan_registration, plan_rollback,
};
use proptest::prelude::*;

use crate::register::model;

fn at() -> Timestamp {
    Timestamp::parse("2025-06-10T14:17:05Z").unwrap()
}

fn key_of(version: i64) -> VersionKey {
    VersionKey { name: model(), version: VersionNumber::new(version).unwrap() }
}

fn run(id: u8) -> RunId {
    RunId::parse(&format!("{id:032x}")).unwrap()
}

fn reason() -> Reason {
    Reason::parse("because").unwrap()
}

/// A version whose tag and history agree.
fn version(number: i64, stage: Stage) -> VersionFacts {
    VersionFacts {
        key: key_of(number),
        run_id: Some(run(1)),
        stage_tag: Some(stage.to_string()),
        history_end: Some(stage),
        honesty: Honesty::Clean,
        promotion_keys: Vec::new(),
        obstacle: None,
        symbol: None,
        deleted: false,
        unsealed: None,
    }
}

fn request(target: Stage) -> PromotionRequest {
    PromotionRequest { key: key_of(2), target, reason: None, expected_champion: None, force: false }
}

fn facts(stage: Stage) -> PromotionFacts {
    PromotionFacts { version: version(2, stage), champion: None }
}

fn judged(enforce: bool, outcome: ConditionOutcome) -> Judgement {
    let verdict = Verdict {
        condition: "`portfolio/sharpe_ratio` at least 1".to_owned(),
        value: Some(0.5),
        limit: Some(1.0),
        verdict: outcome,
        note: None,
    };
    Judgement { enforce, verdicts: vec![verdict] }
}

fn plan(request: &PromotionRequest, facts: &PromotionFacts) -> Result<PromotionPlan, Refusal> {
    plan_promotion(request, facts, &Judgement::default(), at())
}

fn details(plan: &PromotionPlan) -> serde_json::Value {
    let event = plan.requested().unwrap().events.last().unwrap();
    serde_json::from_str(&event.details).unwrap()
}

#[test]
fn unmet_conditions_warn_are_enforced_or_are_overridden_by_force() {
    use ConditionOutcome::{Met, Missing, NotMet};
    for (enforce, outcome, force, expected) in [
        (false, Met, false, None),
        (true, Met, true, None),
        (false, NotMet, false, Some("warned")),
        (false, Missing, true, Some("warned")),
        (true, NotMet, true, Some("overridden")),
        (true, Missing, true, Some("overridden")),
    ] {
        let request = PromotionRequest { force, reason: Some(reason()), ..request(Stage::Beta) };
        let judgement = judged(enforce, outcome);
        let facts = facts(Stage::Development);
        let plan = plan_promotion(&request, &facts, &judgement, at()).unwrap();
        let details = details(&plan);
        for treatment in ["warned", "overridden"] {
            assert_eq!(details.get(treatment).is_some(), expected == Some(treatment), "{details}");
        }
        assert_eq!(details["forced"], expected == Some("overridden"), "{details}");
        assert_eq!(plan.judgement, judgement);
    }
    for outcome in [NotMet, Missing] {
        let judgement = judged(true, outcome);
        let facts = facts(Stage::Development);
        let refusal = plan_promotion(&request(Stage::Beta), &facts, &judgement, at()).unwrap_err();
        assert!(matches!(refusal, Refusal::GateFailed { to: Stage::Beta, .. }), "{refusal}");
    }
}

#[test]
fn hash_of_a_plan_covers_the_facts_and_neither_time_nor_reason() {
    let hash =
        |request: PromotionRequest, change: &dyn Fn(&mut Verdict), at: Timestamp, last: i64| {
            let mut judgement = judged(false, ConditionOutcome::Met);
            change(&mut judgement.verdicts[0]);
            let facts = facts(Stage::Development);
            plan_promotion(&request, &facts, &judgement, at).unwrap().hash(&[last])
        };
    let as_it_is = |_: &mut Verdict| {};
    let beta = || request(Stage::Beta);
    let first = hash(beta(), &as_it_is, at(), 7);
    let later = Timestamp::from_millis(at().millis() + 3_600_000);
    let with_reason = PromotionRequest { reason: Some(reason()), ..beta() };
    assert_eq!(hash(with_reason, &as_it_is, later, 7), first);
    let others = [
        hash(beta(), &as_it_is, at(), 8),
        hash(request(Stage::Archived), &as_it_is, at(), 7),
        hash(beta(), &|verdict| verdict.value = Some(0.6), at(), 7),
        hash(beta(), &|verdict| verdict.limit = Some(2.0), at(), 7),
        hash(beta(), &|verdict| verdict.verdict = ConditionOutcome::Missing, at(), 7),
    ];
    assert!(others.iter().all(|other| *other != first), "{others:?}");
    let in_beta = |hours: f64| {
        let change = move |verdict: &mut Verdict| {
            verdict.condition = "in beta for at least 1 hours".to_owned();
            verdict.value = Some(hours);
        };
        hash(beta(), &change, at(), 7)
    };
    assert_eq!(in_beta(2.0), in_beta(3.0));
}

#[test]
fn demotion_is_not_held_to_conditions() {
    let judgement = judged(true, ConditionOutcome::NotMet);
    for (from, to) in [
        (Stage::Beta, Stage::Development),
        (Stage::Beta, Stage::Archived),
        (Stage::Champion, Stage::Beta),
        (Stage::Archived, Stage::Development),
    ] {
        let plan = plan_promotion(&request(to), &facts(from), &judgement, at()).unwrap();
        assert_eq!(plan.judgement, Judgement::default(), "{from} -> {to}");
        assert!(details(&plan).get("overridden").is_none());
    }
}

#[test]
fn contaminated_version_rises_only_by_force_and_falls_freely() {
    let contaminated = |stage| {
        let mut facts = facts(stage);
        facts.version.honesty = Honesty::Contaminated;
        facts
    };
    for (from, to) in [(Stage::Development, Stage::Beta), (Stage::Beta, Stage::Champion)] {
        let refusal = plan(&request(to), &contaminated(from)).unwrap_err();
        assert!(matches!(refusal, Refusal::Contaminated { .. }), "{refusal}");
        let forced = PromotionRequest { force: true, reason: Some(reason()), ..request(to) };
        assert_eq!(details(&plan(&forced, &contaminated(from)).unwrap())["forced"], true);
    }
    assert!(plan(&request(Stage::Development), &contaminated(Stage::Beta)).is_ok());
    assert!(plan(&request(Stage::Archived), &contaminated(Stage::Champion)).is_ok());
    let unknown = |stage| {
        let mut facts = facts(stage);
        facts.version.honesty = Honesty::Unknown;
        facts
    };
    assert!(plan(&request(Stage::Beta), &unknown(Stage::Development)).is_ok());
}

#[test]
fn force_that_overrides_nothing_is_not_recorded_as_forced() {
    let request = PromotionRequest { force: true, reason: Some(reason()), ..request(Stage::Beta) };
    assert_eq!(details(&plan(&request, &facts(Stage::Development)).unwrap())["forced"], false);
}

#[test]
fn version_that_cannot_be_used_does_not_rise_and_falls_freely() {
    let with = |stage, obstacle| {
        let mut facts = facts(stage);
        facts.version.obstacle = Some(obstacle);
        facts
    };
    let deleted_run = || Obstacle::RunDeleted { run_id: run(1) };
    let forced =
        |target| PromotionRequest { force: true, reason: Some(reason()), ..request(target) };
    let obstacles = [
        Obstacle::Deleted,
        Obstacle::NotReady { status: "FAILED_REGISTRATION".to_owned() },
        Obstacle::WithoutRun,
        Obstacle::RunMissing { run_id: run(1) },
        deleted_run(),
        Obstacle::ExperimentDeleted { experiment: "e".to_owned() },
        Obstacle::FileMissing { path: "a/model.zip".to_owned() },
        Obstacle::FileAltered { path: "a/model.zip".to_owned() },
    ];
    for obstacle in obstacles {
        for (from, to) in [
            (Stage::Development, Stage::Beta),
            (Stage::Archived, Stage::Beta),
            (Stage::Beta, Stage::Champion),
            // No way leads up, so the table of transitions is not what to name.
            (Stage::Development, Stage::Champion),
        ] {
            let refusal = plan(&forced(to), &with(from, obstacle.clone())).unwrap_err();
            assert!(matches!(refusal, Refusal::Unusable { .. }), "{refusal}");
        }
        for (from, to) in [
            (Stage::Champion, Stage::Beta),
            (Stage::Champion, Stage::Archived),
            (Stage::Beta, Stage::Development),
            (Stage::Archived, Stage::Development),
        ] {
            assert!(plan(&request(to), &with(from, obstacle.clone())).is_ok(), "{obstacle}");
        }
    }
    let refusal = plan(&request(Stage::Champion), &with(Stage::Beta, deleted_run())).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "`1H_trading_model` version 2 belongs to a deleted run (`00000000000000000000000000000001`, \
         which is in MLflow's trash), so it cannot be used and may not go to `champion`"
    );
    let unknown = with(Stage::Beta, Obstacle::FileUnknown);
    assert!(plan(&request(Stage::Champion), &unknown).is_ok());
}

/// The facts of a promotion to champion, with the symbols of the version and of the champion.
fn of_symbols(own: Option<&str>, champions: Option<&str>) -> PromotionFacts {
    let symbol = |text: Option<&str>| text.map(|text| Symbol::parse(text).unwrap());
    let mut facts = facts(Stage::Beta);
    facts.version.symbol = symbol(own);
    facts.champion =
        Some(VersionFacts { symbol: symbol(champions), ..version(1, Stage::Champion) });
    facts
}

#[test]
fn champion_of_another_symbol_is_displaced_only_by_force() {
    for same in [(Some("SPY"), Some("SPY")), (Some("spy"), Some("SPY")), (None, None)] {
        assert!(plan(&request(Stage::Champion), &of_symbols(same.0, same.1)).is_ok(), "{same:?}");
    }
    for other in [(Some("IBM"), Some("SPY")), (None, Some("SPY")), (Some("IBM"), None)] {
        let facts = of_symbols(other.0, other.1);
        let refusal = plan(&request(Stage::Champion), &facts).unwrap_err();
        assert!(matches!(refusal, Refusal::OtherSymbol { .. }), "{refusal}");
        let forced =
            PromotionRequest { force: true, reason: Some(reason()), ..request(Stage::Champion) };
        let details = details(&plan(&forced, &facts).unwrap());
        assert_eq!(details["forced"], true);
        assert_eq!(
            details["overridden_symbol"],
            serde_json::json!({"symbol": other.0, "champion": 1, "champion_symbol": other.1})
        );
    }
    let refusal = plan(&request(Stage::Champion), &of_symbols(Some("IBM"), Some("SPY")));
    assert_eq!(
        refusal.unwrap_err().to_string(),
        "`1H_trading_model` version 2 may not go to `champion`: it is of IBM, but the champion, version 1, is of SPY"
    );
    // A deleted champion is in nobody's use.
    let mut facts = of_symbols(Some("IBM"), Some("SPY"));
    facts.champion.as_mut().unwrap().deleted = true;
    assert!(plan(&request(Stage::Champion), &facts).is_ok());
    // Only a promotion to champion displaces.
    let mut facts = of_symbols(Some("IBM"), Some("SPY"));
    facts.version = VersionFacts { symbol: facts.version.symbol, ..version(2, Stage::Development) };
    assert!(plan(&request(Stage::Beta), &facts).is_ok());
}

#[test]
fn rollback_brings_another_symbol_back_only_by_force() {
    let of = |number, stage, symbol| VersionFacts {
        symbol: Some(Symbol::parse(symbol).unwrap()),
        ..version(number, stage)
    };
    let former = |number, symbol| FormerChampion {
        facts: of(number, Stage::Archived, symbol),
        obstacle: None,
    };
    let facts = |former| RollbackFacts { champion: Some(of(9, Stage::Champion, "IBM")), former };
    let careful = RollbackRequest { name: model(), reason: reason(), force: false };
    let forced = RollbackRequest { force: true, ..careful.clone() };
    let both = facts(vec![former(2, "SPY"), former(1, "ibm")]);
    let returned = |request| {
        let plan = plan_rollback(request, &both, at()).unwrap();
        (i64::from(plan.requested().unwrap().key.version.get()), details(&plan)["forced"].clone())
    };
    assert_eq!(returned(&careful), (1, serde_json::json!(false)));
    assert_eq!(returned(&forced), (2, serde_json::json!(true)));
    let refusal = plan_rollback(&careful, &facts(vec![former(2, "SPY")]), at()).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "`1H_trading_model` has no champion to go back to: version 2 is of SPY, but the champion, version 9, is of IBM"
    );
}

/// The requested change of a plan as an event of the log.
fn event_of(plan: &PromotionPlan) -> Event {
    let context = ActContext {
        act_id: "a".repeat(32),
        actor: Actor::parse("ada").unwrap(),
        channel: Channel::Cli,
    };
    let draft = plan.requested().unwrap().events.last().unwrap().clone();
    Event::seal(1, at(), &context, draft, GENESIS_HASH)
}

#[test]
fn event_of_a_forced_change_tells_in_words_what_was_overridden() {
    let forced =
        PromotionRequest { force: true, reason: Some(reason()), ..request(Stage::Champion) };
    let mut facts = of_symbols(Some("IBM"), Some("SPY"));
    facts.version.honesty = Honesty::Contaminated;
    let judgement = judged(true, ConditionOutcome::NotMet);
    let forced_plan = plan_promotion(&forced, &facts, &judgement, at()).unwrap();
    insta::assert_snapshot!(overrides_of(&event_of(&forced_plan)).join("\n"), @r"
    honesty: value contaminated, limit clean: the test window holds bars that the model or an ancestor was trained on
    symbol: value IBM, limit SPY (the champion, version 1)
    `portfolio/sharpe_ratio` at least 1: value 0.5000, limit 1.0000: not met
    ");
    let free = plan(&request(Stage::Champion), &of_symbols(None, None)).unwrap();
    assert!(overrides_of(&event_of(&free)).is_empty());
    // Events of earlier builds recorded no honesty state.
    let mut old = event_of(&free);
    old.what.details = r#"{"v":1,"cause":"requested","forced":true}"#.to_owned();
    assert_eq!(overrides_of(&old).len(), 1);
}

#[test]
fn stage_must_be_known_from_tag_and_history() {
    let with = |tag: Option<&str>, history_end| {
        let mut facts = facts(Stage::Development);
        facts.version.stage_tag = tag.map(str::to_owned);
        facts.version.history_end = history_end;
        plan(&request(Stage::Beta), &facts)
    };
    for tag in [None, Some(""), Some("live")] {
        assert!(matches!(with(tag, None), Err(Refusal::NotManaged { .. })), "{tag:?}");
    }
    for tag in [None, Some("live"), Some("beta"), Some("champion")] {
        let refusal = with(tag, Some(Stage::Development)).unwrap_err();
        assert!(matches!(refusal, Refusal::StageDisagrees { .. }), "{refusal}");
    }
    assert!(with(Some("development"), Some(Stage::Development)).is_ok());
}

#[test]
fn version_without_a_history_is_adopted_in_the_stage_of_its_tag() {
    let mut facts = facts(Stage::Archived);
    facts.version.history_end = None;
    let plan = plan(&request(Stage::Beta), &facts).unwrap();
    let events = &plan.requested().unwrap().events;
    let told: Vec<_> =
        events.iter().map(|it| (it.kind, it.from.as_deref(), it.to.as_deref())).collect();
    assert_eq!(
        told,
        [
            (EventKind::Adopted, None, Some("archived")),
            (EventKind::StageChanged, Some("archived"), Some("beta")),
        ]
    );
}

#[test]
fn deleted_champion_is_moved_out_of_the_way_whatever_its_history_says() {
    for history_end in [None, Some(Stage::Beta), Some(Stage::Champion)] {
        let mut facts = facts(Stage::Beta);
        let deleted = VersionFacts { deleted: true, history_end, ..version(1, Stage::Champion) };
        facts.champion = Some(deleted);
        let expecting_nobody = PromotionRequest {
            expected_champion: Some(ExpectedChampion::Nobody),
            ..request(Stage::Champion)
        };
        let plan = plan(&expecting_nobody, &facts).unwrap();
        let causes: Vec<Cause> = plan.changes.iter().map(|change| change.cause).collect();
        assert_eq!(causes, [Cause::DeletedElsewhere, Cause::Requested]);
        assert_eq!(
            plan.changes[0].version_tags.set[key::DEMOTION_REASON],
            "Deleted outside herdbook"
        );
        assert_eq!(plan.alias, AliasChange::PointTo(VersionNumber::new(2).unwrap()));
    }
}

#[test]
fn champion_with_a_stage_nobody_can_vouch_for_is_not_displaced() {
    let mut facts = facts(Stage::Beta);
    facts.champion =
        Some(VersionFacts { history_end: Some(Stage::Archived), ..version(1, Stage::Champion) });
    let refusal = plan(&request(Stage::Champion), &facts).unwrap_err();
    assert!(matches!(refusal, Refusal::StageDisagrees { ref key, .. } if *key == key_of(1)));
}

#[test]
fn expected_champion_is_compared_with_the_one_there_is() {
    let number = |version| VersionNumber::new(version).unwrap();
    let found = |champion: Option<i64>| {
        let mut facts = facts(Stage::Beta);
        facts.champion = champion.map(|it| version(it, Stage::Champion));
        facts
    };
    for (expected, champion, text) in [
        (ExpectedChampion::Nobody, None, None),
        (ExpectedChampion::Version(number(1)), Some(1), None),
        (
            ExpectedChampion::Version(number(3)),
            Some(1),
            Some("the champion of `1H_trading_model` is version 1 (expected version 3)"),
        ),
        (
            ExpectedChampion::Version(number(3)),
            None,
            Some("`1H_trading_model` has no champion (expected version 3)"),
        ),
    ] {
        let request =
            PromotionRequest { expected_champion: Some(expected), ..request(Stage::Champion) };
        let refusal = plan(&request, &found(champion)).err().map(|refusal| refusal.to_string());
        assert_eq!(refusal.as_deref(), text);
    }
}

#[test]
fn rollback_passes_over_versions_with_an_obstacle_and_archives_the_champion() {
    let former =
        |number, stage, obstacle| FormerChampion { facts: version(number, stage), obstacle };
    let request = RollbackRequest { name: model(), reason: reason(), force: false };
    for (stage, steps) in [
        (Stage::Archived, &["archived -> beta", "beta -> champion"][..]),
        (Stage::Development, &["development -> beta", "beta -> champion"]),
        (Stage::Beta, &["beta -> champion"]),
    ] {
        let facts = RollbackFacts {
            champion: Some(version(4, Stage::Champion)),
            former: vec![
                former(3, Stage::Archived, Some(Obstacle::FileUnknown)),
                former(2, stage, None),
                former(1, Stage::Archived, None),
            ],
        };
        let plan = plan_rollback(&request, &facts, at()).unwrap();
        let changes: Vec<String> =
            plan.changes.iter().map(|change| change.transition.to_string()).collect();
        assert_eq!(changes[0], "champion -> archived");
        assert_eq!(&changes[1..], steps);
        assert!(plan.changes[1..].iter().all(|change| change.key == key_of(2)));
        assert_eq!(plan.alias, AliasChange::PointTo(VersionNumber::new(2).unwrap()));
        assert_eq!(plan.displaced().map(|change| change.key.clone()), Some(key_of(4)));
    }
    let nobody = RollbackFacts { champion: None, former: Vec::new() };
    assert_eq!(
        plan_rollback(&request, &nobody, at()).unwrap_err().to_string(),
        "`1H_trading_model` has no champion to go back to: no other version was ever champion"
    );
}

fn registration(enhanced: Option<u64>) -> Registration {
    let enhanced = enhanced.map(|previous_timesteps| EnhancedFrom {
        enhancement: Enhancement::Continued,
        parent: run(9),
        previous_timesteps,
    });
    Registration {
        run_id: run(1),
        name: model(),
        origin: Origin { timeframe: Timeframe::Hour1, enhanced },
        trained_timesteps: 1_000,
        honesty: Honesty::Clean,
        model_sha256: "00".repeat(32),
    }
}

fn registration_facts() -> RegistrationFacts {
    RegistrationFacts {
        last_version: None,
        parent_versions: Vec::new(),
        sealed: Sealed::empty(at()),
    }
}

#[test]
fn version_numbers_go_on_after_the_highest_ever_given() {
    for (last, expected) in [(None, 1), (Some(1), 2), (Some(41), 42)] {
        let facts = RegistrationFacts {
            last_version: last.and_then(VersionNumber::new),
            ..registration_facts()
        };
        let plan = plan_registration(&registration(None), &facts, at());
        assert_eq!(plan.key, key_of(expected));
        assert!(plan.parent_tags.set.is_empty() && plan.superseded.is_empty());
    }
}

#[test]
fn timesteps_of_the_ancestors_are_added_and_do_not_overflow() {
    for (previous, total) in
        [(None, "1000"), (Some(24), "1024"), (Some(u64::MAX), "18446744073709551615")]
    {
        let facts = registration_facts();
        let plan = plan_registration(&registration(previous), &facts, at());
        assert_eq!(plan.version_tags[key::TOTAL_TIMESTEPS], total);
        assert_eq!(plan.version_tags.contains_key(key::PREVIOUS_TIMESTEPS), previous.is_some());
    }
}

#[test]
fn only_versions_that_are_not_old_yet_are_superseded() {
    let facts = RegistrationFacts {
        last_version: VersionNumber::new(3),
        parent_versions: vec![
            (key_of(1), Some(VersionType::Old)),
            (key_of(2), Some(VersionType::Latest)),
            (key_of(3), None),
        ],
        ..registration_facts()
    };
    let plan = plan_registration(&registration(Some(0)), &facts, at());
    assert_eq!(plan.superseded, [key_of(2), key_of(3)]);
    let kinds: Vec<EventKind> = plan.events.iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [EventKind::Registered, EventKind::Superseded, EventKind::Superseded]);
}

fn any_tags() -> impl Strategy<Value = Tags> {
    let key = prop::sample::select(vec![
        key::TIMEFRAME,
        key::MODEL_TYPE,
        key::BASE_MODEL_RUN_ID,
        key::PROMOTION_STAGE,
        key::VERSION_TYPE,
        key::HONESTY,
        key::TOTAL_TIMESTEPS,
        "promotion_20250610_1417",
        "demotion_reason",
        "herdbook.note",
        "author",
        "promotion",
    ]);
    prop::collection::btree_map(key.prop_map(str::to_owned), "[ab]", 0..6)
}

/// Keys that only acts and registrations write.
fn is_protected(key: &str) -> bool {
    ["author", "promotion", key::TOTAL_TIMESTEPS].iter().all(|free| *free != key)
}

proptest! {
    #[test]
    fn prop_guard_lets_no_protected_tag_change(given in any_tags(), present in any_tags()) {
        let differs = given.iter().any(|(key, value)| is_protected(key) && present.get(key) != Some(value));
        match guard_run_tags(&given, &present, RunPhase::Registered) {
            Ok(free) => {
                prop_assert!(!differs);
                prop_assert!(free.keys().all(|key| !is_protected(key)));
                prop_assert!(given.keys().all(|key| is_protected(key) || free.contains_key(key)));
            }
            Err(Refusal::GuardedTag { key, value, present: found, .. }) => {
                prop_assert!(is_protected(&key) && given[&key] == value && found.as_ref() != Some(&value));
                prop_assert_eq!(found, present.get(&key).cloned());
            }
            Err(refusal) => prop_assert!(false, "{}", refusal),
        }
    }

    #[test]
    fn prop_tags_of_a_new_version_never_replace_planned_ones(given in any_tags(), planned in any_tags()) {
        if let Ok((free, overruled)) = guard_version_tags(&given, &planned) {
            for (key, value) in &free {
                prop_assert!(!is_protected(key) && given.get(key) == Some(value));
            }
            for key in &overruled {
                prop_assert_eq!(key, key::TOTAL_TIMESTEPS);
                prop_assert_ne!(given.get(key), planned.get(key));
            }
        }
    }
}

fn unsealed(metric: f64) -> Unsealed {
    let mut facts = Sealed::empty(at());
    facts.metrics.insert("portfolio/sharpe_ratio".to_owned(), (metric, 7).into());
    Unsealed { origin: SealOrigin::OlderHerdbook, facts }
}

/// The seals in the events of a plan, by version.
fn seals(plan: &PromotionPlan) -> Vec<(VersionKey, Seal)> {
    let context = ActContext {
        act_id: "a".to_owned(),
        actor: Actor::parse("ada").unwrap(),
        channel: Channel::Cli,
    };
    let events = plan.events().cloned().map(|draft| Event::seal(1, at(), &context, draft, ""));
    let seals = events.filter_map(|event| Seal::of(&event).unwrap());
    seals.map(|seal| (seal.key.clone(), seal)).collect()
}

#[test]
fn every_verdict_is_in_the_event_with_value_and_limit_also_when_it_is_met() {
    let (facts, request) = (facts(Stage::Development), request(Stage::Beta));
    for (enforce, outcome) in [
        (true, ConditionOutcome::Met),
        (false, ConditionOutcome::Met),
        (false, ConditionOutcome::NotMet),
    ] {
        let plan = plan_promotion(&request, &facts, &judged(enforce, outcome), at()).unwrap();
        let details = details(&plan);
        assert_eq!(
            (&details["v"], &details["conditions"]["enforce"]),
            (&2.into(), &enforce.into())
        );
        let verdict = &details["conditions"]["verdicts"][0];
        assert_eq!((&verdict["value"], &verdict["limit"]), (&0.5.into(), &1.0.into()));
        assert_eq!(verdict["verdict"], outcome.as_str());
    }
}

#[test]
fn event_names_each_rule_that_force_overrode() {
    let mut facts = facts(Stage::Development);
    let forced = PromotionRequest { force: true, reason: Some(reason()), ..request(Stage::Beta) };
    for (honesty, outcome, overrode) in [
        (Honesty::Clean, ConditionOutcome::Met, None),
        (Honesty::Contaminated, ConditionOutcome::Met, Some(vec!["honesty"])),
        (Honesty::Clean, ConditionOutcome::NotMet, Some(vec!["conditions"])),
        (Honesty::Contaminated, ConditionOutcome::NotMet, Some(vec!["honesty", "conditions"])),
    ] {
        facts.version.honesty = honesty;
        let plan = plan_promotion(&forced, &facts, &judged(true, outcome), at()).unwrap();
        let details = details(&plan);
        assert_eq!(details["forced"], overrode.is_some());
        assert_eq!(details.get("overrode"), overrode.map(serde_json::Value::from).as_ref());
    }
}

#[test]
fn first_act_that_rests_on_a_version_seals_it_and_says_so_once() {
    let mut facts = facts(Stage::Beta);
    facts.version.unsealed = Some(unsealed(-3.0));
    let plan =
        plan_promotion(&request(Stage::Champion), &facts, &Judgement::default(), at()).unwrap();
    let [(key, seal)] = &seals(&plan)[..] else { panic!("{plan:#?}") };
    assert_eq!((key, seal.origin), (&key_of(2), SealOrigin::OlderHerdbook));
    assert_eq!(seal.facts, unsealed(-3.0).facts);
    let adopted = plan.events().next().unwrap();
    assert_eq!((adopted.kind, adopted.to.as_deref()), (EventKind::Adopted, Some("beta")));

    let former = FormerChampion {
        facts: VersionFacts { unsealed: Some(unsealed(1.0)), ..version(2, Stage::Archived) },
        obstacle: None,
    };
    let back = RollbackFacts { champion: None, former: vec![former] };
    let request = RollbackRequest { name: model(), reason: reason(), force: false };
    let plan = plan_rollback(&request, &back, at()).unwrap();
    assert_eq!((plan.changes.len(), seals(&plan).len()), (2, 1));
}

#[test]
fn champion_that_conditions_compare_with_is_sealed_though_it_stays() {
    let mut facts = facts(Stage::Development);
    let champion = VersionFacts { unsealed: Some(unsealed(2.0)), ..version(1, Stage::Champion) };
    facts.champion = Some(champion);
    let with = |judgement: &Judgement| {
        let plan = plan_promotion(&request(Stage::Beta), &facts, judgement, at()).unwrap();
        seals(&plan).into_iter().map(|(key, _)| key).collect::<Vec<_>>()
    };
    assert_eq!(with(&judged(true, ConditionOutcome::Met)), [key_of(1)]);
    assert_eq!(with(&Judgement::default()), []);
}
