//! Imports the runs, artifacts and registry of another store, and turns the stages in its tags into history.
//!
//! Runs are written first, in batches; their files are durable before the transaction that records them. Then the whole
//! registry is written in one transaction, so that the rules hold at all times. Records that the store has already are
//! skipped, so an interrupted import is completed by running it again.

mod artifacts;
mod experiments;
mod facts;
mod registry;
mod report;
mod runs;
mod seals;

pub use self::report::{Count, ImportObserver, ImportReport};

use std::collections::{BTreeMap, BTreeSet};

use herdbook_domain::import::{
    Finding, FindingKind, SourceRecords, SourceRun, TargetFacts, Zone, plan_import,
};
use herdbook_domain::tags::Tags;
use herdbook_domain::{ModelName, RunId, RunStatus, VersionNumber};
use herdbook_store::{Effect, Session, Store, StoreError, now};

use self::artifacts::FileDetail;
use self::facts::KnownNames;
use self::runs::PendingRuns;
use crate::source::address::{Source, SourceOptions};
use crate::source::{ExperimentRecord, ModelRecord, Reader, RunInfo};

/// A source to import, and how to read it.
#[derive(Debug, Clone)]
pub struct ImportRequest {
    /// The store to import from.
    pub source: Source,
    /// How to read the source.
    pub options: SourceOptions,
    /// The time zone of local times in its tags.
    pub zone: Zone,
}

/// The records of a source, without the params, metrics and files of its runs.
pub struct Import {
    reader: Box<dyn Reader>,
    zone: Zone,
    experiments: Vec<ExperimentRecord>,
    run_infos: Vec<RunInfo>,
    models: Vec<ModelRecord>,
    report: ImportReport,
}

/// A finished run of the source without a version.
#[derive(Debug, Clone)]
pub struct UnregisteredRecord {
    /// The run.
    pub run_id: RunId,
    /// Its tags.
    pub tags: Tags,
    /// The paths of its artifacts, with `/`.
    pub artifacts: Vec<String>,
}

impl std::fmt::Debug for Import {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Import({})", self.report.source)
    }
}

impl Import {
    /// Reads the experiments, runs and models of a source.
    ///
    /// # Errors
    /// [`StoreError::Source`] if the source cannot be read.
    pub fn read(
        request: &ImportRequest,
        observer: &mut dyn ImportObserver,
    ) -> Result<Self, StoreError> {
        observer.stage("reading the source");
        let mut reader = request.source.open(&request.options)?;
        let mut report = ImportReport { source: reader.label(), ..ImportReport::default() };
        let mut experiments = reader.experiments()?;
        // Servers list the newest first. New ids must not depend on the kind of source.
        experiments
            .sort_by(|one, other| (one.created_at, &one.id).cmp(&(other.created_at, &other.id)));
        let run_infos = usable_runs(reader.runs()?, &experiments, &mut report.audit);
        let models = usable_models(reader.models()?, &mut report.audit);
        report.experiments.found = experiments.len();
        report.runs.found = run_infos.len();
        report.models.found = models.len();
        Ok(Self { reader, zone: request.zone, experiments, run_infos, models, report })
    }

    /// The finished runs of the source that no version belongs to, oldest first, each with its tags and the paths of its
    /// artifacts. Runs whose artifacts cannot be listed are left out; the import reports them.
    pub fn unregistered_runs(&mut self) -> Vec<UnregisteredRecord> {
        let registered: BTreeSet<&str> = self
            .models
            .iter()
            .flat_map(|model| &model.versions)
            .filter_map(|version| version.run_id.as_deref())
            .collect();
        let finished = RunStatus::Finished.as_str();
        let mut found = Vec::new();
        for info in &self.run_infos {
            let is_wanted = info.status == finished && !info.is_deleted;
            if !is_wanted || registered.contains(info.id.as_str()) {
                continue;
            }
            let Ok(run_id) = RunId::parse(&info.id) else { continue };
            let artifacts = self.reader.artifacts(info).unwrap_or_default();
            found.push(UnregisteredRecord { run_id, tags: info.tags.clone(), artifacts });
        }
        found
    }

    /// Writes the records into a store. A dry run makes the same audit and writes nothing; it needs no store.
    ///
    /// # Errors
    /// [`StoreError::UnsupportedUri`] if the store takes no imports; [`StoreError::SameStore`]; [`StoreError::Source`] if
    /// the source cannot be read; [`StoreError::Artifact`] if a file cannot be written.
    pub fn bring_into(
        self,
        session: Option<&Session>,
        effect: Effect,
        observer: &mut dyn ImportObserver,
    ) -> Result<ImportReport, StoreError> {
        if let Some(session) = session {
            session.backend().require_import()?;
        }
        let Self { mut reader, zone, experiments, run_infos, models, mut report } = self;
        let store = session.map(Session::store);
        if let Some(store) = store {
            reader.refuse_target(store)?;
        }
        let pending = PendingRuns::plan(store, &run_infos, &mut report)?;
        let written = session.filter(|_| effect == Effect::Commit);
        if let Some(session) = written {
            let targets = experiments::import(session, &experiments, &mut report)?;
            pending.import(session, reader.as_mut(), &targets, &mut report, observer)?;
        }
        observer.stage("reading the registry");
        let (records, differences) = records(reader.as_mut(), zone, store, &run_infos, &models)?;
        report.versions.found = records.versions.len();
        let plan = if let Some(session) = written {
            registry::import(session, &records, &models, &mut report)?
        } else {
            let (facts, known) = match store {
                Some(store) => store
                    .read(|conn| Ok((facts::gather(conn, &records)?, facts::known_names(conn)?)))?,
                None => {
                    (TargetFacts { now: now(), ..TargetFacts::default() }, KnownNames::default())
                }
            };
            report.experiments.preview(experiments.iter().map(|it| &it.name), &known.experiments);
            report.models.preview(models.iter().map(|it| &it.name), &known.models);
            plan_import(&records, &facts)
        };
        report.versions.added = plan.versions.len();
        report.versions.present = plan.n_present;
        report.audit.extend(plan.findings);
        report.audit.extend(differences);
        report.audit.extend(reader.findings());
        Ok(report)
    }
}

