//! Promotions and rollbacks: plans, changed facts, lost answers.

use std::thread;

use herdbook_domain::{Condition, Conditions, Honesty, MetricName, Requirement, Stage};
use herdbook_store::EventQuery;
use serde_json::{Value, json};

use super::server::{FIGURES, MODEL, Server};

const PROMOTE_2: &str = "/models/1H_trading_model/versions/2/promote";
const ROLLBACK: &str = "/models/1H_trading_model/rollback";

fn n_events(server: &Server) -> usize {
    server.store.events(&EventQuery::default()).unwrap().len()
}

fn plan(server: &Server) -> Value {
    let body = json!({"target_stage": "champion", "dry_run": true});
    let (status, plan) = server.post(PROMOTE_2, &body);
    assert_eq!(status, 200, "{plan}");
    plan
}

#[test]
fn dry_run_shows_both_versions_before_and_after_and_changes_nothing() {
    let server = Server::with_champion();
    let before = n_events(&server);
    let plan = plan(&server);
    assert_eq!((n_events(&server), server.champion()), (before, Some(1)));
    let changes = plan["changes"].as_array().unwrap();
    let shown = |idx: usize| {
        let change = &changes[idx];
        let stage = |when: &str| change[when]["promotion_stage"].clone();
        (change["version"].clone(), stage("before"), stage("after"), change["cause"].clone())
    };
    assert_eq!(shown(0), (json!(1), json!("champion"), json!("archived"), json!("displaced")));
    assert_eq!(shown(1), (json!(2), json!("beta"), json!("champion"), json!("requested")));
    assert_eq!((&plan["event_id"], &plan["act_id"]), (&json!(null), &json!(null)));
    assert_eq!((&plan["displaced"], &plan["champion"]), (&json!({"version": 1}), &json!(2)));
    assert_eq!(plan["honesty"], "clean");
    assert_eq!(plan["undo"], "herdbook rollback --timeframe 1H --reason \"…\"");
    assert_eq!(plan["reason_rule"], json!({"required": false, "max_length": 2000}));
    assert_eq!(plan["plan_hash"].as_str().map(str::len), Some(64));
    assert_eq!(plan["plan_hash"], self::plan(&server)["plan_hash"], "the same plan made later");
}

#[test]
fn agreed_plan_is_carried_out_through_the_channel_http() {
    let server = Server::with_champion();
    let plan = plan(&server);
    let body = json!({
        "target_stage": "champion", "reason": "better", "expect_champion": 1, "plan_hash": plan["plan_hash"],
    });
    let (status, done) = server.post(PROMOTE_2, &body);
    assert_eq!((status, server.champion()), (200, Some(2)), "{done}");
    assert_eq!((&done["from"], &done["to"]), (&json!("beta"), &json!("champion")));
    assert_eq!(done["event_id"].as_u64(), Some(n_events(&server) as u64));
    assert_eq!((&done["dry_run"], &done["done_before"]), (&json!(false), &json!(false)));
    let event = server.store.events(&EventQuery::default()).unwrap().pop().unwrap();
    assert_eq!((event.actor.as_str(), event.channel.as_str()), ("team", "http"));
    assert_eq!(
        (event.what.reason.as_deref(), done["act_id"].as_str()),
        (Some("better"), Some(event.act_id.as_str()))
    );
}

#[test]
fn changed_facts_answer_409_with_the_new_plan() {
    let server = Server::with_champion();
    let old = plan(&server);
    // Another version became champion in the meantime.
    server.train(None, &FIGURES);
    server.promote(3, Stage::Beta);
    server.promote(3, Stage::Champion);
    let before = n_events(&server);
    let body = json!({"target_stage": "champion", "plan_hash": old["plan_hash"]});
    let (status, refused) = server.post(PROMOTE_2, &body);
    assert_eq!((status, &refused["error"]["code"]), (409, &json!("conflict")), "{refused}");
    let new = &refused["error"]["plan"];
    assert_eq!((&new["displaced"], &new["dry_run"]), (&json!({"version": 3}), &json!(true)));
    assert_ne!(new["plan_hash"], old["plan_hash"]);
    let (status, refused) =
        server.post(PROMOTE_2, &json!({"target_stage": "champion", "expect_champion": 1}));
    assert_eq!((status, &refused["error"]["plan"]["plan_hash"]), (409, &new["plan_hash"]));
    let (status, _) =
        server.post(PROMOTE_2, &json!({"target_stage": "champion", "expect_champion": null}));
    assert_eq!((status, n_events(&server)), (409, before));
    let body =
        json!({"target_stage": "champion", "plan_hash": new["plan_hash"], "expect_champion": 3});
    assert_eq!((server.post(PROMOTE_2, &body).0, server.champion()), (200, Some(2)));
}

#[test]
fn plan_of_another_act_is_not_agreed_to() {
    let server = Server::with_champion();
    let (_, down) =
        server.post(PROMOTE_2, &json!({"target_stage": "development", "dry_run": true}));
    let body = json!({"target_stage": "champion", "plan_hash": down["plan_hash"]});
    assert_eq!((server.post(PROMOTE_2, &body).0, server.champion()), (409, Some(1)));
}

#[test]
fn act_whose_answer_was_lost_is_done_once() {
    let server = Server::with_champion();
    let body = json!({
        "target_stage": "champion", "reason": "better", "plan_hash": plan(&server)["plan_hash"],
        "act_id": "6f1c0b52-9b1c-4a53-8f0e-2b8f6a1d9c11",
    });
    let (status, first) = server.post(PROMOTE_2, &body);
    assert_eq!(status, 200, "{first}");
    let after = n_events(&server);
    // The plan and the champion are others by now. The act is the same.
    let (status, again) = server.post(PROMOTE_2, &body);
    assert_eq!((status, n_events(&server)), (200, after), "{again}");
    assert_eq!(again["done_before"], true);
    for field in [
        "act_id",
        "event_id",
        "from",
        "to",
        "version",
        "displaced",
        "champion",
        "overridden",
        "undo",
    ] {
        assert_eq!(again[field], first[field], "{field}");
    }
    assert_eq!(first["act_id"], "6f1c0b529b1c4a538f0e2b8f6a1d9c11");
}

