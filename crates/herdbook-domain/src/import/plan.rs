//! The decision as a whole: which versions are written, as what, and what the log says of them.

use std::collections::{BTreeMap, BTreeSet};

use crate::tags::{TagChanges, Tags, key};
use crate::{
    EventDraft, ModelName, RunId, Stage, Timestamp, VersionKey, VersionNumber, VersionType,
};

use super::event::{Dated, superseded_in_target};
use super::member::Member;
use super::source::{SourceRecords, TargetFacts};
use super::{Finding, FindingKind, audit, champion, past, told};

/// The exact changes of an import, runs aside. Carried out whole or not at all.
#[derive(Debug, Clone, Default)]
pub struct ImportPlan {
    /// The versions to write.
    pub versions: Vec<PlannedVersion>,
    /// Changes to the tags of runs: they agree with their versions.
    pub run_tags: Vec<(RunId, TagChanges)>,
    /// Versions that the target has had before and that turn `old`.
    pub superseded: Vec<(VersionKey, TagChanges)>,
    /// What the log says, and when each happened; oldest first.
    pub events: Vec<(Timestamp, EventDraft)>,
    /// Where aliases point that the target does not have yet; `champion` among them.
    pub aliases: Vec<(ModelName, String, VersionNumber)>,
    /// How many versions the target has already.
    pub n_present: usize,
    /// The contradictions of the source, each with what is done about it.
    pub findings: Vec<Finding>,
}

/// A version to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedVersion {
    /// Which.
    pub key: VersionKey,
    /// Its number in the source.
    pub source_number: VersionNumber,
    /// Its run.
    pub run_id: Option<RunId>,
    /// When it was registered.
    pub created_at: Timestamp,
    /// Its tags.
    pub tags: Tags,
    /// MLflow's own stage.
    pub mlflow_stage: String,
    /// Its model file among the run's artifacts.
    pub model_file: Option<String>,
}

/// Decides an import.
pub fn plan_import(source: &SourceRecords, target: &TargetFacts) -> ImportPlan {
    let mut findings = audit::run_findings(source, target);
    let mut members = read_members(source, target, &mut findings);
    drop_duplicates(&mut members, target, &mut findings);
    find_children(&mut members, source, target);
    for member in members.iter_mut().filter(|member| member.takes_part) {
        member.steps =
            past::steps(&member.source.key, &member.told, member.source.created_at, &mut findings);
        findings.extend(audit::member_findings(member, source, target));
    }
    findings.extend(audit::version_gaps(source));
    let aliases = audit::champion_aliases(source);
    champion::settle(&mut members, &aliases, target, &mut findings);
    findings.extend(audit::alias_findings(&members, &aliases));
    number(&mut members, target);
    write(&members, source, target, findings)
}

fn read_members<'a>(
    source: &'a SourceRecords,
    target: &TargetFacts,
    findings: &mut Vec<Finding>,
) -> Vec<Member<'a>> {
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
            let told = told::read(version, run, source.zone, target.now, findings);
            let known = of_model.get(&version.key.name).into_iter().flatten();
            let present = known.into_iter().find(|known| known.is(version));
            Member {
                source: version,
                takes_part: told.takes_part(),
                is_settled: present.is_some_and(|known| known.takes_part()),
                is_present: present.is_some(),
                number: present.map_or(version.key.version, |known| known.key.version),
                told,
                steps: Vec::new(),
                first_child_at: None,
                now: target.now,
            }
        })
        .collect()
}

