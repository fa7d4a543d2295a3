//! Seals: rules decide on the facts of the registration, whatever other programs write to MLflow's tables afterwards.

use herdbook_domain::tags::key;
use herdbook_domain::{
    Condition, Conditions, EventKind, Honesty, MetricName, ModelType, Refusal, Requirement, RunId,
    Seal, SealOrigin, Stage, Symbol, Timeframe, VersionType, hex_sha256,
};
use herdbook_store::{
    Candidates, Contaminated, Effect, EventQuery, Measured, MetricSelection, StoreError,
    VersionQuery,
};

use crate::herd::{Herd, MODEL_FILE, candidates, finish, metric, number, promotion, version};

const METRIC: &str = "portfolio/sharpe_ratio";

fn at_least(limit: f64) -> Conditions {
    let requirement = Requirement::AtLeast(MetricName::parse(METRIC).unwrap(), limit);
    let condition =
        Condition { to: Stage::Beta, timeframes: Vec::new(), models: Vec::new(), requirement };
    Conditions { enforce: true, all: vec![condition] }
}

fn best(herd: &Herd, candidates: &Candidates) -> Option<(i64, f64)> {
    let metric = MetricName::parse(METRIC).unwrap();
    let best = herd.another_store().find_best(candidates, &metric).unwrap()?;
    Some((best.version.key.version.get().into(), best.value))
}

fn latest(herd: &Herd, candidates: &Candidates) -> Option<i64> {
    let found = herd.another_store().find_latest(candidates).unwrap()?;
    Some(found.key.version.get().into())
}

/// Registers a base model with a Sharpe ratio.
fn train(herd: &Herd, sharpe: f64, honesty: Honesty) -> RunId {
    let (run_id, origin) = herd.start(None);
    herd.store.store_artifact(&run_id, "models/1H/model.zip", MODEL_FILE).unwrap();
    herd.store.store_artifact(&run_id, "models/1H/MLmodel", b"flavors").unwrap();
    let mut finish = finish(&run_id, origin, &[(METRIC, sharpe)]);
    finish.registration.honesty = honesty;
    herd.store.finish_and_register(&finish).unwrap();
    run_id
}

/// The seal of a version, by its history.
pub(crate) fn seal(herd: &Herd, of: i64) -> Option<Seal> {
    let (name, version) = (Some(version(of).name), Some(number(of)));
    let events = herd.store.events(&EventQuery { name, version, ..EventQuery::default() });
    Seal::among(&events.unwrap()).unwrap()
}

/// What a script does with `log_metric`: a value with a later step.
fn log_later(herd: &Herd, run_id: &RunId, value: f64) {
    herd.foreign()
        .execute_batch(&format!(
            "INSERT INTO metrics (key, value, timestamp, run_uuid, step, is_nan)
             VALUES ('{METRIC}', {value:?}, 2, '{run_id}', 1000000000, FALSE);
             UPDATE latest_metrics SET value = {value:?}, step = 1000000000
             WHERE key = '{METRIC}' AND run_uuid = '{run_id}'"
        ))
        .unwrap();
}

#[test]
fn registration_seals_metrics_params_and_the_hash_of_every_served_file() {
    let herd = Herd::new();
    let run_id = train(&herd, -3.33, Honesty::Clean);
    let seal = seal(&herd, 1).unwrap();
    assert_eq!((seal.origin, seal.run_id.as_ref()), (SealOrigin::Registration, Some(&run_id)));
    let facts = &seal.facts;
    assert_eq!(facts.metrics[METRIC], (-3.33, 1).into());
    assert_eq!(facts.params["data.symbol"], "EURUSD");
    let hashes = [("MLmodel", &b"flavors"[..]), ("model.zip", MODEL_FILE)];
    let hashes = hashes.map(|(name, content)| (name.to_owned(), hex_sha256(content)));
    assert_eq!(facts.files, hashes.into());
    assert!(facts.source.as_ref().unwrap().ends_with("/models/1H"), "{facts:?}");
    assert_eq!((facts.honesty, facts.total_timesteps), (Honesty::Clean, Some(2048)));
}

