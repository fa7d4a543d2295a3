//! Runs with their metrics, parameters, tags, inputs and outputs.

use std::collections::BTreeMap;

use herdbook_store::StoreError;
use herdbook_store::engine::db::{Conn, Row, ToValue};

use crate::sql::{Arguments, text};

/// A run on record, as MLflow shows it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Run {
    /// 32 hexadecimal digits for a run that MLflow or herdbook made.
    pub run_id: String,
    /// Its experiment.
    pub experiment_id: i64,
    /// Its display name.
    pub name: String,
    /// Who started it.
    pub user_id: String,
    /// `RUNNING`, `SCHEDULED`, `FINISHED`, `FAILED` or `KILLED`.
    pub status: String,
    /// Milliseconds since 1970.
    pub start_time: Option<i64>,
    /// Milliseconds since 1970; `None` while it runs.
    pub end_time: Option<i64>,
    /// Where its artifacts are.
    pub artifact_uri: String,
    /// `active` or `deleted`.
    pub lifecycle_stage: String,
    /// The latest value of each metric, by name.
    pub metrics: Vec<Latest>,
    /// Its parameters, by name.
    pub params: Vec<(String, String)>,
    /// Its tags, by name.
    pub tags: Vec<(String, String)>,
    /// The datasets that it used.
    pub datasets: Vec<DatasetUse>,
    /// The logged models that it made, with the step of each.
    pub model_outputs: Vec<(String, i64)>,
}

/// The latest value of a metric, as MLflow stores it: NaN as such, infinities as the largest finite numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Latest {
    /// Its name.
    pub key: String,
    /// Its value.
    pub value: f64,
    /// Milliseconds since 1970.
    pub timestamp: i64,
    /// The step.
    pub step: i64,
}

/// A dataset that a run used.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DatasetUse {
    /// Its name.
    pub name: String,
    /// Its digest.
    pub digest: String,
    /// The kind of its source.
    pub source_type: String,
    /// Its source.
    pub source: String,
    /// Its schema.
    pub schema: Option<String>,
    /// Its profile.
    pub profile: Option<String>,
    /// The tags of its use, such as `mlflow.data.context`.
    pub tags: Vec<(String, String)>,
}

/// Runs by their ids, in the order of the ids; ids without a run are left out. A fixed number of statements, however many
/// runs.
///
/// # Errors
/// Those of the database.
pub(crate) fn load(conn: &Conn, ids: &[String]) -> Result<Vec<Run>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut args = Arguments::default();
    let marks: Vec<String> = ids.iter().map(|id| args.text(id)).collect();
    let among = format!("({})", marks.join(", "));
    let values = args.values();
    let mut runs = BTreeMap::new();
    for run in conn.query(
        &format!(
            "SELECT run_uuid, experiment_id, name, user_id, status, start_time, end_time, artifact_uri,
                lifecycle_stage
             FROM runs WHERE run_uuid IN {among}"
        ),
        values.as_slice(),
        from_row,
    )? {
        runs.insert(run.run_id.clone(), run);
    }
    let table = Among { conn, among: &among, values: &values };
    table.each(
        "SELECT run_uuid, key, value, is_nan, timestamp, step FROM latest_metrics",
        "key",
        &mut runs,
        |row, run| {
            let is_nan = row.readable::<bool>(3)?.unwrap_or_default();
            let value = row.readable(2)?.unwrap_or_default();
            run.metrics.push(Latest {
                key: text(row, 1)?,
                value: if is_nan { f64::NAN } else { value },
                timestamp: row.readable(4)?.unwrap_or_default(),
                step: row.readable(5)?.unwrap_or_default(),
            });
            Ok(())
        },
    )?;
    table.each("SELECT run_uuid, key, value FROM params", "key", &mut runs, |row, run| {
        run.params.push((text(row, 1)?, text(row, 2)?));
        Ok(())
    })?;
    table.each("SELECT run_uuid, key, value FROM tags", "key", &mut runs, |row, run| {
        run.tags.push((text(row, 1)?, text(row, 2)?));
        Ok(())
    })?;
    datasets(&table, &mut runs)?;
    Ok(ids.iter().filter_map(|id| runs.remove(id)).collect())
}

/// Adds the datasets of the runs.
fn datasets(table: &Among<'_>, runs: &mut BTreeMap<String, Run>) -> Result<(), StoreError> {
    let mut of_inputs: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    let sql = format!(
        "SELECT i.input_uuid, t.name, t.value FROM inputs i JOIN input_tags t ON t.input_uuid = i.input_uuid
         WHERE i.source_type = 'DATASET' AND i.destination_type = 'RUN' AND i.destination_id IN {}
         ORDER BY t.name",
        table.among
    );
    table.conn.query(&sql, table.values, |row| {
        of_inputs.entry(text(row, 0)?).or_default().push((text(row, 1)?, text(row, 2)?));
        Ok(())
    })?;
    let sql = format!(
        "SELECT i.destination_id, i.input_uuid, d.name, d.digest, d.dataset_source_type, d.dataset_source,
            d.dataset_schema, d.dataset_profile
         FROM inputs i JOIN datasets d ON d.dataset_uuid = i.source_id
         WHERE i.source_type = 'DATASET' AND i.destination_type = 'RUN' AND i.destination_id IN {}
         ORDER BY i.input_uuid",
        table.among
    );
    table.conn.query(&sql, table.values, |row| {
        if let Some(run) = runs.get_mut(&text(row, 0)?) {
            run.datasets.push(DatasetUse {
                name: text(row, 2)?,
                digest: text(row, 3)?,
                source_type: text(row, 4)?,
                source: text(row, 5)?,
                schema: row.readable(6)?,
                profile: row.readable(7)?,
                tags: of_inputs.remove(&text(row, 1)?).unwrap_or_default(),
            });
        }
        Ok(())
    })?;
    Ok(())
}

/// The rows of some runs in a table.
struct Among<'a> {
    conn: &'a Conn,
    /// The ids in parentheses.
    among: &'a str,
    values: &'a [&'a dyn ToValue],
}

impl Among<'_> {
    /// Calls `add` for each row. Its first column is the run.
    fn each(
        &self,
        select: &str,
        order: &str,
        runs: &mut BTreeMap<String, Run>,
        add: impl Fn(&Row<'_>, &mut Run) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let sql = format!("{select} WHERE run_uuid IN {} ORDER BY run_uuid, {order}", self.among);
        self.conn.query(&sql, self.values, |row| match runs.get_mut(&text(row, 0)?) {
            Some(run) => add(row, run),
            None => Ok(()),
        })?;
        Ok(())
    }
}

fn from_row(row: &Row<'_>) -> Result<Run, StoreError> {
    Ok(Run {
        run_id: text(row, 0)?,
        experiment_id: row.readable(1)?.unwrap_or_default(),
        name: text(row, 2)?,
        user_id: text(row, 3)?,
        status: text(row, 4)?,
        start_time: row.readable(5)?,
        end_time: row.readable(6)?,
        artifact_uri: text(row, 7)?,
        lifecycle_stage: text(row, 8)?,
        ..Run::default()
    })
}
