//! Promotions a second, each on the disk before it is answered: by threads of one process, and by processes.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::ensure;
use herdbook_domain::tags::Tags;
use herdbook_domain::{
    ExperimentName, Honesty, ModelName, Origin, PromotionRequest, Registration, Stage, Timeframe,
    VersionKey, VersionNumber,
};
use herdbook_store::{Effect, Finish, Missing, RunStart, Store};

use crate::{figure, generate, shared};

/// Asks this program to be one of several processes.
pub(crate) const WORKER: &str = "--promote-in";
const N_WRITERS: i64 = 8;
const LASTING: Duration = Duration::from_secs(5);

pub(crate) fn measure() -> anyhow::Result<()> {
    println!("-- promotions, synchronous = FULL, {N_WRITERS} versions going up and down");
    let (folder, store) = shared::temporary()?;
    for _ in 0..N_WRITERS {
        register(&store)?;
    }
    for n_threads in [1, N_WRITERS] {
        let begun = Instant::now();
        let store = &store;
        let counts = std::thread::scope(|scope| {
            let writers: Vec<_> = (1..=n_threads)
                .map(|version| scope.spawn(move || promote_for_a_while(store, version)))
                .collect();
            writers
                .into_iter()
                .map(|w| w.join().expect("a writer ends"))
                .collect::<Result<Vec<_>, _>>()
        })?;
        print(
            &format!("{n_threads} threads of one process"),
            counts.iter().sum(),
            begun,
            n_threads,
        );
    }
    drop(store);
    let begun = Instant::now();
    let n_promotions = processes(folder.path())?;
    print(&format!("{N_WRITERS} processes"), n_promotions, begun, 1);
    let doctor = generate::open(folder.path(), Missing::Refuse)?.diagnose()?;
    // The stand-ins for model files are whole, so nothing at all may be found.
    ensure!(doctor.is_empty(), "breaches: {doctor:?}");
    Ok(())
}

fn print(what: &str, n_promotions: u64, begun: Instant, n_threads: i64) {
    let rate = n_promotions as f64 / begun.elapsed().as_secs_f64();
    let limit = if n_threads == N_WRITERS { "at least 1,000 a second" } else { "" };
    figure::print(what, &format!("{rate:.0} a second"), limit);
}

fn register(store: &Store) -> anyhow::Result<()> {
    let origin = Origin { timeframe: Timeframe::Hour1, enhanced: None };
    let name = ModelName::of_timeframe(Timeframe::Hour1, "trading_model")?;
    let run_id = store.start_run(&RunStart {
        experiment: ExperimentName::parse("stock_trading_rl_1H")?,
        model: name.clone(),
        origin: origin.clone(),
        params: std::collections::BTreeMap::new(),
        tags: Tags::new(),
    })?;
    let model_sha256 = store.store_artifact(&run_id, "models/1H/model.zip", b"a model")?;
    store.finish_and_register(&Finish {
        registration: Registration {
            run_id,
            name,
            origin,
            trained_timesteps: 2_048,
            honesty: Honesty::Clean,
            model_sha256,
        },
        metrics: Vec::new(),
        run_tags: Tags::new(),
    })?;
    Ok(())
}

/// Takes a version up and down, and counts.
fn promote_for_a_while(store: &Store, version: i64) -> anyhow::Result<u64> {
    let name = ModelName::of_timeframe(Timeframe::Hour1, "trading_model")?;
    let version = VersionNumber::new(version).expect("versions begin with 1");
    let begun = Instant::now();
    let mut n_promotions = 0;
    while begun.elapsed() < LASTING {
        for target in [Stage::Beta, Stage::Development] {
            let request = PromotionRequest {
                key: VersionKey { name: name.clone(), version },
                target,
                reason: None,
                expected_champion: None,
                force: false,
            };
            store.promote(&request, Effect::Commit)?;
            n_promotions += 1;
        }
    }
    Ok(n_promotions)
}

fn processes(folder: &Path) -> anyhow::Result<u64> {
    let program = std::env::current_exe()?;
    let workers = (1..=N_WRITERS)
        .map(|version| {
            let mut worker = Command::new(&program);
            worker.arg(WORKER).arg(folder).arg(version.to_string());
            worker.stdout(std::process::Stdio::piped()).spawn()
        })
        .collect::<Result<Vec<_>, _>>()?;
    let mut n_promotions = 0;
    for worker in workers {
        let output = worker.wait_with_output()?;
        ensure!(output.status.success(), "a process that promotes failed");
        n_promotions += String::from_utf8_lossy(&output.stdout).trim().parse::<u64>()?;
    }
    Ok(n_promotions)
}

/// One of several processes: prints how many promotions it made.
pub(crate) fn work(arguments: &[String]) -> anyhow::Result<()> {
    let [folder, version, ..] = arguments else { anyhow::bail!("a folder and a version") };
    let store = generate::open(Path::new(folder), Missing::Refuse)?;
    println!("{}", promote_for_a_while(&store, version.parse()?)?);
    Ok(())
}
