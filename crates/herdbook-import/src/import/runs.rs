//! Runs: what is missing is read, copied and written in batches, each one transaction.

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
use crate::source::{Reader, RunBody, RunHead, Unreadable};

/// Runs of one transaction: enough that the commits do not count, few enough that others get their turn.
const BATCH_RUNS: usize = 200;

/// What an import has to do with runs.
pub(super) struct Batches<'a> {
    missing: Vec<Missing<'a>>,
    total: usize,
}

#[derive(Clone, Copy)]
struct Missing<'a> {
    head: &'a RunHead,
    /// Whether it is here, from a time when it was still RUNNING.
    is_to_complete: bool,
}

/// Artifacts that could not be read, by their root.
#[derive(Default)]
struct Unread(BTreeMap<String, (String, usize)>);

impl<'a> Batches<'a> {
    /// Compares the source with what is here.
    pub(super) fn plan(
        store: Option<&Store>,
        heads: &'a [RunHead],
        report: &mut ImportReport,
    ) -> Result<Self, StoreError> {
        let mut missing = Vec::new();
        let all = |head| Missing { head, is_to_complete: false };
        if let Some(store) = store {
            store.read(|conn| {
                for head in heads {
                    match known(conn, &head.id)? {
                        Known::No => missing.push(all(head)),
                        Known::Open if !is_open(head) => {
                            missing.push(Missing { head, is_to_complete: true });
                        }
                        Known::Open | Known::Ended => {}
                    }
                }
                Ok(())
            })?;
        } else {
            missing.extend(heads.iter().map(all));
        }
        report.runs.completed = missing.iter().filter(|it| it.is_to_complete).count();
        report.runs.added = missing.len() - report.runs.completed;
        report.runs.present = heads.len() - missing.len();
        Ok(Self { missing, total: heads.len() })
    }

    /// Brings them in.
    pub(super) fn import(
        &self,
        session: &Session,
        reader: &mut dyn Reader,
        targets: &Targets,
        report: &mut ImportReport,
        observer: &mut dyn ImportObserver,
    ) -> Result<(), StoreError> {
        let mut done = self.total - self.missing.len();
        let mut unread = Unread::default();
        observer.runs(done, self.total);
        for batch in self.missing.chunks(BATCH_RUNS) {
            let heads: Vec<&RunHead> = batch.iter().map(|it| it.head).collect();
            let bodies = reader.bodies(&heads)?;
            let mut entries = Vec::new();
            for (missing, body) in batch.iter().zip(bodies) {
                let Some(target) = targets.get(&missing.head.experiment) else {
                    let finding = Finding::new(
                        FindingKind::Unusable,
                        "its experiment is not there",
                        "left out",
                    );
                    report.audit.push(finding.of_run(&missing.head.id));
                    continue;
                };
                let entry = Entry::new(*missing, body, target, &mut report.audit);
                copy_artifacts(session, reader, &entry, report, &mut unread)?;
                entries.push(entry);
            }
            if let Some(root) = entries.iter().find_map(|entry| entry.target.artifacts.parent())
                && root.is_dir()
            {
                artifacts::sync(root)?;
            }
            session.write(|act| entries.iter().try_for_each(|entry| entry.write(act.tx)))?;
            done += batch.len();
            observer.runs(done, self.total);
        }
        report.audit.extend(unread.findings());
        Ok(())
    }
}

/// A run that is still at work, or was left so.
fn is_open(head: &RunHead) -> bool {
    matches!(head.status.as_str(), "RUNNING" | "SCHEDULED")
}

/// Whether a run is here.
enum Known {
    No,
    /// As it ended.
    Ended,
    /// As it was while it was still RUNNING.
    Open,
}

fn known(conn: &Conn, id: &str) -> Result<Known, StoreError> {
    let found: Option<Option<String>> = conn.query_first(
        "SELECT (SELECT value FROM tags WHERE run_uuid = ?1 AND key = ?2)
         FROM runs WHERE run_uuid = ?1",
        params![id, IMPORTED_STATUS],
        |row| row.get(0),
    )?;
    Ok(match found {
        None => Known::No,
        Some(None) => Known::Ended,
        Some(Some(_)) => Known::Open,
    })
}

fn copy_artifacts(
    store: &Store,
    reader: &mut dyn Reader,
    entry: &Entry<'_>,
    report: &mut ImportReport,
    unread: &mut Unread,
) -> Result<(), StoreError> {
    let head = entry.missing.head;
    let mut folder = None;
    if entry.missing.is_to_complete {
        folder = facts::artifact_folder(store, head)?;
    }
    let folder = folder.unwrap_or_else(|| entry.target.artifacts.join(&head.id).join("artifacts"));
    match artifacts::copy(reader, head, &folder)? {
        Err(unreadable) => unread.note(unreadable),
        Ok(copied) => {
            report.files += copied.files;
            report.bytes += copied.bytes;
            for (name, problem) in copied.unread {
                let finding = Finding::new(
                    FindingKind::ArtifactsUnreadable,
                    format!("`{name}` cannot be read: {problem}"),
                    "the run is here without it",
                );
                report.audit.push(finding.of_run(&head.id));
            }
        }
    }
    Ok(())
}

