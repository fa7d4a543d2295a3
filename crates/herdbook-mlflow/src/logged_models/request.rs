//! What a search for logged models asks for.

use crate::logged_models::order::OrderBy;

/// A search for logged models.
#[derive(Debug, Clone, Default)]
pub struct ModelSearch {
    /// The experiments.
    pub experiment_ids: Vec<String>,
    /// A filter; all models if it is empty.
    pub filter: String,
    /// Only models with a metric on one of these datasets, if there are any. Conditions on metrics then look at values on
    /// these datasets only.
    pub datasets: Vec<DatasetFilter>,
    /// Order clauses, the first one first.
    pub order_by: Vec<OrderBy>,
    /// The token of the wanted page; the first if it is empty.
    pub page_token: String,
    /// Most models of the page; the default if it is 0.
    pub max_results: i64,
}

impl ModelSearch {
    /// The filter, unless it is empty.
    pub(crate) fn filter(&self) -> Option<&str> {
        Some(self.filter.as_str()).filter(|filter| !filter.is_empty())
    }
}

/// A dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatasetFilter {
    /// Its name.
    pub name: String,
    /// Its digest. `None` stands for datasets without a digest, as in MLflow.
    pub digest: Option<String>,
}
