//! The records that a change of stage depends on.
//!
//! The journal says which run each version belongs to and which version is champion, so a few records are enough, however
//! large the register is. If the server's tags disagree with the journal, more is fetched.

use std::collections::BTreeSet;

use herdbook_domain::tags::key;
use herdbook_domain::{RunStatus, Stage};
use herdbook_store::StoreError;
use herdbook_store::engine::backend::{DependsOn, VersionScope};

use crate::client::Client;
use crate::client::graphql::{Answered, Asked};
use crate::client::registry::name_filter;
use crate::client::wire::{ModelVersion, RegisteredModel, Run, RunInfo, value_of};
use crate::copy::records::{Records, filter_of_runs};
use crate::journal::changes::Field;
use crate::journal::fold::{Fold, Verdict};

/// Fetches the version, and the champions with their runs if they matter. `None` if a record is missing or unusual, so
/// that everything has to be fetched.
///
/// # Errors
/// Those of reaching the server.
pub(crate) fn fetch(
    client: &Client,
    fold: &Fold,
    scope: VersionScope<'_>,
) -> Result<Option<Records>, StoreError> {
    let name = scope.key.name.as_str();
    let number = i64::from(scope.key.version.get());
    let Some(run) = fold.run_of(name, number) else { return Ok(None) };
    let champion = champion(fold, name);
    let mut runs = vec![run];
    if scope.depends_on == DependsOn::Champion {
        runs.extend(champion.and_then(|champion| fold.run_of(name, champion)));
        runs.dedup();
    }
    let (mut records, tagged) = fetch_versions(client, name, &runs, scope.depends_on)?;
    let Some(version) = records.versions.iter().find(|version| version.number() == number) else {
        return Ok(None);
    };
    let is_alone = scope.depends_on != DependsOn::Champion
        && champion != Some(number)
        && agrees(fold, version)
        && tagged.iter().all(|version| Some(version.number()) == champion);
    if is_alone {
        records
            .models
            .push(RegisteredModel { name: name.to_owned(), ..RegisteredModel::default() });
        records.by_journal.models = BTreeSet::from([name.to_owned()]);
        if scope.depends_on == DependsOn::Run {
            // A run that is not found was deleted for good.
            records.fetch_runs(client, BTreeSet::from([run.to_owned()]))?;
            records.fetch_experiments(client)?;
        } else {
            records.runs.push(stand_in(run));
            records.by_journal.runs = BTreeSet::from([run.to_owned()]);
        }
        return Ok(Some(records));
    }
    for found in tagged {
        if !records.has_version(name, found.number()) {
            records.versions.push(found);
        }
    }
    let is_missing = |number: i64| !records.has_version(name, number);
    let Some(model) = client.registered_model(name)? else { return Ok(None) };
    if champion.is_some_and(is_missing) {
        return Ok(None);
    }
    records.models.push(model);
    let runs = records.versions.iter().map(|version| version.run_id.clone()).collect();
    records.fetch_runs(client, runs)?;
    records.fetch_experiments(client)?;
    // Conditions compare last finite values.
    records.fetch_histories(client)?;
    Ok(Some(records))
}

/// Fetches the versions of some runs, and the versions that are tagged as champion. If the server answers GraphQL queries, it
/// sends the runs and their experiments in the same call.
fn fetch_versions(
    client: &Client,
    name: &str,
    runs: &[&str],
    depends_on: DependsOn,
) -> Result<(Records, Vec<ModelVersion>), StoreError> {
    let (of_model, stage) = (name_filter(name), key::PROMOTION_STAGE);
    let of_runs = filter_of_runs(name, runs);
    let of_champions = format!("{of_model} AND tags.{stage} = 'champion'");
    let with_runs = if depends_on == DependsOn::Version { &[] } else { runs };
    let asked = Asked { filters: [&of_runs, &of_champions], runs: with_runs };
    if let Some(Answered { versions: [versions, tagged], runs, experiments }) =
        client.together(&asked)
    {
        return Ok((Records { experiments, versions, runs, ..Records::default() }, tagged));
    }
    let versions = client.versions(&of_runs)?;
    Ok((Records { versions, ..Records::default() }, client.versions(&of_champions)?))
}

/// The champion by the journal.
fn champion(fold: &Fold, name: &str) -> Option<i64> {
    let alias = Field::Alias { name: name.to_owned(), alias: Stage::Champion.to_string() };
    fold.required(&alias)?.parse().ok()
}

/// Whether a version's stage is the stage that the journal requires, or an earlier one in the journal.
fn agrees(fold: &Fold, version: &ModelVersion) -> bool {
    let field = Field::VersionTag {
        name: version.name.clone(),
        version: version.number(),
        key: key::PROMOTION_STAGE.to_owned(),
    };
    let found = value_of(&version.tags, key::PROMOTION_STAGE);
    !matches!(fold.verdict(&field, found), Verdict::Foreign)
}

/// A run that is not fetched: its tags are those that the journal requires.
fn stand_in(run_id: &str) -> Run {
    let info = RunInfo {
        run_id: run_id.to_owned(),
        status: RunStatus::Finished.to_string(),
        lifecycle_stage: "active".to_owned(),
        ..RunInfo::default()
    };
    Run { info, ..Run::default() }
}
