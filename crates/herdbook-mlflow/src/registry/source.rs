//! The source of a new version: what it may be, and where its files are.

use std::path::{Component, Path, PathBuf};

use herdbook_store::engine::db::Conn;
use herdbook_store::{Store, params};
use serde_json::{Value, json};

use crate::error::MlflowError;
use crate::python;
use crate::read::read;
use crate::registry::aliases::version_of;
use crate::registry::record;
use crate::registry::registered_models::is_prompt_on_record;
use crate::registry::stages::MlflowStage;
use crate::registry::uri::{Uri, decoded_plus};
use crate::registry::validation::{check_name, is_prompt, parse_version};
use crate::sql::text;

/// The sources of prompts, which have no files.
const PROMPT_SOURCES: [&str; 2] = ["dummy-source", "prompt-template"];
/// The schemes whose URIs name a host, to which the server would connect.
const HOST_SCHEMES: [&str; 10] =
    ["ftp", "sftp", "hdfs", "viewfs", "http", "https", "mlflow-artifacts", "r2", "b2", "abfss"];
/// The tag of a logged model with the versions that were registered from it.
const MODEL_VERSIONS: &str = "mlflow.modelVersions";

/// What a client says of the files of a new version.
#[derive(Debug, Clone, Default)]
pub struct VersionRequest<'a> {
    /// The URI of the files.
    pub source: &'a str,
    /// The run; `None` if the request has no such field.
    pub run_id: Option<&'a str>,
    /// The logged model; `None` if the request has no such field.
    pub model_id: Option<&'a str>,
    /// The tags, which say whether it is a prompt.
    pub tags: &'a [(String, String)],
}

/// The files of a new version.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResolvedSource {
    /// The URI to record.
    pub source: String,
    /// The URI of the folder that MLflow serves.
    pub storage_location: String,
    /// The run; empty if there is none.
    pub run_id: String,
    /// The logged model; empty if there is none.
    pub model_id: String,
}

/// Checks the source of a new version and finds its files.
///
/// # Errors
/// [`MlflowError::Refused`] if the source is not allowed, or names something that does not exist; those of the store.
pub fn resolve_source(
    store: &Store,
    request: &VersionRequest<'_>,
) -> Result<ResolvedSource, MlflowError> {
    let is_prompt = is_prompt(request.tags);
    if is_prompt && !PROMPT_SOURCES.contains(&request.source) {
        return Err(MlflowError::invalid(format!(
            "Invalid prompt source: '{}'. Prompt sources must use an MLflow placeholder.",
            request.source
        )));
    }
    refuse_hosts(request.source)?;
    read(store, |conn| {
        let resolver = Resolver { conn };
        let mut resolved = if is_prompt {
            ResolvedSource {
                source: request.source.to_owned(),
                storage_location: String::new(),
                run_id: request.run_id.unwrap_or_default().to_owned(),
                model_id: request.model_id.unwrap_or_default().to_owned(),
            }
        } else {
            let resolved = resolver.lineage(request)?;
            if resolved.model_id.is_empty() {
                resolver.check_against_run(&resolved.source, &resolved.run_id)?;
            } else {
                resolver.check_against_model(&resolved.source, &resolved.model_id)?;
            }
            resolved
        };
        resolver.locate(&mut resolved)?;
        Ok(resolved)
    })
}

/// Appends a version to the tag of the logged model that it was registered from.
///
/// # Errors
/// [`MlflowError::Refused`] if there is no such logged model; those of the database.
pub fn note_on_logged_model(
    conn: &Conn,
    model_id: &str,
    (name, number): (&str, i64),
) -> Result<(), MlflowError> {
    let experiment: Option<i64> = conn.query_first(
        "SELECT experiment_id FROM logged_models
         WHERE model_id = ?1 AND lifecycle_stage IS DISTINCT FROM 'deleted'",
        params![model_id],
        |row| row.get(0),
    )?;
    let experiment = experiment.ok_or_else(|| no_logged_model(model_id))?;
    let present: Option<String> = conn.query_first(
        "SELECT tag_value FROM logged_model_tags WHERE model_id = ?1 AND tag_key = ?2",
        params![model_id, MODEL_VERSIONS],
        |row| text(row, 0),
    )?;
    let entry = json!({"name": name, "version": number});
    let mut entries = match present.as_deref().map(serde_json::from_str) {
        Some(Ok(Value::Array(present))) if !present.contains(&entry) => present,
        _ => Vec::new(),
    };
    entries.push(entry);
    conn.execute(
        "INSERT INTO logged_model_tags (model_id, experiment_id, tag_key, tag_value)
         VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (model_id, tag_key) DO UPDATE SET tag_value = excluded.tag_value",
        params![model_id, experiment, MODEL_VERSIONS, python_json(&Value::Array(entries))],
    )?;
    Ok(())
}

