//! The audit: what a source contradicts itself in, beside what reading its tags has found.

use std::collections::{BTreeMap, BTreeSet};

use crate::tags::key;
use crate::{ModelName, RunId, RunStatus, Stage, VersionNumber, VersionType};

use super::member::Member;
use super::source::{SourceRecords, TargetFacts};
use super::told::{self, shown};
use super::{Finding, FindingKind};

/// What contradicts itself in one version that takes part.
pub(super) fn member_findings(
    member: &Member<'_>,
    source: &SourceRecords,
    target: &TargetFacts,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut find = |kind, message: String, action: &str| {
        findings.push(member.find(kind, &message, action));
    };
    match (member.told.version_type, member.first_child_at.is_some()) {
        (Some(VersionType::Old), false) => find(
            FindingKind::OldWithoutChildren,
            "it is `old`, and nothing was bred from it".to_owned(),
            "it is `latest`",
        ),
        (Some(VersionType::Latest), true) => find(
            FindingKind::LatestWithChildren,
            "it is `latest`, and a registered child names it as its parent".to_owned(),
            "it is `old`",
        ),
        _ => {}
    }
    if let Some(parent) = &member.told.parent {
        match source.runs.get(parent) {
            None if !target.runs.contains(parent) => find(
                FindingKind::ParentMissing,
                format!("its parent `{parent}` is in neither store"),
                "kept: its ancestors cannot be judged, and `doctor` names it",
            ),
            Some(run) => {
                let of_parent = run.tags.get(key::TIMEFRAME).map(String::as_str);
                let own = member.told.timeframe.map(crate::Timeframe::as_str);
                if let (Some(of_parent), Some(own)) = (of_parent, own)
                    && of_parent != own
                {
                    let message =
                        format!("its timeframe is {own}, its parent's {}", shown(of_parent));
                    find(FindingKind::ParentTimeframe, message, "kept as it is");
                }
            }
            None => {}
        }
    }
    if member.source.model_file.is_none() {
        find(
            FindingKind::ModelFileMissing,
            "it has no model file".to_owned(),
            "kept: it cannot be run, enhanced or come back by a rollback",
        );
    }
    for key in [key::TOTAL_TIMESTEPS, key::PREVIOUS_TIMESTEPS] {
        if let (Some(text), None) = (member.told.tags.get(key), member.told.steps(key)) {
            let message = format!("`{key}` is `{}`, which is no count", shown(text));
            find(FindingKind::UnknownWord, message, "kept as it is, and does not count");
        }
    }
    findings
}

/// Runs that say they are being trained, and orphans among those that were never registered.
pub(super) fn run_findings(source: &SourceRecords, target: &TargetFacts) -> Vec<Finding> {
    let registered: BTreeSet<&RunId> =
        source.versions.iter().filter_map(|version| version.run_id.as_ref()).collect();
    let mut findings = Vec::new();
    for run in source.runs.values() {
        let id = run.run_id.as_str();
        if matches!(run.status, RunStatus::Running | RunStatus::Scheduled) {
            let finding = Finding::new(
                FindingKind::RunLeftRunning,
                format!("it is {}", run.status),
                "it is FAILED here, until an import finds it ended",
            );
            findings.push(finding.of_run(id));
        }
        if registered.contains(&run.run_id) {
            continue;
        }
        let parent = told::parent_of(&run.tags)
            .filter(|parent| !source.runs.contains_key(parent) && !target.runs.contains(parent));
        if let Some(parent) = parent {
            let message = format!("its parent `{parent}` is in neither store");
            let finding = Finding::new(FindingKind::ParentMissing, message, "kept as it is");
            findings.push(finding.of_run(id));
        }
    }
    findings
}

/// Numbers that are missing.
pub(super) fn version_gaps(source: &SourceRecords) -> Vec<Finding> {
    let mut models: BTreeMap<&ModelName, BTreeSet<u32>> = BTreeMap::new();
    for version in &source.versions {
        models.entry(&version.key.name).or_default().insert(version.key.version.get());
    }
    let gap = |(name, numbers): (&ModelName, BTreeSet<u32>)| {
        let last = numbers.last().copied().unwrap_or(0);
        // A number of a hostile store may be huge: the gaps are counted, and the first few named.
        let missing = (1..last).filter(|number| !numbers.contains(number));
        let first: Vec<String> = missing.take(10).map(|number| number.to_string()).collect();
        let n_missing = u64::from(last) - numbers.len() as u64;
        (n_missing > 0).then(|| {
            let more = if n_missing > 10 { " …" } else { "" };
            let message = format!("version {}{more} of it is missing", first.join(", "));
            let action = "the others keep their numbers where the model is new here";
            Finding::new(FindingKind::VersionGap, message, action).of_model(name)
        })
    };
    models.into_iter().filter_map(gap).collect()
}

/// Where the alias `champion` of each model points.
pub(super) fn champion_aliases(source: &SourceRecords) -> BTreeMap<ModelName, VersionNumber> {
    let champion = Stage::Champion.as_str();
    let of_model = |(name, aliases): (&ModelName, &BTreeMap<String, VersionNumber>)| {
        Some((name.clone(), *aliases.get(champion)?))
    };
    source.aliases.iter().filter_map(of_model).collect()
}

/// Aliases `champion` that point elsewhere than at the champion.
pub(super) fn alias_findings(
    members: &[Member<'_>],
    aliases: &BTreeMap<ModelName, VersionNumber>,
) -> Vec<Finding> {
    let differs = |(name, alias): (&ModelName, &VersionNumber)| {
        let mut of_model = members.iter().filter(|one| one.source.key.name == *name);
        let takes_part = of_model.clone().any(|member| member.takes_part);
        let champion = of_model.find(|member| member.stage() == Some(Stage::Champion));
        let champion = champion.map(|member| member.source.key.version);
        (takes_part && champion != Some(*alias)).then(|| {
            let action = match champion {
                Some(champion) => format!("it points at the champion, version {champion} there"),
                None => "it is left out: there is no champion".to_owned(),
            };
            let message = format!("the alias `champion` points at version {alias}");
            Finding::new(FindingKind::AliasDiffers, message, action).of_model(name)
        })
    };
    aliases.iter().filter_map(differs).collect()
}
