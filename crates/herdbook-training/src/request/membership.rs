//! A run's place among the members of a sweep.

use std::num::NonZeroUsize;

use serde::{Deserialize, Serialize};

/// What varies between the members of a sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SweepKind {
    /// The seed, counted up from the one asked for.
    Seeds,
    /// The windows.
    WalkForward,
}

/// A run's place in a sweep.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SweepMembership {
    /// What varies.
    pub kind: SweepKind,
    /// Number of members.
    pub n_members: NonZeroUsize,
    /// This one's number, from 0 on.
    pub index: usize,
    /// What ties the members together.
    pub(crate) group: String,
}
