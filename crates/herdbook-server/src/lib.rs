//! The HTTP server: MLflow's REST API on the records of a store.
//!
//! [`serve`] listens until the process is told to stop. Requests are read and answered asynchronously; the store, which is
//! synchronous, is used on a bounded pool of threads.

mod app;
mod counters;
mod error;
mod life_cycle;
mod mlflow;
mod native;
mod router;
mod server;
mod telemetry;

pub use error::ServeError;
pub use life_cycle::{LifeCycle, Mode, NamePattern};
pub use native::openapi_json;
pub use server::{Config, serve};
