//! The location below which new experiments keep their artifacts.

/// The location below which new experiments keep their artifacts: a folder, or the URI at which the server passes artifacts on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArtifactRoot(String);

impl ArtifactRoot {
    /// Artifacts that go through the server.
    pub const PROXY: &str = "mlflow-artifacts:/";

    /// A folder or URI.
    pub fn new(location: impl Into<String>) -> Self {
        Self(location.into())
    }

    /// The location of a part below it.
    pub fn join(&self, part: &str) -> String {
        join(&self.0, &[part])
    }
}

/// A location with parts appended.
pub(crate) fn join(location: &str, parts: &[&str]) -> String {
    let mut joined = location.trim_end_matches('/').to_owned();
    for part in parts {
        joined.push('/');
        joined.push_str(part);
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_separated_by_one_slash() {
        assert_eq!(ArtifactRoot::new(ArtifactRoot::PROXY).join("7"), "mlflow-artifacts:/7");
        assert_eq!(ArtifactRoot::new("/a/b").join("7"), "/a/b/7");
        assert_eq!(join("s3://bucket/", &["a", "artifacts"]), "s3://bucket/a/artifacts");
    }
}
