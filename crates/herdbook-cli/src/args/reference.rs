//! How a command names one model version: by number, as champion, as the newest one, or by its run.

use herdbook_domain::{InvalidName, RunId, VersionNumber};

/// One model version, as written on the command line.
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
                .map_err(|_: InvalidName| {
                    format!(
                        "`{text}` is not a model version: give a version number, `champion`, `latest` or a run id"
                    )
                }),
        }
    }
}

impl Reference {
    /// The reference given as an argument, or else with `--model-version`.
    pub(crate) fn of(reference: Option<Self>, version: Option<VersionNumber>) -> Option<Self> {
        reference.or(version.map(Self::Version))
    }
}
