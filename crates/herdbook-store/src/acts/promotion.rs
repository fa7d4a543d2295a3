//! Promotions and rollbacks. One transaction changes the tags of version and run, MLflow's stage and the champion alias,
//! and appends the events.

use std::collections::BTreeMap;

use herdbook_domain::tags::key;
use herdbook_domain::{
    Conditions, Event, FormerChampion, Honesty, ModelName, Obstacle, PromotionFacts, PromotionPlan,
    PromotionRequest, RollbackFacts, RollbackRequest, Stage, StageChange, Timestamp, VersionFacts,
    VersionKey, plan_promotion, plan_rollback,
};

use crate::acts::conditions;
use crate::acts::files::{FileState, HashedFiles};
use crate::engine::backend::{DependsOn, Effect, Scope, VersionScope, View};
use crate::error::StoreError;
use crate::session::{Act, Session};
use crate::tables::{alias, event, tag, version};

/// Maximum number of times that a model file is hashed again because it changed between hashing and act.
const ATTEMPTS: u32 = 5;

/// A promotion that was carried out, or that a dry run would carry out.
#[derive(Debug, Clone)]
pub struct Promotion {
    /// Its changes.
    pub plan: PromotionPlan,
    /// Its events in the history.
    pub events: Vec<Event>,
}

impl Session {
    /// Changes the stage of a version, and archives the champion that it replaces, in one act.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if the rules forbid it; [`StoreError::NoSuchModel`], [`StoreError::NoSuchVersion`],
    /// [`StoreError::DeletedVersion`]; [`StoreError::FileNotHashed`] if the model file keeps changing.
    pub fn promote(
        &self,
        request: &PromotionRequest,
        effect: Effect,
    ) -> Result<Promotion, StoreError> {
        self.promote_under(&Conditions::default(), request, effect)
    }

    /// As [`Session::promote`], under conditions, which are judged on the records as they are during the act.
    ///
    /// # Errors
    /// As [`Session::promote`]; [`herdbook_domain::Refusal::GateFailed`] if a condition is not met.
    pub fn promote_under(
        &self,
        conditions: &Conditions,
        request: &PromotionRequest,
        effect: Effect,
    ) -> Result<Promotion, StoreError> {
        let mut files = HashedFiles::default();
        if request.target == Stage::Champion {
            files.hash(self, &request.key)?;
        }
        let scope = if conditions.ask_for_evidence(request.target, &request.key.name) {
            // The tries on the same bars are evaluations and runs of any model.
            Scope::Everything(View::Completed)
        } else {
            let depends_on = depends_on(conditions, request);
            Scope::StageChange(VersionScope { key: &request.key, depends_on })
        };
        self.with_hashed_files(files, |files| {
            self.write_in(scope, effect, |act| {
                let at = act.time_for([&request.key.name])?;
                let facts = self.facts(act, request, files)?;
                let judgement = conditions::judge(act.tx, request, conditions, &facts, at)?;
                let plan = plan_promotion(request, &facts, &judgement, at)?;
                carry_out(act, &request.key.name, plan, at)
            })
        })
    }

    /// Makes the last good former champion the champion again.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if there is none, or the rules forbid it; [`StoreError::NoSuchModel`];
    /// [`StoreError::FileNotHashed`] if a model file keeps changing.
    pub fn rollback(
        &self,
        request: &RollbackRequest,
        effect: Effect,
    ) -> Result<Promotion, StoreError> {
        let files = HashedFiles::default();
        self.with_hashed_files(files, |files| {
            self.write_or_dry(effect, |act| {
                version::require_model(act.tx, &request.name)?;
                let at = act.time_for([&request.name])?;
                let facts = self.rollback_facts(act, &request.name, files)?;
                let plan = plan_rollback(request, &facts, at)?;
                carry_out(act, &request.name, plan, at)
            })
        })
    }

    /// Runs an act that depends on model files. If the act needs a file that was not hashed, or that changed since, the act
    /// is rolled back, the file is hashed outside the transaction, and the act is run again.
    fn with_hashed_files<T>(
        &self,
        mut files: HashedFiles,
        act: impl Fn(&HashedFiles) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut changes = BTreeMap::new();
        loop {
            match act(&files) {
                Err(StoreError::FileNotHashed { key }) => {
                    let n_hashed = changes.entry(key.clone()).or_insert(0);
                    *n_hashed += 1;
                    if *n_hashed > ATTEMPTS {
                        return Err(StoreError::FileNotHashed { key });
                    }
                    files.hash(self, &key)?;
                }
                outcome => return outcome,
            }
        }
    }

