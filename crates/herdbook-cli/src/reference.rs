//! How a command names one model version: by number, as champion, as the newest, or by its run.

use herdbook_domain::{ModelName, RunId, VersionKey, VersionNumber};
use herdbook_store::{RunRecord, Store, StoreError, VersionQuery, VersionRecord};

use crate::args::{DEFAULT_FAMILY, Family, OptionalFamily};
use crate::failure::{Code, Failure};

/// One model version, as named on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reference {
    Latest,
    Champion,
    Version(VersionNumber),
    Run(RunId),
}

impl std::str::FromStr for Reference {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "latest" => Ok(Self::Latest),
            "champion" => Ok(Self::Champion),
            _ => RunId::parse(text)
                .map(Self::Run)
                .or_else(|_| text.parse().map(Self::Version))
                .map_err(|_: herdbook_domain::InvalidName| {
                    format!(
                        "`{text}` names no model: give a version number, `champion`, `latest` or a run id"
                    )
                }),
        }
    }
}

impl Family {
    pub(crate) fn name(&self) -> Result<ModelName, Failure> {
        Ok(ModelName::of_timeframe(self.timeframe, &self.model)?)
    }
}

impl OptionalFamily {
    /// The registered model, where a timeframe was given.
    pub(crate) fn given_name(&self) -> Result<Option<ModelName>, Failure> {
        let model = self.model.as_deref().unwrap_or(DEFAULT_FAMILY);
        let name = self.timeframe.map(|timeframe| ModelName::of_timeframe(timeframe, model));
        Ok(name.transpose()?)
    }

    fn name(&self) -> Result<ModelName, Failure> {
        self.given_name()?
            .ok_or_else(|| Failure::usage("which registered model? give `--timeframe`"))
    }
}

/// A run that may be gone for good, as `mlflow gc` leaves it.
pub(crate) fn run_of(store: &Store, version: &VersionRecord) -> Result<Option<RunRecord>, Failure> {
    let Some(run_id) = &version.run_id else { return Ok(None) };
    match store.run(run_id) {
        Ok(run) => Ok(Some(run)),
        Err(StoreError::NoSuchRun { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

impl Reference {
    /// The reference of a command that takes it as an argument or as `--model-version`.
    pub(crate) fn of(reference: Option<Self>, version: Option<VersionNumber>) -> Option<Self> {
        reference.or(version.map(Self::Version))
    }

    /// The version it names.
    pub(crate) fn find(
        &self,
        store: &Store,
        family: &OptionalFamily,
    ) -> Result<VersionRecord, Failure> {
        match self {
            Self::Run(run_id) => {
                store.run(run_id)?;
                store.version_of_run(run_id)?.ok_or_else(|| {
                    Failure::new(Code::NotFound, format!("run `{run_id}` has no registered model"))
                        .with_hint(format!("`herdbook history --run {run_id}` shows what happened"))
                })
            }
            Self::Version(version) => {
                let key = VersionKey { name: family.name()?, version: *version };
                Ok(store.version(&key)?)
            }
            Self::Champion => {
                let name = family.name()?;
                store.champion(&name)?.ok_or_else(|| {
                    Failure::new(Code::NotFound, format!("`{name}` has no champion"))
                })
            }
            Self::Latest => {
                let name = family.name()?;
                let query = VersionQuery { name: Some(name.clone()), ..VersionQuery::default() };
                store.versions(&query)?.records.into_iter().next().ok_or_else(|| {
                    Failure::new(Code::NotFound, format!("`{name}` has no version"))
                        .with_hint("`herdbook list` shows every version")
                })
            }
        }
    }
}
