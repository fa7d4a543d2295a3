//! An SQLite database of any MLflow from 1.30 on, read only.
//!
//! A database in rollback mode is read in place: readers take locks and write nothing. To read a database in WAL mode, or with
//! a journal that a crash left behind, SQLite would write next to it. Such a database is first copied, with its journal, into
//! a temporary folder.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use herdbook_domain::Timestamp;
use herdbook_domain::import::{Finding, FindingKind};
use herdbook_domain::tags::Tags;
use herdbook_store::StoreError;
use herdbook_store::tables::metric::Metric;
use rusqlite::{Connection, OpenFlags, Row};
use tempfile::TempDir;

use super::local::{LocalArtifacts, files};
use super::records::{
    ArtifactsUnreadable, ExperimentRecord, ModelRecord, ModelVersionRecord, Reader, RunData,
    RunInfo,
};

/// Maximum number of attempts to copy the database if it is written during the copy.
const TRIES: u32 = 5;
/// Tables that are not imported, and the name of their records.
const LEFT_OUT: [(&str, &str); 4] = [
    ("datasets", "logged datasets"),
    ("logged_models", "logged models"),
    ("trace_info", "traces"),
    ("evaluation_datasets", "evaluation datasets"),
];

pub(super) struct Database {
    path: PathBuf,
    conn: Connection,
    /// Columns by table.
    columns: BTreeMap<String, BTreeSet<String>>,
    artifacts: LocalArtifacts,
    /// Removed when the import ends.
    _copy: Option<TempDir>,
}

