//! A database of any MLflow from 1.30 on, SQLite or PostgreSQL, read only.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use herdbook_domain::import::{Finding, FindingKind, SourceHistory};
use herdbook_domain::tags::Tags;
use herdbook_store::engine::db::{Conn, Dialect, Row, params};
use herdbook_store::tables::event::{self, EventQuery};
use herdbook_store::{PostgresSource, Store, StoreError};
use tempfile::TempDir;

use super::cells::{Cells, metric, text};
use super::local::{LocalArtifacts, files};
use super::records::{
    ArtifactsUnreadable, ExperimentRecord, ModelRecord, ModelVersionRecord, Reader, RunData,
    RunInfo,
};
use super::sqlite;

/// Tables that are not imported, and the name of their records.
const LEFT_OUT: [(&str, &str); 4] = [
    ("datasets", "logged datasets"),
    ("logged_models", "logged models"),
    ("trace_info", "traces"),
    ("evaluation_datasets", "evaluation datasets"),
];

/// Tells databases of PostgreSQL servers apart, whatever name or address leads to them.
const IDENTITY: &str = "SELECT concat_ws(' ', current_database(), current_schema(),
    extract(epoch FROM pg_postmaster_start_time()), (SELECT oid FROM pg_database WHERE datname = current_database()))";

pub(super) struct Database {
    /// The URI without a password.
    uri: String,
    conn: Conn,
    /// Columns by table.
    columns: BTreeMap<String, BTreeSet<String>>,
    artifacts: LocalArtifacts,
    /// Values that cannot be read.
    bad: RefCell<Vec<Finding>>,
    /// Removed when the import ends.
    _copy: Option<TempDir>,
}

impl Database {
    /// Opens a file of SQLite.
    pub(super) fn open(path: &Path, artifacts: Option<&Path>) -> Result<Self, StoreError> {
        let uri = format!("sqlite:///{}", path.display());
        let opened = sqlite::open(path);
        let (conn, copy) = opened.map_err(|problem| StoreError::Source {
            source_uri: path.display().to_string(),
            problem,
        })?;
        let base = path.canonicalize().ok().and_then(|path| Some(path.parent()?.to_owned()));
        let artifacts = LocalArtifacts::beside(&base.unwrap_or_default(), artifacts);
        Self::new(uri, Conn::Sqlite(conn), artifacts, copy)
    }

    /// Opens a database of a PostgreSQL server. Artifacts at relative locations are looked for in `directory`.
    pub(super) fn connect(
        source: &PostgresSource,
        directory: &Path,
        artifacts: Option<&Path>,
    ) -> Result<Self, StoreError> {
        let artifacts = LocalArtifacts::beside(directory, artifacts);
        Self::new(source.to_string(), source.connect_read_only()?, artifacts, None)
    }

    fn new(
        uri: String,
        conn: Conn,
        artifacts: LocalArtifacts,
        copy: Option<TempDir>,
    ) -> Result<Self, StoreError> {
        let failed = |problem: String| StoreError::Source { source_uri: uri.clone(), problem };
        let columns = columns(&conn).map_err(|error| failed(error.to_string()))?;
        for table in ["alembic_version", "experiments", "runs", "metrics", "model_versions"] {
            if !columns.contains_key(table) {
                let problem = format!("it is not an MLflow database (no table `{table}`)");
                return Err(failed(problem));
            }
        }
        Ok(Self { uri, conn, columns, artifacts, bad: RefCell::default(), _copy: copy })
    }

    fn has(&self, table: &str, column: &str) -> bool {
        self.columns.get(table).is_some_and(|columns| columns.contains(column))
    }

