//! Versions whose origin the tags of their run tell.
//!
//! If the folder that MLflow serves is the run's model folder and holds `model.zip`, the version is registered with the hash
//! of that file. Otherwise it is adopted: its history begins with what MLflow holds at this moment.

use herdbook_domain::import::told_origin;
use herdbook_domain::tags::key;
use herdbook_domain::{
    Registration, RegistrationFacts, RunStatus, Sealed, Timestamp, VersionNumber,
    guard_version_tags, plan_registration,
};

use super::adoption::{adopted, require_alias_of_champion, require_free};
use super::request::{Entering, Served};
use super::told::{
    basis, cannot, honesty, improvements_over, metrics, origin, parent, trained_timesteps,
};
use crate::acts::files::HashedFiles;
use crate::acts::foreign_run::require_active;
use crate::acts::registration::{
    NewVersion, Registered, carry_out, last_version, names_of_parent, register, versions_of_run,
};
use crate::acts::sealing;
use crate::error::StoreError;
use crate::session::Act;
use crate::tables::unsealed::Measured;
use crate::tables::{metric, run, tag, version};

/// The name of the model file in the model folder of a run.
const MODEL_FILE: &str = "model.zip";

pub(super) fn enter(
    act: &Act<'_>,
    entering: &Entering<'_>,
    served: &Served,
    files: &HashedFiles,
) -> Result<(Registered, Vec<String>), StoreError> {
    let conn = act.tx;
    let (existing, run_id) = match entering {
        Entering::Created(entry) => (None, Some(&entry.run_id)),
        Entering::OnRecord(version) => (Some(&version.key), version.run_id.as_ref()),
    };
    let run_id = run_id.expect("an origin is told by the tags of a run");
    let status = require_active(conn, run_id)?;
    let is_running = status == RunStatus::Running.as_str();
    if !is_running {
        run::require_finished(conn, run_id)?;
    }
    version::require_model(conn, entering.name())?;
    require_free(conn, run_id, existing)?;
    require_alias_of_champion(conn, entering.name())?;
    let run = run::load(conn, run_id)?;
    let mut telling = run.tags.clone();
    if let Entering::OnRecord(version) = entering {
        telling.extend(version.tags.clone());
    }
    let told = told_origin(&telling).ok_or_else(|| {
        cannot(run_id, "its tags `timeframe` and `model_type` do not tell how it was trained")
    })?;
    let parent = parent(conn, &run, &told)?;
    let origin = origin(&told, parent.as_ref());
    let trained_timesteps = trained_timesteps(entering.tags(), &run, &origin);
    let improvements = improvements_over(parent.as_ref(), &run);
    let at = act.time_for([entering.name()])?;
    metric::log(conn, run_id, &metrics(&origin, trained_timesteps, &improvements, at))?;
    let mut run_tags = origin.run_tags();
    if let Some(parent) = &parent {
        let basis = basis(&parent.run, &run);
        run_tags.insert(key::IMPROVEMENT_BASIS.to_owned(), basis.to_owned());
    }
    tag::set_on_run(conn, run_id, &run_tags)?;
    let model_folder = format!("{}/models/{}", run::artifact_uri(conn, run_id)?, told.timeframe);
    let is_model_folder = served.location.as_ref() == Some(&model_folder);
    let model_file =
        served.files.sha256.get(MODEL_FILE).filter(|_| is_model_folder && existing.is_none());
    let request = Registration {
        run_id: run_id.clone(),
        name: entering.name().clone(),
        honesty: honesty(conn, &run)?,
        origin,
        trained_timesteps,
        model_sha256: model_file.cloned().unwrap_or_default(),
    };
    let new = NewVersion {
        request: &request,
        row: match entering {
            Entering::Created(entry) => Some(&entry.row),
            Entering::OnRecord(_) => None,
        },
        existing: existing.map(|key| key.version),
        served: &served.files,
        measured: &Measured::default(),
        files,
    };
    let (registered, at) =
        if model_file.is_some() { register(act, &new, None)? } else { adopt(act, &new)? };
    let mut overruled = Vec::new();
    if let Entering::Created(entry) = entering {
        let planned = tag::of_version(conn, &registered.key)?;
        let (free, replaced) = guard_version_tags(&entry.tags, &planned)?;
        tag::set_on_version(conn, &registered.key, &free)?;
        overruled = replaced;
    }
    if is_running {
        run::close(conn, run_id, RunStatus::Finished, at)?;
    }
    Ok((registered, overruled))
}

/// Creates the version as a registration does, with an event that adopts it: no hash of a model file is recorded.
fn adopt(act: &Act<'_>, new: &NewVersion<'_>) -> Result<(Registered, Timestamp), StoreError> {
    let (conn, request) = (act.tx, new.request);
    let parents = names_of_parent(conn, request)?;
    let at = act.time_for(parents.iter().chain([&request.name]))?;
    let parent = request.origin.enhanced.as_ref().map(|enhanced| &enhanced.parent);
    let facts = RegistrationFacts {
        last_version: match new.existing {
            Some(number) => VersionNumber::new(i64::from(number.get()) - 1),
            None => last_version(conn, &request.name)?,
        },
        parent_versions: match parent {
            Some(parent) => versions_of_run(conn, parent)?,
            None => Vec::new(),
        },
        sealed: Sealed::empty(at),
    };
    let plan = plan_registration(request, &facts, at);
    let seals = match parent {
        Some(parent) => sealing::seal_versions_of(conn, parent, new.files, at)?,
        None => Vec::new(),
    };
    carry_out(act, new, &plan, at)?;
    let adopted = adopted(conn, &plan.key, Some(&request.run_id), new.served, at)?;
    // The first event of the plan is that of a registration.
    let superseded = plan.events.into_iter().skip(1);
    let events = act.append(at, seals.into_iter().chain([adopted]).chain(superseded))?;
    Ok((Registered { key: plan.key, superseded: plan.superseded, events }, at))
}
