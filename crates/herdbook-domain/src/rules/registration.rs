//! Registration: a finished training becomes a model version, and its parent turns `old`.

use crate::evidence::{Honesty, Sealed};
use crate::history::{EventDraft, EventKind};
use crate::lineage::Origin;
use crate::tags::{TagChanges, Tags, key};
use crate::values::{ModelName, RunId, Stage, Timestamp, VersionKey, VersionNumber, VersionType};

/// Asks for a finished training to be registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// The run.
    pub run_id: RunId,
    /// The registered model that the new version joins.
    pub name: ModelName,
    /// The origin of the model.
    pub origin: Origin,
    /// Timesteps that this run trained for, without those of its ancestors.
    pub trained_timesteps: u64,
    /// The model's honesty state.
    pub honesty: Honesty,
    /// Lower-case hex SHA-256 of the stored model file.
    pub model_sha256: String,
}

/// The facts for a registration.
#[derive(Debug, Clone, PartialEq)]
pub struct RegistrationFacts {
    /// The highest version number that the model ever gave, also to versions deleted since.
    pub last_version: Option<VersionNumber>,
    /// Versions registered from the parent's run, each with its `version_type` tag where that is valid.
    pub parent_versions: Vec<(VersionKey, Option<VersionType>)>,
    /// Params, metrics, files and their folder: what rules rest on beside the request. The plan adds the rest of the seal.
    pub sealed: Sealed,
}

/// The exact changes of a registration. The store carries out all of them in one transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistrationPlan {
    /// The new version.
    pub key: VersionKey,
    /// Tags that the run gains.
    pub run_tags: Tags,
    /// Tags of the new version.
    pub version_tags: Tags,
    /// Versions of the parent that turn `old`.
    pub superseded: Vec<VersionKey>,
    /// Changes to the tags of those versions and of the parent's run.
    pub parent_tags: TagChanges,
    /// Events for the log, in order.
    pub events: Vec<EventDraft>,
}

/// Plans the registration of a finished training.
///
/// The new version has the number after the highest ever given, starts in development and is `latest`. Every version
/// of its parent turns `old`.
pub fn plan_registration(
    request: &Registration,
    facts: &RegistrationFacts,
    at: Timestamp,
) -> RegistrationPlan {
    let key = VersionKey {
        name: request.name.clone(),
        version: facts.last_version.map_or(VersionNumber::FIRST, VersionNumber::next),
    };
    let superseded: Vec<VersionKey> = facts
        .parent_versions
        .iter()
        .filter(|(_, version_type)| *version_type != Some(VersionType::Old))
        .map(|(key, _)| key.clone())
        .collect();
    let mut parent_tags = TagChanges::default();
    if request.origin.enhanced.is_some() {
        parent_tags.set(key::VERSION_TYPE, VersionType::Old.as_str());
    }
    let mut events = vec![registered_event(request, &key, &facts.sealed)];
    events.extend(superseded.iter().map(|parent| superseded_event(request, &key, parent)));
    RegistrationPlan {
        run_tags: finish_tags(request),
        version_tags: version_tags(request, at),
        key,
        superseded,
        parent_tags,
        events,
    }
}

fn finish_tags(request: &Registration) -> Tags {
    Tags::from([
        (key::VERSION_TYPE.to_owned(), VersionType::Latest.to_string()),
        (key::PROMOTION_STAGE.to_owned(), Stage::Development.to_string()),
        (key::HONESTY.to_owned(), request.honesty.to_string()),
    ])
}

fn version_tags(request: &Registration, at: Timestamp) -> Tags {
    let mut tags = request.origin.run_tags();
    tags.extend(finish_tags(request));
    if let Some(enhanced) = &request.origin.enhanced {
        tags.insert(key::ENHANCEMENT_TIMESTAMP.to_owned(), at.tag());
        tags.insert(key::PREVIOUS_TIMESTEPS.to_owned(), enhanced.previous_timesteps.to_string());
    }
    tags.insert(key::TOTAL_TIMESTEPS.to_owned(), total_timesteps(request).to_string());
    tags
}

/// Timesteps of the model and its ancestors.
fn total_timesteps(request: &Registration) -> u64 {
    let enhanced = request.origin.enhanced.as_ref();
    let previous = enhanced.map_or(0, |enhanced| enhanced.previous_timesteps);
    request.trained_timesteps.saturating_add(previous)
}

fn registered_event(request: &Registration, key: &VersionKey, found: &Sealed) -> EventDraft {
    let details = serde_json::json!({
        "model_type": request.origin.model_type(),
        "timeframe": request.origin.timeframe,
        "trained_timesteps": request.trained_timesteps,
        "honesty": request.honesty,
        "model_file": RunId::model_artifact(request.origin.timeframe),
        "model_sha256": request.model_sha256,
    });
    let parent = request.origin.enhanced.as_ref().map(|enhanced| enhanced.parent.clone());
    let sealed = Sealed {
        timeframe: Some(request.origin.timeframe),
        model_type: Some(request.origin.model_type()),
        parent: parent.clone(),
        honesty: request.honesty,
        total_timesteps: Some(total_timesteps(request)),
        ..found.clone()
    };
    sealed.in_registration(EventDraft {
        name: Some(key.name.clone()),
        version: Some(key.version),
        run_id: Some(request.run_id.clone()),
        to: Some(Stage::Development.to_string()),
        parent,
        ..EventDraft::new(EventKind::Registered, &details)
    })
}

fn superseded_event(request: &Registration, child: &VersionKey, parent: &VersionKey) -> EventDraft {
    let details = serde_json::json!({
        "v": 1,
        "child_name": child.name,
        "child_version": child.version,
        "child_run_id": request.run_id,
    });
    EventDraft {
        name: Some(parent.name.clone()),
        version: Some(parent.version),
        run_id: request.origin.enhanced.as_ref().map(|enhanced| enhanced.parent.clone()),
        from: Some(VersionType::Latest.to_string()),
        to: Some(VersionType::Old.to_string()),
        ..EventDraft::new(EventKind::Superseded, &details)
    }
}
