//! The alias `champion`, which follows the champion of a model under the life cycle.

use herdbook_domain::tags::key;
use herdbook_domain::{Reason, Stage, VersionKey};
use herdbook_mlflow::{MlflowError, registry, write};
use herdbook_store::Effect;
use herdbook_store::tables::alias::CHAMPION_ALIAS;
use herdbook_store::tables::{tag, version};

use super::rules::{Records, key_of};
use super::stages::{change_stage, observe, promote};

/// The reason in the history of a champion whose alias a client removed.
const ALIAS_REMOVED: &str = "The alias `champion` was removed";

/// Points an alias at a version. The alias `champion` makes the version the champion.
pub(crate) fn set_alias(
    records: Records<'_>,
    of: (&str, i64),
    alias: &str,
) -> Result<(), MlflowError> {
    let rules = records.life_cycle();
    if alias == CHAMPION_ALIAS && records.session().read(|conn| rules.covers(conn, of.0))? {
        observe(records, of, Stage::Champion.as_str());
    }
    let is_set = write(records.session(), |act| {
        registry::check_alias(act.tx, of, alias)?;
        let is_request =
            rules.is_enforced() && alias == CHAMPION_ALIAS && rules.covers(act.tx, of.0)?;
        let is_champion = match key_of(of.0, of.1) {
            Some(key) => {
                let stage = tag::of_version(act.tx, &key)?.remove(key::PROMOTION_STAGE);
                stage.as_deref() == Some(Stage::Champion.as_str())
            }
            None => false,
        };
        if is_request && !is_champion {
            return Ok(false);
        }
        registry::set_alias(act.tx, of, alias)?;
        Ok(true)
    })?;
    if is_set { Ok(()) } else { change_stage(records, of, Stage::Champion.as_str()) }
}

/// Removes an alias. Without the alias `champion` a model has no champion: the champion is archived.
pub(crate) fn delete_alias(
    records: Records<'_>,
    name: &str,
    alias: &str,
) -> Result<(), MlflowError> {
    let rules = records.life_cycle();
    let champion = write(records.session(), |act| {
        if alias == CHAMPION_ALIAS
            && rules.covers(act.tx, name)?
            && let Some(key) = key_of(name, 1)
            && let Some(version) = version::champion_of(act.tx, &key.name)?
        {
            let champion = VersionKey { name: key.name, version };
            if !version::load(act.tx, &champion)?.deleted && rules.is_enforced() {
                return Ok(Some(champion));
            }
        }
        registry::delete_alias(act.tx, name, alias)?;
        Ok(None)
    })?;
    if let Some(champion) = champion {
        let reason = Reason::parse(ALIAS_REMOVED).ok();
        promote(records, &champion, Stage::Archived, reason, Effect::Commit)?;
    }
    Ok(())
}
