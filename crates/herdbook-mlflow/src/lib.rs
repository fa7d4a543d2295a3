//! MLflow's tracking store and registry: the acts and searches that its REST API offers, on the records of a store.
//!
//! What MLflow 3.17 does is done here, to the letter: limits, defaults, error codes, order of results. The rules of the
//! life cycle are not known here.

mod act;
mod artifact_root;
pub mod artifacts;
mod error;
pub mod experiments;
pub mod logged_models;
pub mod metrics;
mod page;
pub mod python;
mod read;
pub mod registry;
pub mod runs;
mod sql;
mod validate;

pub use act::write;
pub use artifact_root::ArtifactRoot;
pub use error::{Code, MlflowError};
pub use page::{Page, Wanted};
pub use sql::ViewType;
