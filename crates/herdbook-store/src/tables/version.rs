//! Model versions: their rows.

use std::collections::BTreeMap;

use herdbook_domain::tags::{Tags, key};
use herdbook_domain::{
    Honesty, InvalidName, ModelName, ModelType, RunId, Stage, Symbol, Timeframe, Timestamp,
    VersionKey, VersionNumber,
};

use crate::engine::db::{Conn, Row, params};
use crate::error::StoreError;
use crate::tables::batch::{OfRuns, Versions};
use crate::tables::metric::{self, LatestMetrics, MetricSelection};
use crate::tables::seal::{self, SealedSummary};
use crate::tables::tag;

/// One version on record.
#[derive(Debug, Clone)]
pub struct VersionRecord {
    /// Its registered model and number.
    pub key: VersionKey,
    /// Its run; `None` if it has none, or MLflow erased the id when it deleted the version.
    pub run_id: Option<RunId>,
    /// When it was registered; the epoch if that is not on record.
    pub created_at: Timestamp,
    /// When it last changed; the epoch if that is not on record.
    pub updated_at: Timestamp,
    /// MLflow's own, deprecated, stage.
    pub mlflow_stage: String,
    /// Whether it was deleted through MLflow.
    pub deleted: bool,
    /// The URI of its files.
    pub source: Option<String>,
    /// Its description, as users write it.
    pub description: Option<String>,
    /// MLflow's state of its registration, as a rule `READY`.
    pub status: Option<String>,
    /// MLflow's explanation of the state.
    pub status_message: Option<String>,
    /// The user who registered it.
    pub user: Option<String>,
    /// A link to its run on another server.
    pub run_link: Option<String>,
    /// The symbol by the param of its run; `None` if the run names none.
    pub symbol_of_run: Option<Symbol>,
    /// Its tags.
    pub tags: Tags,
    /// The last value of each metric of its run, as MLflow holds it.
    pub metrics: LatestMetrics,
    /// Its sealed facts; `None` if its history holds no seal.
    pub sealed: Option<SealedSummary>,
    /// Why the seal in its history cannot be believed. Without it, the version has no facts on which rules could decide.
    pub seal_problem: Option<String>,
}

impl VersionRecord {
    /// The tags; of those that repeat sealed facts, the sealed values.
    pub fn tags_by_seal(&self) -> Tags {
        let mut tags = self.tags.clone();
        let Some(sealed) = &self.sealed else { return tags };
        let facts = [
            (key::TIMEFRAME, sealed.timeframe.map(|it| it.to_string())),
            (key::MODEL_TYPE, sealed.model_type.map(|it| it.to_string())),
            (key::HONESTY, Some(sealed.honesty.to_string())),
            (key::TOTAL_TIMESTEPS, sealed.total_timesteps.map(|it| it.to_string())),
        ];
        let known = facts.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
        tags.extend(known);
        tags
    }

    /// A tag read as a word of a closed set; `None` if it is missing or something else.
    pub fn tag<T: std::str::FromStr>(&self, key: &str) -> Option<T> {
        self.tags.get(key)?.parse().ok()
    }

    /// Checks that its seal, if it has one, can be believed.
    ///
    /// # Errors
    /// [`StoreError::BrokenRecord`] if its history was altered.
    pub fn check_seal(&self) -> Result<(), StoreError> {
        match &self.seal_problem {
            Some(problem) => Err(StoreError::BrokenRecord {
                what: format!("the history of {}", self.key),
                problem: problem.clone(),
            }),
            None => Ok(()),
        }
    }

    /// Its stage by its tag.
    pub fn stage(&self) -> Option<Stage> {
        self.tag(key::PROMOTION_STAGE)
    }

    /// The value of a metric on which rules decide: the sealed one, or without a seal the last one of its run; `None` if there
    /// is none, or it is NaN or infinite.
    pub fn metric(&self, name: &str) -> Option<f64> {
        match &self.sealed {
            Some(sealed) => sealed.metrics.get(name).copied(),
            None if self.seal_problem.is_some() => None,
            None => self.metrics.finite(name),
        }
    }

