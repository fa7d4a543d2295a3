//! Finding the newest and the best model.

use herdbook_domain::{Honesty, MetricName, ModelType, Stage, VersionType, window_params};
use herdbook_store::{Candidates, Contaminated};

use crate::herd::{self, Herd, MODEL_FILE, finish, metric, model, number};

fn candidates(model_type: ModelType, version_type: Option<VersionType>) -> Candidates {
    Candidates { model_type, version_type, ..herd::candidates() }
}

fn best(herd: &Herd, metric: &str) -> Option<(i64, f64)> {
    let metric = MetricName::parse(metric).unwrap();
    let found = herd.store.find_best(&candidates(ModelType::Base, None), &metric).unwrap();
    found.map(|best| (i64::from(best.version.key.version.get()), best.value))
}

#[test]
fn latest_is_the_last_registered_of_its_type_and_version_type() {
    let herd = Herd::new();
    let base = herd.train(None, 1.0);
    herd.train(Some(&base), 2.0);
    let latest =
        |candidates| herd.store.find_latest(&candidates).unwrap().map(|record| record.key.version);
    assert_eq!(latest(candidates(ModelType::Base, Some(VersionType::Latest))), None);
    assert_eq!(latest(candidates(ModelType::Base, Some(VersionType::Old))), Some(number(1)));
    assert_eq!(latest(candidates(ModelType::Continued, None)), Some(number(2)));
    assert_eq!(latest(candidates(ModelType::Replay, None)), None);
}

#[test]
fn best_has_the_highest_last_value_and_ties_go_to_the_newer() {
    let herd = Herd::new();
    for reward in [1.0, 3.0, 3.0, 2.0] {
        herd.train(None, reward);
    }
    assert_eq!(best(&herd, "evaluation/best_mean_reward"), Some((3, 3.0)));
    assert_eq!(best(&herd, "evaluation/unknown"), None);
}

#[test]
fn last_finite_value_counts_where_the_last_one_is_not_finite() {
    let herd = Herd::new();
    for (values, infinite) in
        [([9.0, 1.0], f64::NAN), ([1.0, 5.0], f64::NAN), ([4.0, 4.0], f64::INFINITY)]
    {
        let (run_id, origin) = herd.start(None);
        let logged = [values[0], values[1], infinite];
        let metrics: Vec<_> =
            (1..).zip(logged).map(|(step, value)| metric("final/score", value, step)).collect();
        herd.store.log_metrics(&run_id, &metrics).unwrap();
        herd.finish(&run_id, origin, 0.0);
    }
    assert_eq!(best(&herd, "final/score"), Some((2, 5.0)));
}

#[test]
fn less_is_better_for_a_drawdown() {
    let herd = Herd::new();
    for drawdown in [0.3, 0.1, 0.2] {
        let (run_id, origin) = herd.start(None);
        let drawdown = metric("portfolio/max_drawdown", drawdown, 1);
        herd.store.log_metrics(&run_id, &[drawdown]).unwrap();
        herd.finish(&run_id, origin, 0.0);
    }
    assert_eq!(best(&herd, "portfolio/max_drawdown"), Some((2, 0.1)));
}

#[test]
fn runs_that_are_unfinished_or_deleted_are_never_found() {
    let herd = Herd::new();
    let (run_id, _) = herd.start(None);
    herd.store.log_metrics(&run_id, &[metric("final/score", 9.0, 1)]).unwrap();
    assert_eq!(best(&herd, "final/score"), None);
    herd.train(None, 1.0);
    herd.foreign().execute_batch("UPDATE runs SET lifecycle_stage = 'deleted'").unwrap();
    assert_eq!(best(&herd, "evaluation/best_mean_reward"), None);
}

#[test]
fn candidates_of_other_data_make_the_best_incomparable() {
    let herd = Herd::new();
    herd.train(None, 1.0);
    herd.train(None, 2.0);
    let differing = || {
        let metric = MetricName::parse("evaluation/best_mean_reward").unwrap();
        let found = herd.store.find_best(&candidates(ModelType::Base, None), &metric).unwrap();
        found.unwrap().differing
    };
    assert!(differing().is_empty());
    herd.train_with(&[(window_params::SYMBOL, "IBM")], 1.5);
    assert_eq!(differing(), ["data.symbol"]);
    herd.train_with(&[(window_params::BARS_SHA256, "ab")], 0.5);
    assert_eq!(differing(), ["data.symbol", "data.sha256"]);
}

