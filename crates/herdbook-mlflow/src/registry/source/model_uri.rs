//! URIs `models:/…`.

use crate::registry::uri::Uri;

/// What a URI `models:/…` names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ModelUri {
    Logged(String),
    Version(String, String),
    Stage(String, String),
    Newest(String),
    Alias(String, String),
}

impl ModelUri {
    /// `None` if it is not a proper one.
    pub(super) fn parse(uri: &str) -> Option<Self> {
        // Fragments belong to the path here.
        let rest = Uri::split(uri);
        let path = match uri.find(['?']) {
            _ if rest.scheme != "models" || !rest.netloc.is_empty() => return None,
            Some(end) => &uri["models:".len()..end],
            None => uri.get("models:".len()..)?,
        };
        if !path.starts_with('/') || path.len() <= 1 {
            return None;
        }
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        match parts.as_slice() {
            [name, ..] if name.trim().is_empty() => None,
            [name, suffix] => Some(match *suffix {
                suffix if suffix.trim().is_empty() => return None,
                suffix if suffix.chars().all(|c| c.is_ascii_digit()) => {
                    Self::Version((*name).to_owned(), suffix.to_owned())
                }
                suffix if suffix.eq_ignore_ascii_case("latest") => Self::Newest((*name).to_owned()),
                suffix => Self::Stage((*name).to_owned(), suffix.to_owned()),
            }),
            [name] => match name.rsplit_once('@') {
                Some((_, alias)) if alias.trim().is_empty() => None,
                Some((name, alias)) => Some(Self::Alias(name.to_owned(), alias.to_owned())),
                None => Some(Self::Logged((*name).to_owned())),
            },
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn model_uris_are_read_as_by_mlflow() {
        let owned = |text: &str| text.to_owned();
        for (uri, expected) in [
            ("models:/m-1", Some(ModelUri::Logged(owned("m-1")))),
            ("models:/a/3", Some(ModelUri::Version(owned("a"), owned("3")))),
            ("models:/a/LATEST", Some(ModelUri::Newest(owned("a")))),
            ("models:/a/Production", Some(ModelUri::Stage(owned("a"), owned("Production")))),
            ("models:/a@b@c", Some(ModelUri::Alias(owned("a@b"), owned("c")))),
            ("models:/", None),
            ("models:a", None),
            ("models:/a/", None),
            ("models:/a/b/c", None),
            ("models:/a@", None),
            ("runs:/a/b", None),
        ] {
            assert_eq!(ModelUri::parse(uri), expected, "{uri}");
        }
    }
}
