//! Runs: the trainings that are running, and the curves of their metrics.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::extract::State;
use axum::http::Response;
use herdbook_domain::tags::key;
use herdbook_domain::{MetricName, RunId, window_params};
use herdbook_store::{Curve as Sampled, CurveAxis, Liveness, RunRecord, Store};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::native::call::Call;
use crate::native::failure::{ErrorBody, Failure};
use crate::native::state::Native;

/// Most points of a curve, most curves of a run in a list, and most runs of a list.
const MAX_POINTS: usize = 2_000;
const MAX_CURVES: usize = 10;
const MAX_RUNS: usize = 100;
/// The curve of a running training that is shown unless others are asked for.
const STANDARD_CURVE: &str = "evaluation/mean_reward";

/// A run that is in training.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RunningRun {
    run_id: String,
    name: String,
    experiment: String,
    timeframe: Option<String>,
    symbol: Option<String>,
    model_type: Option<String>,
    /// The run of the parent; null for a base model.
    parent: Option<String>,
    started_at: String,
    /// `alive`, `dead` (its process ended, or stopped renewing the lease), or null if that is unknown.
    liveness: Option<&'static str>,
    /// The timesteps that it trains for.
    timesteps: Option<u64>,
    /// The last step at which it logged.
    step: Option<i64>,
    /// The last finite value of each metric.
    metrics: BTreeMap<String, f64>,
}

impl From<&RunRecord> for RunningRun {
    fn from(run: &RunRecord) -> Self {
        Self {
            run_id: run.run_id.to_string(),
            name: run.name.clone(),
            experiment: run.experiment.clone(),
            timeframe: run.tags.get(key::TIMEFRAME).cloned(),
            symbol: run.params.get(window_params::SYMBOL).cloned(),
            model_type: run.tags.get(key::MODEL_TYPE).cloned(),
            parent: run.tags.get(key::BASE_MODEL_RUN_ID).cloned(),
            started_at: run.started_at.to_string(),
            liveness: run.liveness.map(|liveness| match liveness {
                Liveness::Alive => "alive",
                Liveness::Dead => "dead",
            }),
            timesteps: run.params.get("timesteps").and_then(|text| text.parse().ok()),
            step: run.metrics.iter().map(|metric| metric.step).max(),
            metrics: run.finite_metrics(),
        }
    }
}

/// Which curves to add.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct RunningQuery {
    /// The metrics whose curves are added, at most 10, with commas between them; `evaluation/mean_reward` unless given.
    metrics: Option<String>,
    /// Most points of a curve; 100 unless given, and at most 2,000.
    points: Option<usize>,
}

/// The running trainings.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Running {
    /// Newest first, at most 100.
    runs: Vec<RunWithCurves>,
    /// How many there are.
    n_runs: usize,
}

/// A running training with curves.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RunWithCurves {
    #[serde(flatten)]
    run: RunningRun,
    /// The curves by metric.
    curves: BTreeMap<String, Curve>,
}

/// A metric over the course of a run, sampled.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Curve {
    /// `step`, or `time` in milliseconds since the epoch if all values have the same step.
    axis: &'static str,
    /// How many values the points stand for. NaN and infinite values are left out.
    n: i64,
    /// The points, in order.
    points: Vec<Point>,
}

/// Neighbouring values of a metric.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Point {
    /// The first position on the axis.
    first: i64,
    /// The last position on the axis.
    last: i64,
    min: f64,
    max: f64,
    mean: f64,
    /// How many values.
    n: i64,
}

/// The running trainings with sampled curves.
#[utoipa::path(get, path = "/runs/running", tag = "runs", params(RunningQuery),
    responses((status = 200, body = Running), (status = "default", body = ErrorBody)))]
pub(super) async fn list_running(State(native): State<Native>, call: Call) -> Response<Body> {
    native.answer(call, |native, call| running(native.store(), &call.query()?)).await
}

fn running(store: &Store, asked: &RunningQuery) -> Result<Running, Failure> {
    let points = n_points(asked.points, 100)?;
    let names = asked.metrics.as_deref().unwrap_or(STANDARD_CURVE);
    let metrics: Vec<MetricName> =
        names.split(',').map(|name| MetricName::parse(name.trim())).collect::<Result<_, _>>()?;
    if metrics.len() > MAX_CURVES {
        return Err(Failure::invalid(format!("`metrics`: more than {MAX_CURVES} are named")));
    }
    let found = store.running()?;
    let mut runs = Vec::new();
    for run in found.iter().take(MAX_RUNS) {
        let mut curves = BTreeMap::new();
        for metric in metrics.iter().filter(|metric| run.metrics.get(metric.as_str()).is_some()) {
            curves.insert(metric.to_string(), curve(store, &run.run_id, metric, points)?);
        }
        runs.push(RunWithCurves { run: RunningRun::from(run), curves });
    }
    Ok(Running { runs, n_runs: found.len() })
}

/// How many points.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct CurveQuery {
    /// Most points; 500 unless given, and at most 2,000.
    points: Option<usize>,
}

/// The curve of a metric of a run: for each part of its course the lowest, the highest and the mean value.
#[utoipa::path(get, path = "/runs/{run_id}/metrics/{key}", tag = "runs",
    params(("run_id" = String, Path, description = "The run"),
        ("key" = String, Path, description = "The metric; a `/` in its name stays as it is"), CurveQuery),
    responses((status = 200, body = Curve), (status = "default", body = ErrorBody)))]
pub(super) async fn get_curve(State(native): State<Native>, call: Call) -> Response<Body> {
    native
        .answer(call, |native, call| {
            let asked: CurveQuery = call.query()?;
            let metric = MetricName::parse(call.path("key"))?;
            curve(native.store(), &call.run_id()?, &metric, n_points(asked.points, 500)?)
        })
        .await
}

fn curve(
    store: &Store,
    run_id: &RunId,
    metric: &MetricName,
    n_points: usize,
) -> Result<Curve, Failure> {
    let Sampled { axis, points, n } = store.curve(run_id, metric.as_str(), n_points)?;
    let points = points.into_iter().map(|point| Point {
        first: point.first,
        last: point.last,
        min: point.min,
        max: point.max,
        mean: point.mean,
        n: point.n,
    });
    let axis = match axis {
        CurveAxis::Step => "step",
        CurveAxis::Time => "time",
    };
    Ok(Curve { axis, n, points: points.collect() })
}

fn n_points(asked: Option<usize>, standard: usize) -> Result<usize, Failure> {
    match asked.unwrap_or(standard) {
        points @ 1..=MAX_POINTS => Ok(points),
        points => {
            Err(Failure::invalid(format!("`points`: {points} is not from 1 to {MAX_POINTS}")))
        }
    }
}
