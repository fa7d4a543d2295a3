//! What the tags, params and metrics of a run tell of the origin of its model.

use std::collections::BTreeMap;

use herdbook_domain::import::ToldOrigin;
use herdbook_domain::tags::{Tags, key};
use herdbook_domain::{
    EnhancedFrom, Honesty, Improvement, ModelType, Origin, RunId, Timestamp, improvements,
    judge_honesty, window_params,
};

use crate::engine::db::Conn;
use crate::error::StoreError;
use crate::search::ancestors::ancestors_in;
use crate::tables::metric::Metric;
use crate::tables::run::{self, RunRecord};
use crate::tables::version::{self, VersionRecord};

/// The parent of a run.
pub(super) struct Parent {
    pub(super) version: VersionRecord,
    pub(super) run: RunRecord,
}

/// The parent that the tags of a run name: it must be registered, and of the run's timeframe and symbol.
pub(super) fn parent(
    conn: &Conn,
    run: &RunRecord,
    told: &ToldOrigin,
) -> Result<Option<Parent>, StoreError> {
    let child = &run.run_id;
    let Some(parent) = &told.parent else {
        return match told.model_type {
            ModelType::Base => Ok(None),
            other => Err(cannot(
                child,
                format!("its type is `{other}`, but its tag `base_model_run_id` names no parent"),
            )),
        };
    };
    let unregistered = || cannot(child, format!("its parent, run `{parent}`, is not registered"));
    let key = version::keys_of_run(conn, parent)?.pop().ok_or_else(unregistered)?;
    let version = version::load_with_metrics(conn, &key)?;
    version.check_seal()?;
    let parent = Parent { run: run::load(conn, parent)?, version };
    let timeframe = parent.version.timeframe().map(|timeframe| timeframe.to_string());
    check_fit(child, &parent, "timeframe", timeframe.as_deref(), told.timeframe.as_str())?;
    if let Some(symbol) = run.params.get(window_params::SYMBOL) {
        let of_parent = parent.run.params_for_rules().get(window_params::SYMBOL);
        check_fit(child, &parent, "symbol", of_parent.map(String::as_str), symbol)?;
    }
    Ok(Some(parent))
}

fn check_fit(
    child: &RunId,
    parent: &Parent,
    what: &str,
    of_parent: Option<&str>,
    of_child: &str,
) -> Result<(), StoreError> {
    match of_parent {
        Some(of_parent) if !of_parent.eq_ignore_ascii_case(of_child) => Err(cannot(
            child,
            format!(
                "its {what} is `{of_child}`, but that of its parent {} is `{of_parent}`",
                parent.version.key
            ),
        )),
        _ => Ok(()),
    }
}

pub(super) fn origin(told: &ToldOrigin, parent: Option<&Parent>) -> Origin {
    let enhanced = parent.map(|parent| EnhancedFrom {
        enhancement: told.enhancement,
        parent: parent.run.run_id.clone(),
        previous_timesteps: parent.version.total_timesteps().unwrap_or(0),
    });
    Origin { timeframe: told.timeframe, enhanced }
}

/// Honesty by the recorded windows; `unknown` without them, and for a test that seems honest but whose bars have closes on
/// record, which are not compared here.
pub(super) fn honesty(conn: &Conn, run: &RunRecord) -> Result<Honesty, StoreError> {
    let Some(windows) = run.windows() else { return Ok(Honesty::Unknown) };
    let (ancestors, _) = ancestors_in(conn, &run.run_id)?;
    let of_ancestors: Vec<_> =
        ancestors.iter().map(|run| run.as_ref().and_then(RunRecord::windows)).collect();
    let has_closes = run.params.contains_key(window_params::CLOSES_SHA256);
    Ok(match judge_honesty(&windows, &of_ancestors) {
        Honesty::Clean if has_closes => Honesty::Unknown,
        honesty => honesty,
    })
}

/// Timesteps of this run: as logged, else by the total of the client, from which those of the parent are taken away.
pub(super) fn trained_timesteps(given: &Tags, run: &RunRecord, origin: &Origin) -> u64 {
    let logged = |name: &str| run.metric(name).map(|value| value.max(0.0) as u64);
    let previous = origin.enhanced.as_ref().map_or(0, |enhanced| enhanced.previous_timesteps);
    let without_parent = |total: u64| if total > previous { total - previous } else { total };
    let told = given.get(key::TOTAL_TIMESTEPS).and_then(|text| text.parse().ok());
    logged("current_run_timesteps")
        .or_else(|| logged("total_timesteps").or(told).map(without_parent))
        .unwrap_or(0)
}

pub(super) fn improvements_over(
    parent: Option<&Parent>,
    run: &RunRecord,
) -> BTreeMap<String, Improvement> {
    let Some(parent) = parent else { return BTreeMap::new() };
    improvements(&parent.run.metrics_for_rules(), &run.finite_metrics())
}

/// Whether the values of parent and child were measured on the same windows: the value of the tag `improvement_basis`.
pub(super) fn basis(parent: &RunRecord, child: &RunRecord) -> &'static str {
    let of_parent = parent.params_for_rules();
    let is_same = window_params::of_result()
        .all(|key| of_parent.contains_key(key) && of_parent.get(key) == child.params.get(key));
    if is_same { "same_windows" } else { "logged" }
}

pub(super) fn metrics(
    origin: &Origin,
    trained: u64,
    improvements: &BTreeMap<String, Improvement>,
    at: Timestamp,
) -> Vec<Metric> {
    let previous = origin.enhanced.as_ref().map_or(0, |enhanced| enhanced.previous_timesteps);
    let total = previous.saturating_add(trained);
    let mut values = vec![
        ("previous_timesteps".to_owned(), previous as f64),
        ("current_run_timesteps".to_owned(), trained as f64),
        ("total_timesteps".to_owned(), total as f64),
    ];
    values.extend(improvements.iter().filter_map(|(name, improvement)| {
        Some((format!("improvement_{name}"), improvement.percent?))
    }));
    let step = i64::try_from(total).unwrap_or(i64::MAX);
    values.into_iter().map(|(key, value)| Metric { key, value, at, step }).collect()
}

pub(super) fn cannot(run_id: &RunId, problem: impl Into<String>) -> StoreError {
    StoreError::CannotRegister { run_id: run_id.clone(), problem: problem.into() }
}
