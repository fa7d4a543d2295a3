//! From the journal to what MLflow shows: tags, stages, statuses and the alias follow the acts.
//!
//! Every write here can be made again, by anyone, without harm. The order is for those who look on meanwhile: the alias
//! first, in one step; then the champion that leaves, before the one that comes.

use std::collections::BTreeMap;

use herdbook_domain::Stage;
use herdbook_domain::tags::key;
use herdbook_store::StoreError;
use serde_json::json;

use crate::client::Client;
use crate::client::answer::tolerating_absence;
use crate::journal::changes::{Field, Step, status_of};

/// When a change is written, among those of one act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Turn {
    Alias,
    /// A champion's place is given up.
    Demotion,
    Tag,
    /// By this tag others find a version: it comes when all else is there.
    Stage,
    MlflowStage,
    RunStatus,
}

fn turn(place: &Field, step: &Step) -> Turn {
    let is_stage = |tag: &str| tag == key::PROMOTION_STAGE;
    match place {
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

/// Writes changes that the journal holds.
pub(crate) fn write(client: &Client, changes: &BTreeMap<Field, Step>) -> Result<(), StoreError> {
    let mut ordered: Vec<(Turn, &Field, &Step)> =
        changes.iter().map(|(place, step)| (turn(place, step), place, step)).collect();
    // Stable: within a turn, by place, so that the tags of a run come together.
    ordered.sort_by_key(|(turn, ..)| *turn);
    let mut batch = Batch::default();
    for (turn, place, step) in ordered {
        if let (Field::RunTag { run, key }, Some(value)) = (place, &step.1) {
            batch.add(client, turn, run, key, value)?;
        } else {
            batch.send(client)?;
            tolerating_absence(write_one(client, place, step.1.as_deref()))?;
        }
    }
    batch.send(client)
}

/// Tags of one run that go out in one call.
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

fn write_one(client: &Client, place: &Field, value: Option<&str>) -> Result<(), StoreError> {
    match (place, value) {
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
    fn champion_that_leaves_comes_before_the_one_that_comes_and_after_the_alias() {
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
