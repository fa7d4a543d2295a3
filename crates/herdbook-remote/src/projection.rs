//! Writes the changes of acts in the journal to MLflow's records: tags, stages, statuses and the alias.
//!
//! Every write is idempotent, so any process may repeat it. The order is chosen for programs that read between two writes:
//! first the alias, in one step; then the tags of the old champion; then those of the new one.

use std::collections::BTreeMap;

use herdbook_domain::Stage;
use herdbook_domain::tags::key;
use herdbook_store::StoreError;
use serde_json::json;

use crate::client::Client;
use crate::client::answer::tolerating_absence;
use crate::journal::changes::{Field, Step, status_of};

/// The order in which the changes of one act are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Turn {
    Alias,
    /// The stage tag of a version that was champion.
    Demotion,
    Tag,
    /// The stage tag of another version. Readers find a version by it, so it follows the other tags.
    Stage,
    MlflowStage,
    RunStatus,
}

fn turn(field: &Field, step: &Step) -> Turn {
    let is_stage = |tag: &str| tag == key::PROMOTION_STAGE;
    match field {
        Field::Alias { .. } => Turn::Alias,
        Field::RunTag { key, .. } | Field::VersionTag { key, .. } if is_stage(key) => {
            if step.0.as_deref() == Some(Stage::Champion.as_str()) {
                Turn::Demotion
            } else {
                Turn::Stage
            }
        }
        Field::RunTag { .. } | Field::VersionTag { .. } => Turn::Tag,
        Field::VersionStage { .. } => Turn::MlflowStage,
        Field::RunStatus { .. } => Turn::RunStatus,
    }
}

/// Writes changes of acts in the journal.
///
/// # Errors
/// Those of reaching the server.
pub(crate) fn write(client: &Client, changes: &BTreeMap<Field, Step>) -> Result<(), StoreError> {
    let mut ordered: Vec<(Turn, &Field, &Step)> =
        changes.iter().map(|(field, step)| (turn(field, step), field, step)).collect();
    // All tags of a run are set in one call, together with its stage.
    let with_stage: BTreeMap<&str, Turn> = ordered.iter().filter_map(stage_of_run).collect();
    for (turn, field, step) in &mut ordered {
        if let (Field::RunTag { run, .. }, Some(_)) = (field, &step.1) {
            *turn = *with_stage.get(run.as_str()).unwrap_or(turn);
        }
    }
    // The sort is stable, so the tags of a run stay together. A tag is removed in a call of its own.
    ordered.sort_by_key(|(turn, _, step)| (*turn, step.1.is_none()));
    let mut batch = Batch::default();
    for (turn, field, step) in ordered {
        if let (Field::RunTag { run, key }, Some(value)) = (field, &step.1) {
            batch.add(client, turn, run, key, value)?;
        } else {
            batch.send(client)?;
            tolerating_absence(write_one(client, field, step.1.as_deref()))?;
        }
    }
    batch.send(client)
}

/// The run whose stage a change sets, and the turn of that change.
fn stage_of_run<'a>((turn, field, step): &(Turn, &'a Field, &'a Step)) -> Option<(&'a str, Turn)> {
    match field {
        Field::RunTag { run, key } if key == key::PROMOTION_STAGE && step.1.is_some() => {
            Some((run, *turn))
        }
        _ => None,
    }
}

/// Tags of one run that are sent in one call.
#[derive(Default)]
struct Batch {
    of: Option<(Turn, String)>,
    tags: Vec<(String, String)>,
}

impl Batch {
    fn add(
        &mut self,
        client: &Client,
        turn: Turn,
        run: &str,
        key: &str,
        value: &str,
    ) -> Result<(), StoreError> {
        if self.of.as_ref().is_none_or(|(of_turn, of_run)| *of_turn != turn || of_run != run) {
            self.send(client)?;
            self.of = Some((turn, run.to_owned()));
        }
        self.tags.push((key.to_owned(), value.to_owned()));
        Ok(())
    }

    fn send(&mut self, client: &Client) -> Result<(), StoreError> {
        let Some((_, run)) = self.of.take() else { return Ok(()) };
        tolerating_absence(client.set_run_tags(&run, &std::mem::take(&mut self.tags)))
    }
}

fn write_one(client: &Client, field: &Field, value: Option<&str>) -> Result<(), StoreError> {
    match (field, value) {
        (Field::Alias { name, alias }, Some(version)) => {
            client.set_alias(name, alias, version.parse().unwrap_or_default())
        }
        (Field::Alias { name, alias }, None) => client.delete_alias(name, alias),
        (Field::RunTag { run, key }, None) => client.delete_run_tag(run, key),
        (Field::RunTag { run, key }, Some(value)) => {
            client.set_run_tags(run, &[(key.clone(), value.to_owned())])
        }
        (Field::VersionTag { name, version, key }, Some(value)) => {
            client.set_version_tag(name, *version, key, value)
        }
        (Field::VersionTag { name, version, key }, None) => {
            client.delete_version_tag(name, *version, key)
        }
        (Field::VersionStage { name, version }, stage) => {
            client.transition_stage(name, *version, stage.unwrap_or("None"))
        }
        (Field::RunStatus { run }, value) => {
            let value = value.unwrap_or_default();
            let ended = value.split_once(' ').and_then(|(_, time)| time.parse::<i64>().ok());
            client.update_run(
                run,
                &[("status", json!(status_of(value))), ("end_time", json!(ended.unwrap_or(0)))],
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_champion_is_written_after_the_alias_and_before_the_new_one() {
        let tag = |version| Field::VersionTag {
            name: "m".into(),
            version,
            key: key::PROMOTION_STAGE.into(),
        };
        let step = |before: &str, after: &str| Step(Some(before.into()), Some(after.into()));
        let alias = Field::Alias { name: "m".into(), alias: "champion".into() };
        let leaves = turn(&tag(2), &step("champion", "archived"));
        let comes = turn(&tag(1), &step("beta", "champion"));
        assert!(turn(&alias, &step("2", "1")) < leaves && leaves < comes);
    }
}
