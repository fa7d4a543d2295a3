//! Writes the changes of acts in the journal to MLflow's records: tags, stages, statuses and the alias.
//!
//! Every write is idempotent, so that any process may repeat it. The order is chosen for readers in between: first the
//! alias, in one step; then the tags of the old champion, before those of the new one.

use std::collections::BTreeMap;

use herdbook_domain::Stage;
use herdbook_domain::tags::key;
use herdbook_store::StoreError;
use serde_json::json;

use crate::client::Client;
use crate::client::answer::tolerating_absence;
use crate::client::wire::ModelVersion;
use crate::journal::changes::{Field, Step, status_of};
use crate::journal::subjects::Subjects;

/// The order in which the changes of one act are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Turn {
    Alias,
    /// The stage tag of a version that was champion.
    Demotion,
    /// The tag named after the moment of a change of stage. No other change of stage sets it, so it comes before the tags
    /// that they share.
    Moment,
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
        Field::VersionTag { key, .. } if is_moment(key) => Turn::Moment,
        Field::RunTag { .. } | Field::VersionTag { .. } => Turn::Tag,
        Field::VersionStage { .. } => Turn::MlflowStage,
        Field::RunStatus { .. } => Turn::RunStatus,
    }
}

/// Whether a tag is named after the moment of a change of stage, such as `promotion_20250610_1417`.
fn is_moment(key: &str) -> bool {
    key.strip_prefix("promotion_")
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// Whether a version shows, by its tags after the last write of an act, that no later act was overwritten by it.
///
/// This holds for an act that changes one version and its run by a change of stage. A later act on the same fields is
/// another change of stage of the version, which first sets a tag of its own, see [`Turn::Moment`].
pub(crate) fn shows_no_later_act(
    changes: &BTreeMap<Field, Step>,
    after: &ModelVersion,
    expected: &BTreeMap<String, String>,
) -> bool {
    let subjects = Subjects::of(changes.keys());
    let is_stage_change = changes
        .keys()
        .any(|field| matches!(field, Field::VersionTag { key, .. } if is_moment(key)));
    let is_of_one_version = subjects.models.is_empty()
        && subjects.runs.iter().all(|run| *run == after.run_id)
        && subjects.versions.into_iter().eq([(after.name.clone(), after.number())]);
    let tags = after.tags.iter().map(|tag| (tag.key.clone(), tag.value.clone()));
    is_stage_change && is_of_one_version && tags.collect::<BTreeMap<_, _>>() == *expected
}

/// Writes changes of acts in the journal. Where the last write set the stage of a version, returns this version as it was
/// then.
///
/// # Errors
/// Those of reaching the server.
pub(crate) fn write(
    client: &Client,
    changes: &BTreeMap<Field, Step>,
) -> Result<Option<ModelVersion>, StoreError> {
    let mut ordered: Vec<(Turn, &Field, &Step)> =
        changes.iter().map(|(field, step)| (turn(field, step), field, step)).collect();
    // A stable sort: the fields of one run stay together, so that its tags are sent in one call.
    ordered.sort_by_key(|(turn, ..)| *turn);
    let mut batch = Batch::default();
    let mut last = None;
    for (turn, field, step) in ordered {
        last = None;
        if let (Field::RunTag { run, key }, Some(value)) = (field, &step.1) {
            batch.add(client, turn, run, key, value)?;
        } else {
            batch.send(client)?;
            let outcome = write_one(client, field, step.1.as_deref());
            tolerating_absence(outcome.map(|version| last = version))?;
        }
    }
    batch.send(client)?;
    Ok(last)
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

fn write_one(
    client: &Client,
    field: &Field,
    value: Option<&str>,
) -> Result<Option<ModelVersion>, StoreError> {
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
            return client.transition_stage(name, *version, stage.unwrap_or("None")).map(Some);
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
    .map(|()| None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::wire::Pair;

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

    #[test]
    fn later_act_is_seen_by_a_tag_that_this_act_did_not_set() {
        let tag = |key: &str| Field::VersionTag { name: "m".into(), version: 1, key: key.into() };
        let moment = "promotion_20250610_1417";
        let mut changes: BTreeMap<Field, Step> = BTreeMap::new();
        for field in [tag(moment), tag(key::PROMOTION_STAGE)] {
            changes.insert(field, Step(None, Some("beta".into())));
        }
        let pairs = |keys: &[&str]| -> Vec<Pair> {
            keys.iter().map(|key| Pair { key: (*key).into(), value: "beta".into() }).collect()
        };
        let version = |keys: &[&str]| ModelVersion {
            name: "m".into(),
            version: "1".into(),
            tags: pairs(keys),
            ..ModelVersion::default()
        };
        let expected =
            BTreeMap::from([moment, key::PROMOTION_STAGE].map(|key| (key.into(), "beta".into())));
        let alone = version(&[moment, key::PROMOTION_STAGE]);
        assert!(shows_no_later_act(&changes, &alone, &expected));
        let overtaken = version(&[moment, "promotion_20250610_1417_2", key::PROMOTION_STAGE]);
        assert!(!shows_no_later_act(&changes, &overtaken, &expected));
        changes.insert(
            Field::Alias { name: "m".into(), alias: "champion".into() },
            Step(None, Some("1".into())),
        );
        assert!(!shows_no_later_act(&changes, &alone, &expected));
    }
}
