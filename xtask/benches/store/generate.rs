//! Generates a store with many registered runs, in bulk, with the real schema and the plans of the rulebook.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use herdbook_domain::tags::{Tags, key};
use herdbook_domain::{
    ActContext, Actor, Channel, EnhancedFrom, Enhancement, Event, EventKind, GENESIS_HASH, Honesty,
    ModelName, Origin, Registration, RegistrationFacts, RegistrationPlan, RunId, Sealed, Stage,
    Timeframe, Timestamp, VersionNumber, data_fingerprint, plan_registration, window_params,
};
use herdbook_store::{Location, Missing, OpenOptions, Session, Store};
use rusqlite::{Connection, Statement, params};

/// Changes where what is generated changes.
const LAYOUT: u32 = 4;
const N_METRICS: usize = 20;
const BEGUN: i64 = 1_700_000_000_000;
/// Versions of each model that are in beta.
const N_BETA: i64 = 5;

/// Types of models, in turn. 1H has no `adaptive` models, so that two tags are frequent each but never occur together.
pub(crate) const TYPES: [Option<Enhancement>; 5] = [
    None,
    Some(Enhancement::Continued),
    Some(Enhancement::Replay),
    Some(Enhancement::Curriculum),
    Some(Enhancement::Adaptive),
];
pub(crate) const METRIC: &str = "evaluation/best_mean_reward";

/// The folder of a store with the given number of runs; generates it if necessary.
pub(crate) fn store(cache: &Path, n_runs: usize) -> anyhow::Result<PathBuf> {
    let folder = cache.join(format!("store-{n_runs}-{LAYOUT}"));
    if !folder.is_dir() {
        let begun = Instant::now();
        let unfinished = cache.join(format!("store-{n_runs}-{LAYOUT}.unfinished"));
        if unfinished.is_dir() {
            std::fs::remove_dir_all(&unfinished)?;
        }
        std::fs::create_dir_all(&unfinished)?;
        fill(&unfinished, n_runs)?;
        std::fs::rename(&unfinished, &folder)?;
        println!("-- {n_runs} runs generated in {:.0} s", begun.elapsed().as_secs_f64());
    }
    // Open it once, so that repairs of indexes are not measured.
    drop(open(&folder, Missing::Refuse)?);
    Ok(folder)
}

pub(crate) fn open(folder: &Path, missing: Missing) -> anyhow::Result<Session> {
    open_at(None, folder, missing)
}

pub(crate) fn open_at(
    uri: Option<&str>,
    folder: &Path,
    missing: Missing,
) -> anyhow::Result<Session> {
    let options = OpenOptions {
        missing,
        busy_timeout: std::time::Duration::from_secs(30),
        ..OpenOptions::default()
    };
    Ok(Store::open(Location::resolve(uri, folder)?, &options)?
        .session(Actor::parse("bench")?, Channel::Cli))
}

