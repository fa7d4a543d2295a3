//! The model registry: registered models, model versions, their tags and aliases.
//!
//! Writers work on the open transaction of an act, so that a caller can decide on the records before it writes:
//!
//! ```no_run
//! use herdbook_mlflow::{MlflowError, registry, write};
//! use herdbook_store::Session;
//!
//! fn describe(session: &Session) -> Result<(), MlflowError> {
//!     write(session, |act| {
//!         registry::update_model(act.tx, "churn", "the second one", herdbook_store::now())
//!     })?;
//!     Ok(())
//! }
//! ```

mod aliases;
mod deletion;
mod model_versions;
mod order;
mod record;
mod registered_models;
mod search;
mod source;
mod stages;
mod tags;
mod uri;
mod validation;

pub use aliases::{check_alias, delete_alias, parse_alias, set_alias, version_by_alias};
pub use deletion::{delete_model, delete_version};
pub use model_versions::{
    NewModelVersion, create_version, download_uri, get_version, latest_versions, require_version,
    update_version,
};
pub use record::{ModelVersion, RegisteredModel};
pub use registered_models::{create_model, get_model, rename_model, require_model, update_model};
pub use search::{RegistrySearch, search_models, search_versions};
pub use source::{ResolvedSource, VersionRequest, note_on_logged_model, resolve_source};
pub use stages::{MlflowStage, others_in_stage, transition_stage};
pub use tags::{delete_model_tag, delete_version_tag, set_model_tag, set_version_tag, version_tag};
pub use validation::{is_prompt, parse_key};