/// As `json.dumps(value)`.
fn python_json(value: &Value) -> String {
    let joined = |items: Vec<String>| items.join(", ");
    match value {
        Value::String(text) => python::json_text(text),
        Value::Array(items) => format!("[{}]", joined(items.iter().map(python_json).collect())),
        Value::Object(fields) => {
            let field = |(key, value): (&String, &Value)| {
                format!("{}: {}", python::json_text(key), python_json(value))
            };
            format!("{{{}}}", joined(fields.iter().map(field).collect()))
        }
        other => other.to_string(),
    }
}

/// Refuses URIs that name a host: the server would connect to it.
fn refuse_hosts(source: &str) -> Result<(), MlflowError> {
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

/// What a URI `models:/…` names.
#[derive(Debug, Clone, PartialEq, Eq)]
enum ModelUri {
    Logged(String),
    Version(String, String),
    Stage(String, String),
    Newest(String),
    Alias(String, String),
}

impl ModelUri {
    /// `None` if it is not a proper one.
    fn parse(uri: &str) -> Option<Self> {
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

struct Resolver<'a> {
    conn: &'a Conn,
}

impl Resolver<'_> {
    /// The source with the version that it names spelled out, and the run and logged model of that version.
    fn lineage(&self, request: &VersionRequest<'_>) -> Result<ResolvedSource, MlflowError> {
        let given = |id: Option<&str>| id.unwrap_or_default().to_owned();
        let unchanged = ResolvedSource {
            source: request.source.to_owned(),
            storage_location: String::new(),
            run_id: given(request.run_id),
            model_id: given(request.model_id),
        };
        let source = request.source;
        let uri = Uri::split(source);
        if uri.scheme != "models" {
            return Ok(unchanged);
        }
        if !uri.netloc.is_empty() {
            return Err(MlflowError::invalid(format!(
                "Invalid model version source: '{source}'. Registered model sources must use the active model registry."
            )));
        }
        let parsed = ModelUri::parse(source).ok_or_else(|| invalid_source(source, "model_id"))?;
        let name = match &parsed {
            ModelUri::Logged(_) => return Ok(unchanged),
            ModelUri::Version(name, _)
            | ModelUri::Stage(name, _)
            | ModelUri::Newest(name)
            | ModelUri::Alias(name, _) => name,
        };
        check_name(name)?;
        if is_prompt_on_record(&record::model(self.conn, name)?) {
            return Err(MlflowError::invalid(format!(
                "Invalid model version source: '{source}'. Prompt versions cannot be used as model version sources."
            )));
        }
        let number = self.number(&parsed)?;
        let version = record::version(self.conn, name, number)?;
        let of_version = version.run_id.unwrap_or_default();
        let differs = request.run_id.is_some_and(|run_id| run_id != of_version)
            || request.model_id.is_some_and(|model_id| !model_id.is_empty());
        if differs {
            return Err(MlflowError::invalid(format!(
                "Invalid model version source: '{source}'. The run_id and model_id request parameters must match the \
                 referenced model version."
            )));
        }
        Ok(ResolvedSource {
            source: format!("models:/{name}/{number}"),
            storage_location: String::new(),
            run_id: of_version,
            model_id: String::new(),
        })
    }

    /// The number of the version that a URI names.
    fn number(&self, uri: &ModelUri) -> Result<i64, MlflowError> {
        match uri {
            ModelUri::Version(_, number) => parse_version(number),
            ModelUri::Alias(name, alias) => Ok(version_of(self.conn, name, alias)?.version),
            ModelUri::Stage(name, stage) => {
                let stage = MlflowStage::parse(stage)?.as_str();
                self.newest(name, |found| found == stage, &format!(" and stage '{stage}'"))
            }
            ModelUri::Newest(name) | ModelUri::Logged(name) => self.newest(name, |_| true, ""),
        }
    }

    fn newest(
        &self,
        name: &str,
        is_wanted: impl Fn(&str) -> bool,
        of_stage: &str,
    ) -> Result<i64, MlflowError> {
        let versions = record::model(self.conn, name)?.latest_versions;
        let wanted = versions
            .iter()
            .filter(|version| version.current_stage.as_deref().is_some_and(&is_wanted));
        wanted.map(|version| version.version).max().ok_or_else(|| {
            MlflowError::missing(format!("No versions of model with name '{name}'{of_stage} found"))
        })
    }

    fn check_against_run(&self, source: &str, run_id: &str) -> Result<(), MlflowError> {
        if is_local(source)? {
            let root =
                if run_id.is_empty() { None } else { Some(self.root_of_run(source, run_id)?) };
            if root.is_some_and(|root| contains_local(&root, source)) {
                return Ok(());
            }
            let is_resolved = !run_id.is_empty();
            return Err(not_below(source, is_resolved, "run_id"));
        }
        refuse_relative_paths(source)?;
        let uri = Uri::split(source);
        match uri.scheme.as_str() {
            "runs" => {
                let of_source = uri.path_without_parameters().strip_prefix('/').unwrap_or_default();
                let of_source = of_source.split('/').next().unwrap_or_default();
                if uri.netloc.is_empty() && !run_id.is_empty() && of_source == run_id {
                    return Ok(());
                }
                return Err(invalid_source(source, "run_id"));
            }
            "models" => {
                if matches!(ModelUri::parse(source), None | Some(ModelUri::Logged(_))) {
                    return Err(invalid_source(source, "model_id"));
                }
            }
            _ => {}
        }
        if is_proxied(&uri) {
            let root =
                if run_id.is_empty() { None } else { Some(self.root_of_run(source, run_id)?) };
            if !root.is_some_and(|root| contains(&root, &uri)) {
                return Err(invalid_source(source, "run_id"));
            }
        }
        Ok(())
    }

    fn check_against_model(&self, source: &str, model_id: &str) -> Result<(), MlflowError> {
        if is_local(source)? {
            if contains_local(&self.root_of_model(source, model_id)?, source) {
                return Ok(());
            }
            return Err(not_below(source, true, "model_id"));
        }
        refuse_relative_paths(source)?;
        let uri = Uri::split(source);
        match uri.scheme.as_str() {
            "models" => match ModelUri::parse(source) {
                Some(ModelUri::Logged(of_source)) if of_source != model_id => {
                    return Err(invalid_source(source, "model_id"));
                }
                None => return Err(invalid_source(source, "model_id")),
                Some(_) => return Ok(()),
            },
            "runs" => return Err(invalid_source(source, "model_id")),
            _ => {}
        }
        if is_proxied(&uri) && !contains(&self.root_of_model(source, model_id)?, &uri) {
            return Err(invalid_source(source, "model_id"));
        }
        Ok(())
    }

    fn root_of_run(&self, source: &str, run_id: &str) -> Result<String, MlflowError> {
        let found = self.conn.query_first(
            "SELECT artifact_uri FROM runs WHERE run_uuid = ?1",
            params![run_id],
            |row| text(row, 0),
        )?;
        found.ok_or_else(|| invalid_source(source, "run_id"))
    }

    fn root_of_model(&self, source: &str, model_id: &str) -> Result<String, MlflowError> {
        let found = self.logged_model(model_id)?;
        Ok(found.ok_or_else(|| invalid_source(source, "model_id"))?.0)
    }

    /// Location and run of a logged model.
    fn logged_model(&self, model_id: &str) -> Result<Option<(String, String)>, MlflowError> {
        Ok(self.conn.query_first(
            "SELECT artifact_location, source_run_id FROM logged_models
             WHERE model_id = ?1 AND lifecycle_stage IS DISTINCT FROM 'deleted'",
            params![model_id],
            |row| Ok((text(row, 0)?, text(row, 1)?)),
        )?)
    }

    /// Finds the folder that MLflow serves, and the run of a logged model.
    fn locate(&self, resolved: &mut ResolvedSource) -> Result<(), MlflowError> {
        let source = &resolved.source;
        resolved.storage_location = match ModelUri::parse(source) {
            None => source.clone(),
            Some(ModelUri::Logged(model_id)) => {
                let (location, run_id) = self.logged_model(&model_id)?.ok_or_else(|| {
                    MlflowError::invalid(format!(
                        "Unable to fetch model from model URI source artifact location '{source}'.Error: Logged model \
                         with ID '{model_id}' not found."
                    ))
                })?;
                if resolved.run_id.is_empty() {
                    resolved.run_id = run_id;
                }
                location
            }
            Some(uri @ ModelUri::Version(..)) => {
                let ModelUri::Version(name, _) = &uri else { return Ok(()) };
                record::location_of(self.conn, name, self.number(&uri)?)?.unwrap_or_default()
            }
            // Every other one was spelled out as a version.
            Some(_) => source.clone(),
        };
        if resolved.run_id.is_empty() && !resolved.model_id.is_empty() {
            let found = self.logged_model(&resolved.model_id)?;
            resolved.run_id = found.ok_or_else(|| no_logged_model(&resolved.model_id))?.1;
        }
        Ok(())
    }
}

fn no_logged_model(model_id: &str) -> MlflowError {
    MlflowError::missing(format!("Logged model with ID '{model_id}' not found."))
}

fn invalid_source(source: &str, parameter: &str) -> MlflowError {
    MlflowError::invalid(format!(
        "Invalid model version source: '{source}'. The {parameter} request parameter must identify the resource that \
         contains the source."
    ))
}

/// The refusal of a local path. MLflow shows it without links and relative parts if it was compared with a folder.
fn not_below(source: &str, is_resolved: bool, parameter: &str) -> MlflowError {
    let resolved = if is_resolved { real_path(source) } else { None };
    let source = resolved.map_or_else(|| source.to_owned(), |path| path.display().to_string());
    MlflowError::invalid(format!(
        "Invalid model version source: '{source}'. To use a local path as a model version source, the {parameter} request \
         parameter has to be specified and the local path has to be contained within the artifact directory of the run \
         specified by the {parameter}."
    ))
}

/// Whether a URI names a file of the server's machine.
fn is_local(uri: &str) -> Result<bool, MlflowError> {
    let parsed = Uri::split(uri);
    let host = parsed.hostname();
    let is_remote = !host.is_empty()
        && host != "."
        && !host.starts_with("localhost")
        && !host.starts_with("127.0.0.1");
    match parsed.scheme.as_str() {
        "" => Ok(true),
        "file" if is_remote => Err(MlflowError::invalid(format!(
            "{uri} is not a valid remote uri. For remote access on windows, please consider using a different scheme such \
             as SMB (e.g. smb://<hostname>/<path>)."
        ))),
        "file" => Ok(true),
        _ => Ok(false),
    }
}

/// Whether a local path lies below a root, which must be local too. Links are followed as far as the files exist.
fn contains_local(root: &str, source: &str) -> bool {
    if !is_local(root).unwrap_or(false) {
        return false;
    }
    let (Some(root), Some(source)) = (real_path(root), real_path(source)) else { return false };
    source.starts_with(root)
}

/// The path of a local URI, without links and relative parts.
fn real_path(uri: &str) -> Option<PathBuf> {
    let path = if uri.starts_with("file:") { Uri::split(uri).path } else { uri.to_owned() };
    let path = percent_encoding::percent_decode_str(&path).decode_utf8().ok()?.into_owned();
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
fn refuse_relative_paths(source: &str) -> Result<(), MlflowError> {
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
fn is_proxied(uri: &Uri) -> bool {
    const ROUTE: [&str; 4] = ["api", "2.0", "mlflow-artifacts", "artifacts"];
    let (scheme, _, parts) = uri.normalized();
    scheme == "mlflow-artifacts"
        || (["http", "https"].contains(&scheme.as_str())
            && parts.windows(ROUTE.len()).any(|window| window == ROUTE))
}

/// Whether a URI lies below a root.
fn contains(root: &str, uri: &Uri) -> bool {
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
