//! The parent of an enhancement: chosen, checked, and its model loaded.

use herdbook_domain::tags::key;
use herdbook_domain::{
    Departure, Enhancement, Honesty, MetricName, ModelName, ModelType, ParentSelector, Symbol,
    Timeframe, VersionKey, Windows, attempts_for_latest, judge_honesty, window_params,
};
use herdbook_ppo::Model;
use herdbook_store::{Contaminated, RunRecord, Store, StoreError, VersionRecord};
use serde::{Deserialize, Serialize};

use crate::error::Passed;
use crate::find::{FindQuery, find_best};
use crate::registered_model::{Loaded, lineage_windows};
use crate::{Observer, TrainingError};

/// What a training asks of its parent.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EnhanceRequest {
    /// How the parent is named.
    pub selector: ParentSelector,
    /// The type looked for by `latest` and `best`.
    pub model_type: ModelType,
    /// The metric of `best`.
    pub metric: MetricName,
    /// The way of enhancing.
    pub enhancement: Enhancement,
}

/// A parent, ready to be trained on from.
#[derive(Debug)]
pub struct Parent {
    /// Its registered version.
    pub version: VersionRecord,
    /// Its run.
    pub run: RunRecord,
    /// Its model, which knows the training steps behind it.
    pub model: Model,
    /// How far it departs from what was asked.
    pub departure: Departure,
    /// Whether it comes from an environment that is not known here.
    pub is_foreign: bool,
}

/// What the child is, as far as its parent has to fit.
pub(crate) struct Child<'a> {
    pub(crate) timeframe: Timeframe,
    pub(crate) symbol: &'a Symbol,
    pub(crate) model: &'a ModelName,
}

impl Parent {
    /// Chooses the parent and loads its model.
    pub(crate) fn choose(
        store: &Store,
        request: &EnhanceRequest,
        child: &Child<'_>,
        observer: &mut dyn Observer,
    ) -> Result<Self, TrainingError> {
        let (version, departure) = find_version(store, request, child, observer)?;
        announce(request, departure, &version, observer);
        let timeframe = version.tags.get(key::TIMEFRAME);
        check_fit(&version.key, "timeframe", timeframe, child.timeframe.as_str())?;
        let loaded = Loaded::read(store, version, child.timeframe)?;
        let foreign = loaded.check_parent()?;
        let Loaded { version, run, model } = loaded;
        if let Some(foreign) = &foreign {
            observer.notice(&format!(
                "{}: {foreign}. Its networks fit, so it is trained on from; whether what it learned means anything \
                 here is not known",
                version.key
            ));
        }
        let symbol = run.params.get(window_params::SYMBOL);
        check_fit(&version.key, "symbol", symbol, child.symbol.as_str())?;
        for note in &model.notes {
            observer.notice(note);
        }
        Ok(Self { version, run, model, departure, is_foreign: foreign.is_some() })
    }
}

/// Judges a training by its windows and those of its parent and all ancestors.
pub(crate) fn judge_child(
    store: &Store,
    windows: &Windows,
    parent: Option<&Parent>,
) -> Result<Honesty, StoreError> {
    let Some(parent) = parent else {
        return Ok(judge_honesty(windows, &[]));
    };
    Ok(judge_honesty(windows, &lineage_windows(store, &parent.run)?))
}

/// Whether a training's validation window has bars that its parent or an ancestor was trained on.
pub(crate) fn is_validation_trained_on(
    store: &Store,
    windows: &Windows,
    parent: &Parent,
) -> Result<bool, StoreError> {
    let known = lineage_windows(store, &parent.run)?;
    let mut known = known.iter().flatten().filter(|ancestor| ancestor.symbol == windows.symbol);
    Ok(known.any(|ancestor| ancestor.train.overlaps(windows.validation)))
}

