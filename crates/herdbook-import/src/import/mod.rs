//! Import: another store's runs, artifacts and registry come in, and its tags become history.
//!
//! Runs come first, in batches: their files are on the disk before the transaction that tells of them. Then the
//! registry, all of it in one transaction, so that the rules hold at every moment. What is there already is not
//! brought again: an import that was interrupted is begun again, and ends as if it never had been.

mod artifacts;
mod experiments;
mod facts;
mod registry;
mod report;
mod runs;

pub use self::report::{Count, ImportObserver, ImportReport};

use std::collections::{BTreeMap, BTreeSet};

use herdbook_domain::import::{
    Finding, FindingKind, SourceRecords, SourceRun, TargetFacts, Zone, plan_import,
};
use herdbook_domain::{ModelName, RunId, RunStatus, VersionNumber};
use herdbook_store::{Effect, Session, Store, StoreError, now};

use self::artifacts::Look;
use self::runs::Batches;
use crate::source::place::{Source, SourceOptions};
use crate::source::{ExperimentRecord, ModelRecord, Reader, RunHead};

/// What to import, and how to read it.
#[derive(Debug, Clone)]
pub struct ImportRequest {
    /// The store to import from.
    pub source: Source,
    /// What its name does not say.
    pub options: SourceOptions,
    /// The zone of the times in its tags.
    pub zone: Zone,
}

/// A source that was read: what is in it, its params, metrics and files aside.
pub struct Import {
    reader: Box<dyn Reader>,
    zone: Zone,
    experiments: Vec<ExperimentRecord>,
    heads: Vec<RunHead>,
    models: Vec<ModelRecord>,
    report: ImportReport,
}

impl std::fmt::Debug for Import {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Import({})", self.report.source)
    }
}

impl Import {
    /// Reads a source.
    pub fn read(
        request: &ImportRequest,
        observer: &mut dyn ImportObserver,
    ) -> Result<Self, StoreError> {
        observer.stage("reading the source");
        let mut reader = request.source.open(&request.options)?;
        let mut report = ImportReport { source: reader.label(), ..ImportReport::default() };
        let mut experiments = reader.experiments()?;
        // Servers tell the newest first: numbers shall not depend on how a store is read.
        experiments
            .sort_by(|one, other| (one.created_at, &one.id).cmp(&(other.created_at, &other.id)));
        let heads = usable_runs(reader.runs()?, &mut report.audit);
        let models = usable_models(reader.models()?, &mut report.audit);
        report.experiments.found = experiments.len();
        report.runs.found = heads.len();
        report.models.found = models.len();
        Ok(Self { reader, zone: request.zone, experiments, heads, models, report })
    }

    /// Brings it into a store; a dry run audits everything and writes nothing, and needs no store.
    pub fn bring_into(
        self,
        session: Option<&Session>,
        effect: Effect,
        observer: &mut dyn ImportObserver,
    ) -> Result<ImportReport, StoreError> {
        if let Some(session) = session {
            session.backend().require_import()?;
        }
        let Self { mut reader, zone, experiments, heads, models, mut report } = self;
        let store = session.map(Session::store);
        let batches = Batches::plan(store, &heads, &mut report)?;
        let written = session.filter(|_| effect == Effect::Commit);
        if let Some(session) = written {
            let targets = experiments::import(session, &experiments, &mut report)?;
            batches.import(session, reader.as_mut(), &targets, &mut report, observer)?;
        }
        observer.stage("reading the registry");
        let records = records(reader.as_mut(), zone, store, &heads, &models)?;
        report.versions.found = records.versions.len();
        let plan = if let Some(session) = written {
            registry::import(session, &records, &models, &mut report)?
        } else {
            let facts = match store {
                Some(store) => store.read(|conn| facts::gather(conn, &records))?,
                None => TargetFacts { now: now(), ..TargetFacts::default() },
            };
            plan_import(&records, &facts)
        };
        report.versions.added = plan.versions.len();
        report.versions.present = plan.n_present;
        report.audit.extend(plan.findings);
        report.audit.extend(reader.findings());
        Ok(report)
    }
}

/// The runs whose ids and states herdbook can keep.
fn usable_runs(heads: Vec<RunHead>, audit: &mut Vec<Finding>) -> Vec<RunHead> {
    let mut seen = BTreeSet::new();
    let mut is_usable = |head: &RunHead| {
        let problem = match (RunId::parse(&head.id), head.status.parse::<RunStatus>()) {
            (Err(error), _) => error.to_string(),
            (_, Err(error)) => error.to_string(),
            _ if !seen.insert(head.id.clone()) => "another run has the same id".to_owned(),
            _ => return true,
        };
        audit.push(Finding::new(FindingKind::Unusable, problem, "left out").of_run(&head.id));
        false
    };
    heads.into_iter().filter(|head| is_usable(head)).collect()
}

/// The models and versions whose names and numbers herdbook can keep.
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
                left_out(&name, format!("version {} cannot be a version's number", version.number));
            }
            is_usable
        });
        usable.push(model);
    }
    usable
}

/// What the rules know of the source.
fn records(
    reader: &mut dyn Reader,
    zone: Zone,
    store: Option<&Store>,
    heads: &[RunHead],
    models: &[ModelRecord],
) -> Result<SourceRecords, StoreError> {
    let mut runs = BTreeMap::new();
    for head in heads {
        if let (Ok(run_id), Ok(status)) = (RunId::parse(&head.id), head.status.parse()) {
            let tags = head.tags.clone();
            runs.insert(run_id.clone(), SourceRun { run_id, status, tags });
        }
    }
    let mut records = SourceRecords {
        label: reader.label(),
        zone,
        runs,
        versions: Vec::new(),
        aliases: BTreeMap::new(),
        deleted_children: BTreeMap::new(),
    };
    let by_id: BTreeMap<&str, &RunHead> =
        heads.iter().map(|head| (head.id.as_str(), head)).collect();
    let known = store.map(facts::known_registrations).transpose()?.unwrap_or_default();
    for model in models {
        facts::add_model(&mut records, model);
        for found in model.versions.iter().filter(|version| !version.is_deleted()) {
            let Some(mut version) = facts::version(&model.name, found) else { continue };
            let head = version.run_id.as_ref().and_then(|id| by_id.get(id.as_str()).copied());
            if let Some(head) = head {
                // What is there already is not hashed again.
                let is_known = known.contains(&(model.name.clone(), version.created_at));
                let look = if is_known { Look::Name } else { Look::Hash };
                let folder =
                    store.map(|store| facts::artifact_folder(store, head)).transpose()?.flatten();
                version.model_file = artifacts::model_file(reader, head, found, folder, look)?;
            }
            records.versions.push(version);
        }
    }
    Ok(records)
}
