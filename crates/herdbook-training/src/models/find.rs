//! Finding models, with the fallback to a base model (spec §5).

use herdbook_domain::{
    Departure, MetricName, ModelType, Symbol, Timeframe, VersionType, attempts_for_latest,
    base_model_fallback,
};
use herdbook_store::{Candidates, Contaminated, Store, StoreError, VersionRecord};

/// Which model is looked for.
#[derive(Debug, Clone)]
pub struct FindQuery {
    /// Its timeframe.
    pub timeframe: Timeframe,
    /// Its type.
    pub model_type: ModelType,
    /// Its symbol; `None`: any.
    pub symbol: Option<Symbol>,
    /// The fewest training steps behind it.
    pub min_timesteps: u64,
    /// Whether contaminated models are looked at.
    pub contaminated: Contaminated,
}

/// A model that was found.
#[derive(Debug, Clone)]
pub struct FoundModel {
    /// The model.
    pub version: VersionRecord,
    /// The type it was found as.
    pub model_type: ModelType,
    /// How far it departs from what was asked.
    pub departure: Departure,
    /// The metric's last finite value, where it is the best by one.
    pub value: Option<f64>,
    /// In which params of their data the candidates differ; empty where they can be compared.
    pub differing: Vec<String>,
}

impl FindQuery {
    pub(crate) fn candidates(
        &self,
        model_type: ModelType,
        version_type: Option<VersionType>,
    ) -> Candidates {
        Candidates {
            timeframe: self.timeframe,
            model_type,
            version_type,
            symbol: self.symbol.clone(),
            min_timesteps: self.min_timesteps,
            contaminated: self.contaminated,
        }
    }
}

/// The newest model of a type and version type. Only when there is none of the type at all is a base model of
/// any version type looked for.
pub fn find_latest(
    store: &Store,
    query: &FindQuery,
    version_type: Option<VersionType>,
) -> Result<Option<FoundModel>, StoreError> {
    let latest = |model_type, version_type, departure| -> Result<Option<FoundModel>, StoreError> {
        let found = store.find_latest(&query.candidates(model_type, version_type))?;
        Ok(found.map(|version| FoundModel {
            version,
            model_type,
            departure,
            value: None,
            differing: Vec::new(),
        }))
    };
    if let Some(found) = latest(query.model_type, version_type, Departure::None)? {
        return Ok(Some(found));
    }
    if version_type.is_some() && latest(query.model_type, None, Departure::None)?.is_some() {
        return Ok(None);
    }
    match base_model_fallback(query.model_type) {
        Some(attempt) => latest(attempt.model_type, attempt.version_type, attempt.departure),
        None => Ok(None),
    }
}

/// The model that an enhancement takes for its parent: the best by a metric that is not contaminated, or, without a
/// metric, the newest, one without children first.
pub fn find_parent(
    store: &Store,
    query: &FindQuery,
    metric: Option<&MetricName>,
) -> Result<Option<FoundModel>, StoreError> {
    if let Some(metric) = metric {
        let query = FindQuery { contaminated: Contaminated::Skipped, ..query.clone() };
        return find_best(store, &query, metric);
    }
    for attempt in attempts_for_latest(query.model_type) {
        let candidates = query.candidates(attempt.model_type, attempt.version_type);
        if let Some(version) = store.find_latest(&candidates)? {
            let (model_type, departure) = (attempt.model_type, attempt.departure);
            let differing = Vec::new();
            return Ok(Some(FoundModel { version, model_type, departure, value: None, differing }));
        }
    }
    Ok(None)
}

/// The best model of a type by a metric; when there is none, the best base model.
pub fn find_best(
    store: &Store,
    query: &FindQuery,
    metric: &MetricName,
) -> Result<Option<FoundModel>, StoreError> {
    for attempt in herdbook_domain::attempts_for_best(query.model_type) {
        let candidates = query.candidates(attempt.model_type, attempt.version_type);
        if let Some(best) = store.find_best(&candidates, metric)? {
            return Ok(Some(FoundModel {
                version: best.version,
                model_type: attempt.model_type,
                departure: attempt.departure,
                value: Some(best.value),
                differing: best.differing,
            }));
        }
    }
    Ok(None)
}
