//! Conditions on promotion, judged inside the act on the current records.

use herdbook_domain::{
    Condition, ConditionOutcome, Conditions, Evaluation, Event, EventKind, GENESIS_HASH,
    MetricName, ModelName, Refusal, Requirement, Stage, Timestamp, window_params,
};
use herdbook_store::{Effect, EventQuery, StoreError};

use crate::herd::{Herd, model, number, promotion, version};
use crate::usable::rename;

const REWARD: &str = "evaluation/best_mean_reward";

fn enforced(to: Stage, requirement: Requirement) -> Conditions {
    let condition = Condition { to, timeframes: Vec::new(), models: Vec::new(), requirement };
    Conditions { enforce: true, all: vec![condition] }
}

fn reward_of(limit: f64) -> Conditions {
    enforced(Stage::Beta, Requirement::AtLeast(MetricName::parse(REWARD).unwrap(), limit))
}

fn beats_champion() -> Conditions {
    enforced(Stage::Champion, Requirement::BeatsChampion(MetricName::parse(REWARD).unwrap()))
}

/// Registers a model of a run on the same bars, windows and costs as every other.
fn train_on_the_same_data(herd: &Herd, reward: f64) {
    let params: Vec<_> = window_params::of_result().map(|key| (key, "same")).collect();
    herd.train_with(&params, reward);
}

/// An evaluation of the model with this file over January 2018.
pub(crate) fn evaluation(model: &str, probability: f64) -> Evaluation {
    let window =
        serde_json::json!({"start": "2018-01-01T00:00:00Z", "end": "2018-02-01T00:00:00Z"});
    serde_json::from_value(serde_json::json!({
        "v": 2, "symbol": "EURUSD", "bars_sha256": "ab", "n_bars": 500, "n_shown_before": 0,
        "window": window, "is_lineage_known": true, "cost_bps": 1.0, "metrics": {},
        "buy_and_hold": {}, "benchmark_sharpe_per_bar": 0.0, "probability": probability,
        "basis": {
            "model_sha256": model, "returns_sha256": format!("{model} {probability}"),
            "timeframe": "1H", "trained_symbol": "EURUSD", "training_cost_bps": 1.0, "new_from": null,
            "shared_with": [], "n_trainings": 0,
            "record": {
                "windows": [window], "joined": [format!("{model} {probability}")],
                "looks": {"n_grown": 1, "n_first": 499, "n_now": 499, "n_apart": 0},
                "figures": {
                    "n_returns": 499, "n_trades": 40, "bars_per_year": null,
                    "probability": probability, "flat": null, "buy_and_hold": null, "block": 2,
                    "without_best_bar": null, "without_best_trade": null,
                    "among": [[1, probability], [2, probability - 0.05]],
                },
            },
        },
    }))
    .unwrap()
}

fn details_of_newest(herd: &Herd) -> serde_json::Value {
    let events = herd.store.events(&EventQuery::default()).unwrap();
    serde_json::from_str(&events.last().unwrap().what.details).unwrap()
}

#[test]
fn unmet_condition_that_is_enforced_refuses_and_writes_nothing() {
    let herd = Herd::new();
    herd.train(None, 1.0);
    let before = herd.store.events(&EventQuery::default()).unwrap();
    let request = promotion(1, Stage::Beta);
    for effect in [Effect::DryRun, Effect::Commit] {
        let error = herd.store.promote_under(&reward_of(1.5), &request, effect).unwrap_err();
        let StoreError::Refused(Refusal::GateFailed { judgement, .. }) = &error else {
            panic!("{error}");
        };
        assert_eq!(
            (judgement.verdicts[0].value, judgement.verdicts[0].limit),
            (Some(1.0), Some(1.5))
        );
        assert!(error.to_string().contains("value 1.0000, limit 1.5000: not met"), "{error}");
    }
    assert_eq!(herd.store.events(&EventQuery::default()).unwrap(), before);
    let met = herd.store.promote_under(&reward_of(1.0), &request, Effect::Commit).unwrap();
    assert_eq!(met.plan.judgement.verdicts[0].verdict, ConditionOutcome::Met);
    assert!(details_of_newest(&herd).get("overridden").is_none());
    herd.assert_invariants();
}