/// The runs with an experiment, whose ids and statuses are valid in herdbook. Reports the others.
fn usable_runs(
    run_infos: Vec<RunInfo>,
    experiments: &[ExperimentRecord],
    audit: &mut Vec<Finding>,
) -> Vec<RunInfo> {
    let experiments: BTreeSet<&str> = experiments.iter().map(|it| it.id.as_str()).collect();
    let mut seen = BTreeSet::new();
    let mut is_usable = |info: &RunInfo| {
        let problem = match (RunId::parse(&info.id), info.status.parse::<RunStatus>()) {
            (Err(error), _) => error.to_string(),
            (_, Err(error)) => error.to_string(),
            _ if !experiments.contains(info.experiment.as_str()) => {
                "its experiment is missing".to_owned()
            }
            _ if !seen.insert(info.id.clone()) => "another run has the same id".to_owned(),
            _ => return true,
        };
        audit.push(Finding::new(FindingKind::Unusable, problem, "left out").of_run(&info.id));
        false
    };
    run_infos.into_iter().filter(|info| is_usable(info)).collect()
}

/// The models and versions whose names and numbers are valid in herdbook. Reports the others.
fn usable_models(models: Vec<ModelRecord>, audit: &mut Vec<Finding>) -> Vec<ModelRecord> {
    let mut left_out = |name: &str, problem: String| {
        let finding = Finding::new(FindingKind::Unusable, problem, "left out");
        audit.push(Finding { name: Some(name.to_owned()), ..finding });
    };
    let mut usable = Vec::new();
    for mut model in models {
        if let Err(error) = ModelName::parse(&model.name) {
            left_out(&model.name, error.to_string());
            continue;
        }
        let name = model.name.clone();
        model.versions.retain(|version| {
            let is_usable = VersionNumber::new(version.number).is_some();
            if !is_usable {
                left_out(&name, format!("{} is not a valid version number", version.number));
            }
            is_usable
        });
        usable.push(model);
    }
    usable
}

/// The records of the source that the rules decide on, and the values that differ from their seals.
fn records(
    reader: &mut dyn Reader,
    zone: Zone,
    store: Option<&Store>,
    run_infos: &[RunInfo],
    models: &[ModelRecord],
) -> Result<(SourceRecords, Vec<Finding>), StoreError> {
    let mut runs = BTreeMap::new();
    for info in run_infos {
        if let (Ok(run_id), Ok(status)) = (RunId::parse(&info.id), info.status.parse()) {
            let tags = info.tags.clone();
            runs.insert(run_id.clone(), SourceRun { run_id, status, tags });
        }
    }
    let mut records = SourceRecords {
        label: reader.label(),
        zone,
        runs,
        versions: Vec::new(),
        aliases: BTreeMap::new(),
        history: reader.recorded_history()?,
        deleted_children: BTreeMap::new(),
    };
    let mut differences = Vec::new();
    let by_id: BTreeMap<&str, &RunInfo> =
        run_infos.iter().map(|info| (info.id.as_str(), info)).collect();
    let known = store.map(facts::known_registrations).transpose()?.unwrap_or_default();
    for model in models {
        facts::add_model(&mut records, model);
        for found in model.versions.iter().filter(|version| !version.is_deleted()) {
            let Some(mut version) = facts::version(&model.name, found) else { continue };
            let info = version.run_id.as_ref().and_then(|id| by_id.get(id.as_str()).copied());
            if let Some(info) = info {
                // The file of a version that the store has already is not hashed again.
                let is_known = known.contains(&(model.name.clone(), version.created_at));
                let detail = if is_known { FileDetail::Path } else { FileDetail::PathAndHash };
                let folder =
                    store.map(|store| facts::artifact_folder(store, info)).transpose()?.flatten();
                if let Some(sealed) =
                    records.history.sealed(version.run_id.as_ref(), version.key.version)
                {
                    let data = reader.run_data(&[info])?;
                    differences.extend(
                        data.first().and_then(|it| seals::difference(&version, it, sealed)),
                    );
                }
                version.model_file = artifacts::model_file(reader, info, found, folder, detail)?;
            }
            records.versions.push(version);
        }
    }
    Ok((records, differences))
}
