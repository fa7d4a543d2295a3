//! Finding the newest and the best.

use herdbook_domain::{MetricName, ModelType, Timeframe, VersionType};
use herdbook_store::{Candidates, Contaminated};

use crate::herd::{Herd, metric, number};

fn candidates(model_type: ModelType, version_type: Option<VersionType>) -> Candidates {
    Candidates {
        timeframe: Timeframe::Hour1,
        model_type,
        version_type,
        symbol: None,
        min_timesteps: 0,
        contaminated: Contaminated::Included,
    }
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
    let first = "(SELECT run_id FROM model_versions WHERE version = 1)";
    herd.foreign()
        .execute_batch(&format!("UPDATE params SET value = 'IBM' WHERE run_uuid = {first}"))
        .unwrap();
    assert_eq!(differing(), ["data.symbol"]);
}
