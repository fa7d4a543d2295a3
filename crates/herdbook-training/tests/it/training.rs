//! A single training: what it records, what it refuses, and its state after a failure.

use std::num::NonZeroUsize;
use std::sync::atomic::AtomicBool;

use herdbook_domain::tags::key;
use herdbook_domain::{RunStatus, hex_sha256};
use herdbook_ppo::Model;
use herdbook_store::EventQuery;
use herdbook_training::{RegisteredPolicy, RunReport, TrainRequest, TrainingError, train};

use crate::fixture::{Fixture, Listener, market, model, request, walk};

#[test]
fn training_records_its_data_seed_costs_and_steps() {
    let fixture = Fixture::new();
    let report = fixture.train(request()).unwrap();
    let run = fixture.store.run(&report.run.run_id).unwrap();
    assert_eq!(run.status, RunStatus::Finished);
    for (param, value) in [
        ("data.symbol", "WALK"),
        ("data.train_start", "2017-07-14T02:40:00Z"),
        ("data.test_end", "2017-09-14T14:40:00Z"),
        ("seed", "7"),
        ("env.cost_bps", "1"),
        ("n_steps", "256"),
        ("net_arch", "pi=[64, 64] vf=[64, 64]"),
    ] {
        assert_eq!(run.params[param], value, "{param}");
    }
    assert_eq!(run.params["data.sha256"].len(), 64);
    assert_eq!(run.params["data.source_sha256"], hex_sha256(&walk(1_500, 1, 0.003)));
    let record = fixture.version(1);
    assert_eq!(record.tags[key::TOTAL_TIMESTEPS], "768", "600 rounded up to whole rollouts");
    assert_eq!(run.metric("current_run_timesteps"), Some(768.0));
    for metric in ["evaluation/best_mean_reward", "final/mean_reward", "portfolio/total_return"] {
        assert!(run.metric(metric).is_some(), "{metric}");
    }
    assert!(!run.metrics.iter().any(|metric| metric.key.starts_with("improvement_")));
}

#[test]
fn registered_hash_is_that_of_the_stored_file() {
    let fixture = Fixture::new();
    let report = fixture.train(request()).unwrap();
    let stored = hex_sha256(&fixture.model_file(&report));
    let details = &report.registered.events[0].what.details;
    assert!(details.contains(&stored), "{details}");
}

#[test]
fn same_seed_gives_the_same_file_and_another_seed_another() {
    let fixture = Fixture::new();
    let mut files = Vec::new();
    for seed in [7, 7, 8] {
        let report = fixture.train(TrainRequest { seed, ..request() }).unwrap();
        files.push(fixture.model_file(&report));
    }
    assert!(files[0] == files[1]);
    assert!(files[0] != files[2]);
}

/// The requests of the first seeds whose best evaluation is not the last one.
fn with_best_before_the_end() -> impl Iterator<Item = (TrainRequest, RunReport)> {
    (0..20).filter_map(|seed| {
        let request = TrainRequest { seed, timesteps: 1_536, ..request() };
        let run = Fixture::new().train(request.clone()).unwrap().run;
        let [best, last] = [BEST, LAST].map(|name| run.metrics[name]);
        (best > last).then_some((request, run))
    })
}

const BEST: &str = "evaluation/best_mean_reward";
const LAST: &str = "evaluation/last_mean_reward";

#[test]
fn registered_policy_is_the_best_on_the_validation_window() {
    let (request, _) = with_best_before_the_end().next().unwrap();
    let fixture = Fixture::new();
    let report = fixture.train(request.clone()).unwrap();
    let metrics = &report.run.metrics;
    assert_eq!(metrics["evaluation/mean_reward"].to_bits(), metrics[BEST].to_bits());
    let run = fixture.store.run(&report.run.run_id).unwrap();
    for name in ["evaluation/mean_reward", "evaluation/std_reward", BEST, LAST] {
        assert_eq!(run.metric(name), metrics.get(name).copied(), "{name}");
    }
    assert_eq!(run.params["registered_policy"], "best");
    // The file is that of the best evaluation, except for the number of timesteps, which counts the whole training.
    let at = run.metric("registered_timesteps").unwrap();
    assert!(at < 1_536.0 && run.metric("total_timesteps") == Some(1_536.0));
    let best = format!("models/1H/best_model_{at}.zip");
    let best = fixture.store.read_artifact(&report.run.run_id, &best).unwrap();
    let mut best = Model::from_zip(&best, "best").unwrap();
    best.num_timesteps = 1_536;
    assert!(best.to_zip().unwrap() == fixture.model_file(&report));
}

#[test]
fn last_policy_is_registered_on_request() {
    let (request, run) = with_best_before_the_end().next().unwrap();
    let fixture = Fixture::new();
    let last = TrainRequest { register: RegisteredPolicy::Last, ..request };
    let report = fixture.train(last).unwrap();
    let metrics = &report.run.metrics;
    assert_eq!(metrics["evaluation/mean_reward"].to_bits(), run.metrics[LAST].to_bits());
    assert_eq!(metrics[BEST].to_bits(), run.metrics[BEST].to_bits());
    assert!(!metrics.contains_key(LAST));
}

