//! Locations of files: where a version's files are, after the store was relocated.

use serde_json::Value;

/// A folder that a relocation moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MovedFolder {
    /// The event of the relocation.
    event_id: i64,
    from: String,
    to: String,
}

/// The folders that a relocation moved, from the details of its event.
pub(super) fn moved_folders(event_id: i64, details: &str) -> Vec<MovedFolder> {
    let details: Value = serde_json::from_str(details).unwrap_or_default();
    let text = |entry: &Value, field: &str| entry[field].as_str().map(str::to_owned);
    let moves = details["moves"].as_array().map(Vec::as_slice).unwrap_or_default();
    moves
        .iter()
        .filter_map(|entry| {
            Some(MovedFolder { event_id, from: text(entry, "from")?, to: text(entry, "to")? })
        })
        .collect()
}

/// The locations at which files that were recorded at `location` by the event `since` may be now, the latest first. A relocation
/// leaves files in place that were not moved.
pub(super) fn possible(location: &str, since: i64, moved: &[MovedFolder]) -> Vec<String> {
    let mut possible = vec![location.to_owned()];
    for folder in moved.iter().filter(|folder| folder.event_id > since) {
        let before = possible.clone();
        let mapped = before.iter().filter_map(|location| {
            let rest = path_of(location).strip_prefix(&path_of(&folder.from))?.to_owned();
            (rest.is_empty() || rest.starts_with('/')).then(|| format!("{}{rest}", folder.to))
        });
        possible.splice(0..0, mapped);
    }
    possible
}

/// Whether two locations are the same folder: a path may be written as it is, or as a `file` URI.
pub(super) fn is_same(a: &str, b: &str) -> bool {
    a == b || path_of(a) == path_of(b)
}

/// The path of a `file` URI; other locations as they are.
fn path_of(location: &str) -> String {
    let Some(encoded) = location.strip_prefix("file://") else { return location.to_owned() };
    let encoded = encoded.strip_prefix("localhost").unwrap_or(encoded).as_bytes();
    let mut path = Vec::with_capacity(encoded.len());
    let mut idx = 0;
    while idx < encoded.len() {
        let digits = encoded.get(idx + 1..idx + 3).and_then(|two| std::str::from_utf8(two).ok());
        let byte = digits.and_then(|two| u8::from_str_radix(two, 16).ok());
        if let Some(byte) = byte.filter(|_| encoded[idx] == b'%') {
            path.push(byte);
            idx += 3;
        } else {
            path.push(encoded[idx]);
            idx += 1;
        }
    }
    String::from_utf8_lossy(&path).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn location_follows_each_relocation_after_it_was_recorded() {
        let moves = |id, from: &str, to: &str| {
            moved_folders(id, &serde_json::json!({"moves": [{"from": from, "to": to}]}).to_string())
        };
        let mut moved = moves(3, "/a", "/b");
        moved.extend(moves(7, "/b", "/c d"));
        assert_eq!(possible("/a/x", 1, &moved), ["/c d/x", "/b/x", "/a/x"]);
        assert_eq!(possible("/a/x", 5, &moved), ["/a/x"]);
        assert_eq!(possible("/ab/x", 1, &moved), ["/ab/x"]);
        assert!(is_same("file:///c%20d/x", "/c d/x"));
        assert!(!is_same("/c%20d/x", "/c d/x"));
    }
}
