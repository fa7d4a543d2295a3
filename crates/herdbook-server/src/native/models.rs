//! Models: all of them, and one with a page of its versions.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::extract::State;
use axum::http::Response;
use herdbook_domain::tags::key;
use herdbook_domain::{
    Event, EventKind, Honesty, MetricName, ModelName, ModelType, Stage, Timeframe, VersionNumber,
    VersionType,
};
use herdbook_store::{
    EventQuery, MetricSelection, ModelPageQuery, Store, TagSelection, UnsealedValues, VersionOrder,
    VersionQuery,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::native::call::Call;
use crate::native::failure::{ErrorBody, Failure};
use crate::native::shape::version::ModelVersion;
use crate::native::state::Native;

/// Most rows of an answer.
const MAX_ROWS: usize = 500;
/// Most former champions in a timeline.
const MAX_TIMELINE: usize = 200;

/// Which models to list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ModelsQuery {
    /// Only those whose newest version has this timeframe.
    #[param(value_type = Option<String>)]
    timeframe: Option<Timeframe>,
    /// Only those after this name.
    after: Option<String>,
    /// At most so many; 100 unless given, and at most 500.
    limit: Option<usize>,
}

/// A page of models.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Models {
    models: Vec<ModelRow>,
    /// The value of `after` for the next page; null on the last one.
    next: Option<String>,
}

/// A model in a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ModelRow {
    name: String,
    timeframe: Option<String>,
    symbol: Option<String>,
    /// The number of the champion.
    champion: Option<u32>,
    newest_version: u32,
    /// How many versions are in each stage.
    n_in_stage: BTreeMap<String, usize>,
}

/// The registered models that have a version, by name.
#[utoipa::path(get, path = "/models", tag = "models", params(ModelsQuery),
    responses((status = 200, body = Models), (status = "default", body = ErrorBody)))]
pub(super) async fn list_models(State(native): State<Native>, call: Call) -> Response<Body> {
    native.answer(call, |native, call| models(native.store(), &call.query()?)).await
}

fn models(store: &Store, query: &ModelsQuery) -> Result<Models, Failure> {
    let limit = at_most(query.limit, 100)?;
    let champions = store.versions(&VersionQuery {
        stage: Some(Stage::Champion),
        metrics: MetricSelection::Only(&[]),
        unsealed_values: UnsealedValues::WhereTheyCount,
        tags: TagSelection::Only(&[]),
        ..VersionQuery::default()
    })?;
    let champions: BTreeMap<&ModelName, u32> =
        champions.records.iter().map(|it| (&it.key.name, it.key.version.get())).collect();
    let mut rows: Vec<ModelRow> = Vec::new();
    for summary in store.summaries()?.records {
        let newest = &summary.newest;
        let timeframe: Option<Timeframe> = newest.tag(key::TIMEFRAME);
        let name = newest.key.name.as_str();
        let is_asked = query.timeframe.is_none_or(|asked| timeframe == Some(asked))
            && query.after.as_deref().is_none_or(|after| name > after);
        if is_asked {
            let counts = &summary.n_in_stage;
            rows.push(ModelRow {
                name: name.to_owned(),
                timeframe: timeframe.map(|timeframe| timeframe.to_string()),
                symbol: newest.symbol().map(ToString::to_string),
                champion: champions.get(&newest.key.name).copied(),
                newest_version: newest.key.version.get(),
                n_in_stage: counts.iter().map(|(stage, n)| (stage.to_string(), *n)).collect(),
            });
        }
    }
    rows.sort_by(|a, b| a.name.cmp(&b.name));
    let has_more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().map(|row| row.name.clone()).filter(|_| has_more);
    Ok(Models { models: rows, next })
}

/// Which versions to list, and in which order.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ModelQuery {
    /// Only versions in this stage.
    #[param(value_type = Option<String>)]
    stage: Option<Stage>,
    /// Only versions of this model type.
    #[param(value_type = Option<String>)]
    model_type: Option<ModelType>,
    /// Only versions with this version type: `latest` or `old`.
    #[param(value_type = Option<String>)]
    version_type: Option<VersionType>,
    /// Only versions in this state of honesty.
    #[param(value_type = Option<String>)]
    honesty: Option<Honesty>,
    /// `registered` (unless given), `changed`, `stage`, or the name of a metric, best value first.
    sort: Option<String>,
    /// Whether the order is reversed.
    reverse: bool,
    /// How many versions to skip.
    offset: usize,
    /// At most so many; 50 unless given, and at most 500.
    limit: Option<usize>,
}

