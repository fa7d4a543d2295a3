//! How a command names one model version: by number, as champion, as the newest one, or by its run.

use herdbook_domain::{RunPrefix, VersionNumber, number_or_run};

/// One model version, as written on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reference {
    Latest,
    Champion,
    Version(VersionNumber),
    /// The version of the run whose id begins with these digits.
    Run(RunPrefix),
    /// The version with this number, or of the run whose id begins with the same digits, whichever exists.
    VersionOrRun(VersionNumber, RunPrefix),
}

impl std::str::FromStr for Reference {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "latest" => Ok(Self::Latest),
            "champion" => Ok(Self::Champion),
            _ => match number_or_run(text) {
                (Some(number), Some(run)) => Ok(Self::VersionOrRun(number, run)),
                (Some(number), None) => Ok(Self::Version(number)),
                (None, Some(run)) => Ok(Self::Run(run)),
                (None, None) => Err(format!(
                    "`{text}` is not a model version: give a version number, `champion`, `latest`, a run id or at least \
                     its first {} digits",
                    RunPrefix::MIN_DIGITS
                )),
            },
        }
    }
}

impl Reference {
    /// The reference given as an argument, or else with `--model-version`.
    pub(crate) fn of(reference: Option<Self>, version: Option<VersionNumber>) -> Option<Self> {
        reference.or(version.map(Self::Version))
    }
}
