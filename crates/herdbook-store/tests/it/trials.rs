//! Trials: which trainings count as tries on bars, whatever happens to their rows afterwards.

use herdbook_domain::{
    Breach, BreachKind, EventKind, RunId, Symbol, TestBasis, Timeframe, Timestamp, Window,
    hex_sha256, window_params,
};
use herdbook_store::{EventQuery, Measured, RecordedTrial, StoreError, TrialQuery};

use crate::conditions::evaluation;
use crate::herd::{Herd, MODEL_FILE, finish, metric, start, version};

const CLOSES: &[u8] = b"closes";

fn january() -> Window {
    let at = |text: &str| Timestamp::parse(text).unwrap();
    Window { start: at("2018-01-01T00:00:00Z"), end: at("2018-02-01T00:00:00Z") }
}

/// What a training measured on the test window of January 2018.
fn measured(sharpe: f64, shared_with: &[&str]) -> Measured {
    let mut params = vec![
        (window_params::SYMBOL, "EURUSD".to_owned()),
        (window_params::CLOSES_SHA256, hex_sha256(CLOSES)),
    ];
    let edges = [
        "2017-01-01T00:00:00Z",
        "2017-11-01T00:00:00Z",
        "2017-11-01T00:00:00Z",
        "2018-01-01T00:00:00Z",
        "2018-01-01T00:00:00Z",
        "2018-02-01T00:00:00Z",
    ];
    params.extend(window_params::EDGES.into_iter().zip(edges.map(str::to_owned)));
    let metrics = [
        ("portfolio/total_return", 0.1),
        ("portfolio/sharpe_per_bar", sharpe),
        ("portfolio/n_returns", 500.0),
        // The metrics are logged at this step.
        ("total_timesteps", 1.0),
    ];
    Measured {
        params: params.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
        metrics: metrics.map(|(name, value)| (name.to_owned(), value)).into(),
        test: Some(TestBasis {
            files: [("data/closes.bin".to_owned(), hex_sha256(CLOSES))].into(),
            shared_with: shared_with.iter().map(|it| (*it).to_owned()).collect(),
            compared_until: i64::MAX,
            figures: None,
        }),
    }
}

/// A training with this result, registered or not.
fn trained(herd: &Herd, measured: &Measured, is_registered: bool) -> RunId {
    let mut start = start(None);
    start.params.clone_from(&measured.params);
    let run_id = herd.store.start_run(&start).unwrap();
    herd.store.store_artifact(&run_id, "models/1H/model.zip", MODEL_FILE).unwrap();
    herd.store.store_artifact(&run_id, "data/closes.bin", CLOSES).unwrap();
    let metrics: Vec<(&str, f64)> =
        measured.metrics.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    let mut finish = finish(&run_id, start.origin, &metrics);
    finish.measured = measured.clone();
    if is_registered {
        herd.store.finish_and_register(&finish).unwrap();
    } else {
        herd.store.finish_unregistered(&finish).unwrap();
    }
    run_id
}

fn trials(herd: &Herd) -> Vec<RecordedTrial> {
    let query = |symbol: &str, closes: &[String]| TrialQuery {
        symbol: Symbol::parse(symbol).unwrap(),
        timeframe: Timeframe::Hour1,
        window: january(),
        closes_sha256: closes.iter().cloned().collect(),
    };
    let by_time = herd.store.trials(&query("EURUSD", &[])).unwrap();
    let by_closes = herd.store.trials(&query("unknown", &[hex_sha256(CLOSES)])).unwrap();
    assert_eq!(by_closes, by_time);
    let by_either = herd.store.trials(&query("EURUSD", &[hex_sha256(CLOSES)])).unwrap();
    assert_eq!(by_either, by_time);
    by_time
}

