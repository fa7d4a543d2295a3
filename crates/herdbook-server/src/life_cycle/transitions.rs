//! MLflow's transitions of stage, as requests to the rulebook.

use herdbook_domain::Stage;
use herdbook_mlflow::registry::{self, MlflowStage, ModelVersion};
use herdbook_mlflow::{Code, MlflowError, write};
use herdbook_store::now;

use super::stages::{change_stage, observe};

use super::rules::Records;

/// Moves a version to a stage of MLflow.
pub(crate) fn transition_stage(
    records: Records<'_>,
    of: (&str, i64),
    stage: MlflowStage,
    archives_others: bool,
) -> Result<ModelVersion, MlflowError> {
    let rules = records.life_cycle();
    let target = stage_of(stage);
    let is_managed = records.session().read(|conn| Ok(rules.managed(conn, of)?.is_some()))?;
    if is_managed {
        observe(records, of, target.as_str());
    }
    let moved = write(records.session(), |act| {
        let is_managed = rules.managed(act.tx, of)?.is_some();
        // A version without a history has the stage `None`, in a model under the life cycle, too.
        let is_request = is_managed || (rules.covers(act.tx, of.0)? && stage != MlflowStage::None);
        if rules.is_enforced() && is_request {
            registry::require_version(act.tx, of)?;
            let is_staging = archives_others && stage == MlflowStage::Staging;
            if is_staging && registry::others_in_stage(act.tx, of, stage)? {
                return Err(not_together(of.0));
            }
            return Ok(None);
        }
        registry::transition_stage(act.tx, of, stage, archives_others, now()).map(Some)
    })?;
    if let Some(version) = moved {
        return Ok(version);
    }
    change_stage(records, of, target.as_str())?;
    registry::get_version(records.session(), of.0, &of.1.to_string())
}

/// The stage of the life cycle for a stage of MLflow.
fn stage_of(stage: MlflowStage) -> Stage {
    match stage {
        MlflowStage::None => Stage::Development,
        MlflowStage::Staging => Stage::Beta,
        MlflowStage::Production => Stage::Champion,
        MlflowStage::Archived => Stage::Archived,
    }
}

fn not_together(name: &str) -> MlflowError {
    MlflowError::Refused {
        code: Code::ResourceConflict,
        message: format!(
            "`{name}` is under the life cycle, where a request moves one version: without `archive_existing_versions` this \
             one goes to `beta`; move the others to `archived` or `development` one by one"
        ),
    }
}
