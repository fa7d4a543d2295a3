//! Tags by which an import keeps what it changes.

/// Tag of a version whose number in the source was another one.
pub const IMPORTED_FROM_VERSION: &str = "imported_from_version";
/// Tag of a run whose status in the source was another one.
pub const IMPORTED_STATUS: &str = "imported_status";

/// The key under which the source's value of a tag is kept when the import writes another value.
pub fn kept_key(key: &str) -> String {
    format!("imported_{key}")
}
