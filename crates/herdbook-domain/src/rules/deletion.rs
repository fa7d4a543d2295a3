//! Deletion and renaming: what the server lets a client of MLflow do with a model under the life cycle.

use serde_json::json;

use super::facts::VersionFacts;
use super::refusal::Refusal;
use super::stage_change::CurrentStage;
use crate::history::{EventDraft, EventKind};
use crate::values::{ModelName, Stage};

/// The stages from which a version may be deleted: nobody loads its model there.
const DELETABLE: [Stage; 2] = [Stage::Development, Stage::Archived];

/// Decides the deletion of one version and returns its event.
///
/// # Errors
/// [`Refusal::NotDeletable`] in beta and champion, whose models are loaded; [`Refusal::NotManaged`] and
/// [`Refusal::StageDisagrees`] if the version's stage is not known.
pub fn plan_deletion(facts: &VersionFacts) -> Result<EventDraft, Refusal> {
    let stage = CurrentStage::of(facts)?.stage;
    if !DELETABLE.contains(&stage) {
        return Err(Refusal::NotDeletable { key: facts.key.clone(), stage });
    }
    Ok(EventDraft {
        name: Some(facts.key.name.clone()),
        version: Some(facts.key.version),
        run_id: facts.run_id.clone(),
        from: Some(stage.to_string()),
        ..EventDraft::new(EventKind::VersionDeleted, &json!({"v": 1}))
    })
}

/// The event of a registered model that gets another name.
pub fn renamed_event(from: &ModelName, to: &ModelName) -> EventDraft {
    EventDraft {
        name: Some(to.clone()),
        from: Some(from.to_string()),
        to: Some(to.to_string()),
        ..EventDraft::new(EventKind::ModelRenamed, &json!({"v": 1}))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::Honesty;
    use crate::values::{VersionKey, VersionNumber};

    fn facts(stage: Stage) -> VersionFacts {
        let name = ModelName::parse("1H_trading_model").unwrap();
        VersionFacts {
            key: VersionKey { name, version: VersionNumber::FIRST },
            run_id: None,
            stage_tag: Some(stage.to_string()),
            history_end: Some(stage),
            honesty: Honesty::Clean,
            promotion_keys: Vec::new(),
            obstacle: None,
            symbol: None,
            deleted: false,
            unsealed: None,
        }
    }

    #[test]
    fn only_versions_that_nobody_loads_can_be_deleted() {
        for stage in [Stage::Development, Stage::Archived] {
            let event = plan_deletion(&facts(stage)).unwrap();
            assert_eq!(event.from.as_deref(), Some(stage.as_str()));
        }
        let texts: Vec<String> = [Stage::Beta, Stage::Champion]
            .map(|stage| plan_deletion(&facts(stage)).unwrap_err().to_string())
            .to_vec();
        assert_eq!(
            texts,
            [
                "`1H_trading_model` version 1 is in `beta` and cannot be deleted: only a version in `development` or \
                 `archived` can; it may go to `development`, `champion` or `archived`",
                "`1H_trading_model` version 1 is in `champion` and cannot be deleted: only a version in `development` or \
                 `archived` can; it may go to `beta` or `archived`",
            ]
        );
    }
}