    /// A column, or NULL if this revision of the schema does not have it.
    fn or_null<'a>(&self, table: &str, column: &'a str) -> &'a str {
        if self.has(table, column) { column } else { "NULL" }
    }

    /// The condition for rows of the default workspace, if the schema has workspaces.
    fn workspace(&self, table: &str) -> &'static str {
        if self.has(table, "workspace") { "workspace = 'default'" } else { "1 = 1" }
    }

    fn rows<T>(
        &self,
        sql: &str,
        read: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        self.conn.query(sql, params![], read).map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &StoreError) -> StoreError {
        StoreError::Source { source_uri: self.uri.clone(), problem: error.to_string() }
    }

    /// Tags by owner; none if this revision of the schema does not have the table.
    fn tags(&self, table: &str, owner: &str) -> Result<BTreeMap<String, Tags>, StoreError> {
        let mut found: BTreeMap<String, Tags> = BTreeMap::new();
        if !self.columns.contains_key(table) {
            return Ok(found);
        }
        let sql = format!(
            "SELECT CAST({owner} AS TEXT), key, coalesce(value, '') FROM {table} WHERE {}",
            self.workspace(table)
        );
        for (owner, key, value) in
            self.rows(&sql, |row| Ok((text(row, 0)?, text(row, 1)?, text(row, 2)?)))?
        {
            found.entry(owner).or_default().insert(key, value);
        }
        Ok(found)
    }

    fn versions(&self) -> Result<BTreeMap<String, Vec<ModelVersionRecord>>, StoreError> {
        let mut tags = self.tags("model_version_tags", "name || '/' || version")?;
        let sql = format!(
            "SELECT name, version, creation_time, last_updated_time, description, user_id,
                current_stage, coalesce({}, source, ''), run_id
             FROM model_versions WHERE {} ORDER BY name, version",
            self.or_null("model_versions", "storage_location"),
            self.workspace("model_versions"),
        );
        let mut found: BTreeMap<String, Vec<ModelVersionRecord>> = BTreeMap::new();
        let cells = Cells { table: "model_versions", bad: &self.bad };
        let rows = self.rows(&sql, |row| {
            let name = text(row, 0)?;
            // No version has the number 0: a version without a readable number is reported and left out.
            let number = row.readable(1)?.unwrap_or(0);
            let of = format!("`{name}` version {number}");
            let version = ModelVersionRecord {
                number,
                created_at: cells.integer(row, 2, "creation_time", &of)?,
                updated_at: cells.integer(row, 3, "last_updated_time", &of)?,
                description: text(row, 4)?,
                user: text(row, 5)?,
                stage: text(row, 6)?,
                location: text(row, 7)?,
                run_id: row.shown(8)?,
                tags: tags.remove(&format!("{name}/{number}")).unwrap_or_default(),
            };
            Ok((name, version))
        })?;
        for (name, version) in rows {
            found.entry(name).or_default().push(version);
        }
        Ok(found)
    }

    fn body(&self, run: &RunInfo) -> Result<RunData, StoreError> {
        let id = run.id.as_str();
        let sql = "SELECT key, value FROM params WHERE run_uuid = ?1";
        let pairs = self.conn.query(sql, params![id], |row| Ok((text(row, 0)?, text(row, 1)?)))?;
        let sql = "SELECT key, value, timestamp, step, is_nan FROM metrics WHERE run_uuid = ?1";
        let metrics = self.conn.query(sql, params![id], |row| {
            let key = text(row, 0)?;
            let found = metric(row, &key);
            if let Err(StoreError::BrokenRecord { problem, .. }) = &found {
                let message =
                    format!("a value of its metric `{key}` in the table `metrics`: {problem}");
                let finding = Finding::new(FindingKind::Unusable, message, "left out");
                self.bad.borrow_mut().push(finding.of_run(id));
                return Ok(None);
            }
            found.map(Some)
        })?;
        let metrics = metrics.into_iter().flatten().collect();
        Ok(RunData { params: pairs.into_iter().collect(), metrics })
    }
}

impl Reader for Database {
    fn label(&self) -> String {
        self.uri.clone()
    }

