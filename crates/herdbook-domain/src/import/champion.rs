//! Which of several champions stays: a model has at most one.

use std::collections::BTreeMap;

use crate::{ModelName, Stage, VersionKey, VersionNumber};

use super::member::Member;
use super::past::Step;
use super::source::TargetFacts;
use super::{Finding, FindingKind};

/// `demotion_reason` of a champion that was not the only one in its source.
const ANOTHER: &str = "Another champion in the imported store";
/// The same of one whose place was taken in the target.
const TAKEN: &str = "The store imported into has a champion";

/// Lets at most one champion of each model stay. In the source the one that was made champion last; against a
/// champion of the target none: importing takes nobody's place.
pub(super) fn settle(
    members: &mut [Member<'_>],
    aliases: &BTreeMap<ModelName, VersionNumber>,
    target: &TargetFacts,
    findings: &mut Vec<Finding>,
) {
    let mut models: BTreeMap<ModelName, Vec<usize>> = BTreeMap::new();
    for (idx, member) in members.iter().enumerate() {
        if member.stage() == Some(Stage::Champion) {
            models.entry(member.source.key.name.clone()).or_default().push(idx);
        }
    }
    for (name, mut champions) in models {
        champions.sort_by_key(|idx| {
            let member = &members[*idx];
            let number = member.source.key.version;
            (member.crowned_at(), aliases.get(&name) == Some(&number), number)
        });
        let present = target.champion(&name);
        let stays = champions.last().copied();
        if champions.len() > 1 {
            findings.push(two_champions(&name, &champions, members));
        }
        for idx in champions {
            let is_new = !members[idx].is_present;
            if Some(idx) != stays {
                members[idx].leave_the_champions_place(Stage::Archived, ANOTHER);
            } else if let (Some(present), true) = (present, is_new) {
                findings.push(taken(&members[idx].source.key, present));
                members[idx].leave_the_champions_place(Stage::Beta, TAKEN);
            }
        }
    }
}

fn two_champions(name: &ModelName, champions: &[usize], members: &[Member<'_>]) -> Finding {
    let told = |idx: &usize| {
        let member = &members[*idx];
        let number = member.source.key.version;
        match member.crowned_at() {
            Some(at) => format!("version {number} (since {at})"),
            None => format!("version {number} (nobody recorded since when)"),
        }
    };
    let names: Vec<String> = champions.iter().map(told).collect();
    let stays = champions.last().map(|idx| members[*idx].source.key.version.to_string());
    Finding::new(
        FindingKind::TwoChampions,
        format!("it has more than one champion: {}", names.join(", ")),
        format!(
            "version {}, the one made champion last, stays; the others are archived",
            stays.unwrap_or_default()
        ),
    )
    .of_model(name)
}

fn taken(key: &VersionKey, present: VersionNumber) -> Finding {
    Finding::new(
        FindingKind::ChampionInTarget,
        format!("it is champion, but here version {present} is"),
        "it is in beta here: promote it if it shall take the place",
    )
    .of_version(key, None)
}

impl TargetFacts {
    /// The champion of a model.
    fn champion(&self, name: &ModelName) -> Option<VersionNumber> {
        let tag = Some(Stage::Champion.as_str());
        let mut versions = self.versions.iter().filter(|one| one.key.name == *name && !one.deleted);
        let champion = versions
            .find(|one| one.tags.get(crate::tags::key::PROMOTION_STAGE).map(String::as_str) == tag);
        champion.map(|one| one.key.version)
    }
}

impl Member<'_> {
    /// When a recorded change last made it champion.
    fn crowned_at(&self) -> Option<crate::Timestamp> {
        self.steps.iter().rev().find_map(|step| match step {
            Step::Changed(change) if change.to == Stage::Champion => Some(change.at),
            _ => None,
        })
    }
}
