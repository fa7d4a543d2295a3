//! The planning of an import: which versions are written, with which tags, and which events record their history.

use std::collections::BTreeMap;

use super::candidate::Candidate;
use super::finding::Finding;
use super::history_events::{DatedEvent, superseded_in_target};
use super::plan::{ImportPlan, PlannedVersion};
use super::source::SourceRecords;
use super::steps::Record;
use super::target::TargetFacts;
use super::{audit, candidates, champion, proven_tags, steps, ties};
use crate::tags::{TagChanges, key};
use crate::values::{ModelName, RunId, Stage, Timestamp, VersionNumber, VersionType};

/// Plans an import.
///
/// Nothing is refused: what the rules do not permit is changed or left out, and each such contradiction is named in
/// [`ImportPlan::findings`].
pub fn plan_import(source: &SourceRecords, target: &TargetFacts) -> ImportPlan {
    let mut findings = Vec::new();
    let source = &proven_tags::corrected(source, &mut findings);
    findings.extend(audit::run_findings(source, target));
    let mut candidates = candidates::read(source, target, &mut findings);
    candidates::resolve_duplicates(&mut candidates, target, &mut findings);
    candidates::find_children(&mut candidates, source, target);
    let crowned = champion::crowned(&candidates);
    for candidate in candidates.iter_mut().filter(|candidate| candidate.takes_part) {
        let key = &candidate.source.key;
        let record = Record {
            key,
            parsed: &candidate.parsed,
            created_at: candidate.source.created_at,
            crowned: &crowned.of_others(key),
        };
        candidate.steps = steps::steps(&record, &mut findings);
        findings.extend(audit::candidate_findings(candidate, source, target));
    }
    findings.extend(audit::version_gaps(source));
    let aliases = audit::champion_aliases(source);
    champion::keep_one_champion(&mut candidates, &aliases, target, &mut findings);
    findings.extend(audit::alias_findings(&candidates, &aliases));
    candidates::number(&mut candidates, target);
    assemble(&candidates, source, target, findings)
}

fn assemble(
    candidates: &[Candidate<'_>],
    source: &SourceRecords,
    target: &TargetFacts,
    findings: Vec<Finding>,
) -> ImportPlan {
    let mut plan = ImportPlan { findings, ..ImportPlan::default() };
    for candidate in candidates {
        if candidate.is_present {
            plan.n_present += 1;
            continue;
        }
        plan.versions.push(planned(candidate));
        if candidate.takes_part {
            plan.events.extend(candidate.events(&source.label));
            if let Some(run_id) = candidate.run_id() {
                plan.run_tags.push((run_id.clone(), candidate.run_tags()));
            }
        }
    }
    let new = candidates.iter().filter(|one| !one.is_present && one.takes_part);
    plan.events.extend(new.filter_map(|candidate| candidate.superseded(&source.label)));
    supersede_in_target(candidates, source, target, &mut plan);
    plan.events.sort_by_key(|(at, _)| *at);
    ties::demotions_first(&mut plan.events);
    plan.aliases = aliases(candidates, source, target);
    plan
}

fn planned(candidate: &Candidate<'_>) -> PlannedVersion {
    PlannedVersion {
        key: candidate.key(),
        source_number: candidate.source.key.version,
        run_id: candidate.source.run_id.clone(),
        created_at: candidate.source.created_at,
        tags: candidate.tags(),
        mlflow_stage: candidate.stage().map_or_else(
            || candidate.source.mlflow_stage.clone(),
            |it| it.mlflow_stage().to_owned(),
        ),
        model_file: candidate.source.model_file.as_ref().map(|file| file.artifact.clone()),
    }
}

/// Turns versions of the target `old` whose first child is imported.
fn supersede_in_target(
    candidates: &[Candidate<'_>],
    source: &SourceRecords,
    target: &TargetFacts,
    plan: &mut ImportPlan,
) {
    let mut children: BTreeMap<&RunId, Timestamp> = BTreeMap::new();
    for candidate in candidates.iter().filter(|candidate| !candidate.is_present) {
        if let Some(parent) = &candidate.parsed.parent {
            let at = candidate.source.created_at.min(target.now);
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
        let event: DatedEvent = superseded_in_target(&version.key, run_id, *at, &source.label);
        plan.events.push(event);
    }
}

fn aliases(
    candidates: &[Candidate<'_>],
    source: &SourceRecords,
    target: &TargetFacts,
) -> Vec<(ModelName, String, VersionNumber)> {
    let champion = Stage::Champion.as_str();
    let new = || candidates.iter().filter(|candidate| !candidate.is_present);
    let mut found = Vec::new();
    for candidate in new() {
        let name = &candidate.source.key.name;
        let of_model = source.aliases.get(name).into_iter().flatten();
        let own = of_model.filter(|(_, number)| **number == candidate.source.key.version);
        let own = own.map(|(alias, _)| alias.clone());
        // `champion` follows the champion of a model that takes part, whatever it pointed at.
        let is_ours = candidates.iter().any(|one| one.source.key.name == *name && one.takes_part);
        let own = own.filter(|alias| !is_ours || alias != champion);
        let crown = (candidate.stage() == Some(Stage::Champion)).then(|| champion.to_owned());
        for alias in own.chain(crown) {
            if alias == champion || !target.aliases.contains(&(name.clone(), alias.clone())) {
                found.push((name.clone(), alias, candidate.number));
            }
        }
    }
    found
}
