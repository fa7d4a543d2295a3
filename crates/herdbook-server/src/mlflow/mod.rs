//! MLflow's REST API. Its wire shapes are here alone.
//!
//! To add an endpoint:
//! 1. In the file of its group, add its fields, its checks and its act to the table `ENDPOINTS`. The fields are those of the
//!    message in MLflow's `service.proto` or `model_registry.proto`, in order; the checks those of `_get_request_message` in
//!    MLflow's `server/handlers.py`.
//! 2. Its act reads the message, makes one call of `herdbook_mlflow`, and renders the result with [`wire::answer::answer`].
//!    Structs of answers stand beside it; a field that MLflow leaves out is an `Option`.
//! 3. A new group is listed in [`router`].
//!
//! Acts run on blocking threads and may wait for the store. Requests that stream, such as artifacts, have handlers of
//! their own.

pub(crate) mod artifacts;
pub(crate) mod endpoint;
mod experiments;
mod logged_models;
mod metrics;
mod model_versions;
mod probes;
mod registered_models;
mod registry;
pub(crate) mod router;
mod runs;
mod unserved;
pub(crate) mod wire;