#[test]
fn number_of_threads_changes_no_byte_of_the_file() {
    let fixture = Fixture::new();
    let mut files = Vec::new();
    for n_threads in [1, 2, 3] {
        let mut request = request();
        request.config.n_envs = 3;
        let prepared = request.prepare().unwrap();
        let prepared = prepared.with_threads(NonZeroUsize::new(n_threads).unwrap());
        let cancelled = AtomicBool::new(false);
        let report =
            train(&fixture.store, &prepared, &mut Listener::default(), &cancelled).unwrap();
        files.push(fixture.model_file(&report));
    }
    assert!(files[0] == files[1] && files[0] == files[2]);
}

#[test]
fn model_file_says_what_environment_it_belongs_to_and_nothing_of_its_making() {
    let fixture = Fixture::new();
    let report = fixture.train(request()).unwrap();
    let bytes = fixture.model_file(&report);
    let model = Model::from_zip(&bytes, "model.zip").unwrap();
    let environment = &model.extra["environment"];
    assert_eq!(environment["actions"], serde_json::json!(["short", "flat", "long"]));
    assert_eq!(environment["cost_bps"], 1.0);
    let text = String::from_utf8_lossy(&bytes);
    assert!(!text.contains(report.run.run_id.as_str()));
    assert!(!text.contains(&fixture.folder.path().display().to_string()));
}

#[test]
fn cancelled_training_is_killed_and_registers_nothing() {
    let fixture = Fixture::new();
    let prepared = request().prepare().unwrap();
    let outcome =
        train(&fixture.store, &prepared, &mut Listener::default(), &AtomicBool::new(true));
    let Err(TrainingError::Cancelled { run_id, .. }) = outcome else { panic!("not cancelled") };
    assert_eq!(fixture.store.run(&run_id).unwrap().status, RunStatus::Killed);
    assert!(fixture.store.version_of_run(&run_id).unwrap().is_none());
}

#[test]
fn unsound_input_is_refused_before_anything_is_written() {
    let fixture = Fixture::new();
    let data = market(walk(200, 1, 0.003));
    for (request, message) in [
        (TrainRequest { timesteps: 0, ..request() }, "cannot train for 0 timesteps"),
        (TrainRequest { cost_bps: -1.0, ..request() }, "basis points"),
        (TrainRequest { data, ..request() }, "200 bars"),
    ] {
        let error = fixture.train(request).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
    assert!(fixture.store.events(&EventQuery::default()).unwrap().is_empty());
}

#[test]
fn flat_market_leaves_undefined_metrics_out() {
    let fixture = Fixture::new();
    let data = market(walk(1_500, 1, 0.0));
    let report = fixture.train(TrainRequest { data, cost_bps: 0.0, ..request() }).unwrap();
    let run = fixture.store.run(&report.run.run_id).unwrap();
    assert!(run.metrics.iter().all(|metric| metric.value.is_finite()));
    assert!(run.metrics.get("portfolio/sharpe_ratio").is_none());
    assert!(run.metrics.get("portfolio/profit_factor").is_none());
    assert_eq!(run.metric("portfolio/max_drawdown"), Some(0.0));
}

#[test]
fn progress_is_told_after_each_rollout() {
    let fixture = Fixture::new();
    let mut listener = Listener::default();
    fixture.train_listening(request(), &mut listener).unwrap();
    let trained: Vec<u64> = listener.progress.iter().map(|progress| progress.trained).collect();
    assert_eq!(trained, [256, 512, 768]);
    assert!(listener.progress[2].validation_reward.is_some());
    assert!(fixture.store.champion(&model()).unwrap().is_none());
}

#[test]
fn training_whose_artifacts_cannot_be_stored_fails_before_the_first_iteration() {
    let fixture = Fixture::new();
    let artifacts = fixture.folder.path().join("mlruns");
    drop(std::fs::remove_dir_all(&artifacts));
    std::fs::write(&artifacts, "not a folder").unwrap();
    let mut listener = Listener::default();
    fixture.train_listening(request(), &mut listener).unwrap_err();
    assert!(listener.progress.is_empty());
    let runs = fixture.store.runs_with_tag("timeframe", "1H").unwrap();
    let statuses: Vec<RunStatus> = runs.iter().map(|run| run.status).collect();
    assert_eq!(statuses, [RunStatus::Failed]);
    assert!(fixture.store.version_of_run(&runs[0].run_id).unwrap().is_none());
}

#[test]
fn baselines_are_buy_and_hold_after_costs_and_zero() {
    let fixture = Fixture::new();
    let of_costs = |cost_bps| {
        let report = fixture.train(TrainRequest { cost_bps, ..request() }).unwrap();
        report.run.baselines
    };
    let (free, costly) = (of_costs(0.0), of_costs(10.0));
    let prepared = request().prepare().unwrap();
    let market = prepared.market();
    let bars = &market.tape.bars.as_slice()[market.split.test.bars.clone()];
    // The position is decided on the first bar and filled at the open of the second.
    let expected = bars[bars.len() - 1].close / bars[1].open - 1.0;
    assert!((free.buy_and_hold.total_return.unwrap() - expected).abs() < 1e-9);
    assert!(costly.buy_and_hold.total_return < free.buy_and_hold.total_return);
    for baselines in [free, costly] {
        assert!(baselines.flat.total_return.unwrap().abs() < 1e-12);
    }
}
