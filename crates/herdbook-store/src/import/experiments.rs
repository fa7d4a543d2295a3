//! Experiments: found by name, or made.

use std::collections::BTreeMap;
use std::path::PathBuf;

use herdbook_domain::import::{Finding, FindingKind};
use herdbook_domain::{ExperimentName, Timestamp};

use super::ImportReport;
use crate::db::params;
use crate::experiment::{self, local_folder};
use crate::source::ExperimentRecord;
use crate::store::{Act, now};
use crate::{Store, StoreError};

/// Where the runs of an experiment go.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) id: i64,
    pub(super) artifacts: PathBuf,
}

/// Places by the id that an experiment has in the source.
pub(super) type Places = BTreeMap<String, Place>;

impl Store {
    /// Finds or makes each experiment, by its name.
    pub(super) fn import_experiments(
        &self,
        experiments: &[ExperimentRecord],
        report: &mut ImportReport,
    ) -> Result<Places, StoreError> {
        let (places, added, findings) = self.write(|act| {
            let mut places = Places::new();
            let mut added = 0;
            let mut findings = Vec::new();
            for experiment in experiments {
                let name = name_of(experiment, &mut findings);
                let known = find(act, &name)?;
                added += usize::from(known.is_none());
                let place = match known {
                    Some(place) => place,
                    None => make(act, &name, experiment)?,
                };
                places.insert(experiment.id.clone(), place);
            }
            Ok((places, added, findings))
        })?;
        report.experiments.added = added;
        report.experiments.present = experiments.len() - added;
        report.audit.extend(findings);
        Ok(places)
    }
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

fn find(act: &Act<'_>, name: &ExperimentName) -> Result<Option<Place>, StoreError> {
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
    Ok(Some(Place { id, artifacts }))
}

fn make(
    act: &Act<'_>,
    name: &ExperimentName,
    record: &ExperimentRecord,
) -> Result<Place, StoreError> {
    let created = record.created_at.map_or_else(now, Timestamp::from_millis);
    let made = experiment::create(act, name, created)?;
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
    Ok(Place { id: made.id, artifacts: made.artifacts })
}
