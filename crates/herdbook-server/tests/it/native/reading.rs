//! What can be read.

use herdbook_domain::{Stage, hex_sha256};
use serde_json::json;

use super::server::{MODEL, MODEL_FILE, Server, metric};

#[test]
fn info_names_the_program_the_store_and_the_caller() {
    let info = Server::new().read("/info");
    assert_eq!((&info["name"], &info["api"]), (&json!("herdbook"), &json!("v1")));
    assert_eq!(info["store_id"].as_str().map(str::len), Some(32));
    assert_eq!(
        (&info["life_cycle"], &info["caller"]["actor"]),
        (&json!("enforce"), &json!("team"))
    );
}

#[test]
fn board_shows_the_champion_beside_buy_and_hold_and_who_waits() {
    let server = Server::with_champion();
    server.start(None);
    let board = server.read("/board");
    let model = &board["models"][0];
    assert_eq!((&model["name"], &model["timeframe"]), (&json!(MODEL), &json!("1H")));
    assert_eq!(model["champion"]["version"], 1);
    assert_eq!(model["champion"]["promotion_stage"], "champion");
    let figure = json!({"metric": "total_return", "value": 0.1, "buy_and_hold": 0.05});
    assert_eq!(model["champion"]["test"][0], figure);
    assert!(model["champion"]["age_s"].as_i64().unwrap() < 3600);
    assert_eq!(model["waiting"][0]["version"], 2);
    assert_eq!(model["n_in_stage"], json!({"beta": 1, "champion": 1}));
    assert_eq!(board["running"][0]["liveness"], "alive");
    assert_eq!(board["last_event"], server.read("/history?limit=1")["events"][0]["id"]);
}

#[test]
fn models_are_listed_in_pages() {
    let server = Server::with_champion();
    let listed = server.read("/models");
    assert_eq!(listed["models"][0]["name"], MODEL);
    assert_eq!((&listed["models"][0]["champion"], &listed["next"]), (&json!(1), &json!(null)));
    assert_eq!(server.read("/models?timeframe=4H")["models"], json!([]));
    assert_eq!(server.read(&format!("/models?after={MODEL}"))["models"], json!([]));
}

#[test]
fn versions_are_filtered_sorted_and_paged() {
    let server = Server::with_champion();
    let numbers = |query: &str| {
        let model = server.read(&format!("/models/{MODEL}{query}"));
        let versions = model["versions"].as_array().unwrap().clone();
        let numbers: Vec<u64> =
            versions.iter().map(|version| version["version"].as_u64().unwrap()).collect();
        (numbers, model["n_versions"].as_u64().unwrap())
    };
    assert_eq!(numbers(""), (vec![2, 1], 2));
    assert_eq!(numbers("?reverse=true"), (vec![1, 2], 2));
    assert_eq!(numbers("?stage=beta"), (vec![2], 1));
    assert_eq!(numbers("?model_type=base&honesty=clean"), (vec![1], 1));
    assert_eq!(numbers("?version_type=old"), (vec![1], 1));
    assert_eq!(numbers("?sort=stage"), (vec![1, 2], 2));
    assert_eq!(numbers("?sort=portfolio/total_return"), (vec![2, 1], 2));
    assert_eq!(numbers("?sort=baseline/buy_and_hold_total_return"), (vec![1, 2], 2));
    assert_eq!(numbers("?sort=baseline/buy_and_hold_total_return&reverse=true"), (vec![1, 2], 2));
    assert_eq!(numbers("?limit=1&offset=1"), (vec![1], 2));
    assert_eq!(numbers("?offset=9"), (vec![], 2));
}

#[test]
fn timeline_has_each_time_as_champion() {
    let server = Server::with_champion();
    server.promote(2, Stage::Champion);
    let timeline = server.read(&format!("/models/{MODEL}"))["timeline"].clone();
    assert_eq!((&timeline[0]["version"], &timeline[0]["until"]), (&json!(2), &json!(null)));
    assert_eq!((&timeline[1]["version"], timeline.as_array().unwrap().len()), (&json!(1), 2));
    assert_eq!(timeline[1]["until"], timeline[0]["since"]);
}

#[test]
fn version_has_its_facts_files_ancestors_and_commands() {
    let server = Server::with_champion();
    let version = server.read(&format!("/models/{MODEL}/versions/2"));
    assert_eq!(
        (&version["symbol"], &version["model_type"]),
        (&json!("EURUSD"), &json!("continued"))
    );
    assert_eq!(version["run"]["params"]["data.symbol"], "EURUSD");
    assert_eq!(version["ancestors"].as_array().unwrap().len(), 1);
    let files = version["files"].as_array().unwrap();
    let model = files.iter().find(|file| file["path"] == "model.zip").unwrap();
    assert_eq!(model["sha256"], hex_sha256(MODEL_FILE));
    let commands = version["commands"].as_array().unwrap();
    assert!(commands.contains(&json!(
        "herdbook promote --timeframe 1H --model-version 2 --target-stage champion"
    )));
    assert_eq!(version["history"].as_array().unwrap().len(), 2);
    assert_eq!(version["differs_from_mlflow"], json!([]));
    let evidence = server.read(&format!("/models/{MODEL}/versions/2/evidence"));
    assert_eq!(evidence, json!({"evidence": [], "standing": null}));
}