    fn refuse_target(&self, target: &Store) -> Result<(), StoreError> {
        let identity =
            |conn: &Conn| conn.query_row(IDENTITY, params![], |row| row.get::<String>(0));
        let is_postgres = |conn: &Conn| conn.dialect() == Dialect::Postgres;
        if !is_postgres(&self.conn) || !target.read(|conn| Ok(is_postgres(conn)))? {
            return Ok(());
        }
        let own = identity(&self.conn).map_err(|error| self.failed(&error))?;
        if target.read(identity)? == own {
            return Err(StoreError::SameStore { path: PathBuf::from(&self.uri) });
        }
        Ok(())
    }

    fn experiments(&mut self) -> Result<Vec<ExperimentRecord>, StoreError> {
        let mut tags = self.tags("experiment_tags", "experiment_id")?;
        let sql = format!(
            "SELECT CAST(experiment_id AS TEXT), name, lifecycle_stage, {}, {} FROM experiments
             WHERE {} ORDER BY experiment_id",
            self.or_null("experiments", "creation_time"),
            self.or_null("experiments", "last_update_time"),
            self.workspace("experiments"),
        );
        let cells = Cells { table: "experiments", bad: &self.bad };
        self.rows(&sql, |row| {
            let id = text(row, 0)?;
            let of = format!("experiment {id}");
            Ok(ExperimentRecord {
                tags: tags.remove(&id).unwrap_or_default(),
                id,
                name: text(row, 1)?,
                is_deleted: text(row, 2)? == "deleted",
                created_at: cells.integer(row, 3, "creation_time", &of)?,
                updated_at: cells.integer(row, 4, "last_update_time", &of)?,
            })
        })
    }

    fn runs(&mut self) -> Result<Vec<RunInfo>, StoreError> {
        let mut tags = self.tags("tags", "run_uuid")?;
        let sql = format!(
            "SELECT run_uuid, CAST(experiment_id AS TEXT), name, user_id, status, lifecycle_stage,
                start_time, end_time, artifact_uri
             FROM runs WHERE experiment_id IN (SELECT experiment_id FROM experiments WHERE {})
             ORDER BY start_time, run_uuid",
            self.workspace("experiments"),
        );
        let cells = Cells { table: "runs", bad: &self.bad };
        self.rows(&sql, |row| {
            let id = text(row, 0)?;
            let of = format!("run `{id}`");
            Ok(RunInfo {
                tags: tags.remove(&id).unwrap_or_default(),
                id,
                experiment: text(row, 1)?,
                name: text(row, 2)?,
                user: text(row, 3)?,
                status: text(row, 4)?,
                is_deleted: text(row, 5)? == "deleted",
                started_at: cells.integer(row, 6, "start_time", &of)?,
                ended_at: cells.integer(row, 7, "end_time", &of)?,
                artifact_uri: text(row, 8)?,
            })
        })
    }

    fn models(&mut self) -> Result<Vec<ModelRecord>, StoreError> {
        let mut versions = self.versions()?;
        let mut tags = self.tags("registered_model_tags", "name")?;
        let mut aliases: BTreeMap<String, BTreeMap<String, i64>> = BTreeMap::new();
        if self.columns.contains_key("registered_model_aliases") {
            let sql = format!(
                "SELECT name, alias, version FROM registered_model_aliases WHERE {}",
                self.workspace("registered_model_aliases")
            );
            for (name, alias, version) in self.rows(&sql, |row| {
                let of = format!("alias `{}` of `{}`", text(row, 1)?, text(row, 0)?);
                let cells = Cells { table: "registered_model_aliases", bad: &self.bad };
                Ok((text(row, 0)?, text(row, 1)?, cells.integer(row, 2, "version", &of)?))
            })? {
                let Some(version) = version else { continue };
                aliases.entry(name).or_default().insert(alias, version);
            }
        }
        let sql = format!(
            "SELECT name, creation_time, last_updated_time, description FROM registered_models
             WHERE {} ORDER BY name",
            self.workspace("registered_models")
        );
        let cells = Cells { table: "registered_models", bad: &self.bad };
        self.rows(&sql, |row| {
            let name = text(row, 0)?;
            let of = format!("`{name}`");
            Ok(ModelRecord {
                created_at: cells.integer(row, 1, "creation_time", &of)?,
                updated_at: cells.integer(row, 2, "last_updated_time", &of)?,
                description: text(row, 3)?,
                tags: tags.remove(&name).unwrap_or_default(),
                aliases: aliases.remove(&name).unwrap_or_default(),
                versions: versions.remove(&name).unwrap_or_default(),
                name,
            })
        })
    }

