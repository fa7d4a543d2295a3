//! Records of other programs are read completely: odd values, missing ones, and names that cannot be parsed.

use herdbook_domain::tags::key;
use herdbook_domain::{MetricName, ModelType, RunId, Timeframe, Timestamp};
use herdbook_store::{
    Candidates, Contaminated, Metric, MetricSelection, StoreError, UnreadableVersion, VersionQuery,
};

use crate::doctor::foreign;
use crate::herd::{Herd, metric, model, number, version};

const METRIC: &str = "evaluation/best_mean_reward";

#[test]
fn metrics_keep_step_time_and_values_that_are_not_finite() {
    const SELECTED: [&str; 2] = ["nan", "up"];
    let herd = Herd::new();
    let run_id = herd.train(None, 1.0);
    let at = Timestamp::from_millis(1_700_000_000_123);
    for (key, value) in [("nan", f64::NAN), ("up", f64::INFINITY), ("down", f64::NEG_INFINITY)] {
        let logged = Metric { at, ..metric(key, value, 7) };
        herd.store.log_to_run(&run_id, &entries(logged)).unwrap();
    }
    foreign(
        &herd,
        &format!(
            "INSERT INTO latest_metrics (key, value, timestamp, step, is_nan, run_uuid)
             VALUES ('untimed', 2.5, NULL, -3, FALSE, '{run_id}')"
        ),
    );
    let run = herd.store.run(&run_id).unwrap();
    let untimed = run.metrics.get("untimed").unwrap();
    assert_eq!((untimed.value, untimed.step, untimed.at), (2.5, -3, None));
    let up = run.metrics.get("up").unwrap();
    assert_eq!((up.value, up.step, up.at), (f64::INFINITY, 7, Some(at)));
    assert_eq!(run.metrics.get("down").unwrap().value.to_bits(), f64::NEG_INFINITY.to_bits());
    assert!(run.metrics.get("nan").unwrap().value.is_nan());
    assert_eq!(
        (run.metric("up"), run.metric("nan"), run.metric("untimed")),
        (None, None, Some(2.5))
    );
    let finite = run.finite_metrics();
    assert_eq!(finite.keys().collect::<Vec<_>>(), [METRIC, "untimed"]);
    let of_version = herd.store.version(&version(1)).unwrap();
    assert_eq!(of_version.metrics.finite_values(), finite);
    // What was logged after the registration counts for no rule.
    assert_eq!(of_version.finite_metrics().keys().collect::<Vec<_>>(), [METRIC]);
    let selected =
        VersionQuery { metrics: MetricSelection::Only(&SELECTED), ..VersionQuery::default() };
    let listed = herd.store.versions(&selected).unwrap().records.remove(0).metrics;
    assert_eq!(listed.iter().map(|it| it.key.as_str()).collect::<Vec<_>>(), SELECTED);
    assert!(listed.get("nan").unwrap().value.is_nan());
}

fn entries(metric: Metric) -> herdbook_store::RunEntries {
    herdbook_store::RunEntries { metrics: vec![metric], ..Default::default() }
}

#[test]
fn every_field_of_a_version_is_read_with_or_without_a_value() {
    let herd = Herd::new();
    herd.train(None, 1.0);
    foreign(
        &herd,
        "UPDATE model_versions SET description = 'ours', status = 'FAILED_REGISTRATION',
            status_message = 'no space', run_link = 'https://elsewhere/run', user_id = 'grace';
         INSERT INTO model_versions (name, version, workspace, current_stage)
         VALUES ('1H_trading_model', 2, 'default', 'None')",
    );
    let full = herd.store.version(&version(1)).unwrap();
    let source = full.source.as_deref().unwrap();
    assert!(source.ends_with("/artifacts/models/1H"), "{source}");
    let texts = [&full.description, &full.status, &full.status_message, &full.run_link, &full.user];
    assert_eq!(
        texts.map(|text| text.as_deref().unwrap()),
        ["ours", "FAILED_REGISTRATION", "no space", "https://elsewhere/run", "grace"]
    );
    let bare = herd.store.version(&version(2)).unwrap();
    let texts = [&bare.source, &bare.description, &bare.status, &bare.status_message];
    assert!(texts.iter().all(|text| text.is_none()), "{bare:#?}");
    assert_eq!((bare.run_id, bare.user, bare.run_link), (None, None, None));
    assert_eq!(bare.created_at, Timestamp::from_millis(0));
}

