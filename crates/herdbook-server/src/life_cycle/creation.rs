//! Versions that clients of MLflow create.

use herdbook_domain::import::told_origin;
use herdbook_domain::tags::key;
use herdbook_domain::{ModelName, RunId};
use herdbook_mlflow::registry::{self, ModelVersion, NewModelVersion};
use herdbook_mlflow::{Code, MlflowError, write};
use herdbook_store::tables::tag;
use herdbook_store::{StoreError, VersionEntry, VersionRow, now};

use super::rules::Records;

/// Creates a version. If the tags of its run tell the origin of a trading model, it enters the life cycle.
pub(crate) fn create_version(
    records: Records<'_>,
    new: &NewModelVersion,
) -> Result<ModelVersion, MlflowError> {
    let is_prompt = registry::is_prompt(&new.tags);
    new.check()?;
    let entry = if is_prompt { None } else { entry(records, new)? };
    match entry {
        Some(entry) if records.life_cycle().is_enforced() => entered(records, new, &entry),
        entry => {
            if entry.is_some() && records.life_cycle().is_observed() {
                let name = &new.name;
                records.life_cycle().note(&format!(
                    "with `--life-cycle enforce` the new version of `{name}` would enter the life cycle: the tags of its run \
                     tell its origin"
                ));
            }
            plain(records, new)
        }
    }
}

/// The entry into the life cycle; `None` if the run is not one of a trading model.
fn entry(records: Records<'_>, new: &NewModelVersion) -> Result<Option<VersionEntry>, MlflowError> {
    let (Ok(run_id), Ok(name)) = (RunId::parse(&new.source.run_id), ModelName::parse(&new.name))
    else {
        return Ok(None);
    };
    let tags = records.session().read(|conn| tag::of_run(conn, run_id.as_str()))?;
    Ok(told_origin(&tags).map(|_| VersionEntry {
        name,
        run_id,
        row: VersionRow {
            source: new.source.source.clone(),
            storage_location: new.source.storage_location.clone(),
            description: Some(new.description.clone()),
            run_link: Some(new.run_link.clone()),
        },
        tags: new.tags.iter().cloned().collect(),
    }))
}

fn entered(
    records: Records<'_>,
    new: &NewModelVersion,
    entry: &VersionEntry,
) -> Result<ModelVersion, MlflowError> {
    let session = records.session();
    let number = match session.enter_version(entry) {
        Ok((registered, _)) => i64::from(registered.key.version.get()),
        Err(StoreError::NoSuchModel { .. }) => {
            registry::get_model(session, &new.name)?;
            return Err(MlflowError::new(
                Code::TemporarilyUnavailable,
                "the model was just created",
            ));
        }
        Err(error) => return Err(error.into()),
    };
    if !new.source.model_id.is_empty() {
        write(session, |act| {
            registry::note_on_logged_model(act.tx, &new.source.model_id, (&new.name, number))
        })?;
    }
    registry::get_version(session, &new.name, &number.to_string())
}

fn plain(records: Records<'_>, new: &NewModelVersion) -> Result<ModelVersion, MlflowError> {
    let rules = records.life_cycle();
    let created = write(records.session(), |act| {
        if let Ok(name) = ModelName::parse(&new.name) {
            // Locks the model, so that no version enters the life cycle with the same number.
            act.time_for([&name])?;
        }
        if let Some((_, stage)) = new.tags.iter().find(|(key, _)| key == key::PROMOTION_STAGE) {
            rules.object(stage_given(stage))?;
        }
        let created = registry::create_version(act.tx, new, now())?;
        if !new.source.model_id.is_empty() && !registry::is_prompt(&new.tags) {
            let of = (created.name.as_str(), created.version);
            registry::note_on_logged_model(act.tx, &new.source.model_id, of)?;
        }
        Ok(created)
    })?;
    Ok(created)
}

fn stage_given(stage: &str) -> MlflowError {
    MlflowError::Refused {
        code: Code::ResourceConflict,
        message: format!(
            "a new version cannot have the tag `promotion_stage` = `{}`: it begins in `development`, when its run has the tags \
             `timeframe` and `model_type`, or when the tag is set to `development` afterwards; from there it may go to \
             `beta` or `archived`",
            stage.escape_debug()
        ),
    }
}
