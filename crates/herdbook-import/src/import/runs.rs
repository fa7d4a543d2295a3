//! Runs: those that the store lacks are read, copied and written in batches, each one transaction.

use std::collections::BTreeMap;

use herdbook_domain::RunId;
use herdbook_domain::import::{Finding, FindingKind, IMPORTED_STATUS, TextColumn, fitted};
use herdbook_domain::tags::Tags;
use herdbook_store::artifacts::place::location_of;
use herdbook_store::engine::db::{Conn, params};
use herdbook_store::tables::metric::{self, Metric};
use herdbook_store::tables::tag;
use herdbook_store::{Session, Store, StoreError, now};

use super::experiments::{Target, Targets};
use super::report::{ImportObserver, ImportReport};
use super::{artifacts, facts};
use crate::source::{ArtifactsUnreadable, Reader, RunData, RunInfo};

/// Runs in one transaction: so many that commits take little of the time, so few that other writers do not wait long.
const BATCH_RUNS: usize = 200;

/// The runs that an import has to write.
pub(super) struct PendingRuns<'a> {
    runs: Vec<PendingRun<'a>>,
    /// Number of all runs of the source.
    total: usize,
}

#[derive(Clone, Copy)]
struct PendingRun<'a> {
    info: &'a RunInfo,
    /// Whether an earlier import wrote it while it was still RUNNING.
    is_to_complete: bool,
}

/// Artifact roots that could not be read: the problem and the number of runs, by root.
#[derive(Default)]
struct UnreadableRoots(BTreeMap<String, (String, usize)>);

impl<'a> PendingRuns<'a> {
    /// Compares the source with the store. Without a store, all runs are pending.
    pub(super) fn plan(
        store: Option<&Store>,
        infos: &'a [RunInfo],
        report: &mut ImportReport,
    ) -> Result<Self, StoreError> {
        let absent = |info| PendingRun { info, is_to_complete: false };
        let pending: Vec<PendingRun<'_>> = match store {
            None => infos.iter().map(absent).collect(),
            // The look-up may be run again from the start, so it begins with an empty list.
            Some(store) => store.read(|conn| {
                let mut pending = Vec::new();
                for info in infos {
                    match presence(conn, &info.id)? {
                        Presence::Absent => pending.push(absent(info)),
                        Presence::Unfinished if !is_open(info) => {
                            pending.push(PendingRun { info, is_to_complete: true });
                        }
                        Presence::Unfinished | Presence::Complete => {}
                    }
                }
                Ok(pending)
            })?,
        };
        report.runs.completed = pending.iter().filter(|it| it.is_to_complete).count();
        report.runs.added = pending.len() - report.runs.completed;
        report.runs.present = infos.len() - pending.len();
        Ok(Self { runs: pending, total: infos.len() })
    }

    /// Copies the artifacts of the runs and writes their records.
    pub(super) fn import(
        &self,
        session: &Session,
        reader: &mut dyn Reader,
        targets: &Targets,
        report: &mut ImportReport,
        observer: &mut dyn ImportObserver,
    ) -> Result<(), StoreError> {
        let mut done = self.total - self.runs.len();
        let mut unread = UnreadableRoots::default();
        observer.runs(done, self.total);
        for batch in self.runs.chunks(BATCH_RUNS) {
            let infos: Vec<&RunInfo> = batch.iter().map(|it| it.info).collect();
            let run_data = reader.run_data(&infos)?;
            let mut prepared = Vec::new();
            for (pending, data) in batch.iter().zip(run_data) {
                let target = targets.get(&pending.info.experiment).ok_or_else(|| {
                    StoreError::BrokenRecord {
                        what: format!("run `{}`", pending.info.id),
                        problem: "its experiment is missing".to_owned(),
                    }
                })?;
                let run = PreparedRun::new(*pending, data, target, &mut report.audit);
                copy_artifacts(session, reader, &run, report, &mut unread)?;
                prepared.push(run);
            }
            if let Some(root) = prepared.iter().find_map(|run| run.target.artifacts.parent())
                && root.is_dir()
            {
                artifacts::sync(root)?;
            }
            session.write(|act| prepared.iter().try_for_each(|run| run.write(act.tx)))?;
            done += batch.len();
            observer.runs(done, self.total);
        }
        report.audit.extend(unread.findings());
        Ok(())
    }
}

