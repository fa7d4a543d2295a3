//! Checks of the champion: at most one, not deleted, and the alias `champion` points at it.

use super::breach::{Breach, BreachKind, Fix, Remedy, Repair, Subject, excerpt};
use super::log_index::LogIndex;
use super::records::VersionOnRecord;
use crate::evidence::Honesty;
use crate::rules::displacement;
use crate::rules::{AliasChange, VersionFacts};
use crate::tags::key;
use crate::values::{ModelName, Stage, VersionKey, VersionNumber};

/// The champions of one model, by the tags and by the history.
#[derive(Debug)]
pub(super) struct Champions {
    /// Versions that are tagged champion and not deleted.
    pub(super) tagged: Vec<VersionNumber>,
    /// Versions whose history ends in champion, and tagged ones without a history; not deleted.
    by_history: Vec<VersionNumber>,
}

impl Champions {
    pub(super) fn of(versions: &[&VersionOnRecord], log: &LogIndex) -> Self {
        let numbers = |is_champion: &dyn Fn(&VersionOnRecord) -> bool| {
            let living = versions.iter().filter(|version| !version.deleted);
            living.filter(|version| is_champion(version)).map(|one| one.key.version).collect()
        };
        Self {
            tagged: numbers(&VersionOnRecord::is_tagged_champion),
            by_history: numbers(&|version| match log.stage(&version.key) {
                Some(stage) => stage == Stage::Champion,
                None => version.is_tagged_champion(),
            }),
        }
    }

    /// Whether more than one version claims to be champion, by the tags or by the history. A person must choose then.
    pub(super) fn are_contested(&self) -> bool {
        self.tagged.len() > 1 || self.by_history.len() > 1
    }

    /// The version that the alias must point at: the champion by the history, or by the tag if the champion is contested.
    fn alias_target(&self) -> Option<VersionNumber> {
        let champions = if self.are_contested() { &self.tagged } else { &self.by_history };
        champions.first().copied()
    }
}

impl VersionOnRecord {
    fn is_tagged_champion(&self) -> bool {
        self.tags.get(key::PROMOTION_STAGE).is_some_and(|tag| tag == Stage::Champion.as_str())
    }

    /// The facts of a deleted version, as for a promotion that displaces it.
    fn facts(&self, log: &LogIndex) -> VersionFacts {
        let keys = self.tags.keys().filter(|tag| tag.starts_with("promotion_"));
        VersionFacts {
            key: self.key.clone(),
            run_id: self.run_id.as_ref().or_else(|| log.run(&self.key)).cloned(),
            stage_tag: self.tags.get(key::PROMOTION_STAGE).cloned(),
            history_end: log.stage(&self.key),
            honesty: self
                .tags
                .get(key::HONESTY)
                .and_then(|text| text.parse().ok())
                .unwrap_or(Honesty::Unknown),
            promotion_keys: keys.cloned().collect(),
            file: None,
            deleted: self.deleted,
            unsealed: None,
        }
    }
}

/// Orders versions so that their stages can be repaired one after the other: tagged champions first, because the
/// database permits one champion at a time.
pub(super) fn champions_first<'a>(versions: &[&'a VersionOnRecord]) -> Vec<&'a VersionOnRecord> {
    let (champions, other): (Vec<_>, Vec<_>) =
        versions.iter().copied().partition(|version| version.is_tagged_champion());
    champions.into_iter().chain(other).collect()
}

/// Finds two champions of one model, and deleted champions.
pub(super) fn check_champions(
    name: &ModelName,
    champions: &Champions,
    versions: &[&VersionOnRecord],
    log: &LogIndex,
) -> Vec<Breach> {
    let mut breaches = Vec::new();
    if champions.tagged.len() > 1 {
        breaches.push(two_champions(name, champions, log));
    }
    let deleted = versions.iter().filter(|one| one.deleted && one.is_tagged_champion());
    breaches.extend(deleted.filter_map(|version| deleted_champion(version, log)));
    breaches
}