/// The version, and how far it departs from what was asked.
fn find_version(
    store: &Store,
    request: &EnhanceRequest,
    child: &Child<'_>,
    observer: &mut dyn Observer,
) -> Result<(VersionRecord, Departure), TrainingError> {
    let named = match &request.selector {
        ParentSelector::Latest => return latest(store, request, child),
        ParentSelector::Best => return best(store, request, child, observer),
        ParentSelector::Champion => store
            .champion(child.model)?
            .ok_or_else(|| TrainingError::NoChampion { model: child.model.to_string() })?,
        ParentSelector::Run(run_id) => {
            store.run(run_id)?;
            store
                .version_of_run(run_id)?
                .ok_or_else(|| TrainingError::NotRegistered { run_id: run_id.clone() })?
        }
        ParentSelector::Version(version) => {
            store.version(&VersionKey { name: child.model.clone(), version: *version })?
        }
    };
    Ok((named, Departure::None))
}

fn latest(
    store: &Store,
    request: &EnhanceRequest,
    child: &Child<'_>,
) -> Result<(VersionRecord, Departure), TrainingError> {
    let query = query(request, child, Contaminated::Included);
    for attempt in attempts_for_latest(request.model_type) {
        let candidates = query.candidates(attempt.model_type, attempt.version_type);
        if let Some(found) = store.find_latest(&candidates)? {
            return Ok((found, attempt.departure));
        }
    }
    Err(no_parent(request, child, None, Passed::None))
}

fn best(
    store: &Store,
    request: &EnhanceRequest,
    child: &Child<'_>,
    observer: &mut dyn Observer,
) -> Result<(VersionRecord, Departure), TrainingError> {
    let metric = &request.metric;
    let found = find_best(store, &query(request, child, Contaminated::Skipped), metric)?;
    let Some(found) = found else {
        let any = find_best(store, &query(request, child, Contaminated::Included), metric)?;
        let passed = if any.is_some() { Passed::Contaminated } else { Passed::None };
        return Err(no_parent(request, child, Some(metric), passed));
    };
    if !metric.as_str().starts_with("evaluation/") {
        observer.notice(&format!(
            "`{metric}` is no figure of the validation windows: where the child's test window has bars of those that \
             this parent was chosen by, the child's test figures are not of bars unseen by that choice"
        ));
    }
    if !found.differing.is_empty() {
        observer.notice(&format!(
            "the candidates differ in {}: their `{metric}` cannot really be compared",
            found.differing.join(", ")
        ));
    }
    Ok((found.version, found.departure))
}

fn query(request: &EnhanceRequest, child: &Child<'_>, contaminated: Contaminated) -> FindQuery {
    FindQuery {
        timeframe: child.timeframe,
        model_type: request.model_type,
        symbol: Some(child.symbol.clone()),
        min_timesteps: 0,
        contaminated,
    }
}

fn announce(
    request: &EnhanceRequest,
    departure: Departure,
    found: &VersionRecord,
    observer: &mut dyn Observer,
) {
    let asked = request.model_type;
    match departure {
        Departure::None => {}
        Departure::OldVersion => observer.notice(&format!(
            "no `{asked}` model without children: the newest with children, {}, is the parent",
            found.key
        )),
        Departure::BaseModel => observer.notice(&format!(
            "no `{asked}` model to enhance: falling back to the base model {}",
            found.key
        )),
    }
}

fn no_parent(
    request: &EnhanceRequest,
    child: &Child<'_>,
    metric: Option<&MetricName>,
    passed: Passed,
) -> TrainingError {
    TrainingError::NoParent {
        passed,
        model_type: request.model_type,
        symbol: child.symbol.clone(),
        timeframe: child.timeframe,
        metric: metric.map(ToString::to_string),
    }
}

/// A parent that was named must be of the child's timeframe and symbol, as far as that is recorded.
pub(crate) fn check_fit(
    key: &VersionKey,
    what: &'static str,
    found: Option<&String>,
    expected: &str,
) -> Result<(), TrainingError> {
    match found {
        Some(found) if found != expected => Err(TrainingError::ParentMismatch {
            key: key.clone(),
            what,
            found: found.clone(),
            expected: expected.to_owned(),
        }),
        _ => Ok(()),
    }
}