#[test]
fn value_that_is_logged_after_the_registration_opens_no_gate() {
    let herd = Herd::new();
    let run_id = train(&herd, -3.33, Honesty::Clean);
    log_later(&herd, &run_id, 9.9);
    let store = herd.another_store();
    let outcome = store.promote_under(&at_least(0.5), &promotion(1, Stage::Beta), Effect::Commit);
    let Err(StoreError::Refused(Refusal::GateFailed { judgement, .. })) = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(judgement.verdicts[0].value, Some(-3.33));
    let shown = store.version(&version(1)).unwrap();
    assert_eq!((shown.metric(METRIC), shown.metrics.finite(METRIC)), (Some(-3.33), Some(9.9)));
    let for_rules = store.run(&run_id).unwrap().metrics_for_rules();
    assert_eq!(for_rules.get(METRIC), Some(&-3.33));
    let listed = store.versions(&VersionQuery::default()).unwrap().records;
    assert_eq!(listed[0].metric(METRIC), Some(-3.33));
    let only =
        VersionQuery { metrics: MetricSelection::Only(&[METRIC]), ..VersionQuery::default() };
    assert_eq!(store.versions(&only).unwrap().records[0].metric(METRIC), Some(-3.33));
}

#[test]
fn value_that_was_better_counts_though_a_worse_one_is_logged_afterwards() {
    let herd = Herd::new();
    let run_id = train(&herd, 1.0, Honesty::Clean);
    log_later(&herd, &run_id, -9.9);
    let store = herd.another_store();
    let promoted = store.promote_under(&at_least(0.5), &promotion(1, Stage::Beta), Effect::Commit);
    let details: serde_json::Value =
        serde_json::from_str(&promoted.unwrap().events.last().unwrap().what.details).unwrap();
    let verdict = &details["conditions"]["verdicts"][0];
    assert_eq!((&verdict["value"], &verdict["limit"]), (&1.0.into(), &0.5.into()));
}

#[test]
fn best_and_newest_model_are_found_by_sealed_facts() {
    let herd = Herd::new();
    let first = train(&herd, 1.0, Honesty::Clean);
    let second = train(&herd, -3.0, Honesty::Clean);
    log_later(&herd, &second, 9.9);
    assert_eq!(best(&herd, &candidates()), Some((1, 1.0)));
    log_later(&herd, &first, f64::from(-9));
    assert_eq!(best(&herd, &candidates()), Some((1, 1.0)));
    for change in [
        format!("DELETE FROM latest_metrics WHERE run_uuid = '{first}'"),
        format!("UPDATE params SET value = 'IBM' WHERE run_uuid = '{first}'"),
        "UPDATE tags SET value = 'continued' WHERE key = 'model_type'".to_owned(),
        "UPDATE tags SET value = '4H' WHERE key = 'timeframe'".to_owned(),
        "UPDATE tags SET value = 'old' WHERE key = 'version_type'".to_owned(),
        "UPDATE tags SET value = 'contaminated' WHERE key = 'honesty'".to_owned(),
        "UPDATE model_version_tags SET value = '1' WHERE key = 'total_timesteps'".to_owned(),
    ] {
        herd.foreign().execute_batch(&change).unwrap();
        let strict = Candidates {
            symbol: Some(Symbol::parse("EURUSD").unwrap()),
            version_type: Some(VersionType::Latest),
            min_timesteps: 2048,
            contaminated: Contaminated::Skipped,
            ..candidates()
        };
        assert_eq!(best(&herd, &strict), Some((1, 1.0)), "{change}");
        assert_eq!(latest(&herd, &strict), Some(2), "{change}");
        for wrong in [
            Candidates { symbol: Some(Symbol::parse("IBM").unwrap()), ..candidates() },
            Candidates { model_type: ModelType::Continued, ..candidates() },
            Candidates { timeframe: Timeframe::Hour4, ..candidates() },
            Candidates { version_type: Some(VersionType::Old), ..candidates() },
            Candidates { min_timesteps: 2049, ..candidates() },
        ] {
            assert_eq!((best(&herd, &wrong), latest(&herd, &wrong)), (None, None), "{change}");
        }
    }
}

#[test]
fn parent_is_old_by_its_history_and_not_by_its_tag() {
    let herd = Herd::new();
    let parent = train(&herd, 1.0, Honesty::Clean);
    herd.train(Some(&parent), 2.0);
    let all = "UPDATE tags SET value = 'latest' WHERE key = 'version_type'";
    herd.foreign().execute_batch(all).unwrap();
    let of = |version_type| Candidates { version_type: Some(version_type), ..candidates() };
    assert_eq!(latest(&herd, &of(VersionType::Latest)), None);
    assert_eq!(latest(&herd, &of(VersionType::Old)), Some(1));
}