#[test]
fn model_registered_as_contaminated_stays_so_whatever_others_write() {
    const METRIC: &str = "evaluation/best_mean_reward";
    let herd = Herd::new();
    herd.train(None, 1.0);
    let (run_id, origin) = herd.start(None);
    herd.store.store_artifact(&run_id, "models/1H/model.zip", MODEL_FILE).unwrap();
    let mut contaminated = finish(&run_id, origin, &[(METRIC, 9.0)]);
    contaminated.registration.honesty = Honesty::Contaminated;
    herd.store.finish_and_register(&contaminated).unwrap();
    herd.foreign()
        .execute_batch(
            "UPDATE tags SET value = 'clean' WHERE key = 'honesty';
             UPDATE model_version_tags SET value = 'clean' WHERE key = 'honesty';
             UPDATE model_versions SET description = 'clean', last_updated_time = 1;",
        )
        .unwrap();
    let store = herd.another_store();
    let metric = MetricName::parse(METRIC).unwrap();
    let any = candidates(ModelType::Base, None);
    let honest = Candidates { contaminated: Contaminated::Skipped, ..any.clone() };
    let found = |candidates| {
        let best = store.find_best(candidates, &metric).unwrap().unwrap().version.key.version;
        let latest = store.find_latest(candidates).unwrap().unwrap().key.version;
        (best, latest)
    };
    assert_eq!(found(&any), (number(2), number(2)));
    assert_eq!(found(&honest), (number(1), number(1)));
}

/// Runs that were registered later, with better values, and are not candidates: each is examined before the herd's own.
fn crowd(herd: &Herd, metric: &str, value: f64) {
    let (mut runs, mut metrics, mut versions) = (Vec::new(), Vec::new(), Vec::new());
    for idx in 1..=400 {
        let id = format!("f{idx:031}");
        runs.push(format!(
            "('{id}', '', 'LOCAL', '', '', 'x', 'FINISHED', 1, 2, '', 'active', '', 0)"
        ));
        metrics.push(format!("('{metric}', {value:?}, 1, 1, FALSE, '{id}')"));
        let (number, at) = (1_000 + idx, 9_000_000_000_000_000_i64);
        versions.push(format!(
            "('1H_trading_model', {number}, {at}, {at}, 'None', 'READY', '{id}', 'default')"
        ));
    }
    let sql = format!(
        "INSERT INTO runs (run_uuid, name, source_type, source_name, entry_point_name, user_id, status,
            start_time, end_time, source_version, lifecycle_stage, artifact_uri, experiment_id)
         VALUES {};
         INSERT INTO latest_metrics (key, value, timestamp, step, is_nan, run_uuid) VALUES {};
         INSERT INTO model_versions (name, version, creation_time, last_updated_time, current_stage,
            status, run_id, workspace) VALUES {};",
        runs.join(", "),
        metrics.join(", "),
        versions.join(", ")
    );
    herd.foreign().execute_batch(&sql).unwrap();
}

#[test]
fn candidates_behind_hundreds_of_others_are_found_by_their_tags() {
    let herd = Herd::new();
    for reward in [1.0, 3.0, 3.0, 2.0] {
        herd.train(None, reward);
    }
    crowd(&herd, "evaluation/best_mean_reward", 9.0);
    assert_eq!(best(&herd, "evaluation/best_mean_reward"), Some((3, 3.0)));
    let latest = herd.store.find_latest(&candidates(ModelType::Base, None)).unwrap().unwrap();
    assert_eq!(latest.key.version, number(4));
    let metric = MetricName::parse("evaluation/best_mean_reward").unwrap();
    let nothing = candidates(ModelType::Replay, None);
    assert!(herd.store.find_best(&nothing, &metric).unwrap().is_none());
    assert!(herd.store.find_latest(&nothing).unwrap().is_none());
}

#[test]
fn ties_with_hundreds_of_others_go_to_the_newest_candidate() {
    let herd = Herd::new();
    for reward in [3.0, 3.0, 1.0] {
        herd.train(None, reward);
    }
    crowd(&herd, "evaluation/best_mean_reward", 3.0);
    assert_eq!(best(&herd, "evaluation/best_mean_reward"), Some((2, 3.0)));
}

#[test]
fn board_counts_versions_in_each_stage_without_deleted_ones() {
    let herd = Herd::new();
    for _ in 0..4 {
        herd.train(None, 1.0);
    }
    herd.promote(1, Stage::Beta).unwrap();
    herd.promote(1, Stage::Champion).unwrap();
    herd.promote(2, Stage::Beta).unwrap();
    let deleted = "UPDATE model_versions SET current_stage = 'Deleted_Internal' WHERE version = 4";
    herd.foreign().execute_batch(deleted).unwrap();
    let summaries = herd.store.summaries().unwrap().records;
    assert_eq!(summaries.len(), 1);
    assert_eq!(summaries[0].newest.key.version, number(3));
    let counts: Vec<_> = summaries[0].n_in_stage.iter().map(|(s, n)| (*s, *n)).collect();
    let numbers = herd.store.numbers_by_stage(&model()).unwrap();
    for (stage, n) in counts {
        assert_eq!(numbers.get(&stage).map_or(0, Vec::len), n, "{stage}");
    }
    assert_eq!(numbers[&Stage::Champion], [number(1)]);
    assert_eq!(numbers[&Stage::Development], [number(3)]);
}
