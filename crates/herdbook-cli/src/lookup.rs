//! Finds the model version that a command names, and its run.

use std::num::NonZeroUsize;

use herdbook_domain::{ModelName, RunId, Timeframe, VersionKey};
use herdbook_store::{RunRecord, Store, StoreError, VersionOrRun, VersionQuery, VersionRecord};

use crate::args::{DEFAULT_MODEL, Family, OptionalFamily, Reference};
use crate::failure::{Code, Failure};
use crate::terminal::one_line;

/// At most this many registered models are named in a hint.
const MAX_NAMED: usize = 8;

/// The version that a reference names. Without a run id it needs the timeframe.
pub(crate) fn find(
    reference: &Reference,
    store: &Store,
    family: &OptionalFamily,
) -> Result<VersionRecord, Failure> {
    match reference {
        Reference::Run(prefix) => of_run(store, &store.run_id_of(prefix)?),
        Reference::Version(version) => {
            let key = VersionKey { name: name(store, family)?, version: *version };
            Ok(store.version(&key)?)
        }
        Reference::VersionOrRun(version, prefix) => {
            let Some(name) = given_name(store, family)? else {
                return match store.run_id_of(prefix) {
                    Ok(run_id) => of_run(store, &run_id),
                    Err(StoreError::NoSuchRunPrefix { .. }) => Err(unnamed_model(store)?),
                    Err(error) => Err(error.into()),
                };
            };
            match store.version_or_run(&VersionKey { name, version: *version }, prefix)? {
                VersionOrRun::Version(found) => Ok(*found),
                VersionOrRun::Run(run_id) => of_run(store, &run_id),
            }
        }
        Reference::Champion => {
            let name = name(store, family)?;
            store
                .champion(&name)?
                .ok_or_else(|| Failure::new(Code::NotFound, format!("`{name}` has no champion")))
        }
        Reference::Latest => {
            let name = name(store, family)?;
            let query = VersionQuery {
                name: Some(name.clone()),
                limit: Some(NonZeroUsize::MIN),
                ..VersionQuery::default()
            };
            store.versions(&query)?.records.into_iter().next().ok_or_else(|| {
                Failure::new(Code::NotFound, format!("`{name}` has no version"))
                    .with_hint("`herdbook list` shows every version")
            })
        }
    }
}

/// The version that was registered from a run.
fn of_run(store: &Store, run_id: &RunId) -> Result<VersionRecord, Failure> {
    store.run(run_id)?;
    store.version_of_run(run_id)?.ok_or_else(|| {
        Failure::new(Code::NotFound, format!("run `{run_id}` has no registered model"))
            .with_hint(format!("`herdbook history --run {run_id}` shows what happened"))
    })
}

fn name(store: &Store, family: &OptionalFamily) -> Result<ModelName, Failure> {
    given_name(store, family)?.map_or_else(|| Err(unnamed_model(store)?), Ok)
}

/// The failure of a command to whose flags no registered model belongs.
fn unnamed_model(store: &Store) -> Result<Failure, Failure> {
    let failure = Failure::usage("the registered model is not named: give `--timeframe`");
    let models: Vec<String> = store
        .summaries()?
        .records
        .iter()
        .map(|model| format!("`{}`", model.newest.key.name))
        .collect();
    Ok(match models.len() {
        0 => failure.with_hint("there is none yet: `herdbook train --timeframe …` trains one"),
        1..=MAX_NAMED => failure.with_hint(format!("registered models: {}", models.join(", "))),
        _ => failure.with_hint("`herdbook status` shows all registered models"),
    })
}

/// The registered model that the flags name, or `None` without a timeframe.
pub(crate) fn given_name(
    store: &Store,
    family: &OptionalFamily,
) -> Result<Option<ModelName>, Failure> {
    let Some(timeframe) = family.timeframe else { return Ok(None) };
    let model = family.model.clone().unwrap_or_else(|| DEFAULT_MODEL.to_owned());
    name_of(store, &Family { timeframe, model }).map(Some)
}

/// The registered model that the flags name: `{timeframe}_{NAME}`. Where there is none, but a model is called `NAME` in full,
/// that one is meant: MLflow can rename a model to any name.
pub(crate) fn name_of(store: &Store, family: &Family) -> Result<ModelName, Failure> {
    let composed = family.name()?;
    if family.model == DEFAULT_MODEL {
        return Ok(composed);
    }
    let Ok(full) = ModelName::parse(&family.model) else { return Ok(composed) };
    Ok(if !store.has_model(&composed)? && store.has_model(&full)? { full } else { composed })
}

/// The registered models with a name: the one called so in full, and those called so after their timeframe.
///
/// # Errors
/// [`Code::NotFound`] if there is none.
pub(crate) fn models_called(
    store: &Store,
    model: &str,
    timeframe: Option<Timeframe>,
) -> Result<Vec<ModelName>, Failure> {
    let candidates = if let Some(timeframe) = timeframe {
        vec![name_of(store, &Family { timeframe, model: model.to_owned() })?]
    } else {
        let full = ModelName::parse(model)?;
        let composed =
            Timeframe::ALL.iter().map(|timeframe| ModelName::of_timeframe(*timeframe, model));
        std::iter::once(Ok(full)).chain(composed).collect::<Result<_, _>>()?
    };
    let mut found = Vec::new();
    for name in candidates {
        if store.has_model(&name)? {
            found.push(name);
        }
    }
    if found.is_empty() {
        let timeframe = timeframe.map(|timeframe| format!(" at {timeframe}")).unwrap_or_default();
        let message = format!("there is no registered model `{}`{timeframe}", one_line(model));
        return Err(Failure::new(Code::NotFound, message)
            .with_hint("`herdbook status` shows every registered model"));
    }
    Ok(found)
}

/// The run of a version, or `None` if it was removed for good, for example by `mlflow gc`.
pub(crate) fn run_of(store: &Store, version: &VersionRecord) -> Result<Option<RunRecord>, Failure> {
    let Some(run_id) = &version.run_id else { return Ok(None) };
    match store.run(run_id) {
        Ok(run) => Ok(Some(run)),
        Err(StoreError::NoSuchRun { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
