//! Paths of artifacts in requests. A path that could leave its root is refused.

use percent_encoding::percent_decode_str;

use crate::mlflow::wire::failure::Failure;

/// How often a path is decoded before it is taken for an attack.
const MAX_ROUNDS: usize = 10;
/// Beginning of the names that MLflow gives to files that are being written.
pub(super) const RESERVED: &str = ".artifact.uploading.";

/// The path that a request means: decoded until it no longer changes.
///
/// # Errors
/// A refusal if it is absolute, names a parent folder, or has a fragment or a line break.
pub(super) fn safe(given: &str) -> Result<String, Failure> {
    let path = decoded(given).ok_or_else(refusal)?;
    let is_windows_root = path.starts_with(r"\\")
        || matches!(path.as_bytes(), [drive, b':', b'/' | b'\\', ..] if drive.is_ascii_alphabetic());
    let is_file_uri = path.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("file:"));
    let is_unsafe = path.contains(['#', '\r', '\n', '\t'])
        || path.split('/').any(|part| part == "..")
        || path.starts_with('/')
        || is_windows_root
        || is_file_uri;
    if is_unsafe { Err(refusal()) } else { Ok(without_control(&path)) }
}

/// The path without empty parts and `.`: what the file system makes of it.
///
/// # Errors
/// A refusal if it names a parent folder.
pub(super) fn normal(path: &str) -> Result<String, Failure> {
    let parts: Vec<&str> =
        path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    if parts.contains(&"..") { Err(refusal()) } else { Ok(parts.join("/")) }
}

/// Checks the path of a file that is to be written, and returns the file's name.
///
/// # Errors
/// A refusal if its folder has another normal form, or the name is reserved.
pub(super) fn name_to_write(path: &str) -> Result<&str, Failure> {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let folder =
        if folder.chars().all(|c| c == '/') { folder } else { folder.trim_end_matches('/') };
    let normal_folder = normal(folder)?;
    if !folder.is_empty() && (normal_folder != folder || folder.starts_with("..")) {
        let shown = if normal_folder.is_empty() { "." } else { &normal_folder };
        return Err(Failure::invalid(format!(
            "Invalid artifact path: '{folder}'. Names may be treated as files in certain cases, and must not resolve \
             to other names when treated as such. This name would resolve to '{shown}'"
        )));
    }
    if name.starts_with(RESERVED) {
        return Err(Failure::invalid(format!(
            "Invalid artifact file name: '{name}'. Artifact names starting with '{RESERVED}' are reserved."
        )));
    }
    Ok(name)
}

pub(super) fn refusal() -> Failure {
    Failure::invalid("Invalid path")
}

fn decoded(given: &str) -> Option<String> {
    let mut path = given.to_owned();
    for _ in 0..MAX_ROUNDS {
        let next = percent_decode_str(&path).decode_utf8_lossy().into_owned();
        if next == path {
            return Some(path);
        }
        path = next;
    }
    None
}

/// The path with its control characters encoded again.
fn without_control(path: &str) -> String {
    let mut shown = String::with_capacity(path.len());
    for c in path.chars() {
        match u32::from(c) {
            code @ (0..=31 | 127) => shown.push_str(&format!("%{code:02x}")),
            _ => shown.push(c),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_that_could_leave_its_root_is_refused() {
        for path in [
            "../x",
            "a/../../x",
            "%2e%2e/x",
            "..%2fx",
            "%252e%252e%252fx",
            "/etc/passwd",
            "//etc/passwd",
            "%2fetc",
            "C:/x",
            "c%3a%5cx",
            r"\\server\share",
            "file:///x",
            "FILE:x",
            "a#b",
            "a%0d%0ab",
            "a\tb",
        ] {
            assert!(safe(path).is_err(), "{path}");
        }
        let mut deep = "../x".to_owned();
        for _ in 0..20 {
            deep = deep.replace('%', "%25").replace('.', "%2e");
        }
        assert!(safe(&deep).is_err());
    }

    #[test]
    fn other_paths_are_decoded() {
        for (path, expected) in [
            ("a/b.txt", "a/b.txt"),
            ("with%20space", "with space"),
            ("%25", "%"),
            ("%zz", "%zz"),
            ("...", "..."),
            ("..a/a..", "..a/a.."),
            (r"..\x", r"..\x"),
            ("a%00b", "a%00b"),
            ("a\u{1}b", "a%01b"),
            ("%ff", "\u{fffd}"),
            ("ä", "ä"),
        ] {
            assert_eq!(safe(path).ok().as_deref(), Some(expected), "{path}");
        }
        assert_eq!(normal("a//./b/").unwrap(), "a/b");
        assert_eq!(normal(".").unwrap(), "");
    }

    #[test]
    fn folder_of_a_written_file_has_its_normal_form() {
        for path in ["a", "a/b", "a//b", "a/b/c"] {
            assert!(name_to_write(path).is_ok(), "{path}");
        }
        for path in ["./a", "a/./b", "a//b/c", ".artifact.uploading.x", "a/.artifact.uploading.x"] {
            assert!(name_to_write(path).is_err(), "{path}");
        }
    }
}
