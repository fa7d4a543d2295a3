//! Changes of stage that clients of MLflow ask for.

use herdbook_domain::{ModelName, PromotionRequest, Reason, Refusal, Stage, VersionKey};
use herdbook_mlflow::MlflowError;
use herdbook_store::{Effect, StoreError};

use super::rules::{Records, has_stage, key_of};

/// Changes the stage of a version. A version without a history enters the life cycle, in development. A version that is in
/// the stage already stays as it is: a client may repeat a request whose answer was lost.
pub(super) fn change_stage(
    records: Records<'_>,
    (name, number): (&str, i64),
    to: &str,
) -> Result<(), MlflowError> {
    let key = key_of(name, number).ok_or_else(|| {
        let problem = ModelName::parse(name).err().map_or(String::new(), |error| error.to_string());
        MlflowError::invalid(format!("this model cannot be under the life cycle: {problem}"))
    })?;
    let is_managed = records.session().read(|conn| has_stage(conn, &key))?;
    match to.parse::<Stage>() {
        Ok(stage) if is_managed => Ok(promote(records, &key, stage, None, Effect::Commit)?),
        Ok(Stage::Development) => Ok(records.session().enter_existing(&key)?),
        _ if !is_managed => {
            let refusal = Refusal::NotEntered { key, to: to.to_owned() };
            Err(StoreError::Refused(refusal).into())
        }
        Ok(_) | Err(_) => Err(MlflowError::invalid(format!(
            "`{}` is not a stage: the stages are {}",
            to.escape_debug(),
            Stage::ALL.iter().map(|stage| format!("`{stage}`")).collect::<Vec<_>>().join(", ")
        ))),
    }
}

/// Asks the rulebook for a change of stage under the conditions of this server.
pub(super) fn promote(
    records: Records<'_>,
    key: &VersionKey,
    target: Stage,
    reason: Option<Reason>,
    effect: Effect,
) -> Result<(), StoreError> {
    let request = PromotionRequest {
        key: key.clone(),
        target,
        reason,
        expected_champion: None,
        force: false,
    };
    match records.session().promote_under(&records.life_cycle().conditions, &request, effect) {
        Err(StoreError::Refused(Refusal::ForbiddenTransition { from, to, .. })) if from == to => {
            Ok(())
        }
        outcome => outcome.map(drop),
    }
}

/// Reports a change of stage that would be refused, if requests are observed only.
pub(super) fn observe(records: Records<'_>, (name, number): (&str, i64), to: &str) {
    let rules = records.life_cycle();
    let (Some(key), true) = (key_of(name, number), rules.is_observed()) else { return };
    let is_managed = records.session().read(|conn| has_stage(conn, &key)).unwrap_or(false);
    let refusal = match to.parse::<Stage>() {
        Err(_) => Some(format!("`{}` is not a stage", to.escape_debug())),
        Ok(stage) if is_managed => {
            promote(records, &key, stage, None, Effect::DryRun).err().map(|error| error.to_string())
        }
        Ok(Stage::Development) => None,
        Ok(_) => Some(Refusal::NotEntered { key, to: to.to_owned() }.to_string()),
    };
    if let Some(refusal) = refusal {
        rules.report(&refusal);
    }
}
