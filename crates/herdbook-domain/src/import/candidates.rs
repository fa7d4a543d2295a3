//! All candidates of an import together: duplicates, children and version numbers.

use std::collections::{BTreeMap, BTreeSet};

use super::candidate::Candidate;
use super::finding::{Finding, FindingKind};
use super::parsed_tags;
use super::source::SourceRecords;
use super::target::TargetFacts;
use crate::values::{ModelName, RunId, Stage, Timestamp, VersionKey, VersionNumber};

/// Parses the tags of every version of the source, and finds those that an earlier import brought into the target.
pub(super) fn read<'a>(
    source: &'a SourceRecords,
    target: &TargetFacts,
    findings: &mut Vec<Finding>,
) -> Vec<Candidate<'a>> {
    let mut versions: Vec<_> = source.versions.iter().collect();
    versions.sort_by(|one, other| one.key.cmp(&other.key));
    let mut of_model: BTreeMap<&ModelName, Vec<_>> = BTreeMap::new();
    for version in &target.versions {
        of_model.entry(&version.key.name).or_default().push(version);
    }
    versions
        .into_iter()
        .map(|version| {
            let run = version.run_id.as_ref().and_then(|run_id| source.runs.get(run_id));
            let parsed = parsed_tags::parse(version, run, source.zone, target.now, findings);
            let known = of_model.get(&version.key.name).into_iter().flatten();
            let present = known.into_iter().find(|known| known.is_import_of(version));
            Candidate {
                source: version,
                takes_part: parsed.takes_part(),
                takes_part_in_target: present.is_some_and(|known| known.takes_part()),
                is_present: present.is_some(),
                number: present.map_or(version.key.version, |known| known.key.version),
                parsed,
                steps: Vec::new(),
                first_child_at: None,
                now: target.now,
            }
        })
        .collect()
}

/// Gives a stage to at most one version of each run, because the tags of a run can agree with
/// only one version.
pub(super) fn resolve_duplicates(
    candidates: &mut [Candidate<'_>],
    target: &TargetFacts,
    findings: &mut Vec<Finding>,
) {
    let mut of_run: BTreeMap<RunId, Vec<usize>> = BTreeMap::new();
    for (idx, candidate) in
        candidates.iter().enumerate().filter(|(_, candidate)| candidate.takes_part)
    {
        if let Some(run_id) = candidate.run_id() {
            of_run.entry(run_id.clone()).or_default().push(idx);
        }
    }
    let taken: BTreeSet<&RunId> = target
        .versions
        .iter()
        .filter(|version| version.takes_part())
        .filter_map(|version| version.run_id.as_ref())
        .collect();
    for (run_id, mut same) in of_run {
        same.sort_by_key(|idx| candidates[*idx].rank(*idx));
        // The run may already have a version in the target that is not one of these.
        let is_taken = taken.contains(&run_id);
        let stays = same.pop_if(|idx| candidates[*idx].takes_part_in_target || !is_taken);
        let winner = stays.map_or_else(
            || "the version that is already here".to_owned(),
            |stays| candidates[stays].source.key.to_string(),
        );
        for idx in same {
            let action = format!("{winner} has a stage; this one is kept without a stage");
            let message = "its run is registered more than once";
            findings.push(candidates[idx].find(
                FindingKind::DuplicateRegistration,
                message,
                &action,
            ));
            candidates[idx].takes_part = false;
        }
    }
}

impl Candidate<'_> {
    /// Order among several versions of one run: the greatest one takes part.
    fn rank(&self, idx: usize) -> (bool, u8, Timestamp, usize) {
        let stage = match self.parsed.stage {
            Some(Stage::Champion) => 3,
            Some(Stage::Beta) => 2,
            Some(Stage::Development) => 1,
            Some(Stage::Archived) | None => 0,
        };
        (self.takes_part_in_target, stage, self.source.created_at, idx)
    }
}

/// Sets when the first child of each candidate was registered, in the source or in the target.
pub(super) fn find_children(
    candidates: &mut [Candidate<'_>],
    source: &SourceRecords,
    target: &TargetFacts,
) {
    let mut first: BTreeMap<RunId, Timestamp> = source.deleted_children.clone();
    let mut note = |parent: RunId, at: Timestamp| {
        first.entry(parent).and_modify(|known| *known = at.min(*known)).or_insert(at);
    };
    for candidate in candidates.iter() {
        if let Some(parent) = &candidate.parsed.parent {
            note(parent.clone(), candidate.source.created_at);
        }
    }
    for version in target.versions.iter().filter(|version| !version.deleted) {
        if let Some(parent) = version.parent() {
            note(parent, version.created_at);
        }
    }
    for candidate in candidates {
        let first = candidate.source.run_id.as_ref().and_then(|run_id| first.get(run_id));
        candidate.first_child_at = first.copied();
    }
}

/// Gives each new version its number in the target: the number in the source, where the model in the target holds only
/// imported versions with their own numbers; else the next free one.
pub(super) fn number(candidates: &mut [Candidate<'_>], target: &TargetFacts) {
    let mut foreign: BTreeSet<&ModelName> = BTreeSet::new();
    let present: BTreeSet<VersionKey> = candidates
        .iter()
        .filter(|one| one.is_present && one.number == one.source.key.version)
        .map(Candidate::key)
        .collect();
    for version in target.versions.iter().filter(|version| !present.contains(&version.key)) {
        foreign.insert(&version.key.name);
    }
    let mut highest = target.highest.clone();
    for candidate in candidates.iter_mut().filter(|candidate| !candidate.is_present) {
        let name = &candidate.source.key.name;
        let last = highest.get(name).copied();
        let own = candidate.source.key.version;
        let is_free = !foreign.contains(name) && last.is_none_or(|last| own > last);
        candidate.number =
            if is_free { own } else { last.map_or(VersionNumber::FIRST, VersionNumber::next) };
        highest.insert(name.clone(), candidate.number);
    }
}
