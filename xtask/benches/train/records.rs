//! Fills a store with a thousand registered runs of all timeframes, with as many metrics and params as a training of
//! 100,000 timesteps logs.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use herdbook_domain::tags::Tags;
use herdbook_domain::{
    Actor, Channel, EnhancedFrom, Enhancement, ExperimentName, Honesty, ModelName, Origin,
    PromotionRequest, Registration, RunId, Stage, Timeframe, Timestamp, VersionKey,
    data_fingerprint, window_params,
};
use herdbook_store::{
    Effect, Finish, Location, Measured, Metric, Missing, OpenOptions, RunStart, Session, Store,
};

/// Runs in the store.
pub(crate) const N_RUNS: usize = 1_000;

/// Metrics that a training logs repeatedly, and how often.
const CURVES: [&str; 15] = [
    "evaluation/best_mean_reward",
    "evaluation/mean_reward",
    "evaluation/std_reward",
    "training/approx_kl",
    "training/clip_fraction",
    "training/entropy",
    "training/explained_variance",
    "training/learning_rate",
    "training/loss",
    "training/mean_episode_length",
    "training/mean_episode_reward",
    "training/mean_step_reward",
    "training/policy_loss",
    "training/steps_per_second",
    "training/value_loss",
];
const N_POINTS: u64 = 40;
/// Metrics that are logged once at the end: those that lists show, and as many others as a real run has.
const SHOWN_FINALS: [&str; 3] =
    ["portfolio/total_return", "portfolio/sharpe_ratio", "portfolio/max_drawdown"];
const N_OTHER_FINALS: usize = 37;
/// The params of the data, and as many others as a real run has.
const DATA_PARAMS: [&str; 8] = [
    "data.symbol",
    "data.sha256",
    "data.train_start",
    "data.train_end",
    "data.validation_start",
    "data.validation_end",
    "data.test_start",
    "data.test_end",
];
const N_OTHER_PARAMS: usize = 27;

/// Fills the store of an empty folder. Every third run is a base model, the others are children of the run before; each
/// timeframe has one champion.
pub(crate) fn fill(folder: &Path) -> anyhow::Result<()> {
    let store = open(folder)?;
    for timeframe in Timeframe::ALL {
        let n_runs = N_RUNS / Timeframe::ALL.len()
            + usize::from(timeframe.as_str() == "1H") * (N_RUNS % Timeframe::ALL.len());
        let mut parent = None;
        let mut newest = None;
        for run_idx in 0..n_runs {
            let parent_of_this = parent.take().filter(|_| run_idx % 3 != 0);
            let (run_id, key) = train(&store, *timeframe, parent_of_this, run_idx)?;
            parent = Some(run_id);
            newest = Some(key);
        }
        if let Some(key) = newest {
            promote(&store, &key, Stage::Beta)?;
            promote(&store, &key, Stage::Champion)?;
        }
    }
    Ok(())
}

/// The store of a folder.
pub(crate) fn open(folder: &Path) -> anyhow::Result<Session> {
    let options = OpenOptions {
        missing: Missing::Create,
        busy_timeout: Duration::from_secs(10),
        ..OpenOptions::default()
    };
    Ok(Store::open(Location::resolve(None, folder)?, &options)?
        .session(Actor::parse("bench")?, Channel::Cli))
}

fn train(
    store: &Session,
    timeframe: Timeframe,
    parent: Option<RunId>,
    run_idx: usize,
) -> anyhow::Result<(RunId, VersionKey)> {
    let model = ModelName::of_timeframe(timeframe, "trading_model")?;
    let origin = Origin {
        timeframe,
        enhanced: parent.map(|parent| EnhancedFrom {
            enhancement: Enhancement::Continued,
            parent,
            previous_timesteps: 100_000,
        }),
    };
    let params = params();
    let fingerprint = data_fingerprint(timeframe, origin.model_type(), &params);
    let run_id = store.start_run(&RunStart {
        name: None,
        user_tags: Tags::new(),
        experiment: ExperimentName::parse(&format!("stock_trading_rl_{timeframe}"))?,
        model: model.clone(),
        origin: origin.clone(),
        params,
        tags: Tags::from([(window_params::FINGERPRINT.to_owned(), fingerprint)]),
    })?;
    let file = RunId::model_artifact(timeframe);
    let model_sha256 = store.store_artifact(&run_id, &file, b"a model")?;
    let registered = store.finish_and_register(&Finish {
        registration: Registration {
            run_id: run_id.clone(),
            name: model,
            origin,
            trained_timesteps: 100_000,
            honesty: Honesty::Clean,
            model_sha256,
        },
        metrics: metrics(run_idx),
        run_tags: Tags::new(),
        measured: Measured::default(),
    })?;
    Ok((run_id, registered.key))
}

fn params() -> BTreeMap<String, String> {
    let others = (0..N_OTHER_PARAMS).map(|param_idx| format!("param_{param_idx}"));
    DATA_PARAMS
        .map(str::to_owned)
        .into_iter()
        .chain(others)
        .map(|key| (key, "1".to_owned()))
        .collect()
}

fn metrics(run_idx: usize) -> Vec<Metric> {
    let value = |metric_idx: usize| ((run_idx * 31 + metric_idx * 7) % 1_009) as f64 / 1_009.0;
    let metric = |key: &str, metric_idx, point: u64| Metric {
        key: key.to_owned(),
        value: value(metric_idx),
        at: Timestamp::from_millis(point as i64),
        step: point as i64 * 2_048,
    };
    let mut metrics = Vec::new();
    for (metric_idx, key) in CURVES.iter().enumerate() {
        metrics.extend((1..=N_POINTS).map(|point| metric(key, metric_idx, point)));
    }
    let others = (0..N_OTHER_FINALS).map(|metric_idx| format!("portfolio/other_{metric_idx}"));
    let finals = SHOWN_FINALS.map(str::to_owned).into_iter().chain(others);
    metrics.extend(finals.enumerate().map(|(idx, key)| metric(&key, idx, N_POINTS)));
    metrics
}

fn promote(store: &Session, key: &VersionKey, target: Stage) -> anyhow::Result<()> {
    let request = PromotionRequest {
        key: key.clone(),
        target,
        reason: None,
        expected_champion: None,
        force: false,
    };
    store.promote(&request, Effect::Commit)?;
    Ok(())
}
