//! Which locations a client may name.

use std::path::{Component, Path, PathBuf};

use percent_encoding::percent_decode_str;

use crate::error::MlflowError;
use crate::registry::uri::{Uri, decoded_plus};

/// The schemes whose URIs name a host, to which the server would connect.
const HOST_SCHEMES: [&str; 10] =
    ["ftp", "sftp", "hdfs", "viewfs", "http", "https", "mlflow-artifacts", "r2", "b2", "abfss"];

/// Refuses URIs that name a host: the server would connect to it.
pub(super) fn refuse_hosts(source: &str) -> Result<(), MlflowError> {
    let Uri { scheme, netloc, .. } = Uri::split(source);
    let names_no_host = scheme == "mlflow-artifacts" && netloc.is_empty();
    if !HOST_SCHEMES.contains(&scheme.as_str()) || names_no_host {
        return Ok(());
    }
    Err(MlflowError::invalid(format!(
        "'source' cannot use the '{scheme}' scheme: the '{scheme}' scheme addresses a host other than the tracking \
         server's configured artifact storage, so the server would connect to the host named in the URI. Set the \
         MLFLOW_ALLOWED_HOST_ADDRESSED_ARTIFACT_SCHEMES environment variable on the server to allow it."
    )))
}

/// Whether a URI names a file of the server's machine.
pub(super) fn is_local(uri: &str) -> Result<bool, MlflowError> {
    let parsed = Uri::split(uri);
    let host = parsed.hostname();
    let is_remote = !host.is_empty()
        && host != "."
        && !host.starts_with("localhost")
        && !host.starts_with("127.0.0.1");
    match parsed.scheme.as_str() {
        "file" if is_remote => Err(MlflowError::invalid(format!(
            "{uri} is not a valid remote uri. For remote access on windows, please consider using a different scheme such \
             as SMB (e.g. smb://<hostname>/<path>)."
        ))),
        "" | "file" => Ok(true),
        _ => Ok(false),
    }
}

/// Whether a local path lies below a root, which must be local too. Links are followed as far as the files exist.
pub(super) fn contains_local(root: &str, source: &str) -> bool {
    if !is_local(root).unwrap_or(false) {
        return false;
    }
    let (Some(root), Some(source)) = (real_path(root), real_path(source)) else { return false };
    source.starts_with(root)
}

/// The path of a local URI, without links and relative parts.
pub(super) fn real_path(uri: &str) -> Option<PathBuf> {
    let path = if uri.starts_with("file:") { Uri::split(uri).path } else { uri.to_owned() };
    let path = percent_decode_str(&path).decode_utf8().ok()?.into_owned();
    let mut real = std::path::absolute(Path::new("/")).ok()?;
    let absolute = std::path::absolute(&path).ok()?;
    for part in absolute.components() {
        match part {
            Component::ParentDir => {
                real.pop();
            }
            Component::Normal(name) => {
                real.push(name);
                if let Ok(followed) = real.canonicalize() {
                    real = followed;
                }
            }
            _ => {}
        }
    }
    Some(real)
}

/// Refuses relative parts of a path, encoded ones too: they could lead to files of the server.
pub(super) fn refuse_relative_paths(source: &str) -> Result<(), MlflowError> {
    let decoded = decoded_plus(source);
    let uri = Uri::split(&decoded);
    let mut path = String::new();
    for c in uri.path_without_parameters().trim_end_matches('/').chars() {
        if c != '/' || !path.ends_with('/') {
            path.push(c);
        }
    }
    let is_plain = path.starts_with('/') && path.split('/').all(|part| part != ".");
    let is_safe = !path.contains('\0') && decoded.split('/').all(|part| part != "..");
    if is_plain && is_safe {
        return Ok(());
    }
    Err(MlflowError::invalid(format!(
        "Invalid model version source: '{source}'. If supplying a source as an http, https, local file path, ftp, \
         objectstore, or mlflow-artifacts uri, an absolute path must be provided without relative path references \
         present. Please provide an absolute path."
    )))
}

/// Whether the files go through an MLflow server.
pub(super) fn is_proxied(uri: &Uri) -> bool {
    const ROUTE: [&str; 4] = ["api", "2.0", "mlflow-artifacts", "artifacts"];
    let (scheme, _, parts) = uri.normalized();
    scheme == "mlflow-artifacts"
        || (["http", "https"].contains(&scheme.as_str())
            && parts.windows(ROUTE.len()).any(|window| window == ROUTE))
}

/// Whether a URI lies below a root.
pub(super) fn contains(root: &str, uri: &Uri) -> bool {
    let (scheme, authority, parts) = uri.normalized();
    let (root_scheme, root_authority, root_parts) = Uri::split(root).normalized();
    scheme == root_scheme
        && authority == root_authority
        && !root_parts.is_empty()
        && parts.starts_with(&root_parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_parts_are_refused_however_they_are_encoded() {
        for bad in [
            "mlflow-artifacts:/../../a",
            "s3://bucket/a/../b",
            "s3://bucket/..%2f..%2fetc",
            "s3://bucket/a%00b",
            "s3://bucket/%252e%252e/a",
            "s3://bucket/./a",
            "s3://bucket",
        ] {
            assert!(refuse_relative_paths(bad).is_err(), "{bad}");
        }
        for fine in ["s3://bucket/a/b/", "mlflow-artifacts:/1/a//b", "dbfs:/a"] {
            assert!(refuse_relative_paths(fine).is_ok(), "{fine}");
        }
    }

    #[test]
    fn uri_lies_below_a_root_by_whole_parts() {
        let below = |root, uri| contains(root, &Uri::split(uri));
        assert!(below("mlflow-artifacts:/1/a/artifacts", "mlflow-artifacts:/1/a/artifacts/m"));
        assert!(below("mlflow-artifacts:/1/a", "mlflow-artifacts:/1/%61/m"));
        assert!(!below("mlflow-artifacts:/1/a", "mlflow-artifacts:/1/ab"));
        assert!(!below("mlflow-artifacts:/1/a", "mlflow-artifacts://host/1/a"));
        assert!(!below("mlflow-artifacts:/", "mlflow-artifacts:/1"));
    }

    #[test]
    fn local_path_lies_below_a_root_after_links_are_followed() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("run");
        std::fs::create_dir_all(root.join("model")).unwrap();
        std::fs::create_dir_all(folder.path().join("secret")).unwrap();
        std::os::unix::fs::symlink(folder.path().join("secret"), root.join("link")).unwrap();
        let (root, show) = (root.display().to_string(), |part: &str| {
            format!("{}/{part}", folder.path().display())
        });
        assert!(contains_local(&root, &show("run/model")));
        assert!(contains_local(&root, &format!("file://{}", show("run/model"))));
        assert!(!contains_local(&root, &show("run/link")));
        assert!(!contains_local(&root, &show("run/../secret")));
        assert!(!contains_local(&root, &show("running")));
        assert!(!contains_local("mlflow-artifacts:/1", &show("run/model")));
    }
}
