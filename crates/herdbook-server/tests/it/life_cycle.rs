//! Models under the life cycle: what clients of MLflow may do with them.

use std::sync::{Arc, Mutex};
use std::thread;

use herdbook_domain::{Channel, EventKind, RunId};
use herdbook_server::{LifeCycle, Mode, NamePattern};
use herdbook_store::{EventQuery, Notices};
use serde_json::{Value, json};

use crate::server::Server;

const NAME: &str = "1H_trading_model";
const BASE: [(&str, &str); 2] = [("timeframe", "1H"), ("model_type", "base")];

/// A server with some base models.
fn with_versions(life_cycle: LifeCycle, n_versions: usize) -> Server {
    let server = Server::new(life_cycle);
    server.post("registered-models/create", json!({"name": NAME}));
    for _ in 0..n_versions {
        let (status, answer) = create(&server, &server.run(&BASE));
        assert_eq!(status, 200, "{answer}");
    }
    server
}

fn enforced(n_versions: usize) -> Server {
    with_versions(LifeCycle::default(), n_versions)
}

fn create(server: &Server, run_id: &str) -> (u16, Value) {
    let source = format!("runs:/{run_id}/models/1H");
    server.post("model-versions/create", json!({"name": NAME, "source": source, "run_id": run_id}))
}

fn stage_tag(version: &str, stage: &str) -> Value {
    json!({"name": NAME, "version": version, "key": "promotion_stage", "value": stage})
}

fn set_stage(server: &Server, version: &str, stage: &str) {
    let (status, answer) = server.post("model-versions/set-tag", stage_tag(version, stage));
    assert_eq!(status, 200, "{answer}");
}

fn tag(server: &Server, version: &str, key: &str) -> Option<String> {
    let (_, answer) = server.get(&format!("model-versions/get?name={NAME}&version={version}"));
    let tags = answer["model_version"]["tags"].as_array()?;
    let found = tags.iter().find(|tag| tag["key"] == key)?;
    found["value"].as_str().map(str::to_owned)
}

fn champion(server: &Server) -> Option<String> {
    let (status, answer) =
        server.get(&format!("registered-models/alias?name={NAME}&alias=champion"));
    (status == 200).then(|| answer["model_version"]["version"].as_str().unwrap().to_owned())
}

#[test]
fn child_enters_and_its_parent_turns_old() {
    let server = enforced(1);
    let (_, parent) = server.get(&format!("model-versions/get?name={NAME}&version=1"));
    let parent = parent["model_version"]["run_id"].as_str().unwrap().to_owned();
    let child = server.run(&[
        ("timeframe", "1H"),
        ("model_type", "continued"),
        ("base_model_run_id", &parent),
    ]);
    assert_eq!(create(&server, &child).0, 200);
    assert_eq!(tag(&server, "1", "version_type").as_deref(), Some("old"));
    assert_eq!(tag(&server, "2", "version_type").as_deref(), Some("latest"));
    assert_eq!(tag(&server, "2", "enhancement_type").as_deref(), Some("continued"));
    let run = server.store.run(&RunId::parse(&child).unwrap()).unwrap();
    assert_eq!(run.tags["promotion_stage"], "development");
    server.assert_healthy();
}

#[test]
fn every_way_to_change_a_stage_goes_to_the_rulebook() {
    let server = enforced(2);
    let illegal = "`1H_trading_model` version 1 is in `development` and may go to `beta` or `archived`, not to `champion`";
    let transition = |version: &str, stage: &str| json!({"name": NAME, "version": version, "stage": stage, "archive_existing_versions": false});
    let alias = |version: &str| json!({"name": NAME, "alias": "champion", "version": version});
    for (path, body) in [
        ("model-versions/set-tag", stage_tag("1", "champion")),
        ("model-versions/transition-stage", transition("1", "Production")),
        ("registered-models/alias", alias("1")),
    ] {
        assert_eq!(server.refused("POST", path, body), (409, illegal.to_owned()), "{path}");
    }
    set_stage(&server, "1", "beta");
    set_stage(&server, "1", "beta");
    let (_, moved) = server.post("model-versions/transition-stage", transition("1", "Production"));
    assert_eq!(moved["model_version"]["current_stage"], "Production");
    assert_eq!(champion(&server).as_deref(), Some("1"));
    server.post("model-versions/transition-stage", transition("2", "Staging"));
    assert_eq!(server.post("registered-models/alias", alias("2")).0, 200);
    assert_eq!(champion(&server).as_deref(), Some("2"));
    assert_eq!(tag(&server, "1", "promotion_stage").as_deref(), Some("archived"));
    assert_eq!(tag(&server, "1", "demotion_reason").as_deref(), Some("New champion promoted"));
    server.call("DELETE", "registered-models/alias", &json!({"name": NAME, "alias": "champion"}));
    assert_eq!(
        (champion(&server), tag(&server, "2", "promotion_stage").unwrap()),
        (None, "archived".to_owned())
    );
    let events = server.store.events(&EventQuery::default()).unwrap();
    assert!(events.iter().all(|event| event.channel == Channel::MlflowApi && event.actor == "ada"));
    server.assert_healthy();
}

