//! Choice of the parent of an enhancement: finds the version, checks that it fits, loads its model.

use herdbook_domain::{
    Departure, Honesty, MetricName, ModelName, ParentSelector, RunId, Symbol, Timeframe,
    VersionKey, attempts_for_latest, judge_honesty, window_params,
};
use herdbook_ppo::Model;
use herdbook_store::{Contaminated, RunRecord, Store, StoreError, VersionOrRun, VersionRecord};

use crate::content::lineage::Lineage;
use crate::environment::market_data::MarketData;
use crate::error::{ExcludedCandidates, TrainingError};
use crate::models::find::{FindQuery, PassedOver, find_best, newest_usable};
use crate::models::registered_model::LoadedVersion;
use crate::observer::Observer;
use crate::request::enhance_request::EnhanceRequest;

/// The parent of an enhancement with its loaded model.
#[derive(Debug)]
pub struct Parent {
    /// The registered version.
    pub version: VersionRecord,
    /// The run of the version.
    pub run: RunRecord,
    /// The model, including its count of timesteps and the optimizer state.
    pub model: Model,
    /// Whether a fallback was taken when it was chosen.
    pub departure: Departure,
    /// Whether its file does not describe the environment it was trained in.
    pub is_foreign: bool,
}

/// Properties of the child that its parent must match.
pub(crate) struct ChildSpec<'a> {
    pub(crate) timeframe: Timeframe,
    pub(crate) symbol: &'a Symbol,
    pub(crate) model: &'a ModelName,
}

impl Parent {
    /// Chooses the parent and loads its model.
    pub(crate) fn choose(
        store: &Store,
        request: &EnhanceRequest,
        child: &ChildSpec<'_>,
        observer: &mut dyn Observer,
    ) -> Result<Self, TrainingError> {
        let mut passed = PassedOver::new();
        let found = find_version(store, request, child, &mut passed, observer);
        for (key, why) in &passed {
            observer.notice(&format!("{key} {why}, so it cannot be the parent"));
        }
        let (version, departure) = match (found, passed.into_iter().next()) {
            // There are candidates, but none can be used: the first one is what to repair.
            (Err(TrainingError::NoParent { .. }), Some((key, why))) => {
                return Err(TrainingError::Unusable { key, why });
            }
            (found, _) => found?,
        };
        announce(request, departure, &version, observer);
        let timeframe = version.timeframe().map(|it| it.to_string());
        check_fit(&version.key, "timeframe", timeframe.as_ref(), child.timeframe.as_str())?;
        let loaded = LoadedVersion::read(store, version, child.timeframe)?;
        let foreign = loaded.check_parent()?;
        let LoadedVersion { version, run, model, .. } = loaded;
        if let Some(foreign) = &foreign {
            observer.notice(&format!(
                "{}: {foreign}. Its networks fit, so training continues from it; whether its policy is useful in \
                 this environment is unknown",
                version.key
            ));
        }
        let symbol = run.params_for_rules().get(window_params::SYMBOL);
        check_fit(&version.key, "symbol", symbol, child.symbol.as_str())?;
        for note in &model.notes {
            observer.notice(note);
        }
        Ok(Self { version, run, model, departure, is_foreign: foreign.is_some() })
    }
}

/// What the parent and the ancestors of a training know of its bars.
pub(crate) struct KnownToAncestors {
    /// Honesty of the training.
    pub(crate) honesty: Honesty,
    /// Whether the validation window has bars that an ancestor was trained on.
    pub(crate) is_validation_trained_on: bool,
    /// Bars of an ancestor that were recognised under another name or at other times, as a clause.
    pub(crate) recognised: Option<String>,
    /// A note on what could not be compared.
    pub(crate) note: Option<&'static str>,
}

/// Compares the bars of a training with those of its parent and all ancestors, by name and time and by content.
pub(crate) fn judge_child(
    store: &Store,
    market: &MarketData,
    parent: Option<&Parent>,
) -> Result<KnownToAncestors, StoreError> {
    let windows = market.windows();
    let lineage = match parent {
        Some(parent) => Lineage::of(store, &parent.run)?,
        None => Lineage::empty(),
    };
    let known = lineage.windows();
    let of_symbol = known.iter().flatten().filter(|ancestor| ancestor.symbol == windows.symbol);
    let is_validation_trained_on =
        of_symbol.into_iter().any(|ancestor| ancestor.train.overlaps(windows.validation));
    let seen = lineage.compare(&windows.symbol, market.tape.closes.closes());
    let honesty = match judge_honesty(&windows, &known) {
        Honesty::Contaminated => Honesty::Contaminated,
        _ => seen.judge(seen.overlaps_learned(windows.test)),
    };
    Ok(KnownToAncestors {
        honesty,
        is_validation_trained_on: is_validation_trained_on
            || seen.overlaps_trained(windows.validation),
        note: seen.note(),
        recognised: seen.recognised,
    })
}

