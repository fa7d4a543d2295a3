//! Runs and versions as JSON, with the field names of MLflow's client.

use herdbook_domain::{Departure, Timeframe, Timestamp};
use herdbook_store::{RunRecord, VersionRecord};
use herdbook_training::FoundModel;
use serde_json::{Value, json};

pub(crate) fn found_to_json(found: Option<FoundModel>, timeframe: Timeframe) -> Value {
    let Some(found) = found else { return Value::Null };
    let mut value = version_to_json(&found.version);
    value["model_path"] = json!(found.version.run_id.as_ref().map(|id| id.model_path(timeframe)));
    value["value"] = json!(found.value);
    value["fallback"] = json!(found.departure == Departure::BaseModel);
    value["differing"] = json!(found.differing);
    value
}

/// A version with the fields of MLflow's client and those of herdbook.
pub(crate) fn version_to_json(version: &VersionRecord) -> Value {
    json!({
        "name": version.key.name,
        "version": version.key.version,
        "stage": version.mlflow_stage,
        "promotion_stage": version.tags.get("promotion_stage"),
        "creation_timestamp": version.created_at.millis(),
        "last_updated_timestamp": version.updated_at.millis(),
        "run_id": version.run_id,
        "timeframe": version.tags.get("timeframe"),
        "model_type": version.tags.get("model_type"),
        "version_type": version.tags.get("version_type"),
        "honesty": match &version.sealed {
            Some(sealed) => Some(sealed.honesty.to_string()),
            None => version.tags.get("honesty").cloned(),
        },
        "tags": version.tags,
        "metrics": version.finite_metrics(),
        "sealed": version.sealed.as_ref().map(|sealed| {
            json!({"event": sealed.event_id, "origin": sealed.origin, "at": sealed.at})
        }),
    })
}

pub(crate) fn run_to_json(run: &RunRecord) -> Value {
    json!({
        "run_id": run.run_id,
        "run_name": run.name,
        "experiment": run.experiment,
        "status": run.status,
        "start_time": run.started_at.millis(),
        "end_time": run.ended_at.map(Timestamp::millis),
        "deleted": run.deleted,
        "tags": run.tags,
        "params": run.params,
        "metrics": run.finite_metrics(),
        "sealed_metrics": run.seal.as_ref().map(|seal| seal.facts.metric_values()),
    })
}