#[test]
fn force_overrides_and_the_event_tells_what() {
    let herd = Herd::new();
    herd.train(None, 1.0);
    let mut request = promotion(1, Stage::Beta);
    request.force = true;
    herd.store.promote_under(&reward_of(1.5), &request, Effect::Commit).unwrap();
    let details = details_of_newest(&herd);
    assert_eq!(details["forced"], true);
    assert_eq!(details["overridden"][0]["verdict"], "not_met");
    assert_eq!(details["overridden"][0]["value"], 1.0);
    herd.assert_invariants();
}

#[test]
fn condition_that_only_warns_is_told_in_the_event() {
    let herd = Herd::new();
    herd.train(None, 1.0);
    let conditions = Conditions { enforce: false, ..reward_of(1.5) };
    let request = promotion(1, Stage::Beta);
    let promoted = herd.store.promote_under(&conditions, &request, Effect::Commit).unwrap();
    assert_eq!(promoted.plan.judgement.unmet().count(), 1);
    let details = details_of_newest(&herd);
    assert_eq!((&details["forced"], &details["warned"][0]["limit"]), (&false.into(), &1.5.into()));
}

#[test]
fn way_down_and_rollback_stand_under_no_condition() {
    let herd = Herd::new();
    herd.train(None, 1.0);
    herd.promote(1, Stage::Beta).unwrap();
    herd.promote(1, Stage::Champion).unwrap();
    let down = promotion(1, Stage::Beta);
    let demoted = herd.store.promote_under(&reward_of(9.0), &down, Effect::Commit).unwrap();
    assert_eq!(demoted.plan.judgement.verdicts, []);
}

#[test]
fn newest_record_is_the_evidence_and_other_models_are_tries() {
    let herd = Herd::new();
    herd.train(None, 1.0);
    herd.train(None, 1.0);
    let conditions = enforced(Stage::Beta, Requirement::Evidence(0.9));
    let request = promotion(1, Stage::Beta);
    let outcome = || herd.store.promote_under(&conditions, &request, Effect::DryRun);
    let refusal = || outcome().unwrap_err().to_string();
    assert!(refusal().contains("never evaluated"));
    let record = |number, model, probability, n_known| {
        herd.store.record_evaluation(&version(number), &evaluation(model, probability), n_known)
    };
    record(1, "m1", 0.5, 0).unwrap();
    assert!(refusal().contains("value 0.5000, limit 0.9000"));
    record(1, "m1", 0.94, 1).unwrap();
    outcome().unwrap();
    assert_eq!(herd.store.standing(&version(1)).unwrap().unwrap().n_tries, 1);
    record(2, "m2", 0.2, 2).unwrap();
    let refused = refusal();
    assert!(refused.contains("value 0.8900, limit 0.9000"), "{refused}");
    assert!(refused.contains("as the best of 2 tries on its bars"), "{refused}");
}

#[test]
fn evaluation_that_missed_another_one_is_not_recorded() {
    let herd = Herd::new();
    herd.train(None, 1.0);
    let record =
        |n_known| herd.store.record_evaluation(&version(1), &evaluation("m1", 0.5), n_known);
    record(0).unwrap();
    let refused = record(0).unwrap_err();
    assert!(matches!(refused, StoreError::EvaluatedMeanwhile { .. }), "{refused}");
    record(1).unwrap();
    assert_eq!(herd.store.all_evaluations().unwrap().len(), 2);
}

#[test]
fn evaluation_of_an_older_herdbook_is_read_but_no_evidence() {
    let herd = Herd::new();
    herd.train(None, 1.0);
    let mut old = evaluation("m1", 0.99);
    (old.v, old.basis) = (1, None);
    herd.store.record_evaluation(&version(1), &old, 0).unwrap();
    assert_eq!(herd.store.evaluations(&version(1)).unwrap()[0].1, old);
    let conditions = enforced(Stage::Beta, Requirement::Evidence(0.9));
    let refused = herd.store.promote_under(&conditions, &promotion(1, Stage::Beta), Effect::DryRun);
    assert!(refused.unwrap_err().to_string().contains("kept no returns: evaluate again"));
}