fn fill(folder: &Path, n_runs: usize) -> anyhow::Result<()> {
    drop(open(folder, Missing::Create)?);
    let mut conn = Connection::open(folder.join("mlflow.db"))?;
    conn.execute_batch(
        // Without a journal rows are written only once; after a crash the whole file is discarded.
        "PRAGMA journal_mode = off; PRAGMA synchronous = off; PRAGMA cache_size = -1000000;
         PRAGMA foreign_keys = off;",
    )?;
    let indexes = take_indexes(&conn)?;
    let tx = conn.transaction()?;
    for (idx, timeframe) in Timeframe::ALL.iter().enumerate() {
        let (id, name) = (idx as i64 + 1, format!("stock_trading_rl_{timeframe}"));
        tx.execute(
            "INSERT INTO experiments (experiment_id, name, artifact_location, lifecycle_stage,
                creation_time, last_update_time, workspace)
             VALUES (?1, ?2, ?3, 'active', ?4, ?4, 'default')",
            params![id, name, folder.join(format!("mlruns/{id}")).display().to_string(), BEGUN],
        )?;
        tx.execute(
            "INSERT INTO registered_models (name, creation_time, last_updated_time, description, workspace)
             VALUES (?1, ?2, ?2, '', 'default')",
            params![model(*timeframe)?.as_str(), BEGUN],
        )?;
    }
    let mut rows = Rows::of(&tx)?;
    let mut herds: BTreeMap<Timeframe, Herd> = BTreeMap::new();
    for run_idx in 0..n_runs {
        let timeframe = Timeframe::ALL[run_idx % Timeframe::ALL.len()];
        rows.insert(herds.entry(timeframe).or_default(), timeframe, run_idx)?;
    }
    drop(rows);
    for (timeframe, herd) in &herds {
        let champion = herd.last_version.map_or(0, |version| i64::from(version.get()));
        crown(&tx, &model(*timeframe)?, champion)?;
    }
    tx.commit()?;
    for sql in indexes {
        conn.execute_batch(&sql)?;
    }
    // Opening the store fills the tables of seals from the events.
    conn.execute_batch("DROP TABLE herdbook_seals; DROP TABLE herdbook_sealed_metrics")?;
    // No ANALYZE: MLflow never runs it, so real stores have no statistics.
    conn.execute_batch("PRAGMA journal_mode = wal;")?;
    Ok(())
}

/// Drops the indexes; they are created again after the rows.
fn take_indexes(conn: &Connection) -> anyhow::Result<Vec<String>> {
    let of_schema = "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL";
    let indexes: Vec<(String, String)> = conn
        .prepare(of_schema)?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    for (name, _) in &indexes {
        conn.execute_batch(&format!("DROP INDEX \"{name}\""))?;
    }
    Ok(indexes.into_iter().map(|(_, sql)| sql).collect())
}

fn model(timeframe: Timeframe) -> anyhow::Result<ModelName> {
    Ok(ModelName::of_timeframe(timeframe, "trading_model")?)
}

/// The newest version of each model is champion, a few before it are in beta, half of all are archived.
fn crown(conn: &Connection, name: &ModelName, champion: i64) -> anyhow::Result<()> {
    for (stage, condition) in [
        (Stage::Champion, "version = ?2"),
        (Stage::Beta, "version < ?2 AND version >= ?2 - ?4"),
        (Stage::Archived, "version < ?2 - ?4 AND version % 2 = 0"),
    ] {
        let of_stage =
            params![name.as_str(), champion, stage.as_str(), N_BETA, key::PROMOTION_STAGE];
        conn.execute(
            &format!(
                "UPDATE tags SET value = ?3 WHERE key = ?5 AND run_uuid IN
                    (SELECT run_id FROM model_versions WHERE name = ?1 AND {condition})"
            ),
            of_stage,
        )?;
        conn.execute(
            &format!(
                "UPDATE model_version_tags SET value = ?3 WHERE key = ?5 AND name = ?1 AND {condition}"
            ),
            of_stage,
        )?;
    }
    conn.execute(
        "INSERT INTO registered_model_aliases (alias, version, name, workspace)
         VALUES ('champion', ?2, ?1, 'default')",
        params![name.as_str(), champion],
    )?;
    Ok(())
}

#[derive(Default)]
struct Herd {
    last_version: Option<VersionNumber>,
    parent: Option<RunId>,
}

/// The statements that insert a run with all its records.
struct Rows<'a> {
    run: Statement<'a>,
    tag: Statement<'a>,
    param: Statement<'a>,
    metric: Statement<'a>,
    latest: Statement<'a>,
    version: Statement<'a>,
    version_tag: Statement<'a>,
    event: Statement<'a>,
    registration: Statement<'a>,
    context: ActContext,
    last_event: (i64, String),
}

