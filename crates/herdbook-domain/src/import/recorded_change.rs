//! A change of stage as a tag of the source records it.

use super::zone::Zone;
use crate::values::{Stage, Timestamp};

/// A change of stage as a tag records it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RecordedChange {
    pub(super) at: Timestamp,
    /// Position among several changes within one minute, from 1.
    pub(super) ordinal: u32,
    pub(super) from: Stage,
    pub(super) to: Stage,
    /// The key of the tag, as found.
    pub(super) tag: String,
}

impl RecordedChange {
    /// Reads a tag such as `promotion_<YYYYMMDD_HHMMSS>` = `beta -> champion`; the seconds may be missing, and a suffix
    /// such as `_2` may follow. `rest` is the key without `promotion_`. `None` for any other form.
    pub(super) fn read(tag: &str, rest: &str, value: &str, zone: Zone) -> Option<Self> {
        let (time, ordinal) = match rest.match_indices('_').nth(1) {
            None => (rest, 1),
            Some((at, _)) => (&rest[..at], rest[at + 1..].parse().ok()?),
        };
        let (from, to) = value.split_once("->")?;
        let stage = |text: &str| text.trim().to_lowercase().parse().ok();
        Some(Self {
            at: zone.moment_of_tag(time)?,
            ordinal,
            from: stage(from)?,
            to: stage(to)?,
            tag: tag.to_owned(),
        })
    }
}

/// The part after `promotion_` in the key of a recorded change, which begins with a digit; `None` for other keys.
pub(super) fn change_key(tag: &str) -> Option<&str> {
    tag.strip_prefix("promotion_").filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(tag: &str, value: &str) -> Option<RecordedChange> {
        RecordedChange::read(tag, change_key(tag)?, value, Zone::UTC)
    }

    #[test]
    fn change_is_read_in_each_of_its_forms() {
        let change = read("promotion_20250610_141733", "development -> beta").unwrap();
        assert_eq!(change.at.to_string(), "2025-06-10T14:17:33Z");
        assert_eq!((change.from, change.to), (Stage::Development, Stage::Beta));
        let change = read("promotion_20250610_1417_2", "Beta->Champion").unwrap();
        assert_eq!((change.at.to_string().as_str(), change.ordinal), ("2025-06-10T14:17:00Z", 2));
        assert_eq!((change.from, change.to), (Stage::Beta, Stage::Champion));
    }

    #[test]
    fn other_tags_are_no_change() {
        assert_eq!(read("promotion_stage", "beta"), None);
        assert_eq!(read("promotion_20250610_141733", "beta"), None);
        assert_eq!(read("promotion_20250610_141733", "beta -> live"), None);
        assert_eq!(read("promotion_2025", "beta -> champion"), None);
        assert_eq!(read("promotion_20250610_141733_x", "beta -> champion"), None);
    }
}