    /// The values of all metrics on which rules decide, as by [`VersionRecord::metric`].
    pub fn finite_metrics(&self) -> BTreeMap<String, f64> {
        match &self.sealed {
            Some(sealed) => sealed.metrics.clone(),
            None if self.seal_problem.is_some() => BTreeMap::new(),
            None => self.metrics.finite_values(),
        }
    }

    /// The length of one bar: the sealed one, or without a seal that of the tag.
    pub fn timeframe(&self) -> Option<Timeframe> {
        match &self.sealed {
            Some(sealed) => sealed.timeframe,
            None => self.tag(key::TIMEFRAME),
        }
    }

    /// The symbol it was trained on: the sealed one, or without a seal that of its run; `None` if none is recorded.
    pub fn symbol(&self) -> Option<&Symbol> {
        match &self.sealed {
            Some(sealed) => sealed.symbol.as_ref(),
            None => self.symbol_of_run.as_ref(),
        }
    }

    /// How the model was trained: sealed, or without a seal by the tag.
    pub fn model_type(&self) -> Option<ModelType> {
        match &self.sealed {
            Some(sealed) => sealed.model_type,
            None => self.tag(key::MODEL_TYPE),
        }
    }

    /// Whether the test window is honest: sealed, or without a seal by the tag.
    pub fn honesty(&self) -> Honesty {
        match &self.sealed {
            Some(sealed) => sealed.honesty,
            None if self.seal_problem.is_some() => Honesty::Unknown,
            None => self.tag(key::HONESTY).unwrap_or(Honesty::Unknown),
        }
    }

    /// Timesteps that the model and its ancestors were trained for: sealed, or without a seal by the tag.
    pub fn total_timesteps(&self) -> Option<u64> {
        match &self.sealed {
            Some(sealed) => sealed.total_timesteps,
            None => self.tag(key::TOTAL_TIMESTEPS),
        }
    }
}

/// A row of a version whose name or number this system cannot parse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnreadableVersion {
    /// The name as written.
    pub name: String,
    /// The number as written.
    pub version: String,
    /// Why it cannot be parsed.
    pub problem: String,
}

/// The columns that [`from_row`] reads, of the table `v`.
pub const COLUMNS: &str = "v.name, v.version, v.run_id, v.creation_time, v.last_updated_time, \
                       v.current_stage, v.source, v.description, v.status, v.status_message, \
                       v.user_id, v.run_link, \
                       (SELECT p.value FROM params p WHERE p.run_uuid = v.run_id AND p.key = 'data.symbol')";
/// As [`COLUMNS`], without the symbol of the run. For many versions that search takes longest; [`add_symbols`] adds it.
pub(crate) const COLUMNS_WITHOUT_SYMBOL: &str = "v.name, v.version, v.run_id, v.creation_time, \
                       v.last_updated_time, v.current_stage, v.source, v.description, v.status, \
                       v.status_message, v.user_id, v.run_link, CAST(NULL AS TEXT)";
/// The number of [`COLUMNS`].
pub(crate) const N_COLUMNS: usize = 13;

/// One version, deleted or not, with its tags, without its metrics.
///
/// # Errors
/// [`StoreError::NoSuchModel`], [`StoreError::NoSuchVersion`].
pub fn load(conn: &Conn, key: &VersionKey) -> Result<VersionRecord, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM model_versions v
         WHERE v.workspace = 'default' AND v.name = ?1 AND v.version = ?2"
    );
    let mut record = conn
        .query_first(&sql, params![key.name.as_str(), key.version.get()], from_row)?
        .and_then(Result::ok)
        .map_or_else(|| Err(missing(conn, key)), Ok)?;
    record.tags = tag::of_version(conn, key)?;
    Ok(record)
}

