//! Logged models: models that runs made, before anybody registers them.

mod acts;
mod order;
mod record;
mod request;
mod search;
mod token;

pub use acts::{NewModel, create, delete, delete_tag, finalize, log_params, set_tags};
pub use order::OrderBy;
pub use record::{LoggedModel, ModelMetric, get};
pub use request::{DatasetFilter, ModelSearch};
pub use search::search;
