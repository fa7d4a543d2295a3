//! Registered models and model versions on the wire.

use herdbook_mlflow::{python, registry};
use serde::Serialize;

use crate::mlflow::wire::answer::{Pair, pairs};
use crate::mlflow::wire::json::Json;
use crate::mlflow::wire::message::{Field, text};

/// The fields of a tag in a request.
pub(crate) const TAG: &[Field] = &[text("key"), text("value")];

/// Checks that a number is at most a limit. An empty error stands for the usual text.
pub(crate) fn check_at_most(value: &Json, limit: i128) -> Result<(), String> {
    let number = match value {
        Json::Int(number) => Some(*number),
        Json::Float(number) => Some(*number as i128),
        Json::Text(text) => python::parse_int(text),
        _ => None,
    };
    if number.is_some_and(|number| number > limit) { Err(String::new()) } else { Ok(()) }
}

/// A registered model.
#[derive(Serialize)]
pub(crate) struct RegisteredModel<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    creation_timestamp: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_updated_timestamp: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    latest_versions: Vec<ModelVersion<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<Pair<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    aliases: Vec<Alias<'a>>,
}

#[derive(Serialize)]
struct Alias<'a> {
    alias: &'a str,
    version: String,
}

impl<'a> RegisteredModel<'a> {
    pub(crate) fn of(model: &'a registry::RegisteredModel) -> Self {
        let alias =
            |(alias, version): &'a (String, i64)| Alias { alias, version: version.to_string() };
        Self {
            name: &model.name,
            creation_timestamp: model.creation_time,
            last_updated_timestamp: model.last_updated_time.filter(|time| *time != 0),
            description: model.description.as_deref().filter(|text| !text.is_empty()),
            latest_versions: model.latest_versions.iter().map(ModelVersion::of).collect(),
            tags: pairs(&model.tags),
            aliases: model.aliases.iter().map(alias).collect(),
        }
    }
}

/// A model version.
#[derive(Serialize)]
pub(crate) struct ModelVersion<'a> {
    name: &'a str,
    version: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    creation_timestamp: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_updated_timestamp: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    current_stage: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_message: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<Pair<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run_link: Option<&'a str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    aliases: &'a [String],
}

impl<'a> ModelVersion<'a> {
    pub(crate) fn of(version: &'a registry::ModelVersion) -> Self {
        Self {
            name: &version.name,
            version: version.version.to_string(),
            creation_timestamp: version.creation_time,
            last_updated_timestamp: version.last_updated_time,
            user_id: version.user_id.as_deref(),
            current_stage: version.current_stage.as_deref(),
            description: version.description.as_deref(),
            source: version.source.as_deref(),
            run_id: version.run_id.as_deref(),
            status: version.status.as_deref(),
            status_message: version.status_message.as_deref().filter(|text| !text.is_empty()),
            tags: pairs(&version.tags),
            run_link: version.run_link.as_deref(),
            aliases: &version.aliases,
        }
    }
}

#[derive(Serialize)]
pub(crate) struct OneModel<'a> {
    pub(crate) registered_model: RegisteredModel<'a>,
}

#[derive(Serialize)]
pub(crate) struct Models<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) registered_models: Vec<RegisteredModel<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_page_token: Option<&'a str>,
}

#[derive(Serialize)]
pub(crate) struct OneVersion<'a> {
    pub(crate) model_version: ModelVersion<'a>,
}

#[derive(Serialize)]
pub(crate) struct Versions<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) model_versions: Vec<ModelVersion<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_page_token: Option<&'a str>,
}
