//! The headers by which a browser handles a file: its type, and that it is to be stored and not shown. A page among the
//! artifacts must not run as a page of this server.

use unicode_normalization::UnicodeNormalization;

/// Suffixes of files that MLflow shows as text, and names that count as such.
const TEXT: [&str; 26] = [
    "txt",
    "log",
    "err",
    "cfg",
    "conf",
    "cnf",
    "cf",
    "ini",
    "properties",
    "prop",
    "hocon",
    "toml",
    "yaml",
    "yml",
    "xml",
    "json",
    "js",
    "py",
    "py3",
    "csv",
    "tsv",
    "md",
    "rst",
    "ipynb",
    "MLmodel",
    "MLproject",
];
/// Types of other files, as Python's `mimetypes` gives them.
const TYPES: [(&str, &str); 42] = [
    ("aac", "audio/aac"),
    ("avi", "video/x-msvideo"),
    ("avif", "image/avif"),
    ("bat", "text/plain"),
    ("bmp", "image/bmp"),
    ("c", "text/plain"),
    ("css", "text/css"),
    ("doc", "application/msword"),
    ("eps", "application/postscript"),
    ("gif", "image/gif"),
    ("h", "text/plain"),
    ("h5", "application/x-hdf5"),
    ("htm", "text/html"),
    ("html", "text/html"),
    ("ico", "image/vnd.microsoft.icon"),
    ("jpe", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("jpg", "image/jpeg"),
    ("ksh", "text/plain"),
    ("mht", "message/rfc822"),
    ("mjs", "text/javascript"),
    ("mov", "video/quicktime"),
    ("mp3", "audio/mpeg"),
    ("mp4", "video/mp4"),
    ("mpeg", "video/mpeg"),
    ("pdf", "application/pdf"),
    ("png", "image/png"),
    ("ps", "application/postscript"),
    ("pyc", "application/x-python-code"),
    ("sh", "application/x-sh"),
    ("svg", "image/svg+xml"),
    ("tar", "application/x-tar"),
    ("tex", "application/x-tex"),
    ("tif", "image/tiff"),
    ("tiff", "image/tiff"),
    ("txt", "text/plain"),
    ("wasm", "application/wasm"),
    ("wav", "audio/x-wav"),
    ("webm", "video/webm"),
    ("webmanifest", "application/manifest+json"),
    ("webp", "image/webp"),
    ("zip", "application/zip"),
];
/// Suffixes of compressed files. The type is that of the content.
const COMPRESSED: [&str; 5] = ["gz", "Z", "bz2", "xz", "br"];

/// The type of a file, by its name.
pub(super) fn content_type(name: &str) -> &'static str {
    let suffix = suffix(name);
    if TEXT.contains(&suffix.unwrap_or(name)) {
        return "text/plain";
    }
    let Some(suffix) = suffix else { return "application/octet-stream" };
    if suffix == "tgz" {
        return "application/x-tar";
    }
    let suffix = if COMPRESSED.contains(&suffix) {
        match name.rsplit_once('.').and_then(|(rest, _)| self::suffix(rest)) {
            Some(inner) => inner,
            None => return "application/octet-stream",
        }
    } else {
        suffix
    };
    let lower = suffix.to_ascii_lowercase();
    let known = TYPES.iter().find(|(known, _)| *known == lower);
    let as_text = ["csv", "json", "xml", "md", "py", "js", "tsv", "rst"];
    match known {
        Some((_, kind)) => kind,
        // Python knows these, too, beside MLflow's own list, which tells upper from lower case.
        None if as_text.contains(&lower.as_str()) => python_type(&lower),
        None => "application/octet-stream",
    }
}

fn python_type(suffix: &str) -> &'static str {
    match suffix {
        "csv" => "text/csv",
        "json" => "application/json",
        "xml" => "text/xml",
        "md" => "text/markdown",
        "py" => "text/x-python",
        "js" => "text/javascript",
        "tsv" => "text/tab-separated-values",
        _ => "text/plain",
    }
}

/// The text after the last dot; `None` for a name that begins with its only dot, or has none.
fn suffix(name: &str) -> Option<&str> {
    let (before, suffix) = name.rsplit_once('.')?;
    let has_name = before.chars().any(|c| c != '.');
    (has_name && !suffix.is_empty()).then_some(suffix)
}

/// The header `Content-Disposition` of a file to be stored under a name (RFC 6266, RFC 5987).
pub(super) fn attachment(name: &str) -> String {
    if name.is_ascii() {
        return format!("attachment; filename={}", quoted(name));
    }
    let ascii: String = name.nfkd().filter(char::is_ascii).collect();
    let fallback = if ascii.is_empty() { "download" } else { &ascii };
    let mut encoded = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    format!("attachment; filename={}; filename*=UTF-8''{encoded}", quoted(fallback))
}

/// A header's value, in quotes if it is more than one token.
fn quoted(value: &str) -> String {
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if !value.is_empty() && value.chars().all(is_token) {
        return value.to_owned();
    }
    format!("\"{}\"", value.replace('\\', r"\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn type_follows_the_name() {
        for (name, expected) in [
            ("a.txt", "text/plain"),
            ("CAPITAL.TXT", "text/plain"),
            ("b.json", "text/plain"),
            ("B.JSON", "application/json"),
            ("MLmodel", "text/plain"),
            ("page.html", "text/html"),
            ("a.PNG", "image/png"),
            ("a.tar.gz", "application/x-tar"),
            ("a.gz", "application/octet-stream"),
            ("model.zip", "application/zip"),
            ("model.onnx", "application/octet-stream"),
            ("no_suffix", "application/octet-stream"),
            (".hidden", "application/octet-stream"),
            ("", "application/octet-stream"),
        ] {
            assert_eq!(content_type(name), expected, "{name}");
        }
    }

    #[test]
    fn name_of_an_attachment_cannot_end_its_header() {
        for (name, expected) in [
            ("a.txt", "attachment; filename=a.txt"),
            ("with space.txt", "attachment; filename=\"with space.txt\""),
            ("semi;\"quote'\\", "attachment; filename=\"semi;\\\"quote'\\\\\""),
            ("", "attachment; filename=\"\""),
            ("ä漢.txt", "attachment; filename=a.txt; filename*=UTF-8''%C3%A4%E6%BC%A2.txt"),
            ("漢", "attachment; filename=download; filename*=UTF-8''%E6%BC%A2"),
        ] {
            assert_eq!(attachment(name), expected);
        }
    }
}
