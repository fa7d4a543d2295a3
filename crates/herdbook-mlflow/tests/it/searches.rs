//! Searches for runs.

use herdbook_mlflow::runs::{self, InputDataset, RunSearch};
use herdbook_mlflow::{Code, ViewType};

use crate::fixture::{Served, pair, refusal};

fn search(served: &Served, filter: &str, order_by: &[&str]) -> Vec<String> {
    let search = RunSearch {
        experiment_ids: vec![served.experiment.clone()],
        filter: filter.to_owned(),
        order_by: order_by.iter().map(|&clause| clause.to_owned()).collect(),
        max_results: 1000,
        ..RunSearch::default()
    };
    names(&runs::search(&served.session, &search).unwrap().records)
}

fn names(found: &[runs::Run]) -> Vec<String> {
    found.iter().map(|run| run.info.name.clone()).collect()
}

/// Runs `a` (m = 1), `b` (m = 2), `c` (m = NaN), `d` (no m), started in this order.
fn with_runs() -> Served {
    let served = Served::new();
    for (start, (name, value)) in
        [("a", Some(1.0)), ("b", Some(2.0)), ("c", Some(f64::NAN)), ("d", None)]
            .into_iter()
            .enumerate()
    {
        let id = served.run(name, start as i64).info.run_id;
        if let Some(value) = value {
            served.log(&id, "m", value, 1);
        }
        runs::log_param(&served.session, &id, "p", &format!("{name}_P")).unwrap();
    }
    served
}

#[test]
fn nan_meets_only_the_comparison_with_not_equal() {
    let served = with_runs();
    let by = |filter: &str| search(&served, filter, &["run_name"]);
    assert_eq!(by("metrics.m < 10"), ["a", "b"]);
    assert_eq!(by("metrics.m = 0"), [""; 0]);
    assert_eq!(by("metrics.m != 1"), ["b", "c"]);
    assert_eq!(by("metrics.m >= 2"), ["b"]);
}

#[test]
fn runs_without_a_value_come_last_after_those_with_nan() {
    let served = with_runs();
    assert_eq!(search(&served, "", &["metrics.m"]), ["a", "b", "c", "d"]);
    assert_eq!(search(&served, "", &["metrics.m DESC"]), ["b", "a", "c", "d"]);
    assert_eq!(search(&served, "", &[]), ["d", "c", "b", "a"]);
    assert_eq!(search(&served, "", &["start_time ASC"]), ["a", "b", "c", "d"]);
}

#[test]
fn texts_are_compared_with_or_without_case() {
    let served = with_runs();
    assert_eq!(search(&served, "params.p LIKE '%_P'", &["run_name"]), ["a", "b", "c", "d"]);
    assert_eq!(search(&served, "params.p LIKE '%_p'", &[]), [""; 0]);
    assert_eq!(search(&served, "params.p ILIKE 'A%p'", &[]), ["a"]);
    assert_eq!(search(&served, "run_name = 'b' AND status = 'RUNNING'", &[]), ["b"]);
    assert_eq!(search(&served, "tags.none != 'x'", &[]), [""; 0]);
    assert_eq!(search(&served, "tags.none IS NULL AND params.p IS NOT NULL", &[]).len(), 4);
    assert_eq!(search(&served, "user_id = 'ada' AND start_time > 1", &[]), ["d", "c"]);
}

#[test]
fn pages_in_the_order_of_a_metric_cover_all_runs_once() {
    let served = with_runs();
    for max_results in 1..6 {
        let (mut token, mut found) = (String::new(), Vec::new());
        loop {
            let search = RunSearch {
                experiment_ids: vec![served.experiment.clone()],
                order_by: vec!["metrics.m DESC".to_owned()],
                page_token: token,
                max_results,
                ..RunSearch::default()
            };
            let page = runs::search(&served.session, &search).unwrap();
            found.extend(names(&page.records));
            match page.next {
                Some(next) => token = next,
                None => break,
            }
        }
        assert_eq!(found, ["b", "a", "c", "d"], "{max_results}");
    }
}

#[test]
fn deleted_runs_are_shown_on_request() {
    let served = with_runs();
    let found = search(&served, "run_name = 'a'", &[]);
    assert_eq!(found, ["a"]);
    let all = RunSearch {
        experiment_ids: vec![served.experiment.clone()],
        filter: "run_name = 'a'".to_owned(),
        max_results: 10,
        ..RunSearch::default()
    };
    let id = runs::search(&served.session, &all).unwrap().records[0].info.run_id.clone();
    runs::delete(&served.session, &id).unwrap();
    let seen = |view| {
        let search = RunSearch { view, ..all.clone() };
        runs::search(&served.session, &search).unwrap().records.len()
    };
    let views = [ViewType::ActiveOnly, ViewType::DeletedOnly, ViewType::All];
    assert_eq!(views.map(seen), [0, 1, 1]);
}

#[test]
fn runs_are_found_by_the_datasets_they_used() {
    let served = with_runs();
    let id = served.run("e", 9).info.run_id;
    let dataset = InputDataset {
        name: "bars".to_owned(),
        digest: "1".to_owned(),
        tags: vec![pair("mlflow.data.context", "train")],
        ..InputDataset::default()
    };
    runs::log_inputs(&served.session, &id, &[dataset], &[]).unwrap();
    assert_eq!(search(&served, "dataset.name = 'bars' AND dataset.context LIKE 'tr%'", &[]), ["e"]);
    assert_eq!(search(&served, "datasets.digest IN ('1', '2')", &[]), ["e"]);
    assert_eq!(search(&served, "dataset.context = 'test'", &[]), [""; 0]);
}

#[test]
fn more_runs_than_a_statement_takes_are_read() {
    let served = Served::new();
    for number in 0..620 {
        served.run(&format!("r{number:03}"), number);
    }
    let found = search(&served, "", &["start_time"]);
    assert_eq!((found.len(), found[0].as_str(), found[619].as_str()), (620, "r000", "r619"));
}

#[test]
fn search_that_cannot_be_read_is_refused() {
    let served = with_runs();
    let search = |change: &dyn Fn(&mut RunSearch)| {
        let mut search = RunSearch {
            experiment_ids: vec![served.experiment.clone()],
            max_results: 1,
            ..RunSearch::default()
        };
        change(&mut search);
        refusal(runs::search(&served.session, &search))
    };
    let order = vec!["metrics.m".to_owned(), "metrics.m DESC".to_owned()];
    for refused in [
        search(&|search| search.max_results = 0),
        search(&|search| search.max_results = 50_001),
        search(&|search| search.filter = "metrics.m >".to_owned()),
        search(&|search| search.order_by = order.clone()),
        search(&|search| search.page_token = "x".to_owned()),
        search(&|search| search.experiment_ids = vec![String::new()]),
        search(&|search| search.experiment_ids = vec!["1".to_owned(); 70_000]),
    ] {
        assert_eq!(refused.0, Code::InvalidParameterValue, "{}", refused.1);
    }
}
