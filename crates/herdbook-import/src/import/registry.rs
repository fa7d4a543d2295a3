//! The registry: all models and versions, planned by the rulebook and written in one transaction.

use std::collections::BTreeMap;

use herdbook_domain::import::{
    Finding, FindingKind, ImportPlan, PlannedVersion, SourceRecords, TextColumn, fitted,
    plan_import,
};
use herdbook_domain::{
    AliasChange, EventDraft, EventKind, ModelName, RunId, Timestamp, VersionKey, VersionNumber,
};
use herdbook_store::engine::db::params;
use herdbook_store::tables::alias::{CHAMPION_ALIAS, move_champion};
use herdbook_store::tables::unsealed::{self, ServedFiles};
use herdbook_store::tables::{event, run, tag, version};
use herdbook_store::{Act, Session, StoreError};

use super::facts;
use super::report::ImportReport;
use super::seals;
use crate::source::{ModelRecord, ModelVersionRecord};

/// Writes the models and versions that the store lacks, and their history.
pub(super) fn import(
    session: &Session,
    records: &SourceRecords,
    models: &[ModelRecord],
    report: &mut ImportReport,
) -> Result<ImportPlan, StoreError> {
    let served = served_files(session, records)?;
    let (plan, added, findings) = session.write(|act| {
        act.hold_everything()?;
        let facts = facts::gather(act.tx, records)?;
        let plan = plan_import(records, &facts);
        let (mut added, mut findings) = (0, Vec::new());
        for model in models {
            added += usize::from(write_model(act, model, &mut findings)?);
        }
        carry_out(act, &plan, models, &Known { served: &served, records }, facts.now)?;
        Ok((plan, added, findings))
    })?;
    report.models.added = added;
    report.models.present = models.len() - added;
    report.audit.extend(findings);
    Ok(plan)
}

/// What is known of the imported versions besides the plan.
struct Known<'a> {
    served: &'a Served,
    records: &'a SourceRecords,
}

/// The hashed files of the versions that the store lacks, by run.
type Served = BTreeMap<RunId, ServedFiles>;

fn served_files(session: &Session, records: &SourceRecords) -> Result<Served, StoreError> {
    let mut served = Served::new();
    for version in &records.versions {
        // The file of a version that the store has already was not hashed.
        if let (Some(run_id), Some(file)) = (&version.run_id, &version.model_file)
            && file.sha256.is_some()
        {
            let folder = file.artifact.rsplit_once('/').map_or("", |(folder, _)| folder);
            served.insert(run_id.clone(), session.hash_artifact_folder(run_id, folder)?);
        }
    }
    Ok(served)
}

/// Creates a registered model, if the store does not have it. Returns whether it was created.
fn write_model(
    act: &Act<'_>,
    model: &ModelRecord,
    findings: &mut Vec<Finding>,
) -> Result<bool, StoreError> {
    let is_new = act.tx.execute(
        "INSERT INTO registered_models
            (name, creation_time, last_updated_time, description, workspace)
         VALUES (?1, ?2, ?3, ?4, 'default') ON CONFLICT (workspace, name) DO NOTHING",
        params![
            model.name,
            model.created_at.unwrap_or(0),
            model.updated_at.or(model.created_at).unwrap_or(0),
            fitted(TextColumn::LongValue, &model.description).unwrap_or(&model.description),
        ],
    )? > 0;
    if !is_new {
        return Ok(false);
    }
    for (key, value) in &model.tags {
        if fitted(TextColumn::Key, key).is_some() || fitted(TextColumn::LongValue, value).is_some()
        {
            let message = "a tag of the model is longer than MLflow's table allows";
            let finding = Finding::new(FindingKind::TooLong, message, "left out");
            findings.push(Finding { name: Some(model.name.clone()), ..finding });
            continue;
        }
        act.tx.execute(
            "INSERT INTO registered_model_tags (key, value, name, workspace)
             VALUES (?1, ?2, ?3, 'default') ON CONFLICT DO NOTHING",
            params![key, value, model.name],
        )?;
    }
    Ok(true)
}

fn carry_out(
    act: &Act<'_>,
    plan: &ImportPlan,
    models: &[ModelRecord],
    known: &Known<'_>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let sources: BTreeMap<(&str, i64), &ModelVersionRecord> = models
        .iter()
        .flat_map(|model| {
            model.versions.iter().map(|version| ((model.name.as_str(), version.number), version))
        })
        .collect();
    for version in &plan.versions {
        let source =
            sources.get(&(version.key.name.as_str(), i64::from(version.source_number.get())));
        write_version(act, version, source.copied())?;
        tag::set_on_version(act.tx, &version.key, &version.tags)?;
    }
    for (run_id, changes) in &plan.run_tags {
        tag::change_on_run(act.tx, run_id, changes)?;
    }
    for (key, changes) in &plan.superseded {
        tag::change_on_version(act.tx, key, changes)?;
        version::touch(act.tx, key, now)?;
    }
    for (name, alias, number) in &plan.aliases {
        if alias == CHAMPION_ALIAS {
            move_champion(act.tx, name, AliasChange::PointTo(*number))?;
            continue;
        }
        act.tx.execute(
            "INSERT INTO registered_model_aliases (alias, version, name, workspace)
             VALUES (?1, ?2, ?3, 'default') ON CONFLICT DO NOTHING",
            params![alias, number.get(), name.as_str()],
        )?;
    }
    append_events(act, plan, known, now)
}