/// Newer versions of the first run: one of a model with a blank name, and one without a positive number.
fn with_unreadable() -> (Herd, RunId) {
    let herd = Herd::new();
    let run_id = herd.train(None, 1.0);
    foreign(
        &herd,
        &format!(
            "INSERT INTO registered_models (name, workspace) VALUES (' ', 'default');
             INSERT INTO model_versions (name, version, creation_time, last_updated_time, current_stage,
                run_id, workspace)
             VALUES (' ', 1, 9000000000000, 0, 'None', '{run_id}', 'default'),
                ('1H_trading_model', 0, 9000000000001, 0, 'None', '{run_id}', 'default')"
        ),
    );
    (herd, run_id)
}

fn written(unreadable: &[UnreadableVersion]) -> Vec<(&str, &str)> {
    unreadable.iter().map(|it| (it.name.as_str(), it.version.as_str())).collect()
}

#[test]
fn versions_that_cannot_be_parsed_are_listed_apart() {
    let (herd, run_id) = with_unreadable();
    let listing = herd.store.versions(&VersionQuery::default()).unwrap();
    let keys: Vec<_> = listing.records.iter().map(|record| &record.key).collect();
    assert_eq!(keys, [&version(1)]);
    assert_eq!(written(&listing.unreadable), [("1H_trading_model", "0"), (" ", "1")]);
    let problems: Vec<_> = listing.unreadable.iter().map(|it| it.problem.as_str()).collect();
    assert_eq!(problems[0], "`0` is not a version number: versions are 1, 2, 3 …");
    assert!(problems[1].ends_with("is empty"), "{problems:?}");
    let board = herd.store.summaries().unwrap();
    assert_eq!(written(&board.unreadable), [(" ", "1")]);
    let names: Vec<_> = board.records.iter().map(|summary| &summary.newest.key.name).collect();
    assert_eq!(names, [&model()]);
    assert_eq!(herd.store.version_of_run(&run_id).unwrap().unwrap().key, version(1));
}

#[test]
fn unreadable_versions_do_not_hide_the_newest_and_best() {
    let (herd, _) = with_unreadable();
    let candidates = Candidates {
        timeframe: Timeframe::Hour1,
        model_type: ModelType::Base,
        version_type: None,
        symbol: None,
        min_timesteps: 0,
        contaminated: Contaminated::Skipped,
        passed_over: Vec::new(),
    };
    let latest = herd.store.find_latest(&candidates).unwrap().unwrap();
    assert_eq!(latest.key, version(1));
    let metric = MetricName::parse(METRIC).unwrap();
    let best = herd.store.find_best(&candidates, &metric).unwrap().unwrap();
    assert_eq!((best.version.key, best.value), (version(1), 1.0));
}

#[test]
fn missing_values_of_runs_and_tags_are_no_obstacle() {
    let herd = Herd::new();
    let run_id = herd.train(None, 1.0);
    herd.train(None, 2.0);
    foreign(
        &herd,
        &format!(
            "UPDATE runs SET name = NULL, user_id = NULL, start_time = NULL, end_time = NULL,
                lifecycle_stage = NULL WHERE run_uuid = '{run_id}';
             UPDATE model_version_tags SET value = NULL WHERE key = 'promotion_stage' AND version = 1;
             INSERT INTO tags (key, value, run_uuid) VALUES ('base_model_run_id', NULL, '{run_id}');
             INSERT INTO model_version_tags (key, value, name, version, workspace)
             VALUES ('base_model_run_id', NULL, '1H_trading_model', 1, 'default')"
        ),
    );
    let run = herd.store.run(&run_id).unwrap();
    assert_eq!((run.name.as_str(), run.deleted, run.ended_at), ("", false, None));
    assert_eq!(herd.tag(1, key::PROMOTION_STAGE).unwrap(), "");
    assert_eq!(herd.store.summaries().unwrap().records[0].newest.key.version, number(2));
    let by_stage = herd.store.numbers_by_stage(&model()).unwrap();
    assert_eq!(by_stage.into_values().collect::<Vec<_>>(), [[number(2)]]);
    herd.store.diagnose().unwrap();
}

#[test]
fn run_without_status_or_artifacts_is_named() {
    let herd = Herd::new();
    let run_id = herd.train(None, 1.0);
    foreign(&herd, "UPDATE runs SET status = NULL, artifact_uri = NULL");
    let error = herd.store.run(&run_id).unwrap_err();
    assert!(matches!(error, StoreError::BrokenRecord { .. }), "{error}");
    assert!(error.to_string().contains(run_id.as_str()), "{error}");
    let error = herd.store.read_artifact(&run_id, "models/1H/model.zip").map(drop).unwrap_err();
    assert!(matches!(error, StoreError::Artifact { .. }), "{error}");
    assert!(error.to_string().contains(run_id.as_str()), "{error}");
}
