//! Runs with their metrics, parameters, tags, inputs and outputs.

use std::collections::BTreeMap;

use herdbook_store::engine::db::{Conn, Dialect, Row};
use herdbook_store::{Store, StoreError, params};

use super::info::{COLUMNS, RUN_NAME, RunInfo, info_from_row};
use super::writable::no_run;
use crate::error::MlflowError;
use crate::sql::{Among, text};

/// A run on record, as MLflow shows it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Run {
    /// Its row.
    pub info: RunInfo,
    /// The latest value of each metric, by name.
    pub metrics: Vec<Latest>,
    /// Its parameters, by name.
    pub params: Vec<(String, String)>,
    /// Its tags, by name.
    pub tags: Vec<(String, String)>,
    /// The datasets that it used.
    pub datasets: Vec<DatasetUse>,
    /// The logged models that it used. Searches leave them out.
    pub model_inputs: Vec<String>,
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

/// Looks up a run, deleted or not.
///
/// # Errors
/// [`MlflowError::Refused`] if there is none; those of the store.
pub fn get(store: &Store, run_id: &str) -> Result<Run, MlflowError> {
    let found = store.read(|conn| {
        let Some(mut run) = load(conn, &[run_id.to_owned()])?.pop() else { return Ok(None) };
        run.model_inputs = conn.query(
            "SELECT destination_id FROM inputs
             WHERE source_type = 'RUN_INPUT' AND source_id = ?1 AND destination_type = 'MODEL_INPUT'",
            params![run_id],
            |row| text(row, 0),
        )?;
        Ok(Some(run))
    })?;
    found.ok_or_else(|| no_run(run_id))
}

/// Runs by their ids, in the order of the ids; ids without a run are left out. The number of statements does not depend on
/// the number of metrics, params and tags.
///
/// # Errors
/// Those of the database.
pub(crate) fn load(conn: &Conn, ids: &[String]) -> Result<Vec<Run>, StoreError> {
    let mut loaded = Vec::with_capacity(ids.len());
    for some in ids.chunks(Among::MOST) {
        let among = Among::of(some);
        let mut runs: Runs = Runs::new();
        among.query(
            conn,
            &format!("SELECT {COLUMNS} FROM runs WHERE run_uuid IN {}", among.marks),
            |row| {
                let info = info_from_row(row)?;
                runs.insert(info.run_id.clone(), Run { info, ..Run::default() });
                Ok(())
            },
        )?;
        if runs.is_empty() {
            continue;
        }
        entries(conn, &among, &mut runs)?;
        datasets(conn, &among, &mut runs)?;
        outputs(conn, &among, &mut runs)?;
        for run in runs.values_mut() {
            // Old runs have their name in a tag alone.
            if run.info.name.is_empty() {
                let named = run.tags.iter().find(|(key, _)| key == RUN_NAME);
                run.info.name = named.map(|(_, name)| name.clone()).unwrap_or_default();
            }
        }
        loaded.extend(some.iter().filter_map(|id| runs.remove(id)));
    }
    Ok(loaded)
}

type Runs = BTreeMap<String, Run>;

/// Adds metrics, params and tags.
fn entries(conn: &Conn, among: &Among<'_>, runs: &mut Runs) -> Result<(), StoreError> {
    let select = |columns: &str, table: &str| {
        format!(
            "SELECT run_uuid, key, {columns} FROM {table} WHERE run_uuid IN {} ORDER BY run_uuid, key",
            among.marks
        )
    };
    among.query(conn, &select("value, is_nan, timestamp, step", "latest_metrics"), |row| {
        if let Some(run) = runs.get_mut(&text(row, 0)?) {
            run.metrics.push(latest_from_row(row, 1)?);
        }
        Ok(())
    })?;
    among.query(conn, &select("value", "params"), |row| {
        if let Some(run) = runs.get_mut(&text(row, 0)?) {
            run.params.push((text(row, 1)?, text(row, 2)?));
        }
        Ok(())
    })?;
    among.query(conn, &select("value", "tags"), |row| {
        if let Some(run) = runs.get_mut(&text(row, 0)?) {
            run.tags.push((text(row, 1)?, text(row, 2)?));
        }
        Ok(())
    })
}

/// Reads key, value, NaN flag, time and step, from a column on.
pub(crate) fn latest_from_row(row: &Row<'_>, first: usize) -> Result<Latest, StoreError> {
    let is_nan = row.readable::<bool>(first + 2)?.unwrap_or_default();
    let value = row.readable(first + 1)?.unwrap_or_default();
    Ok(Latest {
        key: text(row, first)?,
        value: if is_nan { f64::NAN } else { value },
        timestamp: row.readable(first + 3)?.unwrap_or_default(),
        step: row.readable(first + 4)?.unwrap_or_default(),
    })
}

/// Adds the datasets of the runs.
fn datasets(conn: &Conn, among: &Among<'_>, runs: &mut Runs) -> Result<(), StoreError> {
    let mut of_inputs: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    let marks = &among.marks;
    // MLflow shows them in the order in which they were logged, which PostgreSQL does not keep.
    let order = match conn.dialect() {
        Dialect::Sqlite => "i.rowid",
        Dialect::Postgres => "d.name, d.digest, i.input_uuid",
    };
    let sql = format!(
        "SELECT i.destination_id, i.input_uuid, d.name, d.digest, d.dataset_source_type, d.dataset_source,
            d.dataset_schema, d.dataset_profile
         FROM inputs i JOIN datasets d ON d.dataset_uuid = i.source_id
         WHERE i.source_type = 'DATASET' AND i.destination_type = 'RUN' AND i.destination_id IN {marks}
         ORDER BY {order}"
    );
    let mut found: Vec<(String, String, DatasetUse)> = Vec::new();
    among.query(conn, &sql, |row| {
        let dataset = DatasetUse {
            name: text(row, 2)?,
            digest: text(row, 3)?,
            source_type: text(row, 4)?,
            source: text(row, 5)?,
            schema: row.readable(6)?,
            profile: row.readable(7)?,
            tags: Vec::new(),
        };
        found.push((text(row, 0)?, text(row, 1)?, dataset));
        Ok(())
    })?;
    if found.is_empty() {
        return Ok(());
    }
    let sql = format!(
        "SELECT i.input_uuid, t.name, t.value FROM inputs i JOIN input_tags t ON t.input_uuid = i.input_uuid
         WHERE i.source_type = 'DATASET' AND i.destination_type = 'RUN' AND i.destination_id IN {marks}
         ORDER BY t.name"
    );
    among.query(conn, &sql, |row| {
        of_inputs.entry(text(row, 0)?).or_default().push((text(row, 1)?, text(row, 2)?));
        Ok(())
    })?;
    for (run_id, input, mut dataset) in found {
        if let Some(run) = runs.get_mut(&run_id) {
            dataset.tags = of_inputs.remove(&input).unwrap_or_default();
            run.datasets.push(dataset);
        }
    }
    Ok(())
}

/// Adds the models that the runs made.
fn outputs(conn: &Conn, among: &Among<'_>, runs: &mut Runs) -> Result<(), StoreError> {
    let sql = format!(
        "SELECT source_id, destination_id, step FROM inputs
         WHERE source_type = 'RUN_OUTPUT' AND destination_type = 'MODEL_OUTPUT' AND source_id IN {}
         ORDER BY destination_id",
        among.marks
    );
    among.query(conn, &sql, |row| {
        if let Some(run) = runs.get_mut(&text(row, 0)?) {
            run.model_outputs.push((text(row, 1)?, row.readable(2)?.unwrap_or_default()));
        }
        Ok(())
    })
}
