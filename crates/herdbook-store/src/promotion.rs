//! Changes of stage: tags of version and run, MLflow's stage, the alias and the events, in one transaction.

use herdbook_domain::tags::key;
use herdbook_domain::{
    AliasChange, Conditions, Event, FormerChampion, Honesty, ModelName, Obstacle, PromotionFacts,
    PromotionPlan, PromotionRequest, RollbackFacts, RollbackRequest, Stage, StageChange, Timestamp,
    VersionFacts, VersionKey, VersionNumber, plan_promotion, plan_rollback,
};

use crate::db::{Conn, params};
use crate::store::{Act, Effect};
use crate::{FileState, Store, StoreError, condition, event, integrity, tag, version};

/// The alias that readers of the champion follow.
pub(crate) const CHAMPION_ALIAS: &str = "champion";

/// A promotion that was carried out, or would be.
#[derive(Debug, Clone)]
pub struct Promotion {
    /// Its changes.
    pub plan: PromotionPlan,
    /// What the log says of it.
    pub events: Vec<Event>,
}

impl Store {
    /// Carries a change of stage out, the champion's displacement with it, or changes nothing.
    ///
    /// # Errors
    /// [`StoreError::Refused`] where the rules stand against it; [`StoreError::NoSuchModel`],
    /// [`StoreError::NoSuchVersion`], [`StoreError::DeletedVersion`].
    pub fn promote(
        &self,
        request: &PromotionRequest,
        effect: Effect,
    ) -> Result<Promotion, StoreError> {
        self.promote_under(&Conditions::default(), request, effect)
    }

    /// As [`Store::promote`], under conditions that are judged on what the records say in the act itself.
    ///
    /// # Errors
    /// As [`Store::promote`], and [`herdbook_domain::Refusal::GateFailed`].
    pub fn promote_under(
        &self,
        conditions: &Conditions,
        request: &PromotionRequest,
        effect: Effect,
    ) -> Result<Promotion, StoreError> {
        self.write_or_dry(effect, |act| {
            let at = act.time_for([&request.key.name])?;
            let facts = facts(act, request)?;
            let judgement = condition::judge(act.tx, request, conditions, &facts, at)?;
            let plan = plan_promotion(request, &facts, &judgement, at)?;
            carry_out(act, &request.key.name, plan, at)
        })
    }

    /// Brings the last good champion back, or changes nothing.
    ///
    /// # Errors
    /// [`StoreError::Refused`] where there is none, or the rules stand against it.
    pub fn rollback(
        &self,
        request: &RollbackRequest,
        effect: Effect,
    ) -> Result<Promotion, StoreError> {
        self.write_or_dry(effect, |act| {
            version::require_model(act.tx, &request.name)?;
            let at = act.time_for([&request.name])?;
            let plan = plan_rollback(request, &rollback_facts(act, &request.name)?, at)?;
            carry_out(act, &request.name, plan, at)
        })
    }
}

fn facts(act: &Act<'_>, request: &PromotionRequest) -> Result<PromotionFacts, StoreError> {
    let facts = version_facts(act, &request.key)?;
    if facts.deleted {
        return Err(StoreError::DeletedVersion { key: request.key.clone() });
    }
    let champion = champion_facts(act, &request.key.name)?;
    Ok(PromotionFacts { version: facts, champion })
}

fn champion_facts(act: &Act<'_>, name: &ModelName) -> Result<Option<VersionFacts>, StoreError> {
    champion_of(act.tx, name)?
        .map(|version| version_facts(act, &VersionKey { name: name.clone(), version }))
        .transpose()
}

fn rollback_facts(act: &Act<'_>, name: &ModelName) -> Result<RollbackFacts, StoreError> {
    let conn = act.tx;
    let champion = champion_facts(act, name)?;
    let present = champion.as_ref().map(|champion| champion.key.version);
    let mut former = Vec::new();
    for version in event::former_champions(conn, name)? {
        let key = VersionKey { name: name.clone(), version };
        // A model that was deleted and made again has lost its old versions altogether.
        if Some(version) == present || !version::exists(conn, &key)? {
            continue;
        }
        let facts = version_facts(act, &key)?;
        let obstacle = obstacle(conn, &facts)?;
        former.push(FormerChampion { facts, obstacle });
    }
    Ok(RollbackFacts { champion, former })
}

fn obstacle(conn: &Conn, facts: &VersionFacts) -> Result<Option<Obstacle>, StoreError> {
    if facts.deleted {
        return Ok(Some(Obstacle::Deleted));
    }
    if event::was_rolled_back_from(conn, &facts.key)? {
        return Ok(Some(Obstacle::RolledBack));
    }
    Ok(facts.file)
}