    fn recorded_history(&mut self) -> Result<SourceHistory, StoreError> {
        if !self.columns.contains_key("herdbook_events") {
            return Ok(SourceHistory::default());
        }
        Ok(match event::select_readable(&self.conn, &EventQuery::default()) {
            Ok((events, unreadable)) => match unreadable.into_iter().next() {
                Some(problem) => SourceHistory::unreadable(problem),
                None => SourceHistory::of(&events),
            },
            Err(error) => SourceHistory::unreadable(error.to_string()),
        })
    }

    fn run_data(&mut self, runs: &[&RunInfo]) -> Result<Vec<RunData>, StoreError> {
        // One consistent state for all runs. The transaction is short, so that a server on the same database can write.
        let begin = match self.conn.dialect() {
            Dialect::Sqlite => "BEGIN",
            Dialect::Postgres => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        };
        let found = self
            .conn
            .execute_batch(begin)
            .and_then(|()| runs.iter().map(|run| self.body(run)).collect::<Result<Vec<_>, _>>());
        let ended = self.conn.execute_batch("ROLLBACK");
        let found = found.map_err(|error| self.failed(&error))?;
        ended.map_err(|error| self.failed(&error))?;
        Ok(found)
    }

    fn artifacts(&mut self, run: &RunInfo) -> Result<Vec<String>, ArtifactsUnreadable> {
        let Some(folder) = self.artifacts.folder(run)? else { return Ok(Vec::new()) };
        files(&folder).map_err(|error| ArtifactsUnreadable {
            root: folder.display().to_string(),
            problem: error.to_string(),
        })
    }

    fn folder(&self, run: &RunInfo) -> Option<PathBuf> {
        self.artifacts.folder(run).ok().flatten()
    }

    fn fetch(&mut self, run: &RunInfo, artifact: &str, to: &Path) -> std::io::Result<()> {
        let folder = self.folder(run).unwrap_or_default();
        fs::copy(folder.join(artifact), to).map(drop)
    }

    fn findings(&mut self) -> Vec<Finding> {
        let left_out = |(table, what): &(&str, &str)| {
            if !self.columns.contains_key(*table) {
                return None;
            }
            let sql = format!("SELECT count(*) FROM {table}");
            let n: i64 = self.conn.query_row(&sql, params![], |row| row.get(0)).ok()?;
            (n > 0).then(|| format!("{n} {what} are not imported"))
        };
        let mut found: Vec<String> = LEFT_OUT.iter().filter_map(left_out).collect();
        if self.has("experiments", "workspace") {
            let sql = "SELECT count(*) FROM experiments WHERE workspace <> 'default'";
            let n: i64 = self.conn.query_row(sql, params![], |row| row.get(0)).unwrap_or(0);
            found.extend(
                (n > 0).then(|| format!("{n} experiments of other workspaces are not imported")),
            );
        }
        let action = "only in the source";
        let left_out =
            found.into_iter().map(|text| Finding::new(FindingKind::LeftOut, text, action));
        self.bad.take().into_iter().chain(left_out).collect()
    }
}

fn columns(conn: &Conn) -> Result<BTreeMap<String, BTreeSet<String>>, StoreError> {
    let sql = match conn.dialect() {
        Dialect::Sqlite => {
            "SELECT m.name, c.name FROM sqlite_schema m JOIN pragma_table_info(m.name) c
             WHERE m.type = 'table'"
        }
        Dialect::Postgres => {
            "SELECT table_name::text, column_name::text FROM information_schema.columns
             WHERE table_schema = current_schema()"
        }
    };
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (table, column) in conn.query(sql, params![], |row| Ok((row.get(0)?, row.get(1)?)))? {
        found.entry(table).or_default().insert(column);
    }
    Ok(found)
}
