//! Model versions: what the records say of each, and lists of them.

use std::collections::BTreeMap;

use herdbook_domain::tags::{Tags, key};
use herdbook_domain::{ModelName, RunId, Stage, Timeframe, Timestamp, VersionKey, VersionNumber};

use crate::db::{Conn, Row, params};
use crate::tag::AllTags;
use crate::{MetricSelection, Store, StoreError, metric, promotion, tag};

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

/// Which versions to list. Without any field, all.
#[derive(Debug, Clone, Default)]
pub struct VersionQuery {
    /// Those of one registered model.
    pub name: Option<ModelName>,
    /// Those with this timeframe tag.
    pub timeframe: Option<Timeframe>,
    /// Those in this stage.
    pub stage: Option<Stage>,
    /// Which of their metrics to read.
    pub metrics: MetricSelection,
}

pub(crate) const COLUMNS: &str = "v.name, v.version, v.run_id, v.creation_time, v.last_updated_time, \
                       v.current_stage";

impl Store {
    /// One version.
    ///
    /// # Errors
    /// [`StoreError::NoSuchModel`], [`StoreError::NoSuchVersion`], [`StoreError::DeletedVersion`].
    pub fn version(&self, key: &VersionKey) -> Result<VersionRecord, StoreError> {
        self.read(|conn| {
            let record = load_with_metrics(conn, key)?;
            if record.deleted {
                return Err(StoreError::DeletedVersion { key: key.clone() });
            }
            Ok(record)
        })
    }

    /// The champion of a registered model, if it has one.
    pub fn champion(&self, name: &ModelName) -> Result<Option<VersionRecord>, StoreError> {
        self.read(|conn| {
            let Some(version) = promotion::champion_of(conn, name)? else {
                return Ok(None);
            };
            let record = load_with_metrics(conn, &VersionKey { name: name.clone(), version })?;
            Ok((!record.deleted).then_some(record))
        })
    }

    /// The versions that a query asks for, newest first; deleted ones are not among them.
    pub fn versions(&self, query: &VersionQuery) -> Result<Vec<VersionRecord>, StoreError> {
        self.read(|conn| {
            // Those in a stage are few where it is beta or champion: their tags come first.
            let in_stage = if query.stage.is_some() {
                "model_version_tags s CROSS JOIN model_versions v WHERE s.workspace = 'default'
                   AND s.key = 'promotion_stage' AND s.value = ?3 AND v.name = s.name
                   AND v.version = s.version AND"
            } else {
                "model_versions v WHERE ?3 IS NULL AND"
            };
            let sql = format!(
                "SELECT {COLUMNS} FROM {in_stage}
                       v.workspace = 'default' AND v.current_stage <> 'Deleted_Internal'
                   AND (?1 IS NULL OR v.name = ?1)
                   AND (?2 IS NULL OR EXISTS (SELECT 1 FROM model_version_tags t
                        WHERE t.workspace = 'default' AND t.key = 'timeframe' AND t.name = v.name
                          AND t.version = v.version AND t.value = ?2))
                 ORDER BY v.creation_time DESC, v.version DESC, v.name"
            );
            let rows = conn.query(
                &sql,
                params![
                    query.name.as_ref().map(ModelName::as_str),
                    query.timeframe.map(Timeframe::as_str),
                    query.stage.map(Stage::as_str),
                ],
                from_row,
            )?;
            // Names that herdbook could not have given are not models of this system.
            let mut records: Vec<VersionRecord> = rows.into_iter().flatten().collect();
            let is_whole = query.timeframe.is_none() && query.stage.is_none();
            let mut tags = if is_whole { tag::of_all_versions(conn)? } else { AllTags::default() };
            let metrics = match query.metrics {
                MetricSelection::Only(names) if is_whole => Some(metric::of_all_runs(conn, names)?),
                _ => None,
            };
            for record in &mut records {
                record.tags = if is_whole {
                    tags.take(&record.key)
                } else {
                    tag::of_version(conn, &record.key)?
                };
                match (&metrics, &record.run_id) {
                    (Some(metrics), Some(run_id)) => {
                        record.metrics = metrics.get(run_id.as_str()).cloned().unwrap_or_default();
                    }
                    _ => add_metrics(conn, record, query.metrics)?,
                }
            }
            Ok(records)
        })
    }

    /// The version that was registered from a run; the newest, should there be more.
    pub fn version_of_run(&self, run_id: &RunId) -> Result<Option<VersionRecord>, StoreError> {
        self.read(|conn| {
            let newest = keys_of_run(conn, run_id)?.pop();
            newest.map(|key| load_with_metrics(conn, &key)).transpose()
        })
    }
}

/// One version, deleted or not, without its metrics.
pub(crate) fn load(conn: &Conn, key: &VersionKey) -> Result<VersionRecord, StoreError> {
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

fn load_with_metrics(conn: &Conn, key: &VersionKey) -> Result<VersionRecord, StoreError> {
    let mut record = load(conn, key)?;
    add_metrics(conn, &mut record, MetricSelection::All)?;
    Ok(record)
}

/// Whether a version has a row, deleted or not.
pub(crate) fn exists(conn: &Conn, key: &VersionKey) -> Result<bool, StoreError> {
    conn.query_row(
        "SELECT EXISTS (SELECT 1 FROM model_versions
         WHERE workspace = 'default' AND name = ?1 AND version = ?2)",
        params![key.name.as_str(), key.version.get()],
        |row| row.get(0),
    )
}

/// Refuses a registered model that is not there.
pub(crate) fn require_model(conn: &Conn, name: &ModelName) -> Result<(), StoreError> {
    let known_models = model_names(conn)?;
    if known_models.iter().any(|known| known == name.as_str()) {
        return Ok(());
    }
    Err(StoreError::NoSuchModel { name: name.clone(), known_models })
}

/// The versions registered from a run that were not deleted, oldest first.
pub(crate) fn keys_of_run(conn: &Conn, run_id: &RunId) -> Result<Vec<VersionKey>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM model_versions v
         WHERE v.workspace = 'default' AND v.run_id = ?1 AND v.current_stage <> 'Deleted_Internal'
         ORDER BY v.creation_time, v.version"
    );
    let records = conn.query(&sql, params![run_id.as_str()], from_row)?;
    Ok(records.into_iter().flatten().map(|record| record.key).collect())
}

/// Notes that a version changed.
pub(crate) fn touch(conn: &Conn, key: &VersionKey, at: Timestamp) -> Result<(), StoreError> {
    conn.execute(
        "UPDATE model_versions SET last_updated_time = ?1
         WHERE workspace = 'default' AND name = ?2 AND version = ?3",
        params![at.millis(), key.name.as_str(), key.version.get()],
    )?;
    Ok(())
}

/// Notes that a registered model changed.
pub(crate) fn touch_model(conn: &Conn, name: &ModelName, at: Timestamp) -> Result<(), StoreError> {
    conn.execute(
        "UPDATE registered_models SET last_updated_time = ?1
         WHERE workspace = 'default' AND name = ?2",
        params![at.millis(), name.as_str()],
    )?;
    Ok(())
}

pub(crate) fn from_row(row: &Row<'_>) -> Result<Option<VersionRecord>, StoreError> {
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

pub(crate) fn add_metrics(
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
pub(crate) fn model_names(conn: &Conn) -> Result<Vec<String>, StoreError> {
    conn.query(
        "SELECT name FROM registered_models WHERE workspace = 'default' ORDER BY name",
        params![],
        |row| row.get(0),
    )
}