/// Whether a run has not ended.
fn is_open(info: &RunInfo) -> bool {
    matches!(info.status.as_str(), "RUNNING" | "SCHEDULED")
}

/// Whether the store has a run.
enum Presence {
    Absent,
    /// It was written after it had ended.
    Complete,
    /// It was written while it was still RUNNING.
    Unfinished,
}

fn presence(conn: &Conn, id: &str) -> Result<Presence, StoreError> {
    let found: Option<Option<String>> = conn.query_first(
        "SELECT (SELECT value FROM tags WHERE run_uuid = ?1 AND key = ?2)
         FROM runs WHERE run_uuid = ?1",
        params![id, IMPORTED_STATUS],
        |row| row.get(0),
    )?;
    Ok(match found {
        None => Presence::Absent,
        Some(None) => Presence::Complete,
        Some(Some(_)) => Presence::Unfinished,
    })
}

fn copy_artifacts(
    store: &Store,
    reader: &mut dyn Reader,
    run: &PreparedRun<'_>,
    report: &mut ImportReport,
    unread: &mut UnreadableRoots,
) -> Result<(), StoreError> {
    let info = run.pending.info;
    let mut folder = None;
    if run.pending.is_to_complete {
        folder = facts::artifact_folder(store, info)?;
    }
    let folder = folder.unwrap_or_else(|| run.target.artifacts.join(&info.id).join("artifacts"));
    match artifacts::copy(reader, info, &folder)? {
        Err(unreadable) => unread.note(unreadable),
        Ok(copied) => {
            report.files += copied.files;
            report.bytes += copied.bytes;
            for (name, problem) in copied.unread {
                let finding = Finding::new(
                    FindingKind::ArtifactsUnreadable,
                    format!("`{name}` cannot be read: {problem}"),
                    "the run is imported without it",
                );
                report.audit.push(finding.of_run(&info.id));
            }
        }
    }
    Ok(())
}

impl UnreadableRoots {
    fn note(&mut self, unreadable: ArtifactsUnreadable) {
        self.0.entry(unreadable.root).or_insert((unreadable.problem, 0)).1 += 1;
    }

    fn findings(self) -> impl Iterator<Item = Finding> {
        self.0.into_iter().map(|(root, (problem, n))| {
            let runs = if n == 1 { "1 run is".to_owned() } else { format!("{n} runs are") };
            Finding::new(
                FindingKind::ArtifactsUnreadable,
                format!("the artifacts at `{root}` cannot be read: {problem}"),
                format!("{runs} imported without artifacts"),
            )
        })
    }
}

/// A run with its data, cut to the lengths of the tables.
struct PreparedRun<'a> {
    pending: PendingRun<'a>,
    target: &'a Target,
    tags: Tags,
    params: Tags,
    metrics: Vec<Metric>,
}

impl<'a> PreparedRun<'a> {
    fn new(
        pending: PendingRun<'a>,
        data: RunData,
        target: &'a Target,
        findings: &mut Vec<Finding>,
    ) -> Self {
        let info = pending.info;
        let mut limits = LengthLimits { run: &info.id, findings };
        let mut tags = limits.pairs("tag", &info.tags);
        if is_open(info) {
            tags.insert(IMPORTED_STATUS.to_owned(), info.status.clone());
        }
        let params = limits.pairs("param", &data.params);
        let mut metrics = data.metrics;
        metrics.retain(|metric| limits.is_key("metric", &metric.key));
        Self { pending, target, tags, params, metrics }
    }

