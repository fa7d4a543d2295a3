//! Metrics over time.

use herdbook_mlflow::metrics::{self, HistoryPage, Steps};

use crate::fixture::{Served, refusal};

#[test]
fn history_is_read_in_pages_by_time_step_and_value() {
    let served = Served::new();
    let id = served.run("a", 1).info.run_id;
    for step in [3, 1, 2] {
        served.log(&id, "m", step as f64, step);
    }
    let page = |max, token: &str| {
        let wanted = HistoryPage { run_id: &id, key: "m", max_results: max, page_token: token };
        metrics::history(&served.session, &wanted)
    };
    let steps = |values: &[herdbook_mlflow::runs::Latest]| -> Vec<i64> {
        values.iter().map(|value| value.step).collect()
    };
    let all = page(None, "").unwrap();
    assert_eq!((steps(&all.records), all.next), (vec![1, 2, 3], None));
    let first = page(Some(2), "").unwrap();
    assert_eq!(steps(&first.records), [1, 2]);
    let second = page(Some(2), &first.next.unwrap()).unwrap();
    assert_eq!((steps(&second.records), second.next), (vec![3], None));
    assert!(refusal(page(Some(0), "")).1.contains("It must be a positive integer."));
    let missing = HistoryPage { run_id: "nope", key: "m", max_results: None, page_token: "" };
    assert!(metrics::history(&served.session, &missing).unwrap().records.is_empty());
}

#[test]
fn sample_has_the_first_and_the_last_value() {
    let served = Served::new();
    let id = served.run("a", 1).info.run_id;
    for step in 0..100 {
        served.log(&id, "m", step as f64, step);
    }
    let sample = |steps, max| -> Vec<i64> {
        let run_ids = std::slice::from_ref(&id);
        let values = metrics::sample(&served.session, run_ids, "m", steps, max).unwrap();
        values.into_iter().map(|value| value.value.step).collect()
    };
    assert_eq!(sample(None, 4), [0, 25, 50, 99]);
    assert_eq!(sample(None, 1), [99]);
    assert_eq!(sample(None, 2500).len(), 100);
    assert_eq!(sample(Some(Steps { first: 10, last: 12 }), 10), [10, 11, 12]);
    assert_eq!(sample(Some(Steps { first: 200, last: 300 }), 10), [0; 0]);
}

#[test]
fn histories_of_several_runs_are_one_list() {
    let served = Served::new();
    let mut ids: Vec<String> = (0..3).map(|n| served.run("a", n).info.run_id).collect();
    for id in &ids {
        served.log(id, "m", 1.0, 1);
        served.log(id, "m", f64::NAN, 2);
    }
    let values = metrics::history_of_runs(&served.session, &ids, "m", 5).unwrap();
    ids.sort();
    let of: Vec<&String> = values.iter().map(|value| &value.run_id).collect();
    assert_eq!(of, [&ids[0], &ids[0], &ids[1], &ids[1], &ids[2]]);
    assert!(values[1].value.value.is_nan());
}