/// One version, deleted or not, with its tags, all metrics and its seal.
///
/// # Errors
/// As [`load`].
pub fn load_with_metrics(conn: &Conn, key: &VersionKey) -> Result<VersionRecord, StoreError> {
    let mut record = load(conn, key)?;
    add_metrics(conn, &mut record, MetricSelection::All)?;
    // A version with a broken history is shown all the same. Whatever decides on it is refused.
    match add_seal(conn, &mut record) {
        Err(error @ StoreError::BrokenRecord { .. }) => {
            record.seal_problem = Some(error.to_string());
        }
        outcome => outcome?,
    }
    Ok(record)
}

/// As [`load`], with the selected metrics on which rules decide: sealed ones, or without a seal those of its run.
///
/// # Errors
/// As [`load`].
pub fn load_for_rules(
    conn: &Conn,
    key: &VersionKey,
    metrics: MetricSelection,
) -> Result<VersionRecord, StoreError> {
    let mut record = load(conn, key)?;
    let keys = std::slice::from_ref(key);
    record.sealed = seal::of_versions(conn, Versions::With(keys), metrics)?.take(key);
    if record.sealed.is_none() {
        // A renamed model has its seals under the former name.
        match add_seal(conn, &mut record) {
            Err(error @ StoreError::BrokenRecord { .. }) => {
                record.seal_problem = Some(error.to_string());
            }
            outcome => outcome?,
        }
    }
    if record.sealed.is_none() {
        add_metrics(conn, &mut record, metrics)?;
    }
    Ok(record)
}

/// Adds its sealed facts to a version.
///
/// # Errors
/// As [`seal::of_version`].
pub fn add_seal(conn: &Conn, record: &mut VersionRecord) -> Result<(), StoreError> {
    record.sealed = seal::of_version(conn, &record.key)?.as_ref().map(SealedSummary::of);
    Ok(())
}

/// Whether a version has a row, deleted or not.
///
/// # Errors
/// Those of the database.
pub fn exists(conn: &Conn, key: &VersionKey) -> Result<bool, StoreError> {
    conn.query_row(
        "SELECT EXISTS (SELECT 1 FROM model_versions
         WHERE workspace = 'default' AND name = ?1 AND version = ?2)",
        params![key.name.as_str(), key.version.get()],
        |row| row.get(0),
    )
}

/// Fails if a registered model does not exist.
///
/// # Errors
/// [`StoreError::NoSuchModel`].
pub fn require_model(conn: &Conn, name: &ModelName) -> Result<(), StoreError> {
    let known_models = model_names(conn)?;
    if known_models.iter().any(|known| known == name.as_str()) {
        return Ok(());
    }
    Err(StoreError::NoSuchModel { name: name.clone(), known_models })
}

/// The versions registered from a run that were not deleted, oldest first; unreadable ones are not among them.
///
/// # Errors
/// Those of the database.
pub fn keys_of_run(conn: &Conn, run_id: &RunId) -> Result<Vec<VersionKey>, StoreError> {
    let keys = conn.query(
        "SELECT v.name, v.version FROM model_versions v
         WHERE v.workspace = 'default' AND v.run_id = ?1 AND v.current_stage IS DISTINCT FROM 'Deleted_Internal'
         ORDER BY v.creation_time, v.version",
        params![run_id.as_str()],
        |row| Ok(key_of(row).ok()),
    )?;
    Ok(keys.into_iter().flatten().collect())
}

/// Whether a registered model is under the life cycle: one of its versions, deleted or not, has a stage.
///
/// # Errors
/// Those of the database.
pub fn is_under_life_cycle(conn: &Conn, name: &str) -> Result<bool, StoreError> {
    conn.query_row(
        "SELECT EXISTS (SELECT 1 FROM model_version_tags
         WHERE workspace = 'default' AND key = ?1 AND name = ?2)",
        params![key::PROMOTION_STAGE, name],
        |row| row.get(0),
    )
}

/// Whether a version, deleted or not, names a run as its parent.
///
/// # Errors
/// Those of the database.
pub(crate) fn is_parent(conn: &Conn, run_id: &RunId) -> Result<bool, StoreError> {
    conn.query_row(
        "SELECT EXISTS (SELECT 1 FROM model_version_tags
         WHERE workspace = 'default' AND key = ?1 AND value = ?2)",
        params![key::BASE_MODEL_RUN_ID, run_id.as_str()],
        |row| row.get(0),
    )
}

