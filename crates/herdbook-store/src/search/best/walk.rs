//! What the plans share: their last tables, the order of versions, and the limit of a walk.

/// The tables that every plan joins last: the versions `v` of the runs that it walks, and those runs `r`.
pub(super) const VERSIONS_AND_RUNS: &str = "model_versions v CROSS JOIN runs r";

/// The order in which the newest version comes first.
pub(super) const NEWEST_FIRST: &str = "v.creation_time DESC, v.version DESC, v.name";

/// How many rows a walk looks at. If none of them is a candidate, candidates are rare, and another plan looks for them by
/// their tags.
pub(super) const WALK_LIMIT: i64 = 250;

/// How a walk along an index ended.
pub(super) enum Walked<T> {
    /// At a candidate.
    Found(T),
    /// At the last row: there is no candidate.
    ToTheEnd,
    /// At the limit, without a candidate so far.
    ToTheLimit,
}