#[test]
fn requests_with_one_act_id_at_the_same_time_are_one_act() {
    let server = Server::with_champion();
    let before = n_events(&server);
    let body = json!({"target_stage": "champion", "act_id": "ab".repeat(16)});
    let answers: Vec<(u16, Value)> = thread::scope(|scope| {
        let requests: Vec<_> =
            (0..8).map(|_| scope.spawn(|| server.post(PROMOTE_2, &body))).collect();
        requests.into_iter().map(|request| request.join().unwrap()).collect()
    });
    assert!(answers.iter().all(|(status, _)| *status == 200), "{answers:?}");
    let n_now = answers.iter().filter(|(_, answer)| answer["done_before"] == false).count();
    assert_eq!((n_now, n_events(&server)), (1, before + 2));
}

#[test]
fn act_id_of_another_act_is_refused() {
    let server = Server::with_champion();
    let body = |stage: &str| json!({"target_stage": stage, "act_id": "cd".repeat(16)});
    assert_eq!(server.post(PROMOTE_2, &body("champion")).0, 200);
    let before = n_events(&server);
    let (status, refused) = server.post(PROMOTE_2, &body("archived"));
    assert_eq!((status, &refused["error"]["code"]), (409, &json!("conflict")));
    let other = format!("/models/{MODEL}/versions/1/promote");
    assert_eq!((server.post(&other, &body("beta")).0, n_events(&server)), (409, before));
}

#[test]
fn rollback_is_planned_agreed_to_and_done_once() {
    let server = Server::with_champion();
    server.promote(2, Stage::Champion);
    let body = json!({"reason": "it lost money", "dry_run": true});
    let (status, plan) = server.post(ROLLBACK, &body);
    assert_eq!((status, server.champion()), (200, Some(2)), "{plan}");
    let causes: Vec<&Value> =
        plan["changes"].as_array().unwrap().iter().map(|change| &change["cause"]).collect();
    assert_eq!(causes, ["rolled_back", "returned", "returned"]);
    assert_eq!(
        (&plan["version"], &plan["from"], &plan["to"]),
        (&json!(1), &json!("archived"), &json!("champion"))
    );
    assert_eq!(
        plan["undo"],
        "herdbook promote --timeframe 1H --model-version 2 --target-stage beta && \
         herdbook promote --timeframe 1H --model-version 2 --target-stage champion"
    );
    let body = json!({
        "reason": "it lost money", "plan_hash": plan["plan_hash"], "act_id": "ef".repeat(16),
    });
    assert_eq!((server.post(ROLLBACK, &body).0, server.champion()), (200, Some(1)));
    let after = n_events(&server);
    let (status, again) = server.post(ROLLBACK, &body);
    assert_eq!((status, &again["done_before"], n_events(&server)), (200, &json!(true), after));
    let (status, refused) = server.post(ROLLBACK, &json!({"reason": "again"}));
    assert_eq!((status, &refused["error"]["code"]), (404, &json!("not_found")), "{refused}");
}

#[test]
fn forbidden_transition_names_the_stages() {
    let server = Server::with_champion();
    let path = format!("/models/{MODEL}/versions/1/promote");
    let (status, refused) = server.post(&path, &json!({"target_stage": "development"}));
    assert_eq!((status, &refused["error"]["code"]), (409, &json!("forbidden_transition")));
    let message = refused["error"]["message"].as_str().unwrap();
    assert!(message.contains("may go to `beta` or `archived`"), "{message}");
}

#[test]
fn unmet_conditions_answer_422_with_every_verdict() {
    let condition = Condition {
        to: Stage::Champion,
        timeframes: Vec::new(),
        models: Vec::new(),
        requirement: Requirement::AtLeast(
            MetricName::parse("portfolio/total_return").unwrap(),
            0.5,
        ),
    };
    let conditions = Conditions { enforce: true, all: vec![condition] };
    let server = Server::with_conditions(conditions);
    server.add_champion();
    let (status, refused) = server.post(PROMOTE_2, &json!({"target_stage": "champion"}));
    assert_eq!((status, &refused["error"]["code"]), (422, &json!("gate_failed")), "{refused}");
    let verdict = &refused["error"]["conditions"]["verdicts"][0];
    assert_eq!((&verdict["value"], &verdict["limit"]), (&json!(0.2), &json!(0.5)));
    let rise = &server.read(&format!("/models/{MODEL}/versions/2"))["conditions"][0];
    assert_eq!((&rise["to"], &rise["is_permitted"]), (&json!("champion"), &json!(false)));
    assert_eq!(&rise["conditions"]["verdicts"][0], verdict);
    let (status, refused) =
        server.post(PROMOTE_2, &json!({"target_stage": "champion", "force": true}));
    assert_eq!((status, &refused["error"]["code"]), (400, &json!("invalid_input")), "{refused}");
    let forced =
        json!({"target_stage": "champion", "force": true, "reason": "I know", "dry_run": true});
    let (status, plan) = server.post(PROMOTE_2, &forced);
    assert_eq!((status, plan["overridden"].as_array().unwrap().len()), (200, 1), "{plan}");
    assert_eq!(plan["reason_rule"]["required"], true);
    assert_eq!(plan["honesty"], Honesty::Clean.as_str());
}