#[test]
fn lineage_and_history_can_be_neither_changed_nor_removed() {
    let server = enforced(1);
    set_stage(&server, "1", "beta");
    let (_, answer) = server.get(&format!("model-versions/get?name={NAME}&version=1"));
    let run_id = answer["model_version"]["run_id"].as_str().unwrap().to_owned();
    let history: Vec<String> = answer["model_version"]["tags"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tag| tag["key"].as_str().unwrap().to_owned())
        .collect();
    for key in history.iter().filter(|key| *key != "promotion_stage") {
        let tag = json!({"name": NAME, "version": "1", "key": key, "value": "forged"});
        assert_eq!(server.refused("POST", "model-versions/set-tag", tag.clone()).0, 409, "{key}");
        assert_eq!(server.refused("DELETE", "model-versions/delete-tag", tag).0, 409, "{key}");
    }
    for key in ["promotion_stage", "version_type", "model_type", "timeframe"] {
        let tag = json!({"run_id": run_id, "key": key, "value": "forged"});
        assert_eq!(server.refused("POST", "runs/set-tag", tag.clone()).0, 409, "{key}");
        assert_eq!(server.refused("POST", "runs/delete-tag", tag).0, 409, "{key}");
    }
    let batch = json!({"run_id": run_id, "tags": [
        {"key": "free", "value": "1"}, {"key": "promotion_stage", "value": "champion"}]});
    let (_, text) = server.refused("POST", "runs/log-batch", batch);
    assert_eq!(
        text,
        "the tag `promotion_stage` of a run follows that of its version: `1H_trading_model` version 1 is in `beta` and \
         may go to `development`, `champion` or `archived`; set the tag of the version"
    );
    assert!(!server.store.run(&RunId::parse(&run_id).unwrap()).unwrap().tags.contains_key("free"));
    let free = json!({"name": NAME, "version": "1", "key": "desk", "value": "fx"});
    assert_eq!(server.post("model-versions/set-tag", free).0, 200);
    server.assert_healthy();
}

#[test]
fn only_versions_that_nobody_loads_are_deleted_and_the_history_says_so() {
    let server = enforced(2);
    set_stage(&server, "1", "beta");
    let version = |version: &str| json!({"name": NAME, "version": version});
    let (status, text) = server.refused("DELETE", "model-versions/delete", version("1"));
    assert!(status == 409 && text.contains("is in `beta` and cannot be deleted"), "{text}");
    assert_eq!(server.refused("DELETE", "registered-models/delete", json!({"name": NAME})).0, 409);
    assert_eq!(server.call("DELETE", "model-versions/delete", &version("2")).0, 200);
    let last = server.store.events(&EventQuery::default()).unwrap().pop().unwrap();
    assert_eq!(last.what.kind, EventKind::VersionDeleted);
    assert_eq!(create(&server, &server.run(&BASE)).1["model_version"]["version"], "3");
    server.assert_healthy();
}

#[test]
fn renamed_model_keeps_its_history() {
    let server = enforced(1);
    set_stage(&server, "1", "beta");
    let rename = json!({"name": NAME, "new_name": "renamed"});
    assert_eq!(server.post("registered-models/rename", rename).0, 200);
    let tag =
        json!({"name": "renamed", "version": "1", "key": "promotion_stage", "value": "champion"});
    assert_eq!(server.post("model-versions/set-tag", tag).0, 200);
    server.assert_healthy();
}

#[test]
fn models_outside_are_as_in_mlflow_until_a_version_enters() {
    let patterns = vec![NamePattern::new("*_desk")];
    let server = Server::new(LifeCycle { patterns, ..LifeCycle::default() });
    for name in ["churn", "fx_desk"] {
        server.post("registered-models/create", json!({"name": name}));
        server.post("model-versions/create", json!({"name": name, "source": "s3://b/x"}));
    }
    let production = |name: &str| json!({"name": name, "version": "1", "stage": "Production", "archive_existing_versions": false});
    assert_eq!(server.post("model-versions/transition-stage", production("churn")).0, 200);
    let (_, text) =
        server.refused("POST", "model-versions/transition-stage", production("fx_desk"));
    assert_eq!(
        text,
        "`fx_desk` version 1 is not under the life cycle yet and may go to `development`, not to `champion`"
    );
    let enter =
        json!({"name": "churn", "version": "1", "key": "promotion_stage", "value": "development"});
    assert_eq!(server.post("model-versions/set-tag", enter).0, 200);
    assert_eq!(
        server.refused("POST", "model-versions/transition-stage", production("churn")).0,
        409
    );
    server.assert_healthy();
}

#[test]
fn observer_reports_what_it_would_refuse_and_carries_it_out() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let list = Arc::clone(&heard);
    let notices = Notices::new(move |_, text| list.lock().unwrap().push(text.to_owned()));
    let server =
        with_versions(LifeCycle { mode: Mode::Observe, notices, ..LifeCycle::default() }, 1);
    set_stage(&server, "1", "development");
    set_stage(&server, "1", "champion");
    assert_eq!(
        heard.lock().unwrap().last().unwrap(),
        "`--life-cycle enforce` would refuse a request: `1H_trading_model` version 1 is in `development` and may go to \
         `beta` or `archived`, not to `champion`"
    );
    assert!(server.store.events(&EventQuery::default()).unwrap().is_empty());
}

#[test]
fn many_clients_that_promote_leave_one_champion() {
    let server = Arc::new(enforced(4));
    let threads: Vec<_> = (0..8)
        .map(|number| {
            let server = Arc::clone(&server);
            thread::spawn(move || {
                let version = (number % 4 + 1).to_string();
                for stage in ["beta", "champion", "archived", "beta", "champion"] {
                    let (status, answer) =
                        server.post("model-versions/set-tag", stage_tag(&version, stage));
                    assert!(status == 200 || status == 409, "{status} {answer}");
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    let champions: Vec<String> = (1..=4)
        .map(|number: i64| number.to_string())
        .filter(|version| tag(&server, version, "promotion_stage").as_deref() == Some("champion"))
        .collect();
    assert_eq!(champions, champion(&server).into_iter().collect::<Vec<_>>());
    server.assert_healthy();
}
