//! Experiments: found by name, or created.

use std::collections::BTreeMap;
use std::path::PathBuf;

use herdbook_domain::import::{Finding, FindingKind};
use herdbook_domain::{ExperimentName, Timestamp};
use herdbook_store::artifacts::place::local_folder;
use herdbook_store::engine::db::params;
use herdbook_store::tables::experiment;
use herdbook_store::{Act, Session, StoreError, now};

use super::report::ImportReport;
use crate::source::ExperimentRecord;

/// The experiment that the runs of a source's experiment are written to.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) id: i64,
    pub(super) artifacts: PathBuf,
}

/// Targets by the experiment's id in the source.
pub(super) type Targets = BTreeMap<String, Target>;

/// Finds or creates each experiment, by its name.
pub(super) fn import(
    session: &Session,
    experiments: &[ExperimentRecord],
    report: &mut ImportReport,
) -> Result<Targets, StoreError> {
    let (targets, added, findings) = session.write(|act| {
        let mut targets = Targets::new();
        let mut added = 0;
        let mut findings = Vec::new();
        for experiment in experiments {
            let name = name_of(experiment, &mut findings);
            let known = find(act, &name)?;
            added += usize::from(known.is_none());
            let target = match known {
                Some(target) => target,
                None => create(act, &name, experiment)?,
            };
            targets.insert(experiment.id.clone(), target);
        }
        Ok((targets, added, findings))
    })?;
    report.experiments.added = added;
    report.experiments.present = experiments.len() - added;
    report.audit.extend(findings);
    Ok(targets)
}

fn name_of(experiment: &ExperimentRecord, findings: &mut Vec<Finding>) -> ExperimentName {
    ExperimentName::parse(&experiment.name).unwrap_or_else(|error| {
        let digits: String =
            experiment.id.chars().filter(char::is_ascii_alphanumeric).take(40).collect();
        let name = format!("imported_{digits}");
        findings.push(Finding::new(
            FindingKind::Unusable,
            format!("the name of experiment {digits} is not valid: {error}"),
            format!("imported as `{name}`"),
        ));
        ExperimentName::parse(&name).expect("letters and digits are a valid name")
    })
}

fn find(act: &Act<'_>, name: &ExperimentName) -> Result<Option<Target>, StoreError> {
    let found: Option<(i64, Option<String>)> = act.tx.query_first(
        "SELECT experiment_id, artifact_location FROM experiments
         WHERE workspace = 'default' AND name = ?1",
        params![name.as_str()],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let Some((id, location)) = found else { return Ok(None) };
    let location = location.unwrap_or_default();
    let artifacts = local_folder(&location)
        .ok_or_else(|| StoreError::ForeignArtifacts { name: name.to_string(), location })?;
    Ok(Some(Target { id, artifacts }))
}

fn create(
    act: &Act<'_>,
    name: &ExperimentName,
    record: &ExperimentRecord,
) -> Result<Target, StoreError> {
    let created = record.created_at.map_or_else(now, Timestamp::from_millis);
    let created_now = experiment::create(act.tx, act.artifact_root, name, created)?;
    if record.is_deleted {
        act.tx.execute(
            "UPDATE experiments SET lifecycle_stage = 'deleted' WHERE experiment_id = ?1",
            params![created_now.id],
        )?;
    }
    if let Some(updated) = record.updated_at {
        act.tx.execute(
            "UPDATE experiments SET last_update_time = ?1 WHERE experiment_id = ?2",
            params![updated, created_now.id],
        )?;
    }
    for (key, value) in &record.tags {
        act.tx.execute(
            "INSERT INTO experiment_tags (key, value, experiment_id) VALUES (?1, ?2, ?3)
             ON CONFLICT (key, experiment_id) DO UPDATE SET value = excluded.value",
            params![key, value, created_now.id],
        )?;
    }
    Ok(Target { id: created_now.id, artifacts: created_now.artifacts })
}
