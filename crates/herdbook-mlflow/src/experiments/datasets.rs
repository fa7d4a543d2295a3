//! The datasets that the runs of experiments used.

use herdbook_store::Store;

use super::record::parse_given_id;
use crate::error::MlflowError;
use crate::sql::{Arguments, text};

/// Most datasets of an answer.
const MAX_DATASETS: i64 = 1000;

/// A dataset in an experiment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatasetSummary {
    /// The experiment.
    pub experiment_id: i64,
    /// Its name.
    pub name: String,
    /// Its digest.
    pub digest: String,
    /// What it was used for, such as `training`; empty if that is unknown.
    pub context: String,
}

/// The datasets of some experiments, each once per use that it had.
///
/// # Errors
/// [`MlflowError::Refused`] if an id is not a number; those of the store.
pub fn datasets(store: &Store, ids: &[String]) -> Result<Vec<DatasetSummary>, MlflowError> {
    let mut args = Arguments::default();
    let marks: Vec<String> = ids
        .iter()
        .map(|id| Ok(args.integer(parse_given_id(id)?)))
        .collect::<Result<_, MlflowError>>()?;
    let limit = args.integer(MAX_DATASETS);
    let sql = format!(
        "SELECT DISTINCT d.experiment_id, d.name, d.digest, t.value FROM datasets d
         JOIN inputs i ON i.source_id = d.dataset_uuid
         LEFT JOIN input_tags t ON t.input_uuid = i.input_uuid AND t.name = 'mlflow.data.context'
         WHERE d.experiment_id IN ({}) ORDER BY 1, 2, 3, 4 LIMIT {limit}",
        marks.join(", ")
    );
    Ok(store.read(|conn| {
        conn.query(&sql, args.values().as_slice(), |row| {
            Ok(DatasetSummary {
                experiment_id: row.get(0)?,
                name: text(row, 1)?,
                digest: text(row, 2)?,
                context: text(row, 3)?,
            })
        })
    })?)
}
