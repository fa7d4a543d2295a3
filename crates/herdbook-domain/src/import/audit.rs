//! The audit: contradictions of a source, besides those found when its tags are parsed.

use std::collections::{BTreeMap, BTreeSet};

use crate::tags::key;
use crate::values::{ModelName, RunId, RunStatus, Stage, VersionNumber, VersionType};

use super::candidate::Candidate;
use super::excerpt::excerpt;
use super::finding::{Finding, FindingKind};
use super::parent::parent_of;
use super::source::SourceRecords;
use super::target::TargetFacts;

/// The contradictions of one version that takes part in the life cycle of stages.
pub(super) fn candidate_findings(
    candidate: &Candidate<'_>,
    source: &SourceRecords,
    target: &TargetFacts,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut find = |kind, message: String, action: &str| {
        findings.push(candidate.find(kind, &message, action));
    };
    match (candidate.parsed.version_type, candidate.first_child_at.is_some()) {
        (Some(VersionType::Old), false) => find(
            FindingKind::OldWithoutChildren,
            "it is `old`, but has no registered child".to_owned(),
            "it is `latest`",
        ),
        (Some(VersionType::Latest), true) => find(
            FindingKind::LatestWithChildren,
            "it is `latest`, but has a registered child".to_owned(),
            "it is `old`",
        ),
        _ => {}
    }
    if let Some(parent) = &candidate.parsed.parent {
        match source.runs.get(parent) {
            None if !target.runs.contains(parent) => find(
                FindingKind::ParentMissing,
                format!("its parent `{parent}` is in neither store"),
                "kept: its honesty is unknown, and `doctor` reports the missing parent",
            ),
            Some(run) => {
                let of_parent = run.tags.get(key::TIMEFRAME).map(String::as_str);
                let own = candidate.parsed.timeframe.map(crate::values::Timeframe::as_str);
                if let (Some(of_parent), Some(own)) = (of_parent, own)
                    && of_parent != own
                {
                    let message =
                        format!("its timeframe is {own}, its parent's {}", excerpt(of_parent));
                    find(FindingKind::ParentTimeframe, message, "kept as it is");
                }
            }
            None => {}
        }
    }
    if candidate.source.model_file.is_none() {
        find(
            FindingKind::ModelFileMissing,
            "it has no model file".to_owned(),
            "kept: it cannot be run or enhanced, and cannot return by a rollback",
        );
    }
    for key in [key::TOTAL_TIMESTEPS, key::PREVIOUS_TIMESTEPS] {
        if let (Some(text), None) = (candidate.parsed.tags.get(key), candidate.parsed.steps(key)) {
            let message = format!("`{key}` is `{}`, which is not a count", excerpt(text));
            find(FindingKind::UnknownWord, message, "kept as it is and ignored");
        }
    }
    findings
}

/// Runs that were left RUNNING, and runs without a registered version whose parent is missing.
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
                "it is FAILED here, until a later import finds that it ended",
            );
            findings.push(finding.of_run(id));
        }
        if registered.contains(&run.run_id) {
            continue;
        }
        let parent = parent_of(&run.tags)
            .filter(|parent| !source.runs.contains_key(parent) && !target.runs.contains(parent));
        if let Some(parent) = parent {
            let message = format!("its parent `{parent}` is in neither store");
            let finding = Finding::new(FindingKind::ParentMissing, message, "kept as it is");
            findings.push(finding.of_run(id));
        }
    }
    findings
}

/// Gaps in the version numbers of a model.
pub(super) fn version_gaps(source: &SourceRecords) -> Vec<Finding> {
    let mut models: BTreeMap<&ModelName, BTreeSet<u32>> = BTreeMap::new();
    for version in &source.versions {
        models.entry(&version.key.name).or_default().insert(version.key.version.get());
    }
    let gap = |(name, numbers): (&ModelName, BTreeSet<u32>)| {
        let last = numbers.last().copied().unwrap_or(0);
        // Numbers may be huge in a hostile store: count the gaps and list only the first few.
        let missing = (1..last).filter(|number| !numbers.contains(number));
        let first: Vec<String> = missing.take(10).map(|number| number.to_string()).collect();
        let n_missing = u64::from(last) - numbers.len() as u64;
        (n_missing > 0).then(|| {
            let more = if n_missing > 10 { " …" } else { "" };
            let message = format!("version {}{more} is missing", first.join(", "));
            let action = "the others keep their numbers where the model is new here";
            Finding::new(FindingKind::VersionGap, message, action).of_model(name)
        })
    };
    models.into_iter().filter_map(gap).collect()
}

/// The version that the alias `champion` of each model points at.
pub(super) fn champion_aliases(source: &SourceRecords) -> BTreeMap<ModelName, VersionNumber> {
    let champion = Stage::Champion.as_str();
    let of_model = |(name, aliases): (&ModelName, &BTreeMap<String, VersionNumber>)| {
        Some((name.clone(), *aliases.get(champion)?))
    };
    source.aliases.iter().filter_map(of_model).collect()
}

/// Aliases `champion` that do not point at the champion.
pub(super) fn alias_findings(
    candidates: &[Candidate<'_>],
    aliases: &BTreeMap<ModelName, VersionNumber>,
) -> Vec<Finding> {
    let differs = |(name, alias): (&ModelName, &VersionNumber)| {
        let mut of_model = candidates.iter().filter(|one| one.source.key.name == *name);
        let takes_part = of_model.clone().any(|candidate| candidate.takes_part);
        let champion = of_model.find(|candidate| candidate.stage() == Some(Stage::Champion));
        let champion = champion.map(|candidate| candidate.source.key.version);
        (takes_part && champion != Some(*alias)).then(|| {
            let action = match champion {
                Some(champion) => {
                    format!("the alias points at the champion, version {champion} in the source")
                }
                None => "the alias is left out: there is no champion".to_owned(),
            };
            let message = format!("the alias `champion` points at version {alias}");
            Finding::new(FindingKind::AliasDiffers, message, action).of_model(name)
        })
    };
    aliases.iter().filter_map(differs).collect()
}
