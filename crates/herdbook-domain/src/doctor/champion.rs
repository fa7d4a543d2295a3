//! The champion's place: at most one holder, none of them deleted, and the alias that points there.

use super::breach::shown;
use super::history::History;
use super::{Breach, BreachKind, Fix, Remedy, Repair, Subject, VersionOnRecord};
use crate::promotion::displacement;
use crate::tags::key;
use crate::{AliasChange, Honesty, ModelName, Stage, VersionFacts, VersionKey, VersionNumber};

/// Who holds the champion's place of one model, by the tags and by the history.
#[derive(Debug)]
pub(super) struct Champions {
    /// Versions that carry the tag and were not deleted.
    pub(super) tagged: Vec<VersionNumber>,
    /// Those that would, were every tag what its history says.
    rightful: Vec<VersionNumber>,
}

impl Champions {
    pub(super) fn of(versions: &[&VersionOnRecord], history: &History) -> Self {
        let numbers = |is_champion: &dyn Fn(&VersionOnRecord) -> bool| {
            let living = versions.iter().filter(|version| !version.deleted);
            living.filter(|version| is_champion(version)).map(|one| one.key.version).collect()
        };
        Self {
            tagged: numbers(&VersionOnRecord::is_tagged_champion),
            rightful: numbers(&|version| match history.stage(&version.key) {
                Some(stage) => stage == Stage::Champion,
                None => version.is_tagged_champion(),
            }),
        }
    }

    /// Whether following the history would not lead to one champion, or pass over somebody's choice between two.
    pub(super) fn are_contested(&self) -> bool {
        self.tagged.len() > 1 || self.rightful.len() > 1
    }

    /// The version that the alias has to point at; of contested ones the one that has the tag alone.
    fn settled(&self) -> Option<VersionNumber> {
        let champions = if self.are_contested() { &self.tagged } else { &self.rightful };
        champions.first().copied()
    }
}

impl VersionOnRecord {
    fn is_tagged_champion(&self) -> bool {
        self.tags.get(key::PROMOTION_STAGE).is_some_and(|tag| tag == Stage::Champion.as_str())
    }

    /// The facts of a deleted version, as a promotion that needs its place sees them.
    fn facts(&self, history: &History) -> VersionFacts {
        let keys = self.tags.keys().filter(|tag| tag.starts_with("promotion_"));
        VersionFacts {
            key: self.key.clone(),
            run_id: self.run_id.as_ref().or_else(|| history.run(&self.key)).cloned(),
            stage_tag: self.tags.get(key::PROMOTION_STAGE).cloned(),
            history_end: history.stage(&self.key),
            honesty: self
                .tags
                .get(key::HONESTY)
                .and_then(|text| text.parse().ok())
                .unwrap_or(Honesty::Unknown),
            promotion_keys: keys.cloned().collect(),
            file: None,
            deleted: self.deleted,
        }
    }
}

/// The versions in the order in which their stages can be set back: who leaves the champion's place first.
pub(super) fn leaving_first<'a>(versions: &[&'a VersionOnRecord]) -> Vec<&'a VersionOnRecord> {
    let (leaving, other): (Vec<_>, Vec<_>) =
        versions.iter().copied().partition(|version| version.is_tagged_champion());
    leaving.into_iter().chain(other).collect()
}

/// Two champions, and deleted ones.
pub(super) fn check_places(
    name: &ModelName,
    champions: &Champions,
    versions: &[&VersionOnRecord],
    history: &History,
) -> Vec<Breach> {
    let mut breaches = Vec::new();
    if champions.tagged.len() > 1 {
        breaches.push(two_champions(name, champions, history));
    }
    let deleted = versions.iter().filter(|one| one.deleted && one.is_tagged_champion());
    breaches.extend(deleted.filter_map(|version| deleted_champion(version, history)));
    breaches
}

fn two_champions(name: &ModelName, champions: &Champions, history: &History) -> Breach {
    let told: Vec<String> = champions
        .tagged
        .iter()
        .map(|version| {
            let key = VersionKey { name: name.clone(), version: *version };
            match history.stage(&key) {
                Some(stage) => format!("version {version} (its history ends in `{stage}`)"),
                None => format!("version {version} (it has no history)"),
            }
        })
        .collect();
    Breach {
        kind: BreachKind::TwoChampions,
        subject: Subject { name: Some(name.clone()), ..Subject::default() },
        message: format!("`{name}` has more than one champion: {}", told.join(", ")),
        remedy: Remedy::None(
            "not for a program to choose: give all but one another `promotion_stage` tag with \
             MLflow's client, then run `herdbook doctor --repair`"
                .to_owned(),
        ),
    }
}

fn deleted_champion(version: &VersionOnRecord, history: &History) -> Option<Breach> {
    let facts = version.facts(history);
    let at = history.time_for(&version.key.name);
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

/// The alias of a model that takes part: of other models it is none of our business.
pub(super) fn check_alias(
    name: &ModelName,
    alias: Option<i64>,
    champions: &Champions,
    versions: &[&VersionOnRecord],
    history: &History,
) -> Option<Breach> {
    let wanted = champions.settled();
    let is_settled = alias == wanted.map(|version| i64::from(version.get()));
    if is_settled || !versions.iter().any(|version| history.stage(&version.key).is_some()) {
        return None;
    }
    let found = alias.map_or("at nothing".to_owned(), |version| format!("at version {version}"));
    let (outcome, change) = match wanted {
        Some(version) => (format!("it points at version {version}"), AliasChange::PointTo(version)),
        None => ("it is removed".to_owned(), AliasChange::Remove),
    };
    let remedy = if champions.tagged.len() > 1 {
        Remedy::None("left alone while there are two champions".to_owned())
    } else {
        Remedy::Possible(Repair {
            outcome,
            at: Some(history.time_for(name)),
            fixes: vec![Fix::Alias(name.clone(), change)],
            events: Vec::new(),
        })
    };
    let state = alias.map(|version| alias_target(version, versions)).unwrap_or_default();
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

fn alias_target(version: i64, versions: &[&VersionOnRecord]) -> String {
    match versions.iter().find(|one| i64::from(one.key.version.get()) == version) {
        None => ", which does not exist".to_owned(),
        Some(one) if one.deleted => ", which was deleted".to_owned(),
        Some(one) => match one.tags.get(key::PROMOTION_STAGE) {
            Some(stage) => format!(", which is in `{}`", shown(stage)),
            None => ", which has no stage".to_owned(),
        },
    }
}