/// Sets the time of a version's last change.
///
/// # Errors
/// Those of the database.
pub fn touch(conn: &Conn, key: &VersionKey, at: Timestamp) -> Result<(), StoreError> {
    conn.execute(
        "UPDATE model_versions SET last_updated_time = ?1
         WHERE workspace = 'default' AND name = ?2 AND version = ?3",
        params![at.millis(), key.name.as_str(), key.version.get()],
    )?;
    Ok(())
}

/// Sets the time of a registered model's last change.
///
/// # Errors
/// Those of the database.
pub fn touch_model(conn: &Conn, name: &ModelName, at: Timestamp) -> Result<(), StoreError> {
    conn.execute(
        "UPDATE registered_models SET last_updated_time = ?1
         WHERE workspace = 'default' AND name = ?2",
        params![at.millis(), name.as_str()],
    )?;
    Ok(())
}

/// Reads a row of [`COLUMNS`], without tags and metrics. The inner error is a row that this system cannot parse.
///
/// # Errors
/// Those of the database. Another column than name and number with a value of the wrong kind counts as missing.
pub fn from_row(row: &Row<'_>) -> Result<Result<VersionRecord, UnreadableVersion>, StoreError> {
    let key = match key_of(row) {
        Ok(key) => key,
        Err(unreadable) => return Ok(Err(unreadable)),
    };
    let run_id: Option<String> = row.readable(2)?;
    let time = |column| -> Result<Timestamp, StoreError> {
        Ok(Timestamp::from_millis(row.readable(column)?.unwrap_or(0)))
    };
    let mlflow_stage: String = row.readable(5)?.unwrap_or_default();
    Ok(Ok(VersionRecord {
        key,
        run_id: run_id.and_then(|run_id| RunId::parse(&run_id).ok()),
        created_at: time(3)?,
        updated_at: time(4)?,
        deleted: mlflow_stage == "Deleted_Internal",
        mlflow_stage,
        source: row.readable(6)?,
        description: row.readable(7)?,
        status: row.readable(8)?,
        status_message: row.readable(9)?,
        user: row.readable(10)?,
        run_link: row.readable(11)?,
        symbol_of_run: row.readable::<String>(12)?.and_then(|text| Symbol::parse(&text).ok()),
        tags: Tags::new(),
        metrics: LatestMetrics::default(),
        sealed: None,
        seal_problem: None,
    }))
}

/// Name and number from the first two columns. SQLite keeps any value in any column, so both may be of another kind.
fn key_of(row: &Row<'_>) -> Result<VersionKey, UnreadableVersion> {
    let (name, number) = (row.get::<String>(0), row.get::<i64>(1));
    let unreadable = |problem: String| UnreadableVersion {
        name: row.get(0).unwrap_or_else(|_| "?".to_owned()),
        version: number
            .as_ref()
            .map_or_else(|_| row.get(1).unwrap_or_else(|_| "?".to_owned()), ToString::to_string),
        problem,
    };
    let name = name.as_ref().map_err(|error| unreadable(error.to_string()))?;
    let name = ModelName::parse(name).map_err(|error| unreadable(error.to_string()))?;
    let number = number.as_ref().map_err(|error| unreadable(error.to_string()))?;
    match VersionNumber::new(*number) {
        Some(version) => Ok(VersionKey { name, version }),
        None => Err(unreadable(InvalidName::Version { text: number.to_string() }.to_string())),
    }
}

