//! Datasets and models that a run used or made.

use std::collections::BTreeSet;

use herdbook_store::engine::db::Conn;
use herdbook_store::{Session, StoreError, new_id, params};

use super::record::DatasetUse;
use super::writable::{change, require_active};
use crate::error::{Code, MlflowError};
use crate::validate::{check_length, check_run_id};

/// A dataset that a run uses.
pub type InputDataset = DatasetUse;

/// A logged model that a run made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelOutput {
    /// The model.
    pub model_id: String,
    /// The step at which it was made.
    pub step: i64,
}

/// Records the datasets and models that an active run uses. A dataset of the same name and digest is one dataset.
///
/// # Errors
/// [`MlflowError::Refused`] if the run does not exist or was deleted, or a value is too long; those of the store.
pub fn log_inputs(
    session: &Session,
    run_id: &str,
    datasets: &[InputDataset],
    models: &[String],
) -> Result<(), MlflowError> {
    check_run_id(run_id)?;
    datasets.iter().try_for_each(check_dataset)?;
    change(session, run_id, |act| {
        let experiment = require_active(act.tx, run_id)?;
        let mut seen = BTreeSet::new();
        for dataset in datasets {
            if seen.insert((&dataset.name, &dataset.digest)) {
                let id = find_or_insert(act.tx, experiment, dataset)?;
                link(act.tx, run_id, &id, dataset)?;
            }
        }
        for model in models {
            // A model that is recorded twice is one input.
            insert_edge(act.tx, (&new_id(), 0), ("RUN_INPUT", run_id), ("MODEL_INPUT", model))?;
        }
        Ok(())
    })
}

/// Records logged models that an active run made.
///
/// # Errors
/// [`MlflowError::Refused`] if the run does not exist or was deleted, or a model was recorded before; those of the store.
pub fn log_outputs(
    session: &Session,
    run_id: &str,
    models: &[ModelOutput],
) -> Result<(), MlflowError> {
    change(session, run_id, |act| {
        require_active(act.tx, run_id)?;
        for ModelOutput { model_id, step } in models {
            let (from, to) = (("RUN_OUTPUT", run_id), ("MODEL_OUTPUT", model_id.as_str()));
            if !insert_edge(act.tx, (&new_id(), *step), from, to)? {
                let message =
                    format!("the model '{model_id}' is an output of the run '{run_id}' already");
                return Err(MlflowError::new(Code::BadRequest, message));
            }
        }
        Ok(())
    })
}

fn check_dataset(dataset: &InputDataset) -> Result<(), MlflowError> {
    let DatasetUse { name, digest, source, schema, profile, tags, .. } = dataset;
    check_length("name", name, 500)?;
    check_length("digest", digest, 36)?;
    check_length("source", source, 65_535)?;
    check_length("schema", schema.as_deref().unwrap_or_default(), 1_048_575)?;
    check_length("profile", profile.as_deref().unwrap_or_default(), 16_777_215)?;
    for (key, value) in tags {
        check_length("key", key, 255)?;
        check_length("value", value, 500)?;
    }
    Ok(())
}

/// The id of a dataset of an experiment.
fn find_or_insert(
    conn: &Conn,
    experiment: i64,
    dataset: &InputDataset,
) -> Result<String, StoreError> {
    let DatasetUse { name, digest, source_type, source, schema, profile, .. } = dataset;
    let id = new_id();
    let n_inserted = conn.execute(
        "INSERT INTO datasets (dataset_uuid, experiment_id, name, digest, dataset_source_type, dataset_source,
            dataset_schema, dataset_profile)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (experiment_id, name, digest) DO NOTHING",
        params![id, experiment, name, digest, source_type, source, schema, profile],
    )?;
    if n_inserted > 0 {
        return Ok(id);
    }
    conn.query_row(
        "SELECT dataset_uuid FROM datasets WHERE experiment_id = ?1 AND name = ?2 AND digest = ?3",
        params![experiment, name, digest],
        |row| row.get(0),
    )
}

/// Links a dataset to a run. The tags are those of the first link.
fn link(conn: &Conn, run_id: &str, id: &str, dataset: &InputDataset) -> Result<(), StoreError> {
    let input = new_id();
    if !insert_edge(conn, (&input, 0), ("DATASET", id), ("RUN", run_id))? {
        return Ok(());
    }
    for (key, value) in &dataset.tags {
        conn.execute(
            "INSERT INTO input_tags (input_uuid, name, value) VALUES (?1, ?2, ?3)
             ON CONFLICT (input_uuid, name) DO UPDATE SET value = excluded.value",
            params![input, key, value],
        )?;
    }
    Ok(())
}

/// Inserts an edge between two records. Returns whether it is new.
fn insert_edge(
    conn: &Conn,
    (id, step): (&str, i64),
    (from_type, from): (&str, &str),
    (to_type, to): (&str, &str),
) -> Result<bool, StoreError> {
    let n_inserted = conn.execute(
        "INSERT INTO inputs (input_uuid, source_type, source_id, destination_type, destination_id, step)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING",
        params![id, from_type, from, to_type, to, step],
    )?;
    Ok(n_inserted > 0)
}