impl<'a> Rows<'a> {
    fn of(conn: &'a Connection) -> anyhow::Result<Self> {
        Ok(Self {
            run: conn.prepare(
                "INSERT INTO runs (run_uuid, name, source_type, source_name, entry_point_name, user_id,
                    status, start_time, end_time, source_version, lifecycle_stage, artifact_uri, experiment_id)
                 VALUES (?1, ?2, 'LOCAL', '', '', 'bench', 'FINISHED', ?3, ?4, '', 'active', ?5, ?6)",
            )?,
            tag: conn.prepare("INSERT INTO tags (key, value, run_uuid) VALUES (?1, ?2, ?3)")?,
            param: conn.prepare("INSERT INTO params (key, value, run_uuid) VALUES (?1, ?2, ?3)")?,
            metric: conn.prepare(
                "INSERT INTO metrics (key, value, timestamp, run_uuid, step, is_nan)
                 VALUES (?1, ?2, ?3, ?4, 100000, 0)",
            )?,
            latest: conn.prepare(
                "INSERT INTO latest_metrics (key, value, timestamp, step, is_nan, run_uuid)
                 VALUES (?1, ?2, ?3, 100000, 0, ?4)",
            )?,
            version: conn.prepare(
                "INSERT INTO model_versions (name, version, creation_time, last_updated_time, description,
                    user_id, current_stage, source, run_id, status, run_link, storage_location, workspace)
                 VALUES (?1, ?2, ?3, ?3, '', 'bench', 'Staging', ?4, ?5, 'READY', '', ?4, 'default')",
            )?,
            version_tag: conn.prepare(
                "INSERT INTO model_version_tags (key, value, name, version, workspace)
                 VALUES (?1, ?2, ?3, ?4, 'default')",
            )?,
            event: conn.prepare(
                "INSERT INTO herdbook_events VALUES
                    (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
            )?,
            registration: conn.prepare(
                "INSERT INTO herdbook_registrations (name, version, event_id, honesty)
                 VALUES (?1, ?2, ?3, ?4)",
            )?,
            context: ActContext {
                act_id: "0".repeat(32),
                actor: Actor::parse("bench")?,
                channel: Channel::Cli,
            },
            last_event: (0, GENESIS_HASH.to_owned()),
        })
    }

    fn insert(
        &mut self,
        herd: &mut Herd,
        timeframe: Timeframe,
        run_idx: usize,
    ) -> anyhow::Result<()> {
        let run_id = RunId::parse(&format!("{run_idx:032x}"))?;
        let id = run_id.as_str();
        let at = BEGUN + run_idx as i64 * 1_000;
        let origin = origin(herd, timeframe, run_idx);
        let params = params_of_run();
        let fingerprint = data_fingerprint(timeframe, origin.model_type(), &params);
        let request = Registration {
            run_id: run_id.clone(),
            name: model(timeframe)?,
            origin,
            trained_timesteps: 100_000,
            honesty: Honesty::Clean,
            model_sha256: "0".repeat(64),
        };
        let metrics = (0..N_METRICS).map(|idx| metric(run_idx, idx));
        let sealed = Sealed {
            params: params.clone(),
            metrics: metrics.map(|(key, value)| (key, (value, 100_000).into())).collect(),
            ..Sealed::empty(Timestamp::from_millis(at))
        };
        let facts = RegistrationFacts {
            last_version: herd.last_version,
            parent_versions: Vec::new(),
            sealed,
        };
        let plan = plan_registration(&request, &facts, Timestamp::from_millis(at));
        let experiment = Timeframe::ALL.iter().position(|one| *one == timeframe).unwrap_or(0) + 1;
        let folder = format!("/bench/mlruns/{experiment}/{id}/artifacts");
        self.run.execute(params![
            id,
            format!("run {run_idx}"),
            at,
            at + 900,
            folder,
            experiment as i64
        ])?;
        let mut tags = request.origin.run_tags();
        tags.extend(plan.run_tags.clone());
        tags.insert(window_params::FINGERPRINT.to_owned(), fingerprint);
        for (key, value) in twelve(tags) {
            self.tag.execute(params![key, value, id])?;
        }
        for (key, value) in &params {
            self.param.execute(params![key, value, id])?;
        }
        for metric_idx in 0..N_METRICS {
            let (key, value) = metric(run_idx, metric_idx);
            self.metric.execute(params![key, value, at, id])?;
            self.latest.execute(params![key, value, at, id])?;
        }
        self.version.execute(params![
            plan.key.name.as_str(),
            plan.key.version.get(),
            at,
            format!("{folder}/models/{timeframe}"),
            id
        ])?;
        for (key, value) in &plan.version_tags {
            let (name, version) = (plan.key.name.as_str(), plan.key.version.get());
            self.version_tag.execute(params![key, value, name, version])?;
        }
        herd.last_version = Some(plan.key.version);
        herd.parent = Some(run_id);
        self.append(plan, at)
    }

    fn append(&mut self, plan: RegistrationPlan, at: i64) -> anyhow::Result<()> {
        for draft in plan.events {
            let (id, hash) = &self.last_event;
            let event = Event::seal(id + 1, Timestamp::from_millis(at), &self.context, draft, hash);
            let what = &event.what;
            self.event.execute(params![
                event.id,
                event.act_id,
                at,
                event.actor,
                event.channel.as_str(),
                what.kind.as_str(),
                what.name.as_ref().map(ModelName::as_str),
                what.version.map(VersionNumber::get),
                what.run_id.as_ref().map(RunId::as_str),
                what.from,
                what.to,
                what.reason,
                what.parent.as_ref().map(RunId::as_str),
                what.details,
                event.previous_hash,
                event.hash,
            ])?;
            if what.kind == EventKind::Registered {
                self.registration.execute(params![
                    what.name.as_ref().map(ModelName::as_str),
                    what.version.map(VersionNumber::get),
                    event.id,
                    Honesty::Clean.as_str(),
                ])?;
            }
            self.last_event = (event.id, event.hash);
        }
        Ok(())
    }
}

