//! MLflow's tables of datasets, and of the datasets that a run used.

use herdbook_domain::RunId;

use crate::clock::new_id;
use crate::dataset_input::DatasetInput;
use crate::engine::db::{Conn, params};
use crate::error::StoreError;

/// Adds a dataset to a run. A dataset that the run's experiment has already is used again.
///
/// # Errors
/// Those of the database.
pub(crate) fn log(conn: &Conn, run_id: &RunId, input: &DatasetInput) -> Result<(), StoreError> {
    conn.execute(
        "INSERT INTO datasets (dataset_uuid, experiment_id, name, digest, dataset_source_type,
                dataset_source, dataset_schema, dataset_profile)
         SELECT ?1, experiment_id, ?2, ?3, ?4, ?5, NULL, ?6 FROM runs WHERE run_uuid = ?7
         ON CONFLICT (experiment_id, name, digest) DO NOTHING",
        params![
            new_id(),
            input.name,
            input.digest,
            DatasetInput::SOURCE_TYPE,
            input.source,
            input.profile,
            run_id.as_str()
        ],
    )?;
    let dataset: String = conn.query_row(
        "SELECT d.dataset_uuid FROM datasets d JOIN runs r ON r.experiment_id = d.experiment_id
         WHERE r.run_uuid = ?1 AND d.name = ?2 AND d.digest = ?3",
        params![run_id.as_str(), input.name, input.digest],
        |row| row.get(0),
    )?;
    let input_id = new_id();
    conn.execute(
        "INSERT INTO inputs (input_uuid, source_type, source_id, destination_type, destination_id)
         VALUES (?1, 'DATASET', ?2, 'RUN', ?3)",
        params![input_id, dataset, run_id.as_str()],
    )?;
    for (name, value) in &input.tags {
        conn.execute(
            "INSERT INTO input_tags (input_uuid, name, value) VALUES (?1, ?2, ?3)",
            params![input_id, name, value],
        )?;
    }
    Ok(())
}
