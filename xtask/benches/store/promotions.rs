//! Durable promotions per second, by threads of one process and by several processes.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::ensure;
use herdbook_domain::tags::Tags;
use herdbook_domain::{
    ExperimentName, Honesty, ModelName, Origin, PromotionRequest, Registration, Stage, Timeframe,
    VersionKey, VersionNumber,
};
use herdbook_store::{Effect, Finish, Measured, Missing, RunStart, Session, StoreError};

use crate::{figure, generate, shared};

/// Argument that makes this program a worker process.
pub(crate) const WORKER: &str = "--promote-in";
const N_WRITERS: u32 = 8;
/// Versions that each writer promotes and demotes in turn. Each change adds a tag, so one version would grow unrealistic.
const SHELF: u32 = 64;
const LASTING: Duration = Duration::from_secs(5);

pub(crate) fn measure() -> anyhow::Result<()> {
    let n_versions = N_WRITERS * SHELF;
    println!("-- promotions, synchronous = FULL, {n_versions} versions going up and down");
    let (folder, store) = shared::temporary()?;
    for _ in 0..n_versions {
        register(&store)?;
    }
    for n_threads in [1, N_WRITERS] {
        let begun = Instant::now();
        let store = &store;
        let counts = std::thread::scope(|scope| {
            let writers: Vec<_> = (0..n_threads)
                .map(|writer| scope.spawn(move || promote_for_a_while(store, writer)))
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
    // The model files are intact, so there must be no findings at all.
    ensure!(doctor.is_empty(), "breaches: {doctor:?}");
    Ok(())
}

fn print(what: &str, n_promotions: u64, begun: Instant, n_threads: u32) {
    let rate = n_promotions as f64 / begun.elapsed().as_secs_f64();
    let limit = if n_threads == N_WRITERS { "at least 1,000 a second" } else { "" };
    figure::print(what, &format!("{rate:.0} a second"), limit);
}

fn register(store: &Session) -> anyhow::Result<()> {
    let origin = Origin { timeframe: Timeframe::Hour1, enhanced: None };
    let name = ModelName::of_timeframe(Timeframe::Hour1, "trading_model")?;
    let run_id = store.start_run(&RunStart {
        name: None,
        user_tags: Tags::new(),
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
        measured: Measured::default(),
    })?;
    Ok(())
}

/// Promotes and demotes the versions of one writer, and counts.
fn promote_for_a_while(store: &Session, writer: u32) -> anyhow::Result<u64> {
    let name = ModelName::of_timeframe(Timeframe::Hour1, "trading_model")?;
    let begun = Instant::now();
    let mut n_promotions = 0;
    for (target, nth) in [Stage::Beta, Stage::Development]
        .into_iter()
        .cycle()
        .flat_map(|target| (0..SHELF).map(move |nth| (target, nth)))
    {
        if begun.elapsed() > LASTING {
            break;
        }
        let version = i64::from(writer * SHELF + nth + 1);
        let request = PromotionRequest {
            key: VersionKey {
                name: name.clone(),
                version: VersionNumber::new(version).expect("versions begin with 1"),
            },
            target,
            reason: None,
            expected_champion: None,
            force: false,
        };
        // The version is in that stage already: an earlier writer was interrupted there.
        match store.promote(&request, Effect::Commit) {
            Ok(_) => n_promotions += 1,
            Err(StoreError::Refused(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(n_promotions)
}

fn processes(folder: &Path) -> anyhow::Result<u64> {
    let program = std::env::current_exe()?;
    let workers = (0..N_WRITERS)
        .map(|writer| {
            let mut worker = Command::new(&program);
            worker.arg(WORKER).arg(folder).arg(writer.to_string());
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

/// The worker process: prints how many promotions it made.
pub(crate) fn work(arguments: &[String]) -> anyhow::Result<()> {
    let [folder, writer, ..] = arguments else { anyhow::bail!("a folder and a writer") };
    let store = generate::open(Path::new(folder), Missing::Refuse)?;
    println!("{}", promote_for_a_while(&store, writer.parse()?)?);
    Ok(())
}
