//! Metrics, params, tags, inputs and outputs of a run.

use std::sync::Barrier;

use herdbook_mlflow::Code;
use herdbook_mlflow::runs::{self, Batch, InputDataset, ModelOutput};

use crate::fixture::{Served, metric, pair, refusal};

#[test]
fn latest_value_is_the_one_of_the_last_step_then_time_then_value() {
    let served = Served::new();
    let id = served.run("a", 1).info.run_id;
    for (value, step) in [(1.0, 5), (9.0, 4), (0.5, 5), (2.0, 5), (f64::NAN, 5)] {
        served.log(&id, "m", value, step);
    }
    let latest = &served.read(&id).metrics[0];
    assert_eq!((latest.value.to_bits(), latest.step), (2.0_f64.to_bits(), 5));
    served.log(&id, "m", f64::NAN, 6);
    assert!(served.read(&id).metrics[0].value.is_nan());
    served.log(&id, "m", f64::NEG_INFINITY, 7);
    assert_eq!(served.read(&id).metrics[0].value.to_bits(), f64::MIN.to_bits());
}

#[test]
fn batch_is_added_whole_or_not_at_all() {
    let served = Served::new();
    let id = served.run("a", 1).info.run_id;
    let batch = |param: &str| Batch {
        metrics: vec![metric("m", 1.0, 1), metric("m", 1.0, 1)],
        params: vec![pair("new", "1"), pair("p", param)],
        tags: vec![pair("t", "1"), pair("mlflow.runName", "b"), pair("t", "2")],
    };
    runs::log_param(&served.session, &id, "p", "1").unwrap();
    let (code, message) = refusal(runs::log_batch(&served.session, &id, &batch("2")));
    assert_eq!(code, Code::InvalidParameterValue);
    assert_eq!(
        message,
        format!(
            "Changing param values is not allowed. Params were already logged='[{{'key': 'p', 'old_value': '1', \
             'new_value': '2'}}]' for run ID='{id}'."
        )
    );
    let run = served.read(&id);
    assert_eq!((run.metrics.len(), run.params.len(), run.tags.len()), (0, 1, 1));
    for _ in 0..2 {
        runs::log_batch(&served.session, &id, &batch("1")).unwrap();
    }
    let run = served.read(&id);
    assert_eq!(run.params, [pair("new", "1"), pair("p", "1")]);
    assert_eq!(run.tags, [pair("mlflow.runName", "b"), pair("t", "2")]);
    assert_eq!((run.metrics.len(), run.info.name.as_str()), (1, "b"));
}