fn version_facts(act: &Act<'_>, key: &VersionKey) -> Result<VersionFacts, StoreError> {
    let conn = act.tx;
    let record = version::load(conn, key)?;
    let run_id = match record.run_id.clone() {
        Some(run_id) => Some(run_id),
        None => event::registered_run(conn, key)?,
    };
    Ok(VersionFacts {
        key: key.clone(),
        run_id,
        stage_tag: record.tags.get(key::PROMOTION_STAGE).cloned(),
        history_end: event::history_end(conn, key)?,
        honesty: match event::registered_honesty(conn, key)? {
            // A tag can be set by anyone, the history by nobody.
            Some(Honesty::Contaminated) => Honesty::Contaminated,
            told => record.tag(key::HONESTY).or(told).unwrap_or(Honesty::Unknown),
        },
        promotion_keys: record
            .tags
            .into_keys()
            .filter(|tag| tag.starts_with("promotion_"))
            .collect(),
        file: match integrity::file_state(act.remote, conn, key)? {
            FileState::Intact => None,
            FileState::Missing { .. } | FileState::Altered { .. } => Some(Obstacle::FileAltered),
            FileState::Unknown => Some(Obstacle::FileUnknown),
        },
        deleted: record.deleted,
    })
}

/// The version that carries the champion tag, a deleted one too.
pub(crate) fn champion_of(
    conn: &Conn,
    name: &ModelName,
) -> Result<Option<VersionNumber>, StoreError> {
    let version: Option<i64> = conn.query_first(
        "SELECT version FROM model_version_tags
         WHERE workspace = 'default' AND name = ?1 AND key = ?2 AND value = ?3",
        params![name.as_str(), key::PROMOTION_STAGE, Stage::Champion.as_str()],
        |row| row.get(0),
    )?;
    Ok(version.and_then(VersionNumber::new))
}

/// Carries a plan out in its own order, then the alias, then the log.
fn carry_out(
    act: &Act<'_>,
    name: &ModelName,
    plan: PromotionPlan,
    at: Timestamp,
) -> Result<Promotion, StoreError> {
    for change in &plan.changes {
        change_stage(act, change, at)?;
    }
    move_alias(act.tx, name, plan.alias)?;
    version::touch_model(act.tx, name, at)?;
    let drafts = plan.changes.iter().flat_map(|change| change.events.clone());
    let events = event::append(act, at, drafts)?;
    Ok(Promotion { plan, events })
}

fn change_stage(act: &Act<'_>, change: &StageChange, at: Timestamp) -> Result<(), StoreError> {
    tag::change_on_version(act.tx, &change.key, &change.version_tags)?;
    if let Some(run_id) = &change.run_id {
        tag::change_on_run(act.tx, run_id, &change.run_tags)?;
    }
    set_mlflow_stage(act.tx, &change.key, change.transition.to(), at)
}

/// Lets MLflow's own stage follow; a deleted version stays deleted.
pub(crate) fn set_mlflow_stage(
    conn: &Conn,
    key: &VersionKey,
    stage: Stage,
    at: Timestamp,
) -> Result<(), StoreError> {
    conn.execute(
        "UPDATE model_versions SET current_stage = ?1, last_updated_time = ?2
         WHERE workspace = 'default' AND name = ?3 AND version = ?4
           AND current_stage <> 'Deleted_Internal'",
        params![stage.mlflow_stage(), at.millis(), key.name.as_str(), key.version.get()],
    )?;
    Ok(())
}

pub(crate) fn move_alias(
    conn: &Conn,
    name: &ModelName,
    change: AliasChange,
) -> Result<(), StoreError> {
    match change {
        AliasChange::Unchanged => {}
        AliasChange::PointTo(version) => {
            conn.execute(
                "INSERT INTO registered_model_aliases (alias, version, name, workspace)
                 VALUES (?1, ?2, ?3, 'default')
                 ON CONFLICT (workspace, name, alias) DO UPDATE SET version = excluded.version",
                params![CHAMPION_ALIAS, version.get(), name.as_str()],
            )?;
        }
        AliasChange::Remove => {
            conn.execute(
                "DELETE FROM registered_model_aliases
                 WHERE workspace = 'default' AND name = ?1 AND alias = ?2",
                params![name.as_str(), CHAMPION_ALIAS],
            )?;
        }
    }
    Ok(())
}