/// A run has one version that takes part: its tags can agree with one only.
fn drop_duplicates(members: &mut [Member<'_>], target: &TargetFacts, findings: &mut Vec<Finding>) {
    let mut of_run: BTreeMap<RunId, Vec<usize>> = BTreeMap::new();
    for (idx, member) in members.iter().enumerate().filter(|(_, member)| member.takes_part) {
        if let Some(run_id) = member.run_id() {
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
        same.sort_by_key(|idx| members[*idx].claim(*idx));
        // Where the target's version is not one of these, it has the run already.
        let is_taken = taken.contains(&run_id);
        let stays = same.pop_if(|idx| members[*idx].is_settled || !is_taken);
        let winner = stays.map_or_else(
            || "the version that is here already".to_owned(),
            |stays| members[stays].source.key.to_string(),
        );
        for idx in same {
            let action =
                format!("{winner} takes part in the stages; this one is kept without a stage");
            let message = "its run is registered more than once";
            findings.push(members[idx].find(FindingKind::DuplicateRegistration, message, &action));
            members[idx].takes_part = false;
        }
    }
}

impl Member<'_> {
    /// Of several versions of one run the one with the highest claim takes part.
    fn claim(&self, idx: usize) -> (bool, u8, Timestamp, usize) {
        let rank = match self.told.stage {
            Some(Stage::Champion) => 3,
            Some(Stage::Beta) => 2,
            Some(Stage::Development) => 1,
            Some(Stage::Archived) | None => 0,
        };
        (self.is_settled, rank, self.source.created_at, idx)
    }
}

/// Notes when the first child of each member was registered.
fn find_children(members: &mut [Member<'_>], source: &SourceRecords, target: &TargetFacts) {
    let mut first: BTreeMap<RunId, Timestamp> = source.deleted_children.clone();
    let mut note = |parent: RunId, at: Timestamp| {
        first.entry(parent).and_modify(|known| *known = at.min(*known)).or_insert(at);
    };
    for member in members.iter() {
        if let Some(parent) = &member.told.parent {
            note(parent.clone(), member.source.created_at);
        }
    }
    for version in target.versions.iter().filter(|version| !version.deleted) {
        if let Some(parent) = version.parent() {
            note(parent, version.created_at);
        }
    }
    for member in members {
        let first = member.source.run_id.as_ref().and_then(|run_id| first.get(run_id));
        member.first_child_at = first.copied();
    }
}

/// Gives each new version its number: the source's where the model mirrors the source, else the next one.
fn number(members: &mut [Member<'_>], target: &TargetFacts) {
    let mut foreign: BTreeSet<&ModelName> = BTreeSet::new();
    let present: BTreeSet<VersionKey> = members
        .iter()
        .filter(|one| one.is_present && one.number == one.source.key.version)
        .map(Member::key)
        .collect();
    for version in target.versions.iter().filter(|version| !present.contains(&version.key)) {
        foreign.insert(&version.key.name);
    }
    let mut highest = target.highest.clone();
    for member in members.iter_mut().filter(|member| !member.is_present) {
        let name = &member.source.key.name;
        let last = highest.get(name).copied();
        let own = member.source.key.version;
        let is_free = !foreign.contains(name) && last.is_none_or(|last| own > last);
        member.number =
            if is_free { own } else { last.map_or(VersionNumber::FIRST, VersionNumber::next) };
        highest.insert(name.clone(), member.number);
    }
}

fn write(
    members: &[Member<'_>],
    source: &SourceRecords,
    target: &TargetFacts,
    findings: Vec<Finding>,
) -> ImportPlan {
    let mut plan = ImportPlan { findings, ..ImportPlan::default() };
    for member in members {
        if member.is_present {
            plan.n_present += 1;
            continue;
        }
        plan.versions.push(planned(member));
        if member.takes_part {
            plan.events.extend(member.events(&source.label));
            if let Some(run_id) = member.run_id() {
                plan.run_tags.push((run_id.clone(), member.run_tags()));
            }
        }
    }
    let new = members.iter().filter(|one| !one.is_present && one.takes_part);
    plan.events.extend(new.filter_map(|member| member.superseded(&source.label)));
    supersede_known(members, source, target, &mut plan);
    plan.events.sort_by_key(|(at, _)| *at);
    plan.aliases = aliases(members, source, target);
    plan
}

fn planned(member: &Member<'_>) -> PlannedVersion {
    PlannedVersion {
        key: member.key(),
        source_number: member.source.key.version,
        run_id: member.source.run_id.clone(),
        created_at: member.source.created_at,
        tags: member.tags(),
        mlflow_stage: member
            .stage()
            .map_or_else(|| member.source.mlflow_stage.clone(), |it| it.mlflow_stage().to_owned()),
        model_file: member.source.model_file.as_ref().map(|file| file.artifact.clone()),
    }
}

/// Parents that the target has had before, and whose first child comes now.
fn supersede_known(
    members: &[Member<'_>],
    source: &SourceRecords,
    target: &TargetFacts,
    plan: &mut ImportPlan,
) {
    let mut children: BTreeMap<&RunId, Timestamp> = BTreeMap::new();
    for member in members.iter().filter(|member| !member.is_present) {
        if let Some(parent) = &member.told.parent {
            let at = member.source.created_at.min(target.now);
            children.entry(parent).and_modify(|known| *known = at.min(*known)).or_insert(at);
        }
    }
    let old = VersionType::Old.as_str();
    for version in target.versions.iter().filter(|version| version.takes_part()) {
        let is_old = version.tags.get(key::VERSION_TYPE).is_some_and(|word| word == old);
        let Some(run_id) = version.run_id.as_ref().filter(|_| !is_old) else { continue };
        let Some(at) = children.get(run_id) else { continue };
        let mut tags = TagChanges::default();
        tags.set(key::VERSION_TYPE, old);
        plan.superseded.push((version.key.clone(), tags.clone()));
        plan.run_tags.push((run_id.clone(), tags));
        let event: Dated = superseded_in_target(&version.key, run_id, *at, &source.label);
        plan.events.push(event);
    }
}

fn aliases(
    members: &[Member<'_>],
    source: &SourceRecords,
    target: &TargetFacts,
) -> Vec<(ModelName, String, VersionNumber)> {
    let champion = Stage::Champion.as_str();
    let new = || members.iter().filter(|member| !member.is_present);
    let mut found = Vec::new();
    for member in new() {
        let name = &member.source.key.name;
        let of_model = source.aliases.get(name).into_iter().flatten();
        let own = of_model.filter(|(_, number)| **number == member.source.key.version);
        let own = own.map(|(alias, _)| alias.clone());
        // `champion` follows the champion of a model that takes part, whatever it pointed at.
        let is_ours = members.iter().any(|one| one.source.key.name == *name && one.takes_part);
        let own = own.filter(|alias| !is_ours || alias != champion);
        let crown = (member.stage() == Some(Stage::Champion)).then(|| champion.to_owned());
        for alias in own.chain(crown) {
            if alias == champion || !target.aliases.contains(&(name.clone(), alias.clone())) {
                found.push((name.clone(), alias, member.number));
            }
        }
    }
    found
}
