//! Model versions: what the records say of each, and lists of them.

use std::collections::BTreeMap;

use herdbook_domain::tags::{Tags, key};
use herdbook_domain::{ModelName, RunId, Stage, Timestamp, VersionKey, VersionNumber};

use crate::engine::db::{Conn, Row, params};
use crate::error::StoreError;
use crate::tables::metric::{self, MetricSelection};
use crate::tables::tag;

/// What the records say of one version.
#[derive(Debug, Clone)]
pub struct VersionRecord {
    /// Which.
    pub key: VersionKey,
    /// Its run; `None` where MLflow has forgotten it.
    pub run_id: Option<RunId>,
    /// When it was registered.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// MLflow's own, deprecated, stage.
    pub mlflow_stage: String,
    /// Whether it was deleted through MLflow.
    pub deleted: bool,
    /// Its tags.
    pub tags: Tags,
    /// The last finite value of each metric of its run.
    pub metrics: BTreeMap<String, f64>,
}

impl VersionRecord {
    /// A tag read as a word of a closed set; `None` where it is missing or something else.
    pub fn tag<T: std::str::FromStr>(&self, key: &str) -> Option<T> {
        self.tags.get(key)?.parse().ok()
    }

    /// Its stage by its tag.
    pub fn stage(&self) -> Option<Stage> {
        self.tag(key::PROMOTION_STAGE)
    }
}

pub const COLUMNS: &str = "v.name, v.version, v.run_id, v.creation_time, v.last_updated_time, \
                       v.current_stage";

/// One version, deleted or not, without its metrics.
pub fn load(conn: &Conn, key: &VersionKey) -> Result<VersionRecord, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM model_versions v
         WHERE v.workspace = 'default' AND v.name = ?1 AND v.version = ?2"
    );
    let mut record = conn
        .query_first(&sql, params![key.name.as_str(), key.version.get()], from_row)?
        .flatten()
        .map_or_else(|| Err(missing(conn, key)), Ok)?;
    record.tags = tag::of_version(conn, key)?;
    Ok(record)
}

pub fn load_with_metrics(conn: &Conn, key: &VersionKey) -> Result<VersionRecord, StoreError> {
    let mut record = load(conn, key)?;
    add_metrics(conn, &mut record, MetricSelection::All)?;
    Ok(record)
}

/// Whether a version has a row, deleted or not.
pub fn exists(conn: &Conn, key: &VersionKey) -> Result<bool, StoreError> {
    conn.query_row(
        "SELECT EXISTS (SELECT 1 FROM model_versions
         WHERE workspace = 'default' AND name = ?1 AND version = ?2)",
        params![key.name.as_str(), key.version.get()],
        |row| row.get(0),
    )
}

/// Refuses a registered model that is not there.
pub fn require_model(conn: &Conn, name: &ModelName) -> Result<(), StoreError> {
    let known_models = model_names(conn)?;
    if known_models.iter().any(|known| known == name.as_str()) {
        return Ok(());
    }
    Err(StoreError::NoSuchModel { name: name.clone(), known_models })
}

/// The versions registered from a run that were not deleted, oldest first.
pub fn keys_of_run(conn: &Conn, run_id: &RunId) -> Result<Vec<VersionKey>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM model_versions v
         WHERE v.workspace = 'default' AND v.run_id = ?1 AND v.current_stage <> 'Deleted_Internal'
         ORDER BY v.creation_time, v.version"
    );
    let records = conn.query(&sql, params![run_id.as_str()], from_row)?;
    Ok(records.into_iter().flatten().map(|record| record.key).collect())
}

/// Notes that a version changed.
pub fn touch(conn: &Conn, key: &VersionKey, at: Timestamp) -> Result<(), StoreError> {
    conn.execute(
        "UPDATE model_versions SET last_updated_time = ?1
         WHERE workspace = 'default' AND name = ?2 AND version = ?3",
        params![at.millis(), key.name.as_str(), key.version.get()],
    )?;
    Ok(())
}