#[test]
fn result_of_a_trial_is_the_sealed_one_whatever_mlflow_holds() {
    let herd = Herd::new();
    let registered = trained(&herd, &measured(0.01, &[]), true);
    let unregistered = trained(&herd, &measured(0.02, &[]), false);
    let before = trials(&herd);
    let sharpes: Vec<_> = before.iter().map(RecordedTrial::sharpe_per_bar).collect();
    assert_eq!(sharpes, [Some(0.01), Some(0.02)]);
    for run_id in [&registered, &unregistered] {
        let sql = format!(
            "UPDATE tags SET value = '4H' WHERE run_uuid = '{run_id}' AND key = 'timeframe';
             UPDATE latest_metrics SET value = 9 WHERE run_uuid = '{run_id}';
             DELETE FROM latest_metrics WHERE run_uuid = '{run_id}' AND key = 'portfolio/total_return'"
        );
        herd.foreign().execute_batch(&sql).unwrap();
    }
    assert_eq!(trials(&herd), before);
    // As `mlflow gc` removes a deleted run.
    for table in ["tags", "params", "metrics", "latest_metrics", "runs"] {
        let sql = format!("DELETE FROM {table} WHERE run_uuid = '{unregistered}'");
        herd.foreign().execute_batch(&sql).unwrap();
    }
    let after = trials(&herd);
    assert_eq!(after.len(), 2);
    let facts = |trials: &[RecordedTrial]| -> Vec<_> {
        let facts = |it: &RecordedTrial| (it.run_id.clone(), it.test, it.figures.clone());
        trials.iter().map(facts).collect()
    };
    assert_eq!(facts(&after), facts(&before));
}

#[test]
fn run_without_a_seal_counts_with_what_mlflow_holds() {
    let herd = Herd::new();
    let params = measured(0.01, &[]).params;
    let params: Vec<(&str, &str)> =
        params.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    // This registration seals MLflow's values, which have no result.
    herd.train_with(&params, 1.0);
    assert_eq!(trials(&herd), []);
    let mut start = start(None);
    start.params.extend(params.iter().map(|(key, value)| ((*key).into(), (*value).into())));
    let run_id = herd.store.start_run(&start).unwrap();
    let values = [metric("portfolio/total_return", 0.1, 1), metric("portfolio/skew", 0.5, 1)];
    herd.store.log_metrics(&run_id, &values).unwrap();
    let found = trials(&herd);
    assert_eq!(found.iter().map(|it| &it.run_id).collect::<Vec<_>>(), [&run_id]);
    assert_eq!(found[0].figures, [("skew".to_owned(), 0.5)].into());
}

#[test]
fn trainings_after_an_evaluation_are_tries_by_their_bars_and_count_once() {
    let herd = Herd::new();
    herd.train(None, 1.0);
    let returns = "m1 0.97";
    herd.store.record_evaluation(&version(1), &evaluation("m1", 0.97), 0).unwrap();
    let tries = || herd.store.standing(&version(1)).unwrap().unwrap().n_tries;
    let renamed = |sharpe, shared_with: &[&str]| {
        let mut measured = measured(sharpe, shared_with);
        for (key, value) in [
            (window_params::SYMBOL, "EURUSD_B"),
            (window_params::EDGES[4], "2019-01-01T00:00:00Z"),
            (window_params::EDGES[5], "2019-02-01T00:00:00Z"),
        ] {
            measured.params.insert(key.to_owned(), value.to_owned());
        }
        measured
    };
    assert_eq!(tries(), 1);
    trained(&herd, &renamed(0.01, &[]), true);
    assert_eq!(tries(), 1);
    trained(&herd, &renamed(0.02, &[returns]), true);
    assert_eq!(tries(), 2);
    trained(&herd, &renamed(0.03, &["other", returns]), false);
    assert_eq!(tries(), 3);
    // The same training again, by content and by name.
    trained(&herd, &renamed(0.02, &[returns]), true);
    trained(&herd, &measured(0.03, &[]), true);
    assert_eq!(tries(), 3);
    trained(&herd, &measured(0.04, &[returns]), true);
    assert_eq!(tries(), 4);
    // By name and time alone.
    let mut later = measured(0.05, &[]);
    for (edge, at) in [(4, "2018-01-20T00:00:00Z"), (5, "2018-03-01T00:00:00Z")] {
        later.params.insert(window_params::EDGES[edge].to_owned(), at.to_owned());
    }
    trained(&herd, &later, true);
    assert_eq!(tries(), 5);
}