#[test]
fn lineage_has_the_tree_of_a_version() {
    let server = Server::with_champion();
    server.train(None, &[]);
    let tree = server.read(&format!("/lineage?name={MODEL}&version=2"));
    let numbers: Vec<&serde_json::Value> =
        tree["members"].as_array().unwrap().iter().map(|member| &member["version"]).collect();
    assert_eq!(numbers, [1, 2]);
    assert_eq!(tree["roots"], json!([tree["members"][1]["parent_run_id"]]));
    assert_eq!(tree["is_cut"], false);
    let all = server.read(&format!("/lineage?name={MODEL}"));
    assert_eq!(
        (all["members"].as_array().unwrap().len(), all["roots"].as_array().unwrap().len()),
        (3, 2)
    );
    let cut = server.read(&format!("/lineage?name={MODEL}&limit=1"));
    assert_eq!((cut["members"].as_array().unwrap().len(), &cut["is_cut"]), (1, &json!(true)));
}

#[test]
fn history_is_filtered_and_paged_without_gaps() {
    let server = Server::with_champion();
    let ids = |query: &str| {
        let page = server.read(&format!("/history{query}"));
        let events = page["events"].as_array().unwrap().clone();
        let ids: Vec<i64> = events.iter().map(|event| event["id"].as_i64().unwrap()).collect();
        (ids, page["next"].as_i64())
    };
    let (all, next) = ids("?order=oldest");
    assert_eq!((all.clone(), next), ((1..=all.len() as i64).collect(), None));
    let (mut paged, mut after) = (Vec::new(), Some(0));
    while let Some(last) = after {
        let (page, next) = ids(&format!("?order=oldest&limit=2&after={last}"));
        paged.extend(page);
        after = next;
    }
    assert_eq!(paged, all);
    let newest = *all.last().unwrap();
    assert_eq!(ids("?limit=2"), (vec![newest, newest - 1], Some(newest - 1)));
    assert_eq!(ids("?actor=nobody").0, Vec::<i64>::new());
    assert_eq!(ids("?actor=tester").0.len(), all.len());
    assert_eq!(ids(&format!("?name={MODEL}&version=2&kind=registered")).0.len(), 1);
    assert_eq!(ids("?until=2000-01-01T00:00:00Z").0.len(), 0);
    assert_eq!(ids("?from=2000-01-01T00:00:00Z").0.len(), all.len());
}

#[test]
fn champion_is_found_at_a_time() {
    let server = Server::with_champion();
    let champion = server.read(&format!("/models/{MODEL}/champion"));
    assert_eq!((&champion["version"], &champion["actor"]), (&json!(1), &json!("tester")));
    assert!(champion["model_path"].as_str().unwrap().ends_with("/models/1H/model.zip"));
    let (status, error) = server.get(&format!("/models/{MODEL}/champion?at=2000-01-01T00:00:00Z"));
    assert_eq!((status, &error["error"]["code"]), (404, &json!("not_found")));
}

#[test]
fn versions_are_compared() {
    let server = Server::with_champion();
    let compared = server.read(&format!("/compare?first={MODEL}/1&second={MODEL}/2"));
    assert_eq!((&compared["comparable"], &compared["differing"]), (&json!(true), &json!([])));
    let reward = &compared["metrics"]["final/mean_reward"];
    assert_eq!((&reward["difference"], &reward["change_percent"]), (&json!(1.0), &json!(100.0)));
    assert_eq!(reward["second_is_better"], true);
    assert_eq!(compared["metrics"].get("baseline/buy_and_hold_total_return"), None);
}

#[test]
fn curves_keep_the_extremes_of_each_part() {
    let server = Server::new();
    let (run_id, _) = server.start(None);
    let values = (0..500)
        .map(|step| metric("evaluation/mean_reward", if step == 333 { -9.0 } else { 1.0 }, step));
    server.store.log_metrics(&run_id, &values.collect::<Vec<_>>()).unwrap();
    let curve = server.read(&format!("/runs/{run_id}/metrics/evaluation/mean_reward?points=5"));
    assert_eq!((&curve["axis"], &curve["n"]), (&json!("step"), &json!(500)));
    assert_eq!(curve["points"].as_array().unwrap().len(), 5);
    assert_eq!(
        (&curve["points"][3]["min"], &curve["points"][3]["max"]),
        (&json!(-9.0), &json!(1.0))
    );
    let running = server.read("/runs/running?points=10");
    assert_eq!(running["n_runs"], 1);
    let run = &running["runs"][0];
    assert_eq!((&run["liveness"], &run["step"]), (&json!("alive"), &json!(499)));
    assert_eq!((&run["timesteps"], &run["symbol"]), (&json!(2048), &json!("EURUSD")));
    let curve = &run["curves"]["evaluation/mean_reward"];
    assert_eq!(curve["points"].as_array().unwrap().len(), 10);
}

#[test]
fn files_are_listed_and_downloaded() {
    let server = Server::with_champion();
    let run_id = server.store.version(&super::server::key(1)).unwrap().run_id.unwrap();
    let large = vec![7_u8; 3 << 20];
    server.store.store_artifact(&run_id, "pictures/a b.svg", &large).unwrap();
    let files = server.read(&format!("/models/{MODEL}/versions/1/files?path=models/1H"));
    let listed = files["files"].as_array().unwrap();
    assert!(
        listed.contains(&json!({"path": "models/1H/model.zip", "is_folder": false, "n_bytes": 7}))
    );
    let root = server.read(&format!("/models/{MODEL}/versions/1/files"));
    assert!(root["files"].as_array().unwrap().iter().any(|file| file["path"] == "pictures"));
    let download =
        |path: &str| server.download(&format!("/models/{MODEL}/versions/1/files/{path}"));
    assert_eq!(download("models/1H/model.zip"), (200, Some("7".to_owned()), MODEL_FILE.to_vec()));
    let (status, length, content) = download("pictures/a%20b.svg");
    assert_eq!((status, length.as_deref()), (200, Some("3145728")));
    assert!(content == large);
    assert_eq!(download("models/1H/none.zip").0, 404);
    assert_eq!(download("models/1H").0, 404);
}
