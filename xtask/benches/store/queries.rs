//! Look-ups in a large store, in the process and as complete commands.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::ensure;
use herdbook_domain::{MetricName, ModelType, Symbol, Timeframe, Timestamp, VersionType, Window};
use herdbook_store::{Candidates, Contaminated, Missing, TrialQuery};

use crate::{figure, generate};

const REPEATED: usize = 201;
const REPEATED_COMMAND: usize = 21;

/// The store to query.
pub(crate) struct Asked<'a> {
    pub(crate) folder: &'a Path,
    /// A URI; `None` for the database of the folder.
    pub(crate) uri: Option<&'a str>,
    /// The limit for "best by a metric".
    pub(crate) limit: &'a str,
}

pub(crate) fn measure(asked: &Asked<'_>, binary: &Path, n_runs: usize) -> anyhow::Result<()> {
    let engine = if asked.uri.is_some() { "PostgreSQL" } else { "SQLite" };
    println!("-- {engine}: {n_runs} runs (12 tags, 10 params, 20 metrics each), all registered");
    let store = generate::open_at(asked.uri, asked.folder, Missing::Refuse)?;
    let metric = MetricName::parse(generate::METRIC)?;
    let best = |model_type| store.find_best(&candidates(model_type), &metric);
    let found = best(ModelType::Base)?;
    println!(
        "   best base model of 1H: {}",
        shown(found.as_ref().map(|best| (&best.version, best.value)))
    );
    ensure!(best(ModelType::Adaptive)?.is_none(), "there is no adaptive model of 1H");
    print("best by a metric, two tags", asked.limit, || best(ModelType::Base).map(drop))?;
    print("the same where nothing matches", "60 ms", || best(ModelType::Adaptive).map(drop))?;
    print("newest, three tags", "", || store.find_latest(&candidates(ModelType::Base)).map(drop))?;
    let window =
        Window { start: Timestamp::from_millis(0), end: Timestamp::from_millis(4_000_000_000_000) };
    let query = TrialQuery {
        symbol: Symbol::parse("EURUSD")?,
        timeframe: Timeframe::Hour1,
        window,
        closes_sha256: BTreeSet::new(),
    };
    let mut n_trials = 0;
    print("trials of a symbol and timeframe", "", || {
        n_trials = store.trials(&query)?.len();
        Ok(())
    })?;
    println!("   {n_trials} trials");
    drop(store);
    for command in [
        "find best --timeframe 1H",
        "find latest --timeframe 1H",
        "list --stage champion",
        "list --stage beta",
        "status",
        "show champion --timeframe 1H",
    ] {
        let time = median_of(binary, &command.split(' ').collect::<Vec<_>>(), asked)?;
        figure::print(command, &precise(time), "at most 30 ms as a whole process");
    }
    Ok(())
}

fn shown(found: Option<(&herdbook_store::VersionRecord, f64)>) -> String {
    found.map_or("none".to_owned(), |(version, value)| {
        format!("{} with {value:.6}", version.run_id.as_ref().map_or("", |id| id.as_str()))
    })
}

fn candidates(model_type: ModelType) -> Candidates {
    Candidates {
        timeframe: Timeframe::Hour1,
        model_type,
        version_type: None::<VersionType>,
        symbol: None,
        min_timesteps: 0,
        contaminated: Contaminated::Included,
        passed_over: Vec::new(),
    }
}

fn print(
    what: &str,
    limit: &str,
    mut look_up: impl FnMut() -> Result<(), herdbook_store::StoreError>,
) -> anyhow::Result<()> {
    look_up()?;
    let mut times = Vec::new();
    let begun = Instant::now();
    while times.len() < REPEATED && begun.elapsed() < Duration::from_secs(10) {
        let begun = Instant::now();
        look_up()?;
        times.push(begun.elapsed());
    }
    let limit = if limit.is_empty() { String::new() } else { format!("at most {limit}") };
    figure::print(what, &precise(figure::median(times)), &limit);
    Ok(())
}

/// A median in milliseconds, with three decimals.
pub(crate) fn precise(time: Duration) -> String {
    format!("{:.3} ms", time.as_secs_f64() * 1e3)
}

fn median_of(binary: &Path, arguments: &[&str], asked: &Asked<'_>) -> anyhow::Result<Duration> {
    let mut times = Vec::new();
    for _ in 0..=REPEATED_COMMAND {
        let mut command = Command::new(binary);
        command.args(arguments).current_dir(asked.folder).env_remove("MLFLOW_TRACKING_URI");
        command.env("XDG_STATE_HOME", asked.folder);
        command.envs(asked.uri.map(|uri| ("MLFLOW_TRACKING_URI", uri)));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let begun = Instant::now();
        let status = command.status()?;
        ensure!(status.success(), "`herdbook {}` failed", arguments.join(" "));
        times.push(begun.elapsed());
    }
    Ok(figure::median(times))
}
