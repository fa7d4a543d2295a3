//! Runs: created.

use herdbook_store::{Session, new_id, params};

use super::info::{RUN_NAME, RunInfo, RunStatus};
use super::random_name::random_name;
use super::record::Run;
use crate::act::write;
use crate::artifact_root::join;
use crate::error::{Code, MlflowError};
use crate::experiments::{find, no_experiment, parse_id, require_active};

/// A run to be created.
#[derive(Debug, Clone, Default)]
pub struct NewRun {
    /// The id of its experiment.
    pub experiment_id: String,
    /// Who starts it.
    pub user_id: String,
    /// Its display name; empty for the tag `mlflow.runName`, or a random one.
    pub name: String,
    /// Milliseconds since 1970.
    pub start_time: i64,
    /// Its tags.
    pub tags: Vec<(String, String)>,
}

/// Creates a run with the status RUNNING.
///
/// # Errors
/// [`MlflowError::Refused`] if the experiment does not exist or was deleted, or the name contradicts its tag; those of the
/// store.
pub fn create(session: &Session, new: &NewRun) -> Result<Run, MlflowError> {
    let experiment_id = parse_id(&new.experiment_id)?;
    let tag = new.tags.iter().rev().find(|(key, _)| key == RUN_NAME).map(|(_, name)| name);
    let tag = tag.filter(|name| !name.is_empty());
    if let Some(tag) = tag
        && !new.name.is_empty()
        && *tag != new.name
    {
        return Err(MlflowError::invalid(format!(
            "Both 'run_name' argument and 'mlflow.runName' tag are specified, but with different values \
             (run_name='{}', mlflow.runName='{tag}').",
            new.name
        )));
    }
    let run_id = new_id();
    let name = match (new.name.as_str(), tag) {
        ("", Some(tag)) => tag.clone(),
        ("", None) => random_name(),
        (name, _) => name.to_owned(),
    };
    let mut tags = with_each_key_once(&new.tags)?;
    if tag.is_none() {
        tags.retain(|(key, _)| key != RUN_NAME);
        tags.push((RUN_NAME.to_owned(), name.clone()));
    }
    let artifact_uri = write(session, |act| {
        let experiment =
            find(act.tx, experiment_id)?.ok_or_else(|| no_experiment(experiment_id))?;
        require_active(&experiment)?;
        if new.experiment_id.is_empty() {
            return Err(MlflowError::new(Code::BadRequest, "the run has no experiment_id"));
        }
        let artifact_uri = join(&experiment.artifact_location, &[&run_id, "artifacts"]);
        act.tx.execute(
            "INSERT INTO runs (run_uuid, name, source_type, source_name, entry_point_name, user_id, status,
                start_time, source_version, lifecycle_stage, artifact_uri, experiment_id)
             VALUES (?1, ?2, 'UNKNOWN', '', '', ?3, 'RUNNING', ?4, '', 'active', ?5, ?6)",
            params![run_id, name, new.user_id, new.start_time, artifact_uri, experiment_id],
        )?;
        for (key, value) in &tags {
            act.tx.execute(
                "INSERT INTO tags (key, value, run_uuid) VALUES (?1, ?2, ?3)",
                params![key, value, run_id],
            )?;
        }
        Ok(artifact_uri)
    })?;
    tags.sort();
    let info = RunInfo {
        run_id,
        experiment_id,
        name,
        user_id: new.user_id.clone(),
        status: RunStatus::Running.as_str().to_owned(),
        start_time: Some(new.start_time),
        end_time: None,
        artifact_uri,
        lifecycle_stage: "active".to_owned(),
    };
    Ok(Run { info, tags, ..Run::default() })
}

/// The tags; a key that occurs twice is refused, as MLflow's database refuses it.
fn with_each_key_once(tags: &[(String, String)]) -> Result<Vec<(String, String)>, MlflowError> {
    let mut sorted: Vec<&String> = tags.iter().map(|(key, _)| key).collect();
    sorted.sort_unstable();
    match sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => {
            let message = format!("the tag '{}' is given more than once", pair[0]);
            Err(MlflowError::new(Code::BadRequest, message))
        }
        None => Ok(tags.to_vec()),
    }
}