#[test]
fn limits_of_a_batch_are_those_of_mlflow() {
    let served = Served::new();
    let id = served.run("a", 1).info.run_id;
    let log = |batch: &Batch| runs::log_batch(&served.session, &id, batch);
    let many = |n: usize| (0..n).map(|number| pair(&format!("k{number}"), "v")).collect::<Vec<_>>();
    let metrics = |n: i64| (0..n).map(|step| metric("m", 0.0, step)).collect::<Vec<_>>();
    log(&Batch { metrics: metrics(1000), ..Batch::default() }).unwrap();
    log(&Batch { params: many(100), tags: many(100), metrics: metrics(800) }).unwrap();
    for (batch, expected) in [
        (Batch { metrics: metrics(1001), ..Batch::default() }, "at most 1000 metrics. Got 1001"),
        (Batch { params: many(101), ..Batch::default() }, "at most 100 params. Got 101"),
        (Batch { tags: many(101), ..Batch::default() }, "at most 100 tags. Got 101"),
        (
            Batch { params: many(100), tags: many(100), metrics: metrics(801) },
            "at most 1000 metrics, params, and tags. Got 1001",
        ),
        (
            Batch { params: vec![pair("a", "1"), pair("a", "1")], ..Batch::default() },
            "Duplicate parameter keys have been submitted: ['a']",
        ),
        (
            Batch { tags: vec![pair("a//b", "1")], ..Batch::default() },
            "Invalid value \"a//b\" for parameter 'tags[0].key' supplied",
        ),
        (
            Batch { metrics: vec![metric("m", 1.0, -1)], ..Batch::default() },
            "Invalid value -1 for parameter 'metrics[0].timestamp' supplied: metric 'm' (value=1.0)",
        ),
    ] {
        let (code, message) = refusal(log(&batch));
        assert_eq!(code, Code::InvalidParameterValue);
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn long_values_are_cut() {
    let served = Served::new();
    let id = served.run("a", 1).info.run_id;
    runs::log_param(&served.session, &id, "p", &"ä".repeat(7000)).unwrap();
    runs::set_tag(&served.session, &id, "t", &"x".repeat(9000)).unwrap();
    let run = served.read(&id);
    assert_eq!(run.params[0].1.chars().count(), 6000);
    assert_eq!(run.tags[1].1.len(), 8000);
    runs::log_param(&served.session, &id, "p", &"ä".repeat(6500)).unwrap();
}

#[test]
fn tag_is_deleted_once() {
    let served = Served::new();
    let id = served.run("a", 1).info.run_id;
    runs::set_tag(&served.session, &id, "k", "v").unwrap();
    runs::delete_tag(&served.session, &id, "k").unwrap();
    let refused = refusal(runs::delete_tag(&served.session, &id, "k"));
    let expected = format!("No tag with name: k in run with id {id}");
    assert_eq!(refused, (Code::ResourceDoesNotExist, expected));
}

#[test]
fn dataset_is_linked_once_with_the_tags_of_the_first_time() {
    let served = Served::new();
    let id = served.run("a", 1).info.run_id;
    let dataset = |context: &str| InputDataset {
        name: "d".to_owned(),
        digest: "1".to_owned(),
        source_type: "local".to_owned(),
        source: "{}".to_owned(),
        tags: vec![pair("mlflow.data.context", context)],
        ..InputDataset::default()
    };
    let model = "m-1".to_owned();
    for context in ["train", "test"] {
        let models = std::slice::from_ref(&model);
        runs::log_inputs(&served.session, &id, &[dataset(context), dataset("x")], models).unwrap();
    }
    let outputs = [ModelOutput { model_id: "m-2".to_owned(), step: 3 }];
    runs::log_outputs(&served.session, &id, &outputs).unwrap();
    let again = refusal(runs::log_outputs(&served.session, &id, &outputs));
    assert_eq!(again.0, Code::BadRequest);
    let run = served.read(&id);
    assert_eq!(run.datasets, [dataset("train")]);
    assert_eq!(run.model_inputs, [model]);
    assert_eq!(run.model_outputs, [("m-2".to_owned(), 3)]);
    let long = InputDataset { digest: "x".repeat(37), ..dataset("x") };
    let refused = refusal(runs::log_inputs(&served.session, &id, &[long], &[]));
    assert_eq!(refused.1, "'digest' exceeds the maximum length of 36 characters");
}

#[test]
fn models_of_old_clients_are_kept_in_a_tag() {
    let served = Served::new();
    let id = served.run("a", 1).info.run_id;
    let model = r#"{"artifact_path": "m", "flavors": {"f": {"config": 1, "v": 2}}, "utc_time_created": "t", "run_id": "r"}"#;
    for _ in 0..2 {
        runs::log_model(&served.session, &id, model).unwrap();
    }
    let run = served.read(&id);
    let (_, value) = run.tags.iter().find(|(key, _)| key == "mlflow.log-model.history").unwrap();
    let models: serde_json::Value = serde_json::from_str(value).unwrap();
    assert_eq!(models[1]["flavors"], serde_json::json!({"f": {"v": 2}}));
    let refused = refusal(runs::log_model(&served.session, &id, "{}"));
    assert!(refused.1.starts_with("Model json is missing mandatory fields:"), "{}", refused.1);
    assert!(runs::log_model(&served.session, &id, "x").is_err());
}

#[test]
fn threads_that_log_to_one_run_lose_nothing() {
    const THREADS: i64 = 8;
    const ROUNDS: i64 = 10;
    let served = Served::new();
    let id = served.run("a", 1).info.run_id;
    let barrier = Barrier::new(THREADS as usize);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (served, id, barrier) = (&served, &id, &barrier);
            scope.spawn(move || {
                barrier.wait();
                for round in 0..ROUNDS {
                    let step = round * THREADS + thread;
                    let batch = Batch {
                        metrics: vec![metric("m", step as f64, step)],
                        params: vec![pair(&format!("p{step}"), "v")],
                        tags: vec![pair("last", &step.to_string())],
                    };
                    runs::log_batch(&served.session, id, &batch).unwrap();
                }
            });
        }
    });
    let run = served.read(&id);
    assert_eq!(run.params.len() as i64, THREADS * ROUNDS);
    assert_eq!(run.metrics[0].step, THREADS * ROUNDS - 1);
}

#[test]
fn text_that_the_database_cannot_store_is_refused_for_good() {
    let served = Served::new();
    let id = served.run("a", 1).info.run_id;
    let long = format!("{}{}", "x".repeat(300), "\0");
    let outcome = runs::update(
        &served.session,
        &id,
        &runs::RunUpdate { name: Some(long), ..runs::RunUpdate::default() },
    );
    // SQLite stores any text.
    if let Err(error) = outcome {
        assert!(error.to_string().contains("cannot take a value or condition"), "{error}");
    }
}