/// Gives each event the time that `moved` returns in milliseconds, and joins the chain of hashes again.
fn move_events(herd: &Herd, moved: impl Fn(&Event) -> i64) {
    let mut previous = GENESIS_HASH.to_owned();
    for mut event in herd.store.events(&EventQuery::default()).unwrap() {
        event.at = Timestamp::from_millis(moved(&event));
        event.previous_hash.clone_from(&previous);
        event.hash = event.compute_hash();
        let (id, at, hash, before) =
            (event.id, event.at.millis(), &event.hash, &event.previous_hash);
        let sql = format!(
            "UPDATE herdbook_events SET at_ms = {at}, hash = '{hash}', previous_hash = '{before}' WHERE id = {id};
             UPDATE herdbook_seals SET at_ms = {at} WHERE event_id = {id};"
        );
        herd.foreign().execute_batch(&sql).unwrap();
        previous.clone_from(&event.hash);
    }
}

const HOUR_MS: i64 = 3_600_000;

#[test]
fn hours_in_beta_count_from_the_last_time_it_came_there() {
    let herd = Herd::new();
    herd.train(None, 1.0);
    herd.promote(1, Stage::Beta).unwrap();
    move_events(&herd, |event| event.at.millis() - HOUR_MS);
    let request = promotion(1, Stage::Champion);
    let asked = |hours| enforced(Stage::Champion, Requirement::HoursInBeta(hours));
    herd.store.promote_under(&asked(0.9), &request, Effect::DryRun).unwrap();
    herd.store.promote_under(&asked(1.1), &request, Effect::DryRun).unwrap_err();
    herd.promote(1, Stage::Development).unwrap();
    herd.promote(1, Stage::Beta).unwrap();
    herd.store.promote_under(&asked(0.9), &request, Effect::DryRun).unwrap_err();
}

#[test]
fn clock_that_was_set_back_adds_no_time_in_beta() {
    let herd = Herd::new();
    herd.train(None, 1.0);
    herd.promote(1, Stage::Beta).unwrap();
    let request = promotion(1, Stage::Champion);
    let hours = || {
        let conditions = enforced(Stage::Champion, Requirement::HoursInBeta(72.0));
        let conditions = Conditions { enforce: false, ..conditions };
        let promoted = herd.store.promote_under(&conditions, &request, Effect::DryRun).unwrap();
        promoted.plan.judgement.verdicts[0].value
    };
    let move_entry = |by_hours: i64| {
        move_events(&herd, |event| {
            let is_entry = event.what.kind == EventKind::StageChanged;
            event.at.millis() + if is_entry { by_hours * HOUR_MS } else { 0 }
        });
    };
    move_entry(-100);
    let counted = hours().unwrap();
    assert!((0.0..0.1).contains(&counted), "{counted}");
    // An earlier event in the future of the clock says nothing about the time.
    move_events(&herd, |event| {
        let is_entry = event.what.kind == EventKind::StageChanged;
        event.at.millis() + if is_entry { 0 } else { 2 * HOUR_MS }
    });
    let counted = hours().unwrap();
    assert!((100.0..100.1).contains(&counted), "{counted}");
    move_entry(102);
    assert_eq!(hours(), None, "it entered beta in the future of the clock");
}

fn on_model(names: &[&str]) -> Conditions {
    let mut conditions = reward_of(9.0);
    let names = names.iter().map(|name| ModelName::parse(name).unwrap());
    conditions.all[0].models = names.collect();
    conditions
}