impl Database {
    pub(super) fn open(path: &Path, artifacts: Option<&Path>) -> Result<Self, StoreError> {
        let failed = |problem: String| StoreError::Source {
            source_uri: path.display().to_string(),
            problem,
        };
        let copy = if must_be_copied(path).map_err(|error| failed(error.to_string()))? {
            Some(copied(path).map_err(|error| failed(error.to_string()))?)
        } else {
            None
        };
        let opened = match &copy {
            Some(folder) => folder.path().join("source.db"),
            None => path.to_owned(),
        };
        // SQLite replays the journal of the copy, which it has to write for that.
        let access = if copy.is_some() {
            OpenFlags::SQLITE_OPEN_READ_WRITE
        } else {
            OpenFlags::SQLITE_OPEN_READ_ONLY
        };
        let conn = Connection::open_with_flags(opened, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)
            .map_err(|error| failed(error.to_string()))?;
        conn.busy_timeout(Duration::from_secs(30))?;
        let columns = columns(&conn).map_err(|error| failed(error.to_string()))?;
        for table in ["alembic_version", "experiments", "runs", "metrics", "model_versions"] {
            if !columns.contains_key(table) {
                let problem = format!("it is not an MLflow database (no table `{table}`)");
                return Err(failed(problem));
            }
        }
        let base = path.canonicalize().ok().and_then(|path| Some(path.parent()?.to_owned()));
        Ok(Self {
            path: path.to_owned(),
            conn,
            columns,
            artifacts: LocalArtifacts::beside(&base.unwrap_or_default(), artifacts),
            _copy: copy,
        })
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
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        let found = self.conn.prepare(sql).and_then(|mut statement| {
            statement.query_map([], read)?.collect::<Result<Vec<T>, _>>()
        });
        found.map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &rusqlite::Error) -> StoreError {
        StoreError::Source {
            source_uri: self.path.display().to_string(),
            problem: error.to_string(),
        }
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
            self.rows(&sql, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
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
        let rows = self.rows(&sql, |row| {
            let name: String = row.get(0)?;
            let number: i64 = row.get(1)?;
            let version = ModelVersionRecord {
                number,
                created_at: row.get(2)?,
                updated_at: row.get(3)?,
                description: text(row, 4)?,
                user: text(row, 5)?,
                stage: text(row, 6)?,
                location: text(row, 7)?,
                run_id: row.get(8)?,
                tags: tags.remove(&format!("{name}/{number}")).unwrap_or_default(),
            };
            Ok((name, version))
        })?;
        for (name, version) in rows {
            found.entry(name).or_default().push(version);
        }
        Ok(found)
    }

    fn body(&self, run: &RunInfo) -> rusqlite::Result<RunData> {
        let params = self
            .conn
            .prepare_cached("SELECT key, value FROM params WHERE run_uuid = ?1")?
            .query_map([&run.id], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_, _>>()?;
        let metrics = self
            .conn
            .prepare_cached(
                "SELECT key, value, timestamp, step, is_nan FROM metrics WHERE run_uuid = ?1",
            )?
            .query_map([&run.id], |row| {
                let value: f64 = row.get(1)?;
                Ok(Metric {
                    key: row.get(0)?,
                    value: if row.get(4)? { f64::NAN } else { value },
                    at: Timestamp::from_millis(row.get(2)?),
                    step: row.get(3)?,
                })
            })?
            .collect::<Result<_, _>>()?;
        Ok(RunData { params, metrics })
    }
}

impl Reader for Database {
    fn label(&self) -> String {
        format!("sqlite:///{}", self.path.display())
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
        self.rows(&sql, |row| {
            let id: String = row.get(0)?;
            Ok(ExperimentRecord {
                tags: tags.remove(&id).unwrap_or_default(),
                id,
                name: text(row, 1)?,
                is_deleted: text(row, 2)? == "deleted",
                created_at: row.get(3)?,
                updated_at: row.get(4)?,
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
        self.rows(&sql, |row| {
            let id: String = row.get(0)?;
            Ok(RunInfo {
                tags: tags.remove(&id).unwrap_or_default(),
                id,
                experiment: text(row, 1)?,
                name: text(row, 2)?,
                user: text(row, 3)?,
                status: text(row, 4)?,
                is_deleted: text(row, 5)? == "deleted",
                started_at: row.get(6)?,
                ended_at: row.get(7)?,
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
            for (name, alias, version) in
                self.rows(&sql, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
            {
                aliases.entry(name).or_default().insert(alias, version);
            }
        }
        let sql = format!(
            "SELECT name, creation_time, last_updated_time, description FROM registered_models
             WHERE {} ORDER BY name",
            self.workspace("registered_models")
        );
        self.rows(&sql, |row| {
            let name: String = row.get(0)?;
            Ok(ModelRecord {
                created_at: row.get(1)?,
                updated_at: row.get(2)?,
                description: text(row, 3)?,
                tags: tags.remove(&name).unwrap_or_default(),
                aliases: aliases.remove(&name).unwrap_or_default(),
                versions: versions.remove(&name).unwrap_or_default(),
                name,
            })
        })
    }

    fn run_data(&mut self, runs: &[&RunInfo]) -> Result<Vec<RunData>, StoreError> {
        // One consistent state for all runs. The transaction is short, so that a server on the same file can write.
        let read = || {
            let tx = self.conn.unchecked_transaction()?;
            let run_data = runs.iter().map(|run| self.body(run)).collect::<Result<_, _>>()?;
            tx.commit()?;
            Ok(run_data)
        };
        read().map_err(|error: rusqlite::Error| self.failed(&error))
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
            let n: i64 = self
                .conn
                .query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))
                .ok()?;
            (n > 0).then(|| format!("{n} {what} are not imported"))
        };
        let mut found: Vec<String> = LEFT_OUT.iter().filter_map(left_out).collect();
        if self.has("experiments", "workspace") {
            let sql = "SELECT count(*) FROM experiments WHERE workspace <> 'default'";
            let n: i64 = self.conn.query_row(sql, [], |row| row.get(0)).unwrap_or(0);
            found.extend(
                (n > 0).then(|| format!("{n} experiments of other workspaces are not imported")),
            );
        }
        let action = "only in the source";
        found.into_iter().map(|text| Finding::new(FindingKind::LeftOut, text, action)).collect()
    }
}

fn text(row: &Row<'_>, column: usize) -> rusqlite::Result<String> {
    Ok(row.get::<_, Option<String>>(column)?.unwrap_or_default())
}

fn columns(conn: &Connection) -> rusqlite::Result<BTreeMap<String, BTreeSet<String>>> {
    let mut statement = conn.prepare(
        "SELECT m.name, c.name FROM sqlite_schema m JOIN pragma_table_info(m.name) c
         WHERE m.type = 'table'",
    )?;
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        found.entry(row.get(0)?).or_default().insert(row.get(1)?);
    }
    Ok(found)
}

/// Whether SQLite would have to write next to the file to read it. In WAL mode, bytes 18 and 19 of the header are 2.
fn must_be_copied(path: &Path) -> std::io::Result<bool> {
    let mut header = [0_u8; 20];
    let n_read = fs::File::open(path)?.take(20).read(&mut header)?;
    let is_wal = n_read == 20 && (header[18] == 2 || header[19] == 2);
    Ok(is_wal || has_content(&beside(path, "-journal")))
}

fn has_content(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|file| file.len() > 0)
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.to_owned().into_os_string();
    name.push(ending);
    PathBuf::from(name)
}

/// A consistent copy of the database and its journal.
fn copied(path: &Path) -> std::io::Result<TempDir> {
    for _ in 0..TRIES {
        let folder = tempfile::Builder::new().prefix("herdbook-import-").tempdir()?;
        let before = state(path);
        for ending in ["", "-wal", "-journal"] {
            let from = beside(path, ending);
            if ending.is_empty() || has_content(&from) {
                fs::copy(from, beside(&folder.path().join("source.db"), ending))?;
            }
        }
        if state(path) == before {
            return Ok(folder);
        }
    }
    Err(std::io::Error::other(
        "it changed during every attempt to copy it: stop the programs that write to it, or import from the MLflow server",
    ))
}

/// Length and modification time of the database and its journals.
fn state(path: &Path) -> Vec<Option<(u64, SystemTime)>> {
    let of = |ending| {
        let file = fs::metadata(beside(path, ending)).ok()?;
        Some((file.len(), file.modified().ok()?))
    };
    ["", "-wal", "-journal"].map(of).into()
}
