//! The choice among several champions: a model has at most one.

use std::collections::BTreeMap;

use crate::values::{ModelName, Stage, Timestamp, VersionKey, VersionNumber};

use super::candidate::Candidate;
use super::finding::{Finding, FindingKind};
use super::steps::HistoryStep;
use super::target::TargetFacts;

/// `demotion_reason` of a champion that gives way to another champion of the source.
const SECOND_IN_SOURCE: &str = "Another champion in the imported store";
/// `demotion_reason` of a champion that gives way to the champion of the target.
const CHAMPION_IN_TARGET: &str = "The store imported into has a champion";

/// Keeps at most one champion of each model: of several in the source, the one that became champion last. If the target
/// has a champion already, that one stays and the imported one goes to beta.
pub(super) fn keep_one_champion(
    candidates: &mut [Candidate<'_>],
    aliases: &BTreeMap<ModelName, VersionNumber>,
    target: &TargetFacts,
    findings: &mut Vec<Finding>,
) {
    let mut models: BTreeMap<ModelName, Vec<usize>> = BTreeMap::new();
    for (idx, candidate) in candidates.iter().enumerate() {
        if candidate.stage() == Some(Stage::Champion) {
            models.entry(candidate.source.key.name.clone()).or_default().push(idx);
        }
    }
    for (name, mut champions) in models {
        champions.sort_by_key(|idx| {
            let candidate = &candidates[*idx];
            let number = candidate.source.key.version;
            (candidate.champion_since(), aliases.get(&name) == Some(&number), number)
        });
        let present = target.champion(&name);
        let stays = champions.last().copied();
        if champions.len() > 1 {
            findings.push(two_champions(&name, &champions, candidates));
        }
        for idx in champions {
            let is_new = !candidates[idx].is_present;
            if Some(idx) != stays {
                candidates[idx].demote_champion(Stage::Archived, SECOND_IN_SOURCE);
            } else if let (Some(present), true) = (present, is_new) {
                findings.push(champion_in_target(&candidates[idx].source.key, present));
                candidates[idx].demote_champion(Stage::Beta, CHAMPION_IN_TARGET);
            }
        }
    }
}

/// When versions became champion, by model, as recorded changes tell.
pub(super) struct Crowned(BTreeMap<ModelName, Vec<(Timestamp, VersionNumber)>>);

/// Collects when versions became champion.
pub(super) fn crowned(candidates: &[Candidate<'_>]) -> Crowned {
    let mut found: BTreeMap<ModelName, Vec<(Timestamp, VersionNumber)>> = BTreeMap::new();
    for candidate in candidates.iter().filter(|candidate| candidate.takes_part) {
        let key = &candidate.source.key;
        let changes = candidate.parsed.changes.iter();
        let crownings = changes.filter(|change| change.to == Stage::Champion);
        let times =
            crownings.map(|change| (change.at.max(candidate.source.created_at), key.version));
        found.entry(key.name.clone()).or_default().extend(times);
    }
    for times in found.values_mut() {
        times.sort_unstable();
    }
    Crowned(found)
}

impl Crowned {
    /// When the other versions of a version's model became champion, in order.
    pub(super) fn of_others(&self, key: &VersionKey) -> Vec<Timestamp> {
        let of_model = self.0.get(&key.name).into_iter().flatten();
        of_model.filter(|(_, version)| *version != key.version).map(|(at, _)| *at).collect()
    }
}

fn two_champions(name: &ModelName, champions: &[usize], candidates: &[Candidate<'_>]) -> Finding {
    let claim = |idx: &usize| {
        let candidate = &candidates[*idx];
        let number = candidate.source.key.version;
        match candidate.champion_since() {
            Some(at) => format!("version {number} (since {at})"),
            None => format!("version {number} (no time recorded)"),
        }
    };
    let names: Vec<String> = champions.iter().map(claim).collect();
    let stays = champions.last().map(|idx| candidates[*idx].source.key.version.to_string());
    Finding::new(
        FindingKind::TwoChampions,
        format!("it has more than one champion: {}", names.join(", ")),
        format!(
            "version {}, which became champion last, stays champion; the others are archived",
            stays.unwrap_or_default()
        ),
    )
    .of_model(name)
}

fn champion_in_target(key: &VersionKey, present: VersionNumber) -> Finding {
    Finding::new(
        FindingKind::ChampionInTarget,
        format!("it is champion, but the champion here is version {present}"),
        "it is in beta here: promote it to make it champion",
    )
    .of_version(key, None)
}

impl Candidate<'_> {
    /// When a recorded change last made the version champion.
    fn champion_since(&self) -> Option<Timestamp> {
        self.steps.iter().rev().find_map(|step| match step {
            HistoryStep::Recorded(change) if change.to == Stage::Champion => Some(change.at),
            _ => None,
        })
    }
}