#[test]
fn renamed_model_keeps_its_conditions_and_its_old_name_has_them_too() {
    let herd = Herd::new();
    herd.train(None, 1.0);
    let conditions = on_model(&["1H_trading_model"]);
    let rises = |name: &str, conditions: &Conditions| {
        let mut request = promotion(1, Stage::Beta);
        request.key.name = ModelName::parse(name).unwrap();
        herd.store.promote_under(conditions, &request, Effect::DryRun)
    };
    let is_refused = |outcome: Result<_, StoreError>| {
        matches!(outcome, Err(StoreError::Refused(Refusal::GateFailed { .. })))
    };
    assert!(is_refused(rises("1H_trading_model", &conditions)));
    rename(&herd, "1H_trading_model", "1H_second");
    assert!(is_refused(rises("1H_second", &conditions)));
    // The first versions show the former name, though a newer one never had it.
    rename(&herd, "1H_second", "1H_third");
    assert!(is_refused(rises("1H_third", &conditions)));
    assert!(is_refused(rises("1H_third", &on_model(&["1H_third"]))));
    rename(&herd, "1H_third", "1H_trading_model");
    assert!(is_refused(rises("1H_trading_model", &conditions)));
    // A new model takes the old name. Its first version has the next number of that name.
    rename(&herd, "1H_trading_model", "1H_moved");
    herd.train(None, 1.0);
    assert!(is_refused(rises("1H_moved", &conditions)));
    let new = herd.store.promote_under(&conditions, &promotion(2, Stage::Beta), Effect::DryRun);
    assert!(is_refused(new));
    rises("1H_moved", &Conditions::default()).unwrap();
}

#[test]
fn condition_on_a_model_that_never_was_refuses_every_rise() {
    let herd = Herd::new();
    herd.train(None, 1.0);
    for name in ["trading_model", "1h_trading_model", "1H_trading_model ", "1H_other"] {
        let mut conditions = on_model(&[name]);
        for enforce in [true, false] {
            conditions.enforce = enforce;
            let request = promotion(1, Stage::Beta);
            let outcome = herd.store.promote_under(&conditions, &request, Effect::Commit);
            assert_eq!(
                outcome.unwrap_err().to_string(),
                format!(
                    "a condition on promotion names the model `{name}`, which was never registered: there are \
                     1H_trading_model"
                )
            );
        }
        // The way down is free.
        let down = promotion(1, Stage::Archived);
        herd.store.promote_under(&conditions, &down, Effect::DryRun).unwrap();
    }
    assert_eq!(herd.tag(1, "promotion_stage").as_deref(), Some("development"));
}

/// If the facts were read before the act, two promotions could both beat the old champion, and the worse version could be
/// promoted last.
#[test]
fn of_racers_that_must_beat_the_champion_each_new_one_beats_the_last() {
    let herd = Herd::new();
    // In this order a later version is often worse.
    let rewards = [3.0, 7.0, 1.0, 8.0, 2.0, 6.0, 5.0, 4.0];
    for reward in rewards {
        train_on_the_same_data(&herd, reward);
    }
    for of in 1..=8 {
        herd.promote(of, Stage::Beta).unwrap();
    }
    std::thread::scope(|scope| {
        for of in 1..=8 {
            let store = herd.another_store();
            scope.spawn(move || {
                let request = promotion(of, Stage::Champion);
                match store.promote_under(&beats_champion(), &request, Effect::Commit) {
                    Ok(_) | Err(StoreError::Refused(Refusal::GateFailed { .. })) => {}
                    Err(error) => panic!("{error}"),
                }
            });
        }
    });
    let crowned = EventQuery { kind: Some(EventKind::StageChanged), ..EventQuery::default() };
    let champions: Vec<f64> = herd
        .store
        .events(&crowned)
        .unwrap()
        .iter()
        .filter(|event| event.what.to.as_deref() == Some("champion"))
        .map(|event| rewards[event.what.version.unwrap().get() as usize - 1])
        .collect();
    assert!(champions.is_sorted_by(|a, b| a < b), "{champions:?}");
    assert_eq!(champions.last(), Some(&8.0));
    assert_eq!(herd.store.champion(&model()).unwrap().unwrap().key.version, number(4));
    herd.assert_invariants();
}