/// A model with a page of its versions.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Model {
    name: String,
    /// The number of the champion.
    champion: Option<u32>,
    versions: Vec<ModelVersion>,
    /// How many versions fit the filter.
    n_versions: usize,
    /// The champions, the newest first; at most 200.
    timeline: Vec<Reign>,
}

/// The time of a version as champion.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Reign {
    version: u32,
    /// When it became champion.
    since: String,
    /// When it ceased to be; null for the present champion.
    until: Option<String>,
    actor: String,
    reason: Option<String>,
    /// The event that made it champion.
    event_id: i64,
}

/// A model: a page of its versions, and who was champion when.
#[utoipa::path(get, path = "/models/{name}", tag = "models",
    params(("name" = String, Path, description = "The registered model"), ModelQuery),
    responses((status = 200, body = Model), (status = "default", body = ErrorBody)))]
pub(super) async fn get_model(State(native): State<Native>, call: Call) -> Response<Body> {
    native.answer(call, |native, call| model(native.store(), &call.model()?, &call.query()?)).await
}

fn model(store: &Store, name: &ModelName, query: &ModelQuery) -> Result<Model, Failure> {
    let order = match query.sort.as_deref() {
        None | Some("registered") => VersionOrder::Registered,
        Some("changed") => VersionOrder::Changed,
        Some("stage") => VersionOrder::Stage,
        Some(metric) => VersionOrder::Metric(MetricName::parse(metric)?.to_string()),
    };
    let page = store.model_page(&ModelPageQuery {
        name: name.clone(),
        stage: query.stage,
        model_type: query.model_type,
        version_type: query.version_type,
        honesty: query.honesty,
        order,
        is_reversed: query.reverse,
        offset: query.offset,
        limit: at_most(query.limit, 50)?,
    })?;
    let timeline = timeline(store, name)?;
    Ok(Model {
        name: name.to_string(),
        champion: store.champion(name)?.map(|champion| champion.key.version.get()),
        versions: page.records.iter().map(ModelVersion::from).collect(),
        n_versions: page.n_found,
        timeline,
    })
}

/// The champions of a model by its history, the newest first.
fn timeline(store: &Store, name: &ModelName) -> Result<Vec<Reign>, Failure> {
    let events = store.events(&EventQuery { name: Some(name.clone()), ..EventQuery::default() })?;
    let mut reigns: Vec<Reign> = Vec::new();
    for event in &events {
        let is_champion = event.what.to.as_deref() == Some(Stage::Champion.as_str());
        let Some(version) = stage_change(event) else { continue };
        if let Some(open) = reigns.last_mut().filter(|reign| reign.until.is_none())
            && (is_champion || open.version == version)
        {
            // An event `adopted` that seals a champion leaves it in its stage.
            if is_champion && open.version == version {
                continue;
            }
            open.until = Some(event.at.to_string());
        }
        if is_champion {
            reigns.push(Reign {
                version,
                since: event.at.to_string(),
                until: None,
                actor: event.actor.clone(),
                reason: event.what.reason.clone(),
                event_id: event.id,
            });
        }
    }
    reigns.reverse();
    reigns.truncate(MAX_TIMELINE);
    Ok(reigns)
}

/// The version whose stage an event tells.
fn stage_change(event: &Event) -> Option<u32> {
    let tells_stage = matches!(
        event.what.kind,
        EventKind::StageChanged | EventKind::Adopted | EventKind::VersionDeleted
    );
    event.what.version.filter(|_| tells_stage).map(VersionNumber::get)
}

/// A limit as given, or a standard one.
///
/// # Errors
/// If it is 0 or above the most rows of an answer.
pub(super) fn at_most(limit: Option<usize>, standard: usize) -> Result<usize, Failure> {
    match limit.unwrap_or(standard) {
        limit @ 1..=MAX_ROWS => Ok(limit),
        limit => Err(Failure::invalid(format!("`limit`: {limit} is not from 1 to {MAX_ROWS}"))),
    }
}
