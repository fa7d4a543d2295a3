//! The facts on which conditions are judged.

use std::collections::BTreeMap;

use crate::evidence::{Evaluation, Standing};
use crate::values::{RunId, Timeframe, Timestamp, VersionNumber};

/// The recorded results of a version.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct VersionEvidence {
    /// The version's timeframe; `None` where none is known.
    pub timeframe: Option<Timeframe>,
    /// The version's run.
    pub run_id: Option<RunId>,
    /// The run of the version's parent.
    pub parent: Option<RunId>,
    /// The sealed value of each metric of the run, by name: the last finite one at the moment of the seal.
    pub metrics: BTreeMap<String, f64>,
    /// The sealed params of the run, by key.
    pub params: BTreeMap<String, String>,
    /// The version's evaluations on later bars, oldest first.
    pub evaluations: Vec<Evaluation>,
    /// The evidence among all tries of the register; `None` if the version was never evaluated, or if no condition asks.
    pub standing: Option<Standing>,
}

/// The facts on which the conditions on a promotion are judged, as of the moment of the change.
#[derive(Debug, Clone, PartialEq)]
pub struct ConditionFacts {
    /// The moment.
    pub now: Timestamp,
    /// The version that is to rise.
    pub version: VersionEvidence,
    /// The champion it would displace; `None` where there is none.
    pub champion: Option<(VersionNumber, VersionEvidence)>,
    /// When the version entered beta; `None` where it is not in beta.
    pub in_beta_since: Option<Timestamp>,
}