/// Adds the symbols of their runs to versions.
///
/// # Errors
/// Those of the database.
pub(crate) fn add_symbols<'a>(
    conn: &Conn,
    records: impl Iterator<Item = &'a mut VersionRecord>,
) -> Result<(), StoreError> {
    let mut records: Vec<_> = records.filter(|record| record.run_id.is_some()).collect();
    let run_ids: Vec<&str> =
        records.iter().filter_map(|record| Some(record.run_id.as_ref()?.as_str())).collect();
    let mut symbols: BTreeMap<String, Symbol> = BTreeMap::new();
    let query = OfRuns {
        columns: "t.run_uuid, t.value",
        table: "params",
        run_id: "run_uuid",
        condition: "t.key = 'data.symbol'",
    };
    query.query(conn, &run_ids, |row| {
        let symbol = row.text(1)?.and_then(|text| Symbol::parse(text).ok());
        symbols.extend(row.readable(0)?.zip(symbol));
        Ok(())
    })?;
    for record in &mut records {
        let of_run = record.run_id.as_ref().and_then(|run_id| symbols.get(run_id.as_str()));
        record.symbol_of_run = of_run.cloned();
    }
    Ok(())
}

/// Adds the selected metrics of its run to a version.
///
/// # Errors
/// Those of the database.
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
         WHERE workspace = 'default' AND name = ?1 AND version <= 2147483647
            AND current_stage IS DISTINCT FROM 'Deleted_Internal'",
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

/// The names of all registered models, sorted, as written: unreadable ones are among them.
///
/// # Errors
/// Those of the database.
pub fn model_names(conn: &Conn) -> Result<Vec<String>, StoreError> {
    conn.query(
        "SELECT name FROM registered_models WHERE workspace = 'default' ORDER BY name",
        params![],
        |row| Ok(row.shown(0)?.unwrap_or_default()),
    )
}

/// The version with the champion tag, even if MLflow deleted it.
///
/// # Errors
/// Those of the database.
pub fn champion_of(conn: &Conn, name: &ModelName) -> Result<Option<VersionNumber>, StoreError> {
    let version: Option<i64> = conn
        .query_first(
            "SELECT version FROM model_version_tags
         WHERE workspace = 'default' AND name = ?1 AND key = ?2 AND value = ?3",
            params![name.as_str(), key::PROMOTION_STAGE, Stage::Champion.as_str()],
            |row| row.readable(0),
        )?
        .flatten();
    Ok(version.and_then(VersionNumber::new))
}

/// Sets MLflow's own stage to that of our stage; a deleted version stays deleted.
///
/// # Errors
/// Those of the database.
pub fn set_mlflow_stage(
    conn: &Conn,
    key: &VersionKey,
    stage: Stage,
    at: Timestamp,
) -> Result<(), StoreError> {
    conn.execute(
        "UPDATE model_versions SET current_stage = ?1, last_updated_time = ?2
         WHERE workspace = 'default' AND name = ?3 AND version = ?4
           AND current_stage IS DISTINCT FROM 'Deleted_Internal'",
        params![stage.mlflow_stage(), at.millis(), key.name.as_str(), key.version.get()],
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::memory;

    #[test]
    fn values_of_another_kind_are_unreadable_and_shown() {
        let conn = memory::create().unwrap();
        conn.execute_batch(
            "INSERT INTO model_versions (name, version, workspace) VALUES
                ('model', 'first', 'default'), (CAST(x'ff' AS TEXT), 1, 'default'),
                ('model', 2147483648, 'default'), ('model', 2147483647, 'default')",
        )
        .unwrap();
        let sql = format!("SELECT {COLUMNS} FROM model_versions v ORDER BY v.rowid");
        let rows = conn.query(&sql, params![], from_row).unwrap();
        let unreadable: Vec<_> = rows[..3].iter().map(|row| row.as_ref().unwrap_err()).collect();
        let shown = |it: &UnreadableVersion| (it.name.clone(), it.version.clone());
        let expected = [("model", "first"), ("?", "1"), ("model", "2147483648")];
        let expected = expected.map(|(name, number)| (name.to_owned(), number.to_owned()));
        assert_eq!(unreadable.iter().map(|it| shown(it)).collect::<Vec<_>>(), expected);
        assert!(unreadable[0].problem.contains("not an integer"), "{}", unreadable[0].problem);
        assert_eq!(rows[3].as_ref().unwrap().key.version.get(), 2_147_483_647);
    }

    #[test]
    fn columns_are_counted() {
        assert_eq!(COLUMNS.split(", ").count(), N_COLUMNS);
    }
}
