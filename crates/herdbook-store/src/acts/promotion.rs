//! Promotions and rollbacks. One transaction changes the tags of version and run, MLflow's stage and the champion alias,
//! and appends the events.

use herdbook_domain::tags::key;
use herdbook_domain::{
    Conditions, Event, FormerChampion, Honesty, ModelName, Obstacle, PromotionFacts, PromotionPlan,
    PromotionRequest, RollbackFacts, RollbackRequest, Stage, StageChange, Timestamp, VersionFacts,
    VersionKey, plan_promotion, plan_rollback,
};

use crate::acts::conditions;
use crate::acts::files::HashedFiles;
use crate::acts::sealing::{self, Facts};
use crate::acts::usability::{self, obstacle_of_file};
use crate::engine::backend::{DependsOn, Effect, Scope, VersionScope, View};
use crate::error::StoreError;
use crate::session::{Act, Session};
use crate::tables::{alias, event, seal, tag, version};

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
    /// As [`Session::promote`]; [`herdbook_domain::Refusal::GateFailed`] if a condition is not met;
    /// [`StoreError::UnknownModelInConditions`] on a rise, if a condition names a model that the store never had.
    pub fn promote_under(
        &self,
        conditions: &Conditions,
        request: &PromotionRequest,
        effect: Effect,
    ) -> Result<Promotion, StoreError> {
        self.promotion_unless(conditions, request, effect, |_, _| Ok(None), carry_out)
    }

    /// Collects the facts, asks for the plan, and leaves the rest to `finish`, all in one transaction. If `done` finds that
    /// the act was done before, its answer is the result.
    pub(super) fn promotion_unless<T>(
        &self,
        conditions: &Conditions,
        request: &PromotionRequest,
        effect: Effect,
        done: impl Fn(&Act<'_>, &ModelName) -> Result<Option<T>, StoreError>,
        finish: impl Fn(&Act<'_>, &ModelName, PromotionPlan, Timestamp) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut files = HashedFiles::default();
        if is_used_after(request.target) {
            files.hash(self, &request.key)?;
        }
        self.with_hashed_files(files, |files| {
            let name = &request.key.name;
            let scope = if conditions.ask_for_evidence(request.target, name)
                || conditions.name_others_than(name)
            {
                // The tries on the same bars are evaluations and runs of any model. Whether the model had another name is
                // shown by all its versions.
                Scope::Everything(View::Completed)
            } else {
                // The facts to seal include those of the run.
                let depends_on = if files.is_unsealed(&request.key) {
                    DependsOn::Champion
                } else {
                    depends_on(conditions, request)
                };
                Scope::StageChange(VersionScope { key: &request.key, depends_on })
            };
            self.write_in(scope, effect, |act| {
                let conditions = &conditions::of_model(act.tx, request, conditions)?;
                let at = act.time_for([name])?;
                if let Some(answer) = done(act, name)? {
                    return Ok(answer);
                }
                let reading = Reading { act, files, at };
                let facts = self.facts(&reading, request, conditions)?;
                let judgement = conditions::judge(act.tx, request, conditions, &facts)?;
                let plan = plan_promotion(request, &facts, &judgement, at)?;
                finish(act, name, plan, at)
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
        self.rollback_unless(request, effect, |_, _| Ok(None), carry_out)
    }

    /// As [`Session::promotion_unless`], for a rollback.
    pub(super) fn rollback_unless<T>(
        &self,
        request: &RollbackRequest,
        effect: Effect,
        done: impl Fn(&Act<'_>, &ModelName) -> Result<Option<T>, StoreError>,
        finish: impl Fn(&Act<'_>, &ModelName, PromotionPlan, Timestamp) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let files = HashedFiles::default();
        self.with_hashed_files(files, |files| {
            self.write_or_dry(effect, |act| {
                version::require_model(act.tx, &request.name)?;
                let at = act.time_for([&request.name])?;
                if let Some(answer) = done(act, &request.name)? {
                    return Ok(answer);
                }
                let facts = self.rollback_facts(&Reading { act, files, at }, request)?;
                let plan = plan_rollback(request, &facts, at)?;
                finish(act, &request.name, plan, at)
            })
        })
    }

    fn facts(
        &self,
        reading: &Reading<'_>,
        request: &PromotionRequest,
        conditions: &Conditions,
    ) -> Result<PromotionFacts, StoreError> {
        let has_conditions =
            conditions.before(request.target, &request.key.name, None).next().is_some();
        let is_rise = matches!(request.target, Stage::Beta | Stage::Champion);
        let mut version =
            reading.version(&request.key, if is_rise { Rests::OnFacts } else { Rests::OnStage })?;
        if version.deleted {
            return Err(StoreError::DeletedVersion { key: request.key.clone() });
        }
        // Versions in beta and the champion are loaded by others; in other stages the file is not read.
        if is_used_after(request.target) && version.obstacle.is_none() {
            let state = reading.files.state(self, reading.act.tx, &request.key)?;
            version.obstacle = obstacle_of_file(&state);
        }
        let rests = if has_conditions { Rests::OnFacts } else { Rests::OnStage };
        let champion = reading.champion(&request.key.name, rests)?;
        Ok(PromotionFacts { version, champion })
    }

    /// The champion and the former champions, from the newest to the first that may return.
    fn rollback_facts(
        &self,
        reading: &Reading<'_>,
        request: &RollbackRequest,
    ) -> Result<RollbackFacts, StoreError> {
        let (conn, name) = (reading.act.tx, &request.name);
        let champion = reading.champion(name, Rests::OnStage)?;
        let present = champion.as_ref().map(|champion| champion.key.version);
        let mut former = Vec::new();
        for version in event::former_champions(conn, name)? {
            let key = VersionKey { name: name.clone(), version };
            // The versions of a model that was deleted and created again no longer exist.
            if Some(version) == present || !version::exists(conn, &key)? {
                continue;
            }
            let facts = reading.version(&key, Rests::OnStage)?;
            let mut returning = FormerChampion { facts, obstacle: None };
            returning.obstacle = if event::was_rolled_back_from(conn, &key)? {
                Some(Obstacle::RolledBack)
            } else {
                returning.facts.obstacle.clone()
            };
            // A file is read only where nothing else keeps its version from returning.
            if returning.obstacle_to(request, champion.as_ref()).is_none() {
                returning.obstacle = obstacle_of_file(&reading.files.state(self, conn, &key)?);
            }
            let may_return = returning.obstacle_to(request, champion.as_ref()).is_none();
            if may_return {
                let obstacle = returning.obstacle;
                let facts = reading.version(&key, Rests::OnFacts)?;
                returning = FormerChampion { facts, obstacle };
            }
            former.push(returning);
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
    if has_conditions || names_champion {
        DependsOn::Champion
    } else if is_used_after(request.target) {
        DependsOn::Run
    } else {
        DependsOn::Version
    }
}

/// Whether versions of a stage are loaded by others.
fn is_used_after(target: Stage) -> bool {
    matches!(target, Stage::Beta | Stage::Champion)
}

/// What an act on a version rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rests {
    /// On its facts: metrics, windows, honesty.
    OnFacts,
    /// On its stage alone.
    OnStage,
}

/// An act that reads the facts of versions.
struct Reading<'a> {
    act: &'a Act<'a>,
    files: &'a HashedFiles,
    at: Timestamp,
}

impl Reading<'_> {
    fn champion(&self, name: &ModelName, rests: Rests) -> Result<Option<VersionFacts>, StoreError> {
        version::champion_of(self.act.tx, name)?
            .map(|version| self.version(&VersionKey { name: name.clone(), version }, rests))
            .transpose()
    }

    /// The facts of a version, without the state of its model file.
    fn version(&self, key: &VersionKey, rests: Rests) -> Result<VersionFacts, StoreError> {
        let conn = self.act.tx;
        let record = version::load(conn, key)?;
        let run_id = match record.run_id.clone() {
            Some(run_id) => Some(run_id),
            None => event::registered_run(conn, key)?,
        };
        let history_end = event::history_end(conn, key)?;
        // The event with which a history begins holds the seal.
        let needs_facts = rests == Rests::OnFacts || history_end.is_none();
        let facts = if needs_facts && !record.deleted {
            Some(sealing::facts(conn, key, self.files, self.at)?)
        } else {
            None
        };
        let symbol = match &facts {
            Some(facts) => facts.get().symbol(),
            None => match seal::of_version(conn, key)? {
                Some(seal) => seal.facts.symbol(),
                None => record.symbol_of_run.clone(),
            },
        };
        Ok(VersionFacts {
            key: key.clone(),
            obstacle: usability::of_record(conn, &record)?,
            symbol,
            run_id,
            stage_tag: record.tags.get(key::PROMOTION_STAGE).cloned(),
            history_end,
            honesty: facts.as_ref().map_or(Honesty::Unknown, |facts| facts.get().honesty),
            promotion_keys: record
                .tags
                .into_keys()
                .filter(|tag| tag.starts_with("promotion_"))
                .collect(),
            deleted: record.deleted,
            unsealed: facts.and_then(Facts::unsealed),
        })
    }
}

/// Carries out the changes of a plan in their order, then moves the alias, then appends the events.
pub(super) fn carry_out(
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
    let events = act.append(at, plan.events().cloned())?;
    Ok(Promotion { plan, events })
}

fn change_stage(act: &Act<'_>, change: &StageChange, at: Timestamp) -> Result<(), StoreError> {
    tag::change_on_version(act.tx, &change.key, &change.version_tags)?;
    if let Some(run_id) = &change.run_id {
        tag::change_on_run(act.tx, run_id, &change.run_tags)?;
    }
    version::set_mlflow_stage(act.tx, &change.key, change.transition.to(), at)
}
