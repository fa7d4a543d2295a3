//! Finds the model version that a command names, and its run.

use herdbook_domain::{ModelName, VersionKey};
use herdbook_store::{RunRecord, Store, StoreError, VersionQuery, VersionRecord};

use crate::args::{OptionalFamily, Reference};
use crate::failure::{Code, Failure};

/// The version that a reference names. Without a run id it needs the timeframe.
pub(crate) fn find(
    reference: &Reference,
    store: &Store,
    family: &OptionalFamily,
) -> Result<VersionRecord, Failure> {
    match reference {
        Reference::Run(run_id) => {
            store.run(run_id)?;
            store.version_of_run(run_id)?.ok_or_else(|| {
                Failure::new(Code::NotFound, format!("run `{run_id}` has no registered model"))
                    .with_hint(format!("`herdbook history --run {run_id}` shows what happened"))
            })
        }
        Reference::Version(version) => {
            let key = VersionKey { name: name(family)?, version: *version };
            Ok(store.version(&key)?)
        }
        Reference::Champion => {
            let name = name(family)?;
            store
                .champion(&name)?
                .ok_or_else(|| Failure::new(Code::NotFound, format!("`{name}` has no champion")))
        }
        Reference::Latest => {
            let name = name(family)?;
            let query = VersionQuery { name: Some(name.clone()), ..VersionQuery::default() };
            store.versions(&query)?.records.into_iter().next().ok_or_else(|| {
                Failure::new(Code::NotFound, format!("`{name}` has no version"))
                    .with_hint("`herdbook list` shows every version")
            })
        }
    }
}

fn name(family: &OptionalFamily) -> Result<ModelName, Failure> {
    family
        .given_name()?
        .ok_or_else(|| Failure::usage("the registered model is not named: give `--timeframe`"))
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
