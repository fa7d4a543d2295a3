//! Two versions side by side.

use std::collections::{BTreeMap, BTreeSet};

use axum::body::Body;
use axum::extract::State;
use axum::http::Response;
use herdbook_domain::{Improvement, ModelName, VersionKey, window_params};
use herdbook_store::{Store, StoreError, VersionRecord};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::native::call::{Call, parse_version};
use crate::native::failure::{ErrorBody, Failure};
use crate::native::shape::version::ModelVersion;
use crate::native::state::Native;

/// Prefixes of metrics that do not tell which model is better.
const LEFT_OUT: [&str; 4] = ["training/", "improvement_", "parent/", "baseline/"];

/// The two versions.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// The first version, as `NAME/NUMBER`.
    first: String,
    /// The second version, as `NAME/NUMBER`.
    second: String,
}

/// Two versions side by side.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Comparison {
    first: ModelVersion,
    second: ModelVersion,
    /// Whether bars, windows and costs of both results are the same.
    comparable: bool,
    /// The params in which they differ.
    differing: Vec<&'static str>,
    metrics: BTreeMap<String, Compared>,
}

/// A metric of both versions.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Compared {
    first: Option<f64>,
    second: Option<f64>,
    /// The second value less the first.
    difference: Option<f64>,
    change_percent: Option<f64>,
    /// Whether the first value is so small that the percentage says nothing.
    is_first_near_zero: Option<bool>,
    /// Null if the results are not comparable.
    second_is_better: Option<bool>,
}

/// Two versions side by side.
#[utoipa::path(get, path = "/compare", tag = "versions", params(Asked),
    responses((status = 200, body = Comparison), (status = "default", body = ErrorBody)))]
pub(super) async fn compare_versions(State(native): State<Native>, call: Call) -> Response<Body> {
    native
        .answer(call, |native, call| {
            let asked: Asked = call.query()?;
            let store = native.store();
            let first = store.version(&reference(&asked.first)?)?;
            let second = store.version(&reference(&asked.second)?)?;
            compare(store, &first, &second)
        })
        .await
}

fn reference(text: &str) -> Result<VersionKey, Failure> {
    let (name, version) = text.rsplit_once('/').ok_or_else(|| {
        let text: String = text.chars().take(80).collect();
        Failure::invalid(format!("`{}` is not a version", text.escape_debug()))
            .with_hint("name a version as `1H_trading_model/3`")
    })?;
    Ok(VersionKey { name: ModelName::parse(name)?, version: parse_version(version)? })
}

fn compare(
    store: &Store,
    first: &VersionRecord,
    second: &VersionRecord,
) -> Result<Comparison, Failure> {
    let differing = differing_data(store, first, second)?;
    let (of_first, of_second) = (first.finite_metrics(), second.finite_metrics());
    let names: BTreeSet<&String> = of_first
        .keys()
        .chain(of_second.keys())
        .filter(|name| !LEFT_OUT.iter().any(|prefix| name.starts_with(prefix)))
        .filter(|name| !name.ends_with("timesteps"))
        .collect();
    let comparable = differing.is_empty();
    let metrics = names
        .into_iter()
        .map(|name| (name.clone(), compared(name, (first, second), comparable)))
        .collect();
    Ok(Comparison {
        first: ModelVersion::from(first),
        second: ModelVersion::from(second),
        comparable,
        differing,
        metrics,
    })
}

fn compared(
    name: &str,
    (first, second): (&VersionRecord, &VersionRecord),
    comparable: bool,
) -> Compared {
    let (first, second) = (first.metric(name), second.metric(name));
    let change = first.zip(second).map(|(first, second)| Improvement::of(name, first, second));
    Compared {
        first,
        second,
        difference: change.map(|change| change.difference),
        change_percent: change.and_then(|change| change.percent),
        is_first_near_zero: change.map(|change| change.is_parent_near_zero),
        second_is_better: change.and_then(|change| change.better).filter(|_| comparable),
    }
}

/// The params in which bars, windows or costs of two results differ.
fn differing_data(
    store: &Store,
    first: &VersionRecord,
    second: &VersionRecord,
) -> Result<Vec<&'static str>, Failure> {
    let params = |version: &VersionRecord| -> Result<BTreeMap<String, String>, Failure> {
        let Some(run_id) = &version.run_id else { return Ok(BTreeMap::new()) };
        match store.run(run_id) {
            Ok(run) => Ok(run.params_for_rules().clone()),
            Err(StoreError::NoSuchRun { .. }) => Ok(BTreeMap::new()),
            Err(error) => Err(error.into()),
        }
    };
    let (first, second) = (params(first)?, params(second)?);
    Ok(window_params::of_result().filter(|key| first.get(*key) != second.get(*key)).collect())
}