impl Unread {
    fn note(&mut self, unreadable: Unreadable) {
        self.0.entry(unreadable.root).or_insert((unreadable.problem, 0)).1 += 1;
    }

    fn findings(self) -> impl Iterator<Item = Finding> {
        self.0.into_iter().map(|(root, (problem, n))| {
            let runs = if n == 1 { "1 run is".to_owned() } else { format!("{n} runs are") };
            Finding::new(
                FindingKind::ArtifactsUnreadable,
                format!("the artifacts at `{root}` cannot be read: {problem}"),
                format!("{runs} here without artifacts"),
            )
        })
    }
}

/// A run as it is written.
struct Entry<'a> {
    missing: Missing<'a>,
    target: &'a Target,
    tags: Tags,
    params: Tags,
    metrics: Vec<Metric>,
}

impl<'a> Entry<'a> {
    fn new(
        missing: Missing<'a>,
        body: RunBody,
        target: &'a Target,
        findings: &mut Vec<Finding>,
    ) -> Self {
        let head = missing.head;
        let mut fit = Fit { run: &head.id, findings };
        let mut tags = fit.pairs("tag", &head.tags);
        if is_open(head) {
            tags.insert(IMPORTED_STATUS.to_owned(), head.status.clone());
        }
        let params = fit.pairs("param", &body.params);
        let mut metrics = body.metrics;
        metrics.retain(|metric| fit.is_key("metric", &metric.key));
        Self { missing, target, tags, params, metrics }
    }

    fn write(&self, conn: &Conn) -> Result<(), StoreError> {
        let head = self.missing.head;
        let run_id = RunId::parse(&head.id).map_err(|error| StoreError::BrokenRecord {
            what: "a run id".to_owned(),
            problem: error.to_string(),
        })?;
        if self.missing.is_to_complete {
            self.complete(conn, &run_id)?;
        } else {
            self.insert(conn)?;
        }
        tag::set_on_run(conn, &run_id, &self.tags)?;
        for (key, value) in &self.params {
            conn.execute(
                "INSERT INTO params (key, value, run_uuid) VALUES (?1, ?2, ?3)
                 ON CONFLICT DO NOTHING",
                params![key, value, head.id],
            )?;
        }
        metric::log_history(conn, &run_id, &self.metrics)
    }

    fn insert(&self, conn: &Conn) -> Result<(), StoreError> {
        let head = self.missing.head;
        let artifacts = self.target.artifacts.join(&head.id).join("artifacts");
        let lifecycle = if head.is_deleted { "deleted" } else { "active" };
        // A run that nobody trains any more.
        let status = if is_open(head) { "FAILED" } else { head.status.as_str() };
        conn.execute(
            "INSERT INTO runs (run_uuid, name, source_type, source_name, entry_point_name, user_id,
                status, start_time, end_time, source_version, lifecycle_stage, deleted_time,
                artifact_uri, experiment_id)
             VALUES (?1, ?2, 'UNKNOWN', '', '', ?3, ?4, ?5, ?6, '', ?7, ?8, ?9, ?10)",
            params![
                head.id,
                fitted(TextColumn::RunName, &head.name).unwrap_or(&head.name),
                fitted(TextColumn::User, &head.user).unwrap_or(&head.user),
                status,
                head.started_at,
                head.ended_at,
                lifecycle,
                head.is_deleted.then(|| now().millis()),
                location_of(&artifacts),
                self.target.id,
            ],
        )?;
        Ok(())
    }

    /// The run was RUNNING when it came, and has ended since.
    fn complete(&self, conn: &Conn, run_id: &RunId) -> Result<(), StoreError> {
        let head = self.missing.head;
        conn.execute(
            "UPDATE runs SET status = ?1, end_time = ?2 WHERE run_uuid = ?3",
            params![head.status, head.ended_at, run_id.as_str()],
        )?;
        conn.execute(
            "DELETE FROM tags WHERE run_uuid = ?1 AND key = ?2",
            params![run_id.as_str(), IMPORTED_STATUS],
        )?;
        Ok(())
    }
}

/// Cuts texts to what the tables hold, and names each that was cut.
struct Fit<'a> {
    run: &'a str,
    findings: &'a mut Vec<Finding>,
}

impl Fit<'_> {
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
