//! MLflow's REST API: HTTP, credentials, and one function per call.

pub(crate) mod answer;
mod credentials;
mod failure;
mod files;
pub(crate) mod graphql;
mod http;
pub(crate) mod registry;
pub(crate) mod runs;
pub(crate) mod wire;

pub use self::credentials::Access;
pub use self::http::{Client, Method, Trying, query_string};