#[test]
fn training_that_missed_an_evaluation_is_not_finished() {
    let herd = Herd::new();
    herd.train(None, 1.0);
    let mut measured = measured(0.01, &[]);
    let last = herd.store.evaluations_and_last_event().unwrap().1;
    measured.test.as_mut().unwrap().compared_until = last;
    herd.store.record_evaluation(&version(1), &evaluation("m1", 0.97), 0).unwrap();
    let mut start = start(None);
    start.params.clone_from(&measured.params);
    let run_id = herd.store.start_run(&start).unwrap();
    herd.store.store_artifact(&run_id, "models/1H/model.zip", MODEL_FILE).unwrap();
    let mut finish = finish(&run_id, start.origin, &[]);
    finish.measured = measured;
    let refused = herd.store.finish_and_register(&finish).unwrap_err();
    assert!(matches!(refused, StoreError::TestedMeanwhile { .. }), "{refused}");
    let refused = herd.store.finish_unregistered(&finish).unwrap_err();
    assert!(matches!(refused, StoreError::TestedMeanwhile { .. }), "{refused}");
    let (all, last) = herd.store.evaluations_and_last_event().unwrap();
    assert_eq!(all.len(), 1);
    finish.measured.test.as_mut().unwrap().compared_until = last;
    herd.store.finish_and_register(&finish).unwrap();
}

#[test]
fn files_that_evidence_rests_on_are_compared_with_their_sealed_hashes() {
    let herd = Herd::new();
    let registered = trained(&herd, &measured(0.01, &[]), true);
    let unregistered = trained(&herd, &measured(0.02, &[]), false);
    let mut evaluation = evaluation("m1", 0.97);
    let returns = hex_sha256(b"returns");
    evaluation.closes_sha256 = Some(hex_sha256(CLOSES));
    let basis = evaluation.basis.as_mut().unwrap();
    basis.returns_sha256.clone_from(&returns);
    let of_evaluation = [
        (format!("evaluation/later/{returns}.npy"), b"returns".as_slice()),
        (format!("evaluation/closes/{}.bin", hex_sha256(CLOSES)), CLOSES),
    ];
    for (path, bytes) in &of_evaluation {
        herd.store.store_artifact(&registered, path, bytes).unwrap();
    }
    herd.store.record_evaluation(&version(1), &evaluation, 0).unwrap();
    assert_eq!(herd.store.diagnose().unwrap(), []);
    let mut places: Vec<(&RunId, &str, &[u8])> =
        [&registered, &unregistered].map(|run_id| (run_id, "data/closes.bin", CLOSES)).into();
    places.extend(of_evaluation.iter().map(|(path, bytes)| (&registered, path.as_str(), *bytes)));
    for (run_id, path, bytes) in places {
        herd.store.store_artifact(run_id, path, b"altered").unwrap();
        let found = herd.store.verify().unwrap().breaches;
        let kinds: Vec<BreachKind> = found.iter().map(|breach| breach.kind).collect();
        assert_eq!(kinds, [BreachKind::EvidenceFile], "{found:#?}");
        let Breach { message, subject, .. } = &found[0];
        assert!(message.contains(path) && message.contains("was altered"), "{message}");
        assert_eq!(subject.run_id.as_ref(), Some(run_id));
        herd.store.store_artifact(run_id, path, bytes).unwrap();
        assert_eq!(herd.store.diagnose().unwrap(), []);
    }
    let kind = Some(EventKind::RunEnded);
    let ends = herd.store.events(&EventQuery { kind, ..EventQuery::default() }).unwrap();
    assert_eq!(ends.len(), 1);
    let result = herd.store.run_result(&unregistered).unwrap().unwrap();
    assert_eq!((result.model_sha256, result.metrics.len()), (hex_sha256(MODEL_FILE), 4));
    assert_eq!(herd.store.run_result(&registered).unwrap(), None);
}
