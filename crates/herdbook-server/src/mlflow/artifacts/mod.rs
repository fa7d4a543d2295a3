//! Artifacts: the proxy through which clients read and write files, and the calls that list and show files of runs, logged
//! models and versions.

mod calls;
mod download;
mod kind;
mod list;
mod path;
mod place;
mod range;
pub(crate) mod routes;
mod stream;
mod upload;

pub(crate) use calls::{ENDPOINTS, PROXY_ENDPOINTS};
