//! URIs as Python's `urllib.parse` takes them apart.

use percent_encoding::percent_decode_str;

/// The parts of a URI.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Uri {
    /// In lower case; empty if there is none.
    pub(super) scheme: String,
    /// The part after `//`.
    pub(super) netloc: String,
    /// The path with parameters after `;`, without query and fragment.
    pub(super) path: String,
}

impl Uri {
    /// As `urllib.parse.urlsplit`.
    pub(super) fn split(text: &str) -> Self {
        let text = text.trim_start_matches(|c: char| c <= ' ').replace(['\t', '\r', '\n'], "");
        let (scheme, rest) = match text.split_once(':') {
            Some((scheme, rest)) if is_scheme(scheme) => (scheme.to_lowercase(), rest),
            _ => (String::new(), text.as_str()),
        };
        let (netloc, rest) = match rest.strip_prefix("//") {
            Some(rest) => rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len())),
            None => ("", rest),
        };
        let path = rest.split(['#', '?']).next().unwrap_or_default();
        Self { scheme, netloc: netloc.to_owned(), path: path.to_owned() }
    }

    /// The path without the parameters of its last part, as by `urllib.parse.urlparse`.
    pub(super) fn path_without_parameters(&self) -> &str {
        let has_parameters = [
            "", "ftp", "hdl", "http", "https", "imap", "mms", "rtsp", "sftp", "shttp", "sip",
            "sips",
        ];
        if !has_parameters.contains(&self.scheme.as_str()) {
            return &self.path;
        }
        let last = self.path.rfind('/').map_or(0, |idx| idx + 1);
        self.path[last..].find(';').map_or(self.path.as_str(), |idx| &self.path[..last + idx])
    }

    /// The host in lower case, without user and port; empty if there is none.
    pub(super) fn hostname(&self) -> String {
        let host = self.netloc.rsplit('@').next().unwrap_or_default();
        let host = match host.strip_prefix('[') {
            Some(v6) => v6.split(']').next().unwrap_or_default(),
            None => host.split(':').next().unwrap_or_default(),
        };
        host.to_lowercase()
    }

    /// Scheme, authority and the parts of the path, each decoded until nothing is left to decode.
    pub(super) fn normalized(&self) -> (String, String, Vec<String>) {
        let parts = self.path.split('/').filter(|part| !part.is_empty());
        (self.scheme.clone(), self.netloc.to_lowercase(), parts.map(decoded).collect())
    }
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
}

/// A text decoded until nothing is left to decode. Bytes that are not UTF-8 are replaced.
pub(super) fn decoded(text: &str) -> String {
    repeatedly(text, |text| percent_decode_str(text).decode_utf8_lossy().into_owned())
}

/// As [`decoded`], with `+` for a space.
pub(super) fn decoded_plus(text: &str) -> String {
    repeatedly(text, |text| {
        percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
    })
}

fn repeatedly(text: &str, decode: impl Fn(&str) -> String) -> String {
    let mut text = text.to_owned();
    loop {
        let decoded = decode(&text);
        if decoded == text {
            return decoded;
        }
        text = decoded;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_are_taken_apart_as_by_python() {
        let parts = |text: &str| {
            let Uri { scheme, netloc, path } = Uri::split(text);
            (scheme, netloc, path)
        };
        for (text, scheme, netloc, path) in [
            ("/a/b", "", "", "/a/b"),
            ("S3://Bucket/a?b#c", "s3", "Bucket", "/a"),
            ("models:/m-1", "models", "", "/m-1"),
            ("1a:/x", "", "", "1a:/x"),
            ("runs://host/x", "runs", "host", "/x"),
            ("file:///a", "file", "", "/a"),
        ] {
            assert_eq!(
                parts(text),
                (scheme.to_owned(), netloc.to_owned(), path.to_owned()),
                "{text}"
            );
        }
        assert_eq!(Uri::split("ftp://u@Host:21/x").hostname(), "host");
        assert_eq!(Uri::split("http://h/a/b;c").path_without_parameters(), "/a/b");
        assert_eq!(decoded("..%252f"), "../");
        assert_eq!(decoded_plus("a+b%2B"), "a b ");
    }
}
