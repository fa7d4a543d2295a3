//! Experiments: found by name, or made.

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

/// Where the runs of an experiment go.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) id: i64,
    pub(super) artifacts: PathBuf,
}

/// Targets by the id that an experiment has in the source.
pub(super) type Targets = BTreeMap<String, Target>;

/// Finds or makes each experiment, by its name.
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
                None => make(act, &name, experiment)?,
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
            format!("the name of experiment {digits} cannot be kept: {error}"),
            format!("it is `{name}` here"),
        ));
        ExperimentName::parse(&name).expect("these letters and digits are a name")
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

fn make(
    act: &Act<'_>,
    name: &ExperimentName,
    record: &ExperimentRecord,
) -> Result<Target, StoreError> {
    let created = record.created_at.map_or_else(now, Timestamp::from_millis);
    let made = experiment::create(act.tx, act.artifact_root, name, created)?;
    if record.is_deleted {
        act.tx.execute(
            "UPDATE experiments SET lifecycle_stage = 'deleted' WHERE experiment_id = ?1",
            params![made.id],
        )?;
    }
    if let Some(updated) = record.updated_at {
        act.tx.execute(
            "UPDATE experiments SET last_update_time = ?1 WHERE experiment_id = ?2",
            params![updated, made.id],
        )?;
    }
    for (key, value) in &record.tags {
        act.tx.execute(
            "INSERT INTO experiment_tags (key, value, experiment_id) VALUES (?1, ?2, ?3)
             ON CONFLICT (key, experiment_id) DO UPDATE SET value = excluded.value",
            params![key, value, made.id],
        )?;
    }
    Ok(Target { id: made.id, artifacts: made.artifacts })
}
