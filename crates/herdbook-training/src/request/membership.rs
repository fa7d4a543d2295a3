//! A run's place among the members of a sweep.

use std::num::NonZeroUsize;

use serde::{Deserialize, Serialize};

/// The property that varies between the members of a sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SweepKind {
    /// The seed: member `i` has the requested seed plus `i`.
    Seeds,
    /// The windows: each member is one fold of a walk-forward.
    WalkForward,
}

/// A run's place in a sweep.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SweepMembership {
    /// The property that varies.
    pub kind: SweepKind,
    /// Number of members of the sweep.
    pub n_members: NonZeroUsize,
    /// Index of this member, from 0 on.
    pub index: usize,
    /// Id that all members of the sweep share.
    pub(crate) group: String,
}