/// Appends the events of the past with their own times, except that a model's history never goes back in time.
fn append_events(
    act: &Act<'_>,
    plan: &ImportPlan,
    known: &Known<'_>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let numbers: BTreeMap<&VersionKey, VersionNumber> =
        plan.versions.iter().map(|version| (&version.key, version.source_number)).collect();
    let mut last: BTreeMap<ModelName, Timestamp> = BTreeMap::new();
    for (at, draft) in &plan.events {
        let mut at = *at;
        if let Some(name) = &draft.name {
            let before = match last.get(name) {
                Some(before) => *before,
                None => event::last_time(act.tx, name)?,
            };
            at = at.max(before);
            last.insert(name.clone(), at);
        }
        act.append(at, [sealed(act, draft, &numbers, known, now)?])?;
    }
    Ok(())
}

/// The event of a registration with a seal; other events as they are. What the source's herdbook sealed stays sealed;
/// of other versions, what the store holds now is sealed.
fn sealed(
    act: &Act<'_>,
    draft: &EventDraft,
    numbers: &BTreeMap<&VersionKey, VersionNumber>,
    known: &Known<'_>,
    now: Timestamp,
) -> Result<EventDraft, StoreError> {
    let (EventKind::Registered, Some(name), Some(version)) =
        (draft.kind, &draft.name, draft.version)
    else {
        return Ok(draft.clone());
    };
    let key = VersionKey { name: name.clone(), version };
    let none = ServedFiles {
        problem: Some("the import found no model file".to_owned()),
        ..ServedFiles::default()
    };
    let files = draft.run_id.as_ref().and_then(|run_id| known.served.get(run_id)).unwrap_or(&none);
    let facts = unsealed::collect(act.tx, &key, files, now)?.facts;
    let history = &known.records.history;
    let in_source =
        numbers.get(&key).and_then(|number| history.sealed(draft.run_id.as_ref(), *number));
    let facts = in_source.map_or(facts.clone(), |sealed| seals::kept(facts, sealed));
    Ok(unsealed::with_registration(facts, draft).in_registration(draft.clone()))
}

fn write_version(
    act: &Act<'_>,
    version: &PlannedVersion,
    source: Option<&ModelVersionRecord>,
) -> Result<(), StoreError> {
    let location = location(act, version, source)?;
    let text = |field: fn(&ModelVersionRecord) -> &String| {
        source.map_or("", |source| field(source).as_str())
    };
    let updated = source.and_then(|source| source.updated_at);
    let VersionKey { name, version: number } = &version.key;
    act.tx.execute(
        "INSERT INTO model_versions (name, version, creation_time, last_updated_time,
                description, user_id, current_stage, source, run_id, status, status_message,
                run_link, storage_location, workspace)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 'READY', NULL, '', ?8, 'default')",
        params![
            name.as_str(),
            number.get(),
            version.created_at.millis(),
            updated.unwrap_or_else(|| version.created_at.millis()),
            fitted(TextColumn::LongValue, text(|it| &it.description))
                .unwrap_or(text(|it| &it.description)),
            fitted(TextColumn::User, text(|it| &it.user)).unwrap_or(text(|it| &it.user)),
            version.mlflow_stage,
            location,
            version.run_id.as_ref().map(herdbook_domain::RunId::as_str),
        ],
    )?;
    Ok(())
}

/// The location of a version's files in the store: the folder of its model file, as MLflow needs it for
/// `models:/<name>@champion`.
fn location(
    act: &Act<'_>,
    version: &PlannedVersion,
    source: Option<&ModelVersionRecord>,
) -> Result<String, StoreError> {
    let recorded = source.map_or("", |source| source.location.as_str());
    let (Some(run_id), Some(file)) = (&version.run_id, &version.model_file) else {
        return Ok(recorded.to_owned());
    };
    match run::artifact_uri(act.tx, run_id) {
        Ok(uri) => Ok(match file.rsplit_once('/') {
            Some((folder, _)) => format!("{uri}/{folder}"),
            None => uri,
        }),
        Err(StoreError::NoSuchRun { .. }) => Ok(recorded.to_owned()),
        Err(error) => Err(error),
    }
}