/// Finds the version, and whether a fallback was taken.
fn find_version(
    store: &Store,
    request: &EnhanceRequest,
    child: &ChildSpec<'_>,
    passed: &mut PassedOver,
    observer: &mut dyn Observer,
) -> Result<(VersionRecord, Departure), TrainingError> {
    let key = |version| VersionKey { name: child.model.clone(), version };
    let named = match &request.selector {
        ParentSelector::Latest => return latest(store, request, child, passed),
        ParentSelector::Best => return best(store, request, child, passed, observer),
        ParentSelector::Champion => store
            .champion(child.model)?
            .ok_or_else(|| TrainingError::NoChampion { model: child.model.to_string() })?,
        ParentSelector::Run(run_id) => version_of_run(store, run_id)?,
        ParentSelector::RunPrefix(prefix) => version_of_run(store, &store.run_id_of(prefix)?)?,
        ParentSelector::Version(version) => store.version(&key(*version))?,
        ParentSelector::VersionOrRun(version, prefix) => {
            match store.version_or_run(&key(*version), prefix)? {
                VersionOrRun::Version(found) => *found,
                VersionOrRun::Run(run_id) => version_of_run(store, &run_id)?,
            }
        }
    };
    Ok((named, Departure::None))
}

fn version_of_run(store: &Store, run_id: &RunId) -> Result<VersionRecord, TrainingError> {
    store.run(run_id)?;
    store
        .version_of_run(run_id)?
        .ok_or_else(|| TrainingError::NotRegistered { run_id: run_id.clone() })
}

fn latest(
    store: &Store,
    request: &EnhanceRequest,
    child: &ChildSpec<'_>,
    passed: &mut PassedOver,
) -> Result<(VersionRecord, Departure), TrainingError> {
    let query = query(request, child, Contaminated::Included);
    for attempt in attempts_for_latest(request.model_type) {
        let candidates = query.candidates(attempt.model_type, attempt.version_type);
        if let Some(found) = newest_usable(store, &candidates, passed)? {
            return Ok((found, attempt.departure));
        }
    }
    Err(no_parent(request, child, None, ExcludedCandidates::None))
}

fn best(
    store: &Store,
    request: &EnhanceRequest,
    child: &ChildSpec<'_>,
    passed: &mut PassedOver,
    observer: &mut dyn Observer,
) -> Result<(VersionRecord, Departure), TrainingError> {
    let metric = &request.metric;
    let found = find_best(store, &query(request, child, Contaminated::Skipped), metric)?;
    let Some(found) = found else {
        let any = find_best(store, &query(request, child, Contaminated::Included), metric)?;
        let excluded =
            if any.is_some() { ExcludedCandidates::Contaminated } else { ExcludedCandidates::None };
        return Err(no_parent(request, child, Some(metric), excluded));
    };
    passed.clone_from(&found.passed_over);
    if !metric.as_str().starts_with("evaluation/") {
        observer.notice(&format!(
            "the parent was chosen by `{metric}`, which is not measured on the validation window: if the child's test \
             window overlaps the bars of that metric, the child's test results are biased by the choice"
        ));
    }
    if !found.differing.is_empty() {
        observer.notice(&format!(
            "the candidates differ in {}: their values of `{metric}` are not comparable",
            found.differing.join(", ")
        ));
    }
    Ok((found.version, found.departure))
}

fn query(request: &EnhanceRequest, child: &ChildSpec<'_>, contaminated: Contaminated) -> FindQuery {
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
            "there is no `{asked}` model without children: using the newest with children, {}, as parent",
            found.key
        )),
        Departure::BaseModel => observer.notice(&format!(
            "there is no `{asked}` model to enhance: using the base model {} as parent",
            found.key
        )),
    }
}

fn no_parent(
    request: &EnhanceRequest,
    child: &ChildSpec<'_>,
    metric: Option<&MetricName>,
    excluded: ExcludedCandidates,
) -> TrainingError {
    TrainingError::NoParent {
        excluded,
        model_type: request.model_type,
        symbol: child.symbol.clone(),
        timeframe: child.timeframe,
        metric: metric.map(ToString::to_string),
    }
}

/// Checks that a property of the parent is equal to the child's. A parent without a record of it passes.
pub(crate) fn check_fit(
    key: &VersionKey,
    what: &'static str,
    found: Option<&String>,
    expected: &str,
) -> Result<(), TrainingError> {
    match found {
        // Symbols are equal without regard to case.
        Some(found) if found.trim().to_lowercase() != expected.to_lowercase() => {
            Err(TrainingError::ParentMismatch {
                key: key.clone(),
                what,
                found: found.clone(),
                expected: expected.to_owned(),
            })
        }
        _ => Ok(()),
    }
}