fn two_champions(name: &ModelName, champions: &Champions, log: &LogIndex) -> Breach {
    let claims: Vec<String> = champions
        .tagged
        .iter()
        .map(|version| {
            let key = VersionKey { name: name.clone(), version: *version };
            match log.stage(&key) {
                Some(stage) => format!("version {version} (its history ends in `{stage}`)"),
                None => format!("version {version} (it has no history)"),
            }
        })
        .collect();
    Breach {
        kind: BreachKind::TwoChampions,
        subject: Subject { name: Some(name.clone()), ..Subject::default() },
        message: format!("`{name}` has more than one champion: {}", claims.join(", ")),
        remedy: Remedy::None(
            "a person must choose: give all but one another `promotion_stage` tag with \
             MLflow's client, then run `herdbook doctor --repair`"
                .to_owned(),
        ),
    }
}

fn deleted_champion(version: &VersionOnRecord, log: &LogIndex) -> Option<Breach> {
    let facts = version.facts(log);
    let at = log.time_for(&version.key.name);
    let change = displacement(&facts, at).ok()?;
    let mut fixes = vec![Fix::TagVersion(change.key, change.version_tags)];
    fixes.extend(change.run_id.map(|run_id| Fix::TagRun(run_id, change.run_tags)));
    Some(Breach {
        kind: BreachKind::DeletedChampion,
        subject: Subject::of_version(&version.key, facts.run_id.as_ref()),
        message: format!("{} was deleted through MLflow and is still tagged champion", version.key),
        remedy: Remedy::Possible(Repair {
            outcome: "it is archived".to_owned(),
            at: Some(at),
            fixes,
            events: change.events,
        }),
    })
}

/// Checks the alias `champion` of a model. Models without any event in the log are not ours and are skipped.
pub(super) fn check_alias(
    name: &ModelName,
    alias: Option<i64>,
    champions: &Champions,
    versions: &[&VersionOnRecord],
    log: &LogIndex,
) -> Option<Breach> {
    let wanted = champions.alias_target();
    let is_right = alias == wanted.map(|version| i64::from(version.get()));
    if is_right || !versions.iter().any(|version| log.stage(&version.key).is_some()) {
        return None;
    }
    let found = alias.map_or("at nothing".to_owned(), |version| format!("at version {version}"));
    let (outcome, change) = match wanted {
        Some(version) => (format!("it points at version {version}"), AliasChange::PointTo(version)),
        None => ("it is removed".to_owned(), AliasChange::Remove),
    };
    let remedy = if champions.tagged.len() > 1 {
        Remedy::None("not repaired while there are two champions".to_owned())
    } else {
        Remedy::Possible(Repair {
            outcome,
            at: Some(log.time_for(name)),
            fixes: vec![Fix::Alias(name.clone(), change)],
            events: Vec::new(),
        })
    };
    let state = alias.map(|version| state_of(version, versions)).unwrap_or_default();
    let subject = Subject { name: Some(name.clone()), version: wanted, run_id: None };
    let breach = Breach {
        kind: BreachKind::Alias,
        subject,
        message: format!("the alias `champion` of `{name}` points {found}{state}"),
        remedy,
    };
    let text = |version: i64| format!("version {version}");
    let to = wanted.map(|version| text(version.get().into()));
    Some(breach.with_event(alias.map(text).as_deref(), to.as_deref()))
}

/// A clause about the version that an alias points at.
fn state_of(version: i64, versions: &[&VersionOnRecord]) -> String {
    match versions.iter().find(|one| i64::from(one.key.version.get()) == version) {
        None => ", which does not exist".to_owned(),
        Some(one) if one.deleted => ", which was deleted".to_owned(),
        Some(one) => match one.tags.get(key::PROMOTION_STAGE) {
            Some(stage) => format!(", which is in `{}`", excerpt(stage)),
            None => ", which has no stage".to_owned(),
        },
    }
}
