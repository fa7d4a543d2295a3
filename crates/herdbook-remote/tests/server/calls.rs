//! The number of calls of a command. It does not depend on the size of the register.
//!
//! `cargo xtask bench remote` runs this with larger registers and prints the times, too.

#![expect(clippy::print_stderr, reason = "the table that the bench prints")]

use std::time::{Duration, Instant};

use herdbook_domain::{
    Breach, BreachKind, ModelName, ModelType, RunId, Stage, Timeframe, VersionType,
};
use herdbook_store::{
    Candidates, Contaminated, Effect, Location, MetricSelection, Missing, Session, VersionQuery,
};

use crate::herd::{Herd, MODEL_FILE, model, options, promotion, session, version};
use crate::proxy::{Death, Proxy};
use crate::register::{fill, run_of};

/// Maximum calls of a promotion from development to beta: five until it is decided.
const MOST_FOR_A_PROMOTION: usize = 12;
/// Maximum calls of a promotion to champion that displaces another version: six until it is decided. MLflow sets tags of
/// versions one by one, and these are nine.
const MOST_FOR_A_SUCCESSION: usize = 22;
/// Number of further calls if the server has no GraphQL endpoint.
const WITHOUT_GRAPHQL: usize = 4;
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

/// A change of stage: the version, its new stage, the calls until it is in the journal, and the most calls in all.
type Change = (i64, Stage, usize, usize);

/// Of two versions in development, in this order.
const CHANGES: [Change; 8] = [
    (1, Stage::Beta, 5, MOST_FOR_A_PROMOTION),
    (1, Stage::Champion, 6, 15),
    (2, Stage::Beta, 5, MOST_FOR_A_PROMOTION),
    // Archives version 1.
    (2, Stage::Champion, 6, MOST_FOR_A_SUCCESSION),
    (2, Stage::Beta, 6, 17),
    (1, Stage::Beta, 5, 15),
    (1, Stage::Development, 4, 13),
    (1, Stage::Archived, 4, 12),
];

#[test]
fn change_of_stage_is_decided_after_few_calls() {
    let herd = Herd::new();
    herd.train(None, 1.0);
    herd.train(None, 2.0);
    let mut found = Vec::new();
    for (of, target, _, most) in CHANGES {
        let proxy = Proxy::before(&herd.store.location().uri(), Death::Never);
        let location = Location::resolve(Some(&proxy.uri()), herd.folder.path()).unwrap();
        let store = session(&herdbook_remote::open(location, &options(Missing::Refuse)).unwrap());
        store.promote(&promotion(of, target), Effect::Commit).unwrap();
        let n_until_decided = proxy.n_calls_to("runs/log-parameter").unwrap();
        eprintln!("{of} to {target}: decided after {n_until_decided}, {} in all", proxy.n_calls());
        // Tags that keep their value are not written, such as the minute of the last promotion.
        found.push((of, target, n_until_decided, proxy.n_calls().max(most)));
    }
    assert_eq!(found, CHANGES);
    herd.assert_invariants();
}

#[test]
fn model_is_looked_up_in_one_call() {
    let herd = Herd::new();
    herd.train(None, 1.0);
    let proxy = Proxy::before(&herd.store.location().uri(), Death::Never);
    let location = Location::resolve(Some(&proxy.uri()), herd.folder.path()).unwrap();
    let store = session(&herdbook_remote::open(location, &options(Missing::Refuse)).unwrap());
    let n_before = proxy.n_calls();
    assert!(store.has_model(&model()).unwrap());
    assert!(!store.has_model(&ModelName::parse("other").unwrap()).unwrap());
    assert_eq!(proxy.n_calls() - n_before, 2);
    promote(&store, 1, Stage::Beta);
    herd.foreign()
        .execute_batch(
            "PRAGMA foreign_keys = OFF; DELETE FROM model_versions; DELETE FROM registered_models",
        )
        .unwrap();
    assert!(!store.has_model(&model()).unwrap());
}

#[test]
fn promotion_needs_no_graphql() {
    let herd = Herd::new();
    for mean_reward in [1.0, 2.0, 3.0] {
        herd.train(None, mean_reward);
    }
    herd.promote(1, Stage::Beta).unwrap();
    herd.promote(1, Stage::Champion).unwrap();
    let proxy = Proxy::without(&herd.store.location().uri(), "/graphql");
    let location = Location::resolve(Some(&proxy.uri()), herd.folder.path()).unwrap();
    let store = session(&herdbook_remote::open(location, &options(Missing::Refuse)).unwrap());
    promote(&store, 2, Stage::Beta);
    assert_eq!(proxy.n_calls(), MOST_FOR_A_PROMOTION + WITHOUT_GRAPHQL);
    promote(&store, 2, Stage::Champion);
    // The endpoint was asked for once: it is counted above.
    let n_before = proxy.n_calls();
    promote(&store, 3, Stage::Beta);
    // This process has found the journal, and reads it again for the list of evaluations.
    assert_eq!(proxy.n_calls() - n_before, MOST_FOR_A_PROMOTION + WITHOUT_GRAPHQL - 2);
    herd.assert_invariants();
    assert_eq!(herd.another_store().version(&version(2)).unwrap().stage(), Some(Stage::Champion));
}

#[test]
fn model_file_is_read_where_its_run_has_it_now() {
    let herd = Herd::new();
    let run_id = herd.train(None, 1.0);
    let sql = "UPDATE runs SET artifact_uri = artifact_uri || '/elsewhere' WHERE run_uuid = ?1";
    herd.foreign().execute(sql, [run_id.as_str()]).unwrap();
    let refused = herd.another_store().promote(&promotion(1, Stage::Beta), Effect::Commit);
    let refusal = refused.unwrap_err().to_string();
    assert!(refusal.contains("elsewhere/models/1H/model.zip"), "{refusal}");
    let store = herd.another_store();
    let artifact = RunId::model_artifact(Timeframe::Hour1);
    store.store_artifact(&run_id, &artifact, MODEL_FILE).unwrap();
    store.promote(&promotion(1, Stage::Beta), Effect::Commit).unwrap();
}