#[test]
fn contaminated_version_stays_so_and_a_clean_one_too() {
    let herd = Herd::new();
    train(&herd, 1.0, Honesty::Contaminated);
    train(&herd, 0.5, Honesty::Clean);
    for honesty in ["clean", "contaminated"] {
        for table in ["tags", "model_version_tags"] {
            let set = format!("UPDATE {table} SET value = '{honesty}' WHERE key = 'honesty'");
            herd.foreign().execute_batch(&set).unwrap();
        }
        let store = herd.another_store();
        let refused = store.promote(&promotion(1, Stage::Beta), Effect::DryRun);
        assert!(
            matches!(refused, Err(StoreError::Refused(Refusal::Contaminated { .. }))),
            "{honesty}: {refused:?}"
        );
        store.promote(&promotion(2, Stage::Beta), Effect::DryRun).unwrap();
        assert_eq!(store.version(&version(1)).unwrap().honesty(), Honesty::Contaminated);
        let honest = Candidates { contaminated: Contaminated::Skipped, ..candidates() };
        assert_eq!(best(&herd, &honest), Some((2, 0.5)));
    }
}

#[test]
fn what_a_training_measured_is_sealed_whatever_was_logged_while_it_ran() {
    let herd = Herd::new();
    let (run_id, origin) = herd.start(None);
    let forged = [metric(METRIC, 9.9, 1_000_000_000), metric("portfolio/sortino_ratio", 9.9, 1)];
    herd.store.log_metrics(&run_id, &forged).unwrap();
    herd.store.log_metrics(&run_id, &[metric("training/loss", 0.5, 7)]).unwrap();
    herd.store.store_artifact(&run_id, "models/1H/model.zip", MODEL_FILE).unwrap();
    let mut finish = finish(&run_id, origin, &[(METRIC, -3.33)]);
    let values = [(METRIC, -3.33), ("total_timesteps", 2048.0)];
    finish.measured = Measured {
        params: [("data.symbol".to_owned(), "IBM".to_owned())].into(),
        metrics: values.map(|(name, value)| (name.to_owned(), value)).into(),
        test: None,
    };
    herd.store.finish_and_register(&finish).unwrap();
    let facts = seal(&herd, 1).unwrap().facts;
    assert_eq!(facts.metrics[METRIC], (-3.33, 2048).into());
    // Undefined for the training, so it is not sealed.
    assert_eq!(facts.metric("portfolio/sortino_ratio"), None);
    assert_eq!(facts.metric("training/loss"), Some(0.5));
    assert_eq!(facts.params["data.symbol"], "IBM");
}

#[test]
fn version_of_another_program_is_sealed_at_its_adoption_and_judged_on_that() {
    let herd = Herd::new();
    let run_id = train(&herd, 1.0, Honesty::Clean);
    let at = 1_700_000_000_000_i64;
    herd.foreign()
        .execute_batch(&format!(
            "INSERT INTO model_versions (name, version, creation_time, last_updated_time, description,
                user_id, current_stage, source, run_id, status, run_link, storage_location, workspace)
             VALUES ('1H_trading_model', 2, {at}, {at}, '', 'other', 'None', 's3://elsewhere/model',
                '{run_id}', 'READY', '', 's3://elsewhere/model', 'default');
             INSERT INTO model_version_tags (key, value, name, version, workspace)
             VALUES ('promotion_stage', 'development', '1H_trading_model', 2, 'default'),
                ('timeframe', '1H', '1H_trading_model', 2, 'default')"
        ))
        .unwrap();
    log_later(&herd, &run_id, 0.7);
    let store = herd.another_store();
    let promoted =
        store.promote_under(&at_least(0.5), &promotion(2, Stage::Beta), Effect::Commit).unwrap();
    let kinds: Vec<EventKind> = promoted.events.iter().map(|event| event.what.kind).collect();
    assert_eq!(kinds, [EventKind::Adopted, EventKind::StageChanged]);
    let seal = Seal::among(&promoted.events).unwrap().unwrap();
    assert_eq!((seal.origin, seal.facts.metric(METRIC)), (SealOrigin::Elsewhere, Some(0.7)));
    assert!(seal.facts.files_problem.unwrap().contains("s3://elsewhere/model"));
    log_later(&herd, &run_id, -9.0);
    let shown = herd.another_store().version(&version(2)).unwrap();
    assert_eq!(shown.metric(METRIC), Some(0.7));
    let reservation = shown.sealed.unwrap().reservation().unwrap();
    assert!(reservation.ends_with("after registration by another program"), "{reservation}");
    assert_eq!(herd.tag(2, key::PROMOTION_STAGE).as_deref(), Some("beta"));
}