fn origin(herd: &Herd, timeframe: Timeframe, run_idx: usize) -> Origin {
    let wanted = TYPES[run_idx / Timeframe::ALL.len() % TYPES.len()];
    let wanted = match wanted {
        Some(Enhancement::Adaptive) if timeframe == Timeframe::Hour1 => Some(Enhancement::Replay),
        wanted => wanted,
    };
    let enhanced = wanted.zip(herd.parent.clone()).map(|(enhancement, parent)| EnhancedFrom {
        enhancement,
        parent,
        previous_timesteps: 100_000,
    });
    Origin { timeframe, enhanced }
}

/// Exactly twelve tags: missing ones are filled up with tags like MLflow's.
fn twelve(mut tags: Tags) -> Tags {
    for own in [
        "mlflow.user",
        "mlflow.runName",
        "mlflow.source.name",
        "mlflow.source.type",
        "team",
        "host",
    ] {
        if tags.len() < 12 {
            tags.insert(own.to_owned(), "bench".to_owned());
        }
    }
    tags
}

fn params_of_run() -> BTreeMap<String, String> {
    let mut params: BTreeMap<String, String> =
        window_params::of_result().map(|key| (key.to_owned(), "1".to_owned())).collect();
    params.insert(window_params::SYMBOL.to_owned(), "EURUSD".to_owned());
    for (idx, edge) in window_params::EDGES.into_iter().enumerate() {
        params.insert(edge.to_owned(), format!("201{idx}-01-01T00:00:00Z"));
    }
    params.insert("seed".to_owned(), "0".to_owned());
    params
}

fn metric(run_idx: usize, metric_idx: usize) -> (String, f64) {
    let key = match metric_idx {
        0 => METRIC.to_owned(),
        1 => "portfolio/total_return".to_owned(),
        2 => "portfolio/sharpe_ratio".to_owned(),
        3 => "portfolio/sharpe_per_bar".to_owned(),
        4 => "portfolio/max_drawdown".to_owned(),
        other => format!("portfolio/other_{other}"),
    };
    // A different permutation of the runs for each metric, so that no two runs have the same value.
    let place =
        (run_idx as u64).wrapping_mul(2_654_435_761).wrapping_add(metric_idx as u64 * 40_503);
    (key, (place % 1_000_003) as f64 / 1_000_003.0)
}
