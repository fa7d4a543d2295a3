//! What the server tells about itself: a log line a request, its counters, and whether it is ready.

pub(crate) mod probes;
pub(crate) mod requests;
