//! Tags of versions and runs under the life cycle.

use herdbook_domain::tags::{Tags, key};
use herdbook_domain::{
    ModelName, Refusal, RunId, RunPhase, Stage, VersionKey, guard_run_tags, guard_tag_removal,
    guard_version_tag,
};
use herdbook_mlflow::{Code, MlflowError, registry, write};
use herdbook_store::engine::db::Conn;
use herdbook_store::tables::{event, tag, version};
use herdbook_store::{RunTagGuard, StoreError};

use super::rules::{LifeCycle, Mode, Records, has_stage};
use super::stages::{change_stage, observe};

/// What is left to do after the transaction that looked at a request.
enum Left {
    Nothing,
    ChangeOfStage,
}

/// Sets a tag of a version. The tag of the stage changes the stage.
pub(crate) fn set_version_tag(
    records: Records<'_>,
    of: (&str, i64),
    tag: &str,
    value: &str,
) -> Result<(), MlflowError> {
    let rules = records.life_cycle();
    if tag == key::PROMOTION_STAGE {
        observe(records, of, value);
    }
    let left = write(records.session(), |act| {
        let present = registry::version_tag(act.tx, of, tag, Some(value))?;
        if tag == key::PROMOTION_STAGE {
            let is_repeated = present.as_deref() == Some(value) && value.parse::<Stage>().is_ok();
            if rules.is_enforced() {
                return Ok(if is_repeated { Left::Nothing } else { Left::ChangeOfStage });
            }
        } else if rules.managed(act.tx, of)?.is_some() {
            match guard_version_tag(tag, value, present.as_deref()) {
                Ok(true) => {}
                Ok(false) => return Ok(Left::Nothing),
                Err(refusal) => rules.refuse(refusal)?,
            }
        }
        if (tag, value) == (key::PROMOTION_STAGE, Stage::Champion.as_str()) {
            require_no_other_champion(act.tx, of)?;
        }
        registry::set_version_tag(act.tx, of, tag, value)?;
        Ok(Left::Nothing)
    })?;
    match left {
        Left::Nothing => Ok(()),
        Left::ChangeOfStage => change_stage(records, of, value),
    }
}

/// Fails if another version is tagged champion: the database permits one, whatever the mode.
fn require_no_other_champion(conn: &Conn, (name, number): (&str, i64)) -> Result<(), MlflowError> {
    let Ok(model) = ModelName::parse(name) else { return Ok(()) };
    match version::champion_of(conn, &model)?.map(|version| i64::from(version.get())) {
        Some(champion) if champion != number => Err(MlflowError::new(
            Code::ResourceConflict,
            format!("`{name}` version {champion} is its champion: a model has at most one"),
        )),
        _ => Ok(()),
    }
}

/// Removes a tag of a version.
pub(crate) fn delete_version_tag(
    records: Records<'_>,
    of: (&str, i64),
    tag: &str,
) -> Result<(), MlflowError> {
    let rules = records.life_cycle();
    write(records.session(), |act| {
        let present = registry::version_tag(act.tx, of, tag, None)?;
        if rules.managed(act.tx, of)?.is_some()
            && let Err(refusal) = guard_tag_removal(tag, present.as_deref())
        {
            rules.refuse(refusal)?;
        }
        registry::delete_version_tag(act.tx, of, tag)
    })?;
    Ok(())
}

impl RunTagGuard for LifeCycle {
    fn tags_to_write(
        &self,
        conn: &Conn,
        run_id: &str,
        given: Vec<(String, String)>,
    ) -> Result<Vec<(String, String)>, StoreError> {
        let is_protected = |(key, _): &(String, String)| is_protected(key);
        if !given.iter().any(is_protected) {
            return Ok(given);
        }
        let Some(version) = self.version_of_run(conn, run_id)? else { return Ok(given) };
        let present = tag::of_run(conn, run_id)?;
        let mut to_write = Vec::new();
        for (key, value) in given {
            let one = Tags::from([(key.clone(), value.clone())]);
            match guard_run_tags(&one, &present, RunPhase::Registered) {
                Ok(free) if free.is_empty() => continue,
                Ok(_) => {}
                Err(refusal) => self.refuse(of_stage(conn, &version, &key)?.unwrap_or(refusal))?,
            }
            to_write.push((key, value));
        }
        Ok(to_write)
    }

    fn check_removal(&self, conn: &Conn, run_id: &str, key: &str) -> Result<(), StoreError> {
        if !is_protected(key) || self.version_of_run(conn, run_id)?.is_none() {
            return Ok(());
        }
        let present = tag::of_run(conn, run_id)?;
        match guard_tag_removal(key, present.get(key).map(String::as_str)) {
            Ok(()) => Ok(()),
            Err(refusal) => self.refuse(refusal),
        }
    }
}

/// Whether a tag of a registered run is protected.
fn is_protected(key: &str) -> bool {
    guard_tag_removal(key, Some("")).is_err()
}

/// The refusal to set the stage on a run; `None` for another tag.
fn of_stage(conn: &Conn, version: &VersionKey, tag: &str) -> Result<Option<Refusal>, StoreError> {
    if tag != key::PROMOTION_STAGE {
        return Ok(None);
    }
    let stage = event::history_end(conn, version)?;
    Ok(stage.map(|stage| Refusal::StageOnRun { key: version.clone(), stage }))
}

impl LifeCycle {
    /// The version of a run that is under the life cycle.
    fn version_of_run(&self, conn: &Conn, run_id: &str) -> Result<Option<VersionKey>, StoreError> {
        let Ok(run_id) = RunId::parse(run_id) else { return Ok(None) };
        if self.mode == Mode::Off {
            return Ok(None);
        }
        for key in version::keys_of_run(conn, &run_id)? {
            if has_stage(conn, &key)? {
                return Ok(Some(key));
            }
        }
        Ok(None)
    }
}
