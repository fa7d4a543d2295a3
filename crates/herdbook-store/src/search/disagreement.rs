//! Where MLflow's records say otherwise than the seal of a version: what was changed or logged after it was sealed.

use herdbook_domain::tags::{Tags, key};
use herdbook_domain::{Seal, window_params};
use serde::Serialize;
use serde_json::{Value, json};

use crate::tables::run::RunRecord;
use crate::tables::unsealed::is_measured;
use crate::tables::version::VersionRecord;

/// A fact of which MLflow holds another value than the seal.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Disagreement {
    /// The fact: `run`, `source`, or `metric`, `param`, `tag` or `run tag` with its name.
    pub what: String,
    /// The sealed value; null if none was sealed.
    pub sealed: Value,
    /// The value that MLflow holds; null if it holds none.
    pub mlflow: Value,
}

/// The facts of which MLflow holds other values than the seal of a version. Rules decide on the sealed ones.
pub fn disagreements(
    seal: &Seal,
    version: &VersionRecord,
    run: Option<&RunRecord>,
) -> Vec<Disagreement> {
    let facts = &seal.facts;
    let mut found = vec![
        compared("run", json!(seal.run_id), json!(version.run_id)),
        compared("source", json!(facts.source), json!(version.source)),
    ];
    found.extend(of_tags("tag", seal, &version.tags));
    if let Some(run) = run {
        found.extend(of_tags("run tag", seal, &run.tags));
        found.extend(window_params::sealed().map(|key| {
            let (sealed, present) = (facts.params.get(key), run.params.get(key));
            compared(&format!("param {key}"), json!(sealed), json!(present))
        }));
        found.extend(of_metrics(seal, run));
    }
    found.into_iter().flatten().collect()
}

fn compared(what: &str, sealed: Value, mlflow: Value) -> Option<Disagreement> {
    (sealed != mlflow).then(|| Disagreement { what: what.to_owned(), sealed, mlflow })
}

/// Compares the tags that are there: which tags are needed is the doctor's business.
fn of_tags(what: &str, seal: &Seal, tags: &Tags) -> Vec<Option<Disagreement>> {
    let facts = &seal.facts;
    let sealed = [
        (key::TIMEFRAME, facts.timeframe.map(|it| it.to_string())),
        (key::MODEL_TYPE, facts.model_type.map(|it| it.to_string())),
        (key::BASE_MODEL_RUN_ID, facts.parent.as_ref().map(ToString::to_string)),
        (key::HONESTY, Some(facts.honesty.to_string())),
        (key::TOTAL_TIMESTEPS, facts.total_timesteps.map(|it| it.to_string())),
    ];
    let of_tag = |(key, sealed): (&str, Option<String>)| {
        let present = tags.get(key)?;
        compared(&format!("{what} {key}"), json!(sealed), json!(present))
    };
    sealed.into_iter().map(of_tag).collect()
}

fn of_metrics(seal: &Seal, run: &RunRecord) -> Vec<Option<Disagreement>> {
    let sealed = &seal.facts.metrics;
    let changed = sealed.iter().filter_map(|(name, metric)| {
        let present = run.metrics.get(name);
        // The sealed value is the last finite one: a last value that is not finite is not another one.
        if present.is_some_and(|present| !present.value.is_finite()) {
            return None;
        }
        let present = present.map(|present| present.value);
        compared(&format!("metric {name}"), json!(metric.value), json!(present))
    });
    let added = run.metrics.iter().filter(|present| {
        is_measured(&present.key) && present.value.is_finite() && !sealed.contains_key(&present.key)
    });
    let added = added.map(|present| {
        compared(&format!("metric {}", present.key), Value::Null, json!(present.value))
    });
    changed.map(Some).chain(added).collect()
}
