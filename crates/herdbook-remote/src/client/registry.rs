//! The calls of MLflow's REST API about registered models and their versions, one function each.
//!
//! Each function returns the errors of [`Client::get`]: [`StoreError::Unreachable`], [`StoreError::ServerRefused`],
//! [`StoreError::NotMlflow`].

use herdbook_store::StoreError;
use serde::Deserialize;
use serde_json::{Value, json};

use super::http::{Client, Method, Trying};
use crate::client::answer::ServerAnswer;
use crate::client::runs::{MODEL_PAGE, found, pages, pairs, path};
use crate::client::wire::{ModelVersion, RegisteredModel};

/// MLflow's largest page of versions.
pub(super) const VERSION_PAGE: usize = 200_000;

/// A version to be created.
pub(crate) struct NewVersion<'a> {
    pub(crate) name: &'a str,
    pub(crate) source: &'a str,
    pub(crate) run_id: &'a str,
    pub(crate) description: &'a str,
}

impl Client {
    // Registered models.

    /// All registered models with their aliases.
    pub(crate) fn registered_models(&self) -> Result<Vec<RegisteredModel>, StoreError> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(default)]
            registered_models: Vec<RegisteredModel>,
            #[serde(default)]
            next_page_token: String,
        }
        let page = MODEL_PAGE.to_string();
        pages(|token| {
            let query = [("max_results", page.as_str()), ("page_token", token)];
            let answer: Answer = self.get(&path("registered-models/search"), &query)?;
            Ok((answer.registered_models, answer.next_page_token))
        })
    }

    /// A registered model with its aliases; `None` if there is none of this name.
    pub(crate) fn registered_model(
        &self,
        name: &str,
    ) -> Result<Option<RegisteredModel>, StoreError> {
        #[derive(Deserialize)]
        struct Answer {
            registered_model: RegisteredModel,
        }
        let query = [("name", name)];
        let answer = found(self.get::<Answer>(&path("registered-models/get"), &query))?;
        Ok(answer.map(|answer| answer.registered_model))
    }

    /// Creates a registered model, unless it exists.
    pub(crate) fn ensure_model(&self, name: &str) -> Result<(), StoreError> {
        match self.post("registered-models/create", &json!({"name": name})) {
            Err(error) if error.is_presence() => Ok(()),
            outcome => outcome,
        }
    }

    /// Points an alias at a version, in one step: a reader sees the old version or the new one.
    pub(crate) fn set_alias(
        &self,
        name: &str,
        alias: &str,
        version: i64,
    ) -> Result<(), StoreError> {
        let body = json!({"name": name, "alias": alias, "version": version.to_string()});
        self.post("registered-models/alias", &body)
    }

    /// Removes an alias. It is not an error if it does not exist.
    pub(crate) fn delete_alias(&self, name: &str, alias: &str) -> Result<(), StoreError> {
        let body = json!({"name": name, "alias": alias});
        found(self.call::<Value>(Method::Delete, "registered-models/alias", &body)).map(drop)
    }

    // Model versions.

    /// One version; `None` if it does not exist or was deleted.
    pub(crate) fn version(
        &self,
        name: &str,
        version: i64,
    ) -> Result<Option<ModelVersion>, StoreError> {
        #[derive(Deserialize)]
        struct Answer {
            model_version: ModelVersion,
        }
        let version = version.to_string();
        let query = [("name", name), ("version", version.as_str())];
        let answer = found(self.get::<Answer>(&path("model-versions/get"), &query))?;
        Ok(answer.map(|answer| answer.model_version))
    }

    /// The versions that match a filter; without deleted ones.
    pub(crate) fn versions(&self, filter: &str) -> Result<Vec<ModelVersion>, StoreError> {
        pages(|token| {
            let page =
                self.versions_page(&[("filter", filter), ("page_token", token)], VERSION_PAGE)?;
            Ok((page.model_versions, page.next_page_token))
        })
    }

    /// The `n` newest versions of all models, newest first.
    pub(crate) fn newest_versions(&self, n: usize) -> Result<Vec<ModelVersion>, StoreError> {
        let newest_first = [("order_by", "creation_timestamp DESC")];
        Ok(self.versions_page(&newest_first, n)?.model_versions)
    }

    fn versions_page(
        &self,
        query: &[(&str, &str)],
        max_results: usize,
    ) -> Result<VersionPage, StoreError> {
        let max_results = max_results.to_string();
        let mut query = query.to_vec();
        query.push(("max_results", &max_results));
        self.get(&path("model-versions/search"), &query)
    }

    /// Creates a version, without retries: after a lost answer it may exist already.
    pub(crate) fn create_version(
        &self,
        new: &NewVersion<'_>,
        tags: &[(&str, &str)],
    ) -> Result<ModelVersion, StoreError> {
        #[derive(Deserialize)]
        struct Answer {
            model_version: ModelVersion,
        }
        let NewVersion { name, source, run_id, description } = new;
        let body = json!({
            "name": name, "source": source, "run_id": run_id, "description": description,
            "tags": pairs(tags),
        });
        let endpoint = path("model-versions/create");
        Ok(self.send::<Answer>(Method::Post, &endpoint, &body, Trying::Once)?.model_version)
    }

    /// Deletes a version. It is not an error if it does not exist.
    pub(crate) fn delete_version(&self, name: &str, version: i64) -> Result<(), StoreError> {
        let body = json!({"name": name, "version": version.to_string()});
        found(self.call::<Value>(Method::Delete, "model-versions/delete", &body)).map(drop)
    }

    /// Sets a tag of a version; MLflow has no call for several.
    pub(crate) fn set_version_tag(
        &self,
        name: &str,
        version: i64,
        key: &str,
        value: &str,
    ) -> Result<(), StoreError> {
        let body =
            json!({"name": name, "version": version.to_string(), "key": key, "value": value});
        self.post("model-versions/set-tag", &body)
    }

    /// Removes a tag of a version; one that does not exist is no error.
    pub(crate) fn delete_version_tag(
        &self,
        name: &str,
        version: i64,
        key: &str,
    ) -> Result<(), StoreError> {
        let body = json!({"name": name, "version": version.to_string(), "key": key});
        found(self.call::<Value>(Method::Delete, "model-versions/delete-tag", &body)).map(drop)
    }

    /// Sets MLflow's own stage of a version.
    pub(crate) fn transition_stage(
        &self,
        name: &str,
        version: i64,
        stage: &str,
    ) -> Result<(), StoreError> {
        let body = json!({
            "name": name,
            "version": version.to_string(),
            "stage": stage,
            "archive_existing_versions": false,
        });
        self.post("model-versions/transition-stage", &body)
    }
}

/// A page of versions.
#[derive(Deserialize)]
struct VersionPage {
    #[serde(default)]
    model_versions: Vec<ModelVersion>,
    #[serde(default)]
    next_page_token: String,
}

/// The part of a filter that selects the versions of one model.
pub(crate) fn name_filter(name: &str) -> String {
    // MLflow's filters have no escapes inside quotes, but either kind of quotes may be used.
    if name.contains('\'') { format!("name = \"{name}\"") } else { format!("name = '{name}'") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_with_an_apostrophe_is_quoted_the_other_way() {
        assert_eq!(name_filter("1H_m"), "name = '1H_m'");
        assert_eq!(name_filter("ada's"), "name = \"ada's\"");
    }
}
