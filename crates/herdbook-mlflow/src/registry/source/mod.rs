//! The source of a new version: what it may be, and where its files are.

mod location;
mod logged_model;
mod model_uri;

use herdbook_store::engine::db::Conn;
use herdbook_store::{Store, params};

use self::location::{
    contains, contains_local, is_local, is_proxied, real_path, refuse_hosts, refuse_relative_paths,
};
use self::logged_model::no_logged_model;
use self::model_uri::ModelUri;
use crate::error::MlflowError;
use crate::read::read;
use crate::registry::aliases::version_of;
use crate::registry::record;
use crate::registry::registered_models::is_prompt_on_record;
use crate::registry::stages::MlflowStage;
use crate::registry::uri::Uri;
use crate::registry::validation::{check_name, is_prompt, parse_version};
use crate::sql::text;

pub use logged_model::note_on_logged_model;

/// The sources of prompts, which have no files.
const PROMPT_SOURCES: [&str; 2] = ["dummy-source", "prompt-template"];
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
            // Every other one of `models:/` was spelled out as a version.
            Some(_) | None => source.clone(),
        };
        if resolved.run_id.is_empty() && !resolved.model_id.is_empty() {
            let found = self.logged_model(&resolved.model_id)?;
            resolved.run_id = found.ok_or_else(|| no_logged_model(&resolved.model_id))?.1;
        }
        Ok(())
    }
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
