//! `status`: the board of registered models with their stages, and the running trainings.

use std::collections::BTreeMap;

use herdbook_domain::tags::key;
use herdbook_domain::{ModelName, Stage, Timeframe, Timestamp, VersionNumber};
use herdbook_store::{Liveness, ModelSummary, RunRecord, Store, VersionRecord};
use serde_json::{Value, json};

use crate::commands::list;
use crate::evidence::Since;
use crate::failure::Failure;
use crate::format::{self, UNDEFINED};
use crate::output::Output;
use crate::paint::Meaning;
use crate::shown::Shown;
use crate::table::{Cell, Column, Columns};
use crate::terminal::one_line;

pub(crate) fn run(store: &Store, output: &mut Output) -> Result<(), Failure> {
    let running = store.running()?;
    let summaries = store.summaries()?;
    list::note_unreadable(&summaries.unreadable, output);
    let boards = boards(store, summaries.records, output.is_json())?;
    let value = || {
        json!({
            "store": store.location().uri(),
            "models": boards.iter().map(Board::to_json).collect::<Vec<_>>(),
            "running": running.iter().map(running_to_json).collect::<Vec<_>>(),
        })
    };
    output.data(value, || text(&boards, &running))
}

/// Time since the stage of a version last changed.
fn since(version: &VersionRecord, now: Timestamp) -> String {
    let promoted = version.tags.get(key::LAST_PROMOTED_AT);
    match promoted.and_then(|at| Timestamp::from_tag(at)) {
        Some(at) => format::age(now.millis() - at.millis()),
        None => UNDEFINED.to_owned(),
    }
}

/// One registered model on the board.
struct Board {
    timeframe: Option<Timeframe>,
    champion: Option<VersionRecord>,
    /// Evaluations of the champion.
    evidence: Option<Since>,
    summary: ModelSummary,
    /// Version numbers by stage. Empty unless they are shown, because there may be very many.
    numbers: BTreeMap<Stage, Vec<VersionNumber>>,
}

/// The registered models, sorted by timeframe and name.
fn boards(
    store: &Store,
    summaries: Vec<ModelSummary>,
    with_numbers: bool,
) -> Result<Vec<Board>, Failure> {
    let mut boards = Vec::new();
    for summary in summaries {
        let name = &summary.newest.key.name;
        let champion = store.champion(name)?;
        let evidence =
            champion.as_ref().map(|it| Since::training_of(store, &it.key)).transpose()?;
        let numbers =
            if with_numbers { store.numbers_by_stage(name)? } else { BTreeMap::default() };
        let timeframe = summary.newest.tag(key::TIMEFRAME);
        boards.push(Board { timeframe, champion, evidence, summary, numbers });
    }
    boards.sort_by(|a, b| {
        let place = |board: &Board| (board.timeframe.is_none(), board.timeframe);
        place(a).cmp(&place(b)).then_with(|| a.name().cmp(b.name()))
    });
    Ok(boards)
}

impl Board {
    fn name(&self) -> &ModelName {
        &self.summary.newest.key.name
    }

    fn count(&self, stage: Stage) -> usize {
        self.summary.n_in_stage.get(&stage).copied().unwrap_or(0)
    }

    fn to_json(&self) -> Value {
        let numbers = |stage: &Stage| self.numbers.get(stage).map_or(json!([]), |it| json!(it));
        let stages: serde_json::Map<String, Value> =
            Stage::ALL.iter().map(|stage| (stage.to_string(), numbers(stage))).collect();
        json!({
            "name": self.name(),
            "timeframe": self.timeframe,
            "symbol": self.champion.as_ref().unwrap_or(&self.summary.newest).symbol(),
            "champion": self.champion.as_ref().map(list::to_json),
            "evidence": self.evidence.as_ref().map(Since::to_json),
            "standing": self.evidence.as_ref().map(Since::standing_to_json),
            "newest_version": self.summary.newest.key.version,
            "stages": stages,
        })
    }
}

fn running_to_json(run: &RunRecord) -> Value {
    json!({
        "run_id": run.run_id,
        "timeframe": run.tags.get(key::TIMEFRAME),
        "model_type": run.tags.get(key::MODEL_TYPE),
        "started_at": run.started_at,
        "liveness": run.liveness,
    })
}

fn text(boards: &[Board], running: &[RunRecord]) -> Shown {
    let now = herdbook_store::now();
    let mut shown = if boards.is_empty() {
        "no registered models yet: `herdbook train --timeframe 1H` trains the first\n".into()
    } else {
        Shown::from(table(boards, now))
    };
    for run in running {
        shown = shown.and("\n").and(running_line(run, now));
    }
    shown
}

fn table(boards: &[Board], now: Timestamp) -> Columns {
    let mut table = Columns::of([
        Column::left("model").cut(16),
        Column::right("champion"),
        Column::left("symbol").dispensable(3),
        Column::right("since").dispensable(4),
        Column::right("test return").dispensable(2),
        Column::right("Sharpe").dispensable(5),
        Column::right("drawdown").dispensable(8),
        Column::right("evidence since training").dispensable(6),
        Column::right("beta").dispensable(1),
        Column::right("development").dispensable(9),
        Column::right("archived").dispensable(10),
        Column::right("newest").dispensable(7),
    ]);
    for board in boards {
        let champion = |show: &dyn Fn(&VersionRecord) -> Cell| {
            board.champion.as_ref().map_or_else(|| UNDEFINED.to_owned().into(), show)
        };
        let metric = |name: &str| champion(&|version| list::metric_cell(version, name));
        let number = |version: &VersionRecord| {
            Cell::of(format!("version {}", version.key.version), Some(Meaning::Champion))
        };
        table.row([
            board.name().to_string().into(),
            champion(&number),
            list::symbol(board.champion.as_ref().unwrap_or(&board.summary.newest)).into(),
            champion(&|version| since(version, now).into()),
            metric("portfolio/total_return"),
            metric("portfolio/sharpe_ratio"),
            metric("portfolio/max_drawdown"),
            board.evidence.as_ref().map_or_else(|| UNDEFINED.to_owned(), Since::short).into(),
            board.count(Stage::Beta).to_string().into(),
            board.count(Stage::Development).to_string().into(),
            board.count(Stage::Archived).to_string().into(),
            format!(
                "version {}, {}",
                board.summary.newest.key.version,
                format::age(now.millis() - board.summary.newest.created_at.millis())
            )
            .into(),
        ]);
    }
    table
}

fn running_line(run: &RunRecord, now: Timestamp) -> String {
    let tag = |key: &str| run.tags.get(key).map_or("?", String::as_str);
    let age = format::age(now.millis() - run.started_at.millis());
    let state = match run.liveness {
        Some(Liveness::Alive) => format!("training, started {age}"),
        Some(Liveness::Dead) => format!("abandoned: its process has ended; started {age}"),
        None => format!("RUNNING, but it is unknown whether its process is alive; started {age}"),
    };
    let (timeframe, model_type) = (tag(key::TIMEFRAME), tag(key::MODEL_TYPE));
    one_line(&format!("run {} · {timeframe} {model_type} · {state}", run.run_id))
}
