//! The address of an MLflow server: `http` or `https`, optionally with user and password, which are never shown.

use std::fmt;

use percent_encoding::percent_decode_str;

use super::secrets::uri_without_secrets;

/// The address of an MLflow server. Displays without user and password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerUri {
    /// The address without user and password, and without a slash at the end.
    pub base: String,
    /// User and password, if the address has them.
    pub user: Option<(String, Secret)>,
}

/// A password, which `Debug` does not show.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl fmt::Display for ServerUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&uri_without_secrets(&self.base))
    }
}

impl ServerUri {
    /// Parses an address; `None` if it is not `http` or `https`.
    pub fn parse(uri: &str) -> Option<Self> {
        let (scheme, rest) = uri.trim_end_matches('/').split_once("://")?;
        if !["http", "https"].contains(&scheme) || rest.is_empty() {
            return None;
        }
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let Some((user, host)) = authority.rsplit_once('@') else {
            return Some(Self { base: format!("{scheme}://{rest}"), user: None });
        };
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let (user, password) = user.split_once(':').unwrap_or((user, ""));
        Some(Self {
            base: format!("{scheme}://{host}{path}"),
            user: Some((decoded(user), Secret(decoded(password)))),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_and_password_are_read_and_never_shown() {
        let plain = ServerUri::parse("http://h:5000/").unwrap();
        assert_eq!(plain, ServerUri { base: "http://h:5000".to_owned(), user: None });
        let with_user = ServerUri::parse("https://ada:p%40ss@h/sub/").unwrap();
        assert_eq!(with_user.base, "https://h/sub");
        assert_eq!(with_user.user, Some(("ada".to_owned(), Secret("p@ss".to_owned()))));
        assert!(!format!("{with_user} {with_user:?}").contains("p@ss"));
    }

    #[test]
    fn other_schemes_are_not_servers() {
        for uri in ["sqlite:///a.db", "postgresql://h/d", "http://", "databricks", "ftp://h"] {
            assert_eq!(ServerUri::parse(uri), None);
        }
    }
}