    fn facts(
        &self,
        act: &Act<'_>,
        request: &PromotionRequest,
        files: &HashedFiles,
    ) -> Result<PromotionFacts, StoreError> {
        let mut version = version_facts(act, &request.key)?;
        if version.deleted {
            return Err(StoreError::DeletedVersion { key: request.key.clone() });
        }
        // Only the champion's file is loaded by others; in other stages it is not checked.
        if request.target == Stage::Champion {
            version.file = obstacle_of(&files.state(self, act.tx, &request.key)?);
        }
        let champion = champion_facts(act, &request.key.name)?;
        Ok(PromotionFacts { version, champion })
    }

    /// The champion and the former champions, from the newest to the first that may return.
    fn rollback_facts(
        &self,
        act: &Act<'_>,
        name: &ModelName,
        files: &HashedFiles,
    ) -> Result<RollbackFacts, StoreError> {
        let conn = act.tx;
        let champion = champion_facts(act, name)?;
        let present = champion.as_ref().map(|champion| champion.key.version);
        let mut former = Vec::new();
        for version in event::former_champions(conn, name)? {
            let key = VersionKey { name: name.clone(), version };
            // The versions of a model that was deleted and created again no longer exist.
            if Some(version) == present || !version::exists(conn, &key)? {
                continue;
            }
            let facts = version_facts(act, &key)?;
            let obstacle = if facts.deleted {
                Some(Obstacle::Deleted)
            } else if event::was_rolled_back_from(conn, &key)? {
                Some(Obstacle::RolledBack)
            } else {
                obstacle_of(&files.state(self, conn, &key)?)
            };
            let may_return = obstacle.is_none();
            former.push(FormerChampion { facts, obstacle });
            if may_return {
                break;
            }
        }
        Ok(RollbackFacts { champion, former })
    }
}

/// The champion matters where it is displaced, expected, or compared with.
fn depends_on(conditions: &Conditions, request: &PromotionRequest) -> DependsOn {
    let has_conditions =
        conditions.before(request.target, &request.key.name, None).next().is_some();
    let names_champion = request.target == Stage::Champion || request.expected_champion.is_some();
    if has_conditions || names_champion { DependsOn::Champion } else { DependsOn::Version }
}

fn obstacle_of(file: &FileState) -> Option<Obstacle> {
    match file {
        FileState::Intact => None,
        FileState::Missing { .. } | FileState::Altered { .. } => Some(Obstacle::FileAltered),
        FileState::Unknown => Some(Obstacle::FileUnknown),
    }
}

fn champion_facts(act: &Act<'_>, name: &ModelName) -> Result<Option<VersionFacts>, StoreError> {
    version::champion_of(act.tx, name)?
        .map(|version| version_facts(act, &VersionKey { name: name.clone(), version }))
        .transpose()
}

/// The facts of a version, without the state of its model file.
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
            // Any program can change the tag, but not the history.
            Some(Honesty::Contaminated) => Honesty::Contaminated,
            registered => record.tag(key::HONESTY).or(registered).unwrap_or(Honesty::Unknown),
        },
        promotion_keys: record
            .tags
            .into_keys()
            .filter(|tag| tag.starts_with("promotion_"))
            .collect(),
        file: None,
        deleted: record.deleted,
    })
}

/// Carries out the changes of a plan in their order, then moves the alias, then appends the events.
fn carry_out(
    act: &Act<'_>,
    name: &ModelName,
    plan: PromotionPlan,
    at: Timestamp,
) -> Result<Promotion, StoreError> {
    for change in &plan.changes {
        change_stage(act, change, at)?;
    }
    alias::move_champion(act.tx, name, plan.alias)?;
    version::touch_model(act.tx, name, at)?;
    let drafts = plan.changes.iter().flat_map(|change| change.events.clone());
    let events = act.append(at, drafts)?;
    Ok(Promotion { plan, events })
}

fn change_stage(act: &Act<'_>, change: &StageChange, at: Timestamp) -> Result<(), StoreError> {
    tag::change_on_version(act.tx, &change.key, &change.version_tags)?;
    if let Some(run_id) = &change.run_id {
        tag::change_on_run(act.tx, run_id, &change.run_tags)?;
    }
    version::set_mlflow_stage(act.tx, &change.key, change.transition.to(), at)
}
