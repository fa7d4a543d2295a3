//! Search for registered models, with the fallback to a base model.

use herdbook_domain::{
    Departure, MetricName, ModelType, Obstacle, Symbol, Timeframe, VersionKey, VersionType,
    attempts_for_latest, base_model_fallback,
};
use herdbook_store::{Best, Candidates, Contaminated, Store, StoreError, VersionRecord};

/// Criteria for the search.
#[derive(Debug, Clone)]
pub struct FindQuery {
    /// Timeframe of the model.
    pub timeframe: Timeframe,
    /// Type of the model.
    pub model_type: ModelType,
    /// Symbol of the model; `None` matches any.
    pub symbol: Option<Symbol>,
    /// Minimum of timesteps trained, including those of ancestors.
    pub min_timesteps: u64,
    /// Whether contaminated models are considered.
    pub contaminated: Contaminated,
}

/// A model that was found, and how it was found.
#[derive(Debug, Clone)]
pub struct FoundModel {
    /// The model.
    pub version: VersionRecord,
    /// The type that was searched for when it was found.
    pub model_type: ModelType,
    /// Whether a fallback was taken.
    pub departure: Departure,
    /// Last finite value of the metric; `None` if the search was not by a metric.
    pub value: Option<f64>,
    /// Params of the data (symbol, bars, windows) in which the candidates differ; empty if there are none.
    pub differing: Vec<String>,
    /// Better or newer versions whose model file is missing or altered, so that they cannot be used.
    pub passed_over: Vec<(VersionKey, Obstacle)>,
}

/// Versions that searches passed over because they cannot be used.
pub(crate) type PassedOver = Vec<(VersionKey, Obstacle)>;

/// The newest candidate that can be used.
pub(crate) fn newest_usable(
    store: &Store,
    candidates: &Candidates,
    passed: &mut PassedOver,
) -> Result<Option<VersionRecord>, StoreError> {
    let search = |passed_over| store.find_latest(&Candidates { passed_over, ..candidates.clone() });
    store.first_usable(passed, search, |found| found)
}

/// The best candidate that can be used.
fn best_usable(
    store: &Store,
    candidates: &Candidates,
    metric: &MetricName,
    passed: &mut PassedOver,
) -> Result<Option<Best>, StoreError> {
    let search =
        |passed_over| store.find_best(&Candidates { passed_over, ..candidates.clone() }, metric);
    store.first_usable(passed, search, |found| &found.version)
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
            passed_over: Vec::new(),
        }
    }
}

/// Finds the newest model of a type and version type. Falls back to a base model of any version type if no model of the
/// type exists.
///
/// # Errors
/// [`StoreError`] if the store cannot be read.
pub fn find_latest(
    store: &Store,
    query: &FindQuery,
    version_type: Option<VersionType>,
) -> Result<Option<FoundModel>, StoreError> {
    let mut passed = PassedOver::new();
    let mut latest = |model_type, version_type, departure| {
        let candidates = query.candidates(model_type, version_type);
        let found = newest_usable(store, &candidates, &mut passed)?;
        Ok::<_, StoreError>(found.map(|version| FoundModel {
            version,
            model_type,
            departure,
            value: None,
            differing: Vec::new(),
            passed_over: passed.clone(),
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

/// Finds the newest model of a version type, whatever its type: the latest registration, then the higher version. The type of
/// the query is ignored.
///
/// # Errors
/// [`StoreError`] if the store cannot be read.
pub fn find_latest_of_any_type(
    store: &Store,
    query: &FindQuery,
    version_type: Option<VersionType>,
) -> Result<Option<FoundModel>, StoreError> {
    let mut passed = PassedOver::new();
    let mut newest: Option<FoundModel> = None;
    for model_type in ModelType::ALL.iter().copied() {
        let candidates = query.candidates(model_type, version_type);
        let Some(version) = newest_usable(store, &candidates, &mut passed)? else { continue };
        let age = |version: &VersionRecord| (version.created_at, version.key.version);
        if newest.as_ref().is_none_or(|newest| age(&version) > age(&newest.version)) {
            newest = Some(FoundModel {
                version,
                model_type,
                departure: Departure::None,
                value: None,
                differing: Vec::new(),
                passed_over: Vec::new(),
            });
        }
    }
    // A version that was passed over matters only if it is newer than the one that was found.
    if let Some(newest) = &mut newest {
        for (key, why) in passed {
            if store.version(&key)?.created_at >= newest.version.created_at {
                newest.passed_over.push((key, why));
            }
        }
    }
    Ok(newest)
}

/// Finds the model that an enhancement would use as parent: with a metric the best that is not contaminated, else the
/// newest, where models without children come first.
///
/// # Errors
/// [`StoreError`] if the store cannot be read.
pub fn find_parent(
    store: &Store,
    query: &FindQuery,
    metric: Option<&MetricName>,
) -> Result<Option<FoundModel>, StoreError> {
    if let Some(metric) = metric {
        let query = FindQuery { contaminated: Contaminated::Skipped, ..query.clone() };
        return find_best(store, &query, metric);
    }
    let mut passed_over = PassedOver::new();
    for attempt in attempts_for_latest(query.model_type) {
        let candidates = query.candidates(attempt.model_type, attempt.version_type);
        if let Some(version) = newest_usable(store, &candidates, &mut passed_over)? {
            return Ok(Some(FoundModel {
                version,
                model_type: attempt.model_type,
                departure: attempt.departure,
                value: None,
                differing: Vec::new(),
                passed_over,
            }));
        }
    }
    Ok(None)
}

/// Finds the best model of a type by a metric; falls back to the best base model if there is none.
///
/// # Errors
/// [`StoreError`] if the store cannot be read.
pub fn find_best(
    store: &Store,
    query: &FindQuery,
    metric: &MetricName,
) -> Result<Option<FoundModel>, StoreError> {
    let mut passed_over = PassedOver::new();
    for attempt in herdbook_domain::attempts_for_best(query.model_type) {
        let candidates = query.candidates(attempt.model_type, attempt.version_type);
        if let Some(best) = best_usable(store, &candidates, metric, &mut passed_over)? {
            return Ok(Some(FoundModel {
                version: best.version,
                model_type: attempt.model_type,
                departure: attempt.departure,
                value: Some(best.value),
                differing: best.differing,
                passed_over,
            }));
        }
    }
    Ok(None)
}
