//! The number of calls of a command. It does not depend on the size of the register.
//!
//! `cargo xtask bench remote` runs this with larger registers and prints the times, too.

#![expect(clippy::print_stderr, reason = "the table that the bench prints")]

use std::time::{Duration, Instant};

use herdbook_domain::{Breach, BreachKind, ModelType, RunId, Stage, Timeframe, VersionType};
use herdbook_store::{
    Candidates, Contaminated, Effect, Location, MetricSelection, Missing, Session, VersionQuery,
};

use crate::herd::{Herd, MODEL_FILE, options, promotion, session, version};
use crate::proxy::{Death, Proxy};
use crate::register::{fill, run_of};

/// Maximum calls of a promotion to beta.
const MOST_FOR_A_PROMOTION: usize = 17;
/// Maximum calls of a promotion to champion that displaces another version: MLflow sets tags of versions one by one, and these
/// are nine.
const MOST_FOR_A_SUCCESSION: usize = 27;
/// Number of timed runs of a command.
const TIMED: i64 = 5;

/// A command. It begins with opening the store.
#[derive(Debug, Clone, Copy)]
enum Command {
    List,
    FindLatest,
    /// From development to beta.
    Promote,
    /// From beta to champion; another version is champion.
    Succeed,
}

const COMMANDS: [Command; 4] =
    [Command::List, Command::FindLatest, Command::Promote, Command::Succeed];

impl Command {
    /// Runs the command. A command about one version gets that version.
    fn run(self, store: &Session, n: i64, of: i64) {
        match self {
            Self::List => {
                let names = &["evaluation/best_mean_reward"];
                let metrics = MetricSelection::Only(names);
                let query = VersionQuery { metrics, ..VersionQuery::default() };
                assert_eq!(store.versions(&query).unwrap().records.len() as i64, n);
            }
            Self::FindLatest => {
                let candidates = Candidates {
                    timeframe: Timeframe::Hour1,
                    model_type: ModelType::Base,
                    version_type: Some(VersionType::Latest),
                    symbol: None,
                    min_timesteps: 0,
                    contaminated: Contaminated::Included,
                    passed_over: Vec::new(),
                };
                let found = store.find_latest(&candidates).unwrap().unwrap();
                assert_eq!(found.key, version(n));
            }
            Self::Promote => promote(store, of, Stage::Beta),
            Self::Succeed => promote(store, of, Stage::Champion),
        }
    }
}

/// As on the command line, where the evaluations of the version are shown with its promotion.
fn promote(store: &Session, of: i64, target: Stage) {
    assert!(store.evaluations(&version(of)).unwrap().is_empty());
    store.promote(&promotion(of, target), Effect::Commit).unwrap();
}

/// The calls and the median time of each command on a register of `n` versions.
fn measure(n: i64) -> Vec<(usize, Duration)> {
    let herd = Herd::new();
    fill(&herd, n);
    let server = herd.store.location().uri();
    for of in 2..=TIMED + 2 {
        let artifact = RunId::model_artifact(Timeframe::Hour1);
        herd.store.store_artifact(&run_of(of), &artifact, MODEL_FILE).unwrap();
    }
    herd.promote(TIMED + 2, Stage::Beta).unwrap();
    herd.promote(TIMED + 2, Stage::Champion).unwrap();
    let open = |uri: &str| {
        let location = Location::resolve(Some(uri), herd.folder.path()).unwrap();
        session(&herdbook_remote::open(location, &options(Missing::Refuse)).unwrap())
    };
    let mut measured = Vec::new();
    for command in COMMANDS {
        let proxy = Proxy::before(&server, Death::Never);
        command.run(&open(&proxy.uri()), n, TIMED + 1);
        let mut times: Vec<Duration> = (1..=TIMED)
            .map(|of| {
                let begun = Instant::now();
                command.run(&open(&server), n, of);
                begun.elapsed()
            })
            .collect();
        times.sort_unstable();
        measured.push((proxy.n_calls(), times[times.len() / 2]));
    }
    // The doctor reads every model file. Only the first few were stored.
    if n <= 10 {
        let breaches = herd.another_store().diagnose().unwrap();
        let is_of_file = |breach: &Breach| breach.kind == BreachKind::ModelFile;
        assert!(breaches.iter().all(is_of_file), "{breaches:?}");
    }
    measured
}

/// The sizes of the registers: `HERDBOOK_REMOTE_SIZES`, such as `10,1000,5000`.
fn sizes() -> Vec<i64> {
    let asked = std::env::var("HERDBOOK_REMOTE_SIZES");
    let asked = asked.unwrap_or_else(|_| "10,1000".to_owned());
    asked.split(',').map(|size| size.trim().parse().unwrap()).collect()
}

#[test]
fn command_makes_as_many_calls_with_a_large_register_as_with_a_small_one() {
    let mut all = Vec::new();
    for n in sizes() {
        let measured = measure(n);
        for (command, (n_calls, median)) in COMMANDS.iter().zip(&measured) {
            let ms = median.as_millis();
            eprintln!("remote: {n:>6} versions  {command:<10?}  {n_calls:>3} calls  {ms:>6} ms");
        }
        all.push(measured.into_iter().map(|(n_calls, _)| n_calls).collect::<Vec<_>>());
    }
    // A succession writes one tag less if the version was promoted to beta within the same minute.
    let steady = |calls: &Vec<usize>| calls[..3].to_vec();
    assert!(all.iter().all(|calls| steady(calls) == steady(&all[0])), "{all:?}");
    assert!(all.iter().all(|calls| calls[2] <= MOST_FOR_A_PROMOTION), "{all:?}");
    assert!(all.iter().all(|calls| calls[3] <= MOST_FOR_A_SUCCESSION), "{all:?}");
}