/// Notes that a registered model changed.
pub fn touch_model(conn: &Conn, name: &ModelName, at: Timestamp) -> Result<(), StoreError> {
    conn.execute(
        "UPDATE registered_models SET last_updated_time = ?1
         WHERE workspace = 'default' AND name = ?2",
        params![at.millis(), name.as_str()],
    )?;
    Ok(())
}

pub fn from_row(row: &Row<'_>) -> Result<Option<VersionRecord>, StoreError> {
    let name: String = row.get(0)?;
    let (Ok(name), Some(version)) = (ModelName::parse(&name), VersionNumber::new(row.get(1)?))
    else {
        return Ok(None);
    };
    let run_id: Option<String> = row.get(2)?;
    let time = |column| -> Result<Timestamp, StoreError> {
        Ok(Timestamp::from_millis(row.get::<Option<i64>>(column)?.unwrap_or(0)))
    };
    let mlflow_stage: String = row.get::<Option<String>>(5)?.unwrap_or_default();
    Ok(Some(VersionRecord {
        key: VersionKey { name, version },
        run_id: run_id.and_then(|run_id| RunId::parse(&run_id).ok()),
        created_at: time(3)?,
        updated_at: time(4)?,
        deleted: mlflow_stage == "Deleted_Internal",
        mlflow_stage,
        tags: Tags::new(),
        metrics: BTreeMap::new(),
    }))
}

pub fn add_metrics(
    conn: &Conn,
    record: &mut VersionRecord,
    metrics: MetricSelection,
) -> Result<(), StoreError> {
    if let Some(run_id) = &record.run_id {
        record.metrics = metric::latest_of_run(conn, run_id.as_str(), metrics)?;
    }
    Ok(())
}

fn missing(conn: &Conn, key: &VersionKey) -> StoreError {
    let newest: Result<Option<i64>, _> = conn.query_row(
        "SELECT max(version) FROM model_versions
         WHERE workspace = 'default' AND name = ?1 AND current_stage <> 'Deleted_Internal'",
        params![key.name.as_str()],
        |row| row.get(0),
    );
    match newest {
        Err(error) => error,
        Ok(newest) => match newest.and_then(VersionNumber::new) {
            Some(newest) => StoreError::NoSuchVersion { key: key.clone(), newest },
            None => model_names(conn).map_or_else(
                |error| error,
                |known_models| StoreError::NoSuchModel { name: key.name.clone(), known_models },
            ),
        },
    }
}

/// The names of all registered models.
pub fn model_names(conn: &Conn) -> Result<Vec<String>, StoreError> {
    conn.query(
        "SELECT name FROM registered_models WHERE workspace = 'default' ORDER BY name",
        params![],
        |row| row.get(0),
    )
}

/// The version that carries the champion tag, a deleted one too.
pub fn champion_of(conn: &Conn, name: &ModelName) -> Result<Option<VersionNumber>, StoreError> {
    let version: Option<i64> = conn.query_first(
        "SELECT version FROM model_version_tags
         WHERE workspace = 'default' AND name = ?1 AND key = ?2 AND value = ?3",
        params![name.as_str(), key::PROMOTION_STAGE, Stage::Champion.as_str()],
        |row| row.get(0),
    )?;
    Ok(version.and_then(VersionNumber::new))
}

/// Lets MLflow's own stage follow; a deleted version stays deleted.
pub fn set_mlflow_stage(
    conn: &Conn,
    key: &VersionKey,
    stage: Stage,
    at: Timestamp,
) -> Result<(), StoreError> {
    conn.execute(
        "UPDATE model_versions SET current_stage = ?1, last_updated_time = ?2
         WHERE workspace = 'default' AND name = ?3 AND version = ?4
           AND current_stage <> 'Deleted_Internal'",
        params![stage.mlflow_stage(), at.millis(), key.name.as_str(), key.version.get()],
    )?;
    Ok(())
}
