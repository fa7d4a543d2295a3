//! The board: every model at a glance, and the running trainings.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::extract::State;
use axum::http::Response;
use herdbook_domain::tags::key;
use herdbook_domain::{ModelName, Stage, Timeframe, Timestamp};
use herdbook_store::{
    MetricSelection, ModelSummary, UnsealedValues, VersionQuery, VersionRecord, now,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::native::call::Call;
use crate::native::failure::{ErrorBody, Failure};
use crate::native::query::NoParameters;
use crate::native::runs::RunningRun;
use crate::native::shape::evidence::{Evaluations, RecordedEvidence, Standing};
use crate::native::shape::version::ModelVersion;
use crate::native::state::Native;

/// Most versions of a model that are listed as waiting for a decision, and most running trainings.
const MAX_WAITING: usize = 10;
const MAX_RUNNING: usize = 100;
/// The figures of the test window, without their prefix.
const TEST_FIGURES: [&str; 3] = ["total_return", "sharpe_ratio", "max_drawdown"];
/// The metrics of the test window, and of buy and hold on the same bars.
const METRICS: [&str; 6] = [
    "portfolio/total_return",
    "portfolio/sharpe_ratio",
    "portfolio/max_drawdown",
    "baseline/buy_and_hold_total_return",
    "baseline/buy_and_hold_sharpe_ratio",
    "baseline/buy_and_hold_max_drawdown",
];

/// The board.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Board {
    /// The id of the store.
    store_id: Option<String>,
    /// The server's clock.
    at: String,
    /// The number of the last event before the board was read: a client follows the events from here.
    last_event: i64,
    /// The models, by timeframe and name.
    models: Vec<BoardModel>,
    /// The running trainings, newest first.
    running: Vec<RunningRun>,
    /// How many models are left out because the name or number of their newest version cannot be read.
    n_unreadable: usize,
}

/// A model on the board.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BoardModel {
    name: String,
    timeframe: Option<String>,
    symbol: Option<String>,
    champion: Option<Placed>,
    /// The evaluations of the champion since its training.
    evidence: Vec<RecordedEvidence>,
    standing: Option<Standing>,
    newest_version: u32,
    /// How many versions are in each stage.
    n_in_stage: BTreeMap<String, usize>,
    /// The newest versions in beta, which wait for a decision.
    waiting: Vec<Placed>,
}

/// A version with its time in the stage and its test figures.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Placed {
    #[serde(flatten)]
    version: ModelVersion,
    /// Since when it is in its stage, to the minute.
    since: Option<String>,
    /// Seconds since then; null if that is unknown or lies in the future of the server's clock.
    age_s: Option<i64>,
    /// The figures of the test window beside those of buy and hold.
    test: Vec<TestFigure>,
}

/// A figure of the test window.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TestFigure {
    /// Its name, without `portfolio/`.
    metric: &'static str,
    value: Option<f64>,
    /// The same figure of buy and hold on the same bars.
    buy_and_hold: Option<f64>,
}

/// The models by timeframe, their champions beside buy and hold, the versions that wait for a decision, and the running
/// trainings.
#[utoipa::path(get, path = "/board", tag = "board",
    responses((status = 200, body = Board), (status = "default", body = ErrorBody)))]
pub(super) async fn get_board(State(native): State<Native>, call: Call) -> Response<Body> {
    native
        .answer(call, |native, call| {
            let NoParameters {} = call.query()?;
            board(native)
        })
        .await
}

fn board(native: &Native) -> Result<Board, Failure> {
    let store = native.store();
    let last_event = store.last_event_id()?;
    let at = now();
    let mut champions = in_stage(native, Stage::Champion)?;
    let mut waiting = in_stage(native, Stage::Beta)?;
    let mut evaluations = Evaluations::default();
    let summaries = store.summaries()?;
    let mut models = Vec::new();
    for ModelSummary { newest, n_in_stage } in summaries.records {
        let name = newest.key.name.clone();
        let champion = champions.remove(&name).and_then(|versions| versions.into_iter().next());
        let since = match &champion {
            Some(champion) => evaluations.of(store, &champion.key)?,
            None => crate::native::shape::evidence::Since::default(),
        };
        let timeframe: Option<Timeframe> = newest.tag(key::TIMEFRAME);
        let in_beta = waiting.remove(&name).unwrap_or_default();
        let model = BoardModel {
            name: name.to_string(),
            timeframe: timeframe.map(|timeframe| timeframe.to_string()),
            symbol: champion.as_ref().unwrap_or(&newest).symbol().map(ToString::to_string),
            champion: champion.as_ref().map(|champion| placed(champion, at)),
            evidence: since.evidence,
            standing: since.standing,
            newest_version: newest.key.version.get(),
            n_in_stage: n_in_stage.iter().map(|(stage, n)| (stage.to_string(), *n)).collect(),
            waiting: in_beta.iter().take(MAX_WAITING).map(|version| placed(version, at)).collect(),
        };
        models.push(((timeframe.is_none(), timeframe, name), model));
    }
    models.sort_by(|(a, _), (b, _)| a.cmp(b));
    let running = store.running()?;
    Ok(Board {
        store_id: store.backend().identity().store_id,
        at: at.to_string(),
        last_event,
        models: models.into_iter().map(|(_, model)| model).collect(),
        running: running.iter().take(MAX_RUNNING).map(RunningRun::from).collect(),
        n_unreadable: summaries.unreadable.len(),
    })
}

/// The versions in a stage by model, newest first.
fn in_stage(
    native: &Native,
    stage: Stage,
) -> Result<BTreeMap<ModelName, Vec<VersionRecord>>, Failure> {
    let found = native.store().versions(&VersionQuery {
        stage: Some(stage),
        metrics: MetricSelection::Only(&METRICS),
        unsealed_values: UnsealedValues::WhereTheyCount,
        ..VersionQuery::default()
    })?;
    let mut by_model: BTreeMap<ModelName, Vec<VersionRecord>> = BTreeMap::new();
    for version in found.records {
        by_model.entry(version.key.name.clone()).or_default().push(version);
    }
    Ok(by_model)
}

fn placed(record: &VersionRecord, at: Timestamp) -> Placed {
    let promoted = record.tags.get(key::LAST_PROMOTED_AT);
    let since = promoted.and_then(|text| Timestamp::from_tag(text));
    let age_ms = since.map(|since| at.millis() - since.millis());
    let test = TEST_FIGURES.map(|metric| TestFigure {
        metric,
        value: record.metric(&format!("portfolio/{metric}")),
        buy_and_hold: record.metric(&format!("baseline/buy_and_hold_{metric}")),
    });
    Placed {
        version: ModelVersion::from(record),
        since: since.map(|since| since.to_string()),
        age_s: age_ms.filter(|age| *age >= 0).map(|age| age / 1000),
        test: test.into(),
    }
}