    fn write(&self, conn: &Conn) -> Result<(), StoreError> {
        let info = self.pending.info;
        let run_id = RunId::parse(&info.id).map_err(|error| StoreError::BrokenRecord {
            what: "a run id".to_owned(),
            problem: error.to_string(),
        })?;
        if self.pending.is_to_complete {
            self.complete(conn, &run_id)?;
        } else {
            self.insert(conn)?;
        }
        tag::set_on_run(conn, &run_id, &self.tags)?;
        for (key, value) in &self.params {
            conn.execute(
                "INSERT INTO params (key, value, run_uuid) VALUES (?1, ?2, ?3)
                 ON CONFLICT DO NOTHING",
                params![key, value, info.id],
            )?;
        }
        metric::log_history(conn, &run_id, &self.metrics)
    }

    fn insert(&self, conn: &Conn) -> Result<(), StoreError> {
        let info = self.pending.info;
        let artifacts = self.target.artifacts.join(&info.id).join("artifacts");
        let lifecycle = if info.is_deleted { "deleted" } else { "active" };
        // Its process does not report to this store, so it will never end here.
        let status = if is_open(info) { "FAILED" } else { info.status.as_str() };
        conn.execute(
            "INSERT INTO runs (run_uuid, name, source_type, source_name, entry_point_name, user_id,
                status, start_time, end_time, source_version, lifecycle_stage, deleted_time,
                artifact_uri, experiment_id)
             VALUES (?1, ?2, 'UNKNOWN', '', '', ?3, ?4, ?5, ?6, '', ?7, ?8, ?9, ?10)",
            params![
                info.id,
                fitted(TextColumn::RunName, &info.name).unwrap_or(&info.name),
                fitted(TextColumn::User, &info.user).unwrap_or(&info.user),
                status,
                info.started_at,
                info.ended_at,
                lifecycle,
                info.is_deleted.then(|| now().millis()),
                location_of(&artifacts),
                self.target.id,
            ],
        )?;
        Ok(())
    }

    /// Writes the end of a run that was RUNNING at an earlier import.
    fn complete(&self, conn: &Conn, run_id: &RunId) -> Result<(), StoreError> {
        let info = self.pending.info;
        conn.execute(
            "UPDATE runs SET status = ?1, end_time = ?2 WHERE run_uuid = ?3",
            params![info.status, info.ended_at, run_id.as_str()],
        )?;
        conn.execute(
            "DELETE FROM tags WHERE run_uuid = ?1 AND key = ?2",
            params![run_id.as_str(), IMPORTED_STATUS],
        )?;
        Ok(())
    }
}

/// Cuts texts to the lengths of the tables' columns, and reports each cut.
struct LengthLimits<'a> {
    run: &'a str,
    findings: &'a mut Vec<Finding>,
}

impl LengthLimits<'_> {
    fn pairs(&mut self, what: &str, pairs: &Tags) -> Tags {
        let mut found = Tags::new();
        for (key, value) in pairs {
            if !self.is_key(what, key) {
                continue;
            }
            let cut = fitted(TextColumn::Value, value);
            if cut.is_some() {
                self.too_long(
                    format!("the {what} `{key}` has {} characters", value.chars().count()),
                    "cut to 8000",
                );
            }
            found.insert(key.clone(), cut.unwrap_or(value).to_owned());
        }
        found
    }

    fn is_key(&mut self, what: &str, key: &str) -> bool {
        let cut = fitted(TextColumn::Key, key);
        if let Some(cut) = cut {
            self.too_long(
                format!("the key of a {what} is longer than 250 characters: `{cut}…`"),
                "left out",
            );
        }
        cut.is_none()
    }

    fn too_long(&mut self, message: String, action: &str) {
        self.findings.push(Finding::new(FindingKind::TooLong, message, action).of_run(self.run));
    }
}
