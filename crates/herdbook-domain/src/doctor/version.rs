//! Checks of one version: its tags, its run's tags and MLflow's own stage against the history.

use std::collections::BTreeSet;

use super::breach::{Breach, BreachKind, Fix, Remedy, Repair, Subject, excerpt};
use super::champion::Champions;
use super::difference::{Difference, list};
use super::log_index::LogIndex;
use super::records::VersionOnRecord;
use super::replay::is_history_tag;
use crate::lineage::Origin;
use crate::tags::{TagChanges, key, run_stage_tags};
use crate::values::{RunId, Stage, VersionType};

/// Checks one version. A deleted version, and one without a history, has no breaches.
pub(super) fn check(
    version: &VersionOnRecord,
    champions: &Champions,
    log: &LogIndex,
) -> Vec<Breach> {
    let Some(stage) = log.stage(&version.key).filter(|_| !version.deleted) else {
        return Vec::new();
    };
    let check = VersionCheck { version, stage, log };
    let found = [
        check.check_stage(champions),
        check.check_version_type(),
        check.check_origin(),
        check.check_history_tags(),
        check.check_mlflow_stage(),
    ];
    let mut breaches: Vec<Breach> = found.into_iter().flatten().collect();
    breaches.extend(check.check_run(&breaches));
    breaches
}

struct VersionCheck<'a> {
    version: &'a VersionOnRecord,
    /// The stage at the end of the history.
    stage: Stage,
    log: &'a LogIndex,
}

impl VersionCheck<'_> {
    fn tag(&self, key: &str) -> Option<&str> {
        self.version.tags.get(key).map(String::as_str)
    }

    /// Its run: the registered one, because the row may name another.
    fn run_id(&self) -> Option<&RunId> {
        let Self { version, log, .. } = self;
        let registered = log.replayed(&version.key).and_then(|replay| replay.run_id.as_ref());
        registered.or(version.run_id.as_ref()).or_else(|| log.run(&version.key))
    }

    fn check_stage(&self, champions: &Champions) -> Option<Breach> {
        let tag = self.tag(key::PROMOTION_STAGE);
        let Self { version, stage, .. } = self;
        if tag == Some(stage.as_str()) {
            return None;
        }
        let touches_the_champion = *stage == Stage::Champion || tag == Some("champion");
        let remedy = if champions.are_contested() && touches_the_champion {
            Remedy::None(
                "not repaired, because more than one version claims to be champion: give all but \
                 one another `promotion_stage` tag with MLflow's client"
                    .to_owned(),
            )
        } else {
            let mut fixes = self.set_on_both(run_stage_tags(*stage));
            fixes.push(Fix::MlflowStage(version.key.clone(), *stage));
            self.repair(format!("the tag is set back to `{stage}`"), fixes)
        };
        let message = format!(
            "{} {}, but its history ends in `{stage}`",
            version.key,
            tag.map_or("has no stage tag".to_owned(), |tag| format!(
                "is tagged `{}`",
                excerpt(tag)
            )),
        );
        Some(self.breach(BreachKind::Stage, message, remedy).with_event(tag, Some(stage.as_str())))
    }

    /// `version_type` must be `old` with a registered child and `latest` without one. `old` without a known child is
    /// not repaired, because a child may have been deleted from the database.
    fn check_version_type(&self) -> Option<Breach> {
        let tag = self.tag(key::VERSION_TYPE);
        let has_child = self.run_id().is_some_and(|run_id| self.log.has_child(run_id));
        let wanted = if has_child { VersionType::Old } else { VersionType::Latest };
        if tag == Some(wanted.as_str()) {
            return None;
        }
        let key = &self.version.key;
        let what =
            tag.map_or("has no version type".to_owned(), |tag| format!("is `{}`", excerpt(tag)));
        let (why, remedy) = if !has_child && tag == Some(VersionType::Old.as_str()) {
            let way_out = "not repaired, because a child may have been deleted from the database: set \
                           `version_type` with MLflow's client if there never was one";
            ("no child is known", Remedy::None(way_out.to_owned()))
        } else {
            let mut tags = TagChanges::default();
            tags.set(key::VERSION_TYPE, wanted.as_str());
            let outcome = format!("it is set to `{wanted}`");
            let why = if has_child { "it has a registered child" } else { "no child is known" };
            (why, self.repair(outcome, self.set_on_both(tags)))
        };
        let breach =
            self.breach(BreachKind::VersionType, format!("{key} {what}, but {why}"), remedy);
        Some(breach.with_event(tag, Some(wanted.as_str())))
    }

    /// The tags that registration wrote must match its event.
    fn check_origin(&self) -> Option<Breach> {
        let (key, tags) = (&self.version.key, &self.version.tags);
        let replay = self.log.replayed(key)?;
        let mut differing: Vec<Difference> = Vec::new();
        if let Some(wanted) = self.log.origin(key) {
            let keys =
                Origin::TAG_KEYS.into_iter().filter(|key| tags.get(*key) != wanted.get(*key));
            differing.extend(
                keys.map(|key| {
                    Difference::new(key, tags.get(key).cloned(), wanted.get(key).cloned())
                }),
            );
        }
        differing.extend(replay.differences(tags, |key| !is_history_tag(key)));
        let what = format!("{key} differs from its registration (event {})", replay.event_id);
        self.restore(BreachKind::VersionTags, &what, &differing, |key| {
            Origin::TAG_KEYS.contains(&key) || key == key::HONESTY
        })
    }

    /// The tags that changes of stage wrote must match their events.
    fn check_history_tags(&self) -> Option<Breach> {
        let replay = self.log.replayed(&self.version.key)?;
        let differing = replay.differences(&self.version.tags, is_history_tag);
        let what = format!("{} differs from its history of stages", self.version.key);
        self.restore(BreachKind::HistoryTags, &what, &differing, |_| false)
    }

    /// The breach of tags that differ from the history; `None` if none does. The repair sets the tags back, those for which
    /// `is_on_run` is true on the run too.
    fn restore(
        &self,
        kind: BreachKind,
        what: &str,
        differing: &[Difference],
        is_on_run: impl Fn(&str) -> bool,
    ) -> Option<Breach> {
        let first = differing.first()?;
        let (mut tags, mut run_tags) = (TagChanges::default(), TagChanges::default());
        for one in differing {
            tags.set_or_remove(&one.what, one.recorded.clone());
            if is_on_run(&one.what) {
                run_tags.set_or_remove(&one.what, one.recorded.clone());
            }
        }
        let mut fixes = vec![Fix::TagVersion(self.version.key.clone(), tags)];
        if run_tags != TagChanges::default() {
            fixes.extend(self.run_id().map(|run_id| Fix::TagRun(run_id.clone(), run_tags)));
        }
        let remedy = self.repair("the recorded values are restored".to_owned(), fixes);
        let breach = self.breach(kind, format!("{what}: {}", list(differing)), remedy);
        Some(breach.with_event(first.found.as_deref(), first.recorded.as_deref()))
    }

    /// The keys of origin tags whose values are right; all keys if the log does not record the origin.
    fn right_origin_keys(&self) -> BTreeSet<&'static str> {
        let wanted = self.log.origin(&self.version.key);
        let is_right = |key: &&str| {
            wanted.as_ref().is_none_or(|wanted| self.version.tags.get(*key) == wanted.get(*key))
        };
        let mut keys: BTreeSet<&'static str> =
            Origin::TAG_KEYS.into_iter().filter(is_right).collect();
        let honesty = self.log.replayed(&self.version.key).and_then(|replay| replay.honesty);
        if honesty.is_some_and(|honesty| self.tag(key::HONESTY) == Some(honesty.as_str())) {
            keys.insert(key::HONESTY);
        }
        keys
    }

    fn check_mlflow_stage(&self) -> Option<Breach> {
        let Self { version, stage, .. } = self;
        let is_tagged = self.tag(key::PROMOTION_STAGE) == Some(stage.as_str());
        let (found, wanted) = (version.mlflow_stage.as_str(), stage.mlflow_stage());
        if !is_tagged || found == wanted {
            return None;
        }
        let message = format!(
            "{} is in `{stage}`, but MLflow's own stage is `{}`",
            version.key,
            excerpt(found)
        );
        let fixes = vec![Fix::MlflowStage(version.key.clone(), *stage)];
        let remedy = self.repair(format!("it is set to `{wanted}`"), fixes);
        let breach = self.breach(BreachKind::MlflowStage, message, remedy);
        Some(breach.with_event(Some(found), Some(wanted)))
    }

    /// The tags of the run must equal those of the version. Tags that are wrong on the version itself are skipped: the
    /// breaches in `found` report them.
    fn check_run(&self, found: &[Breach]) -> Option<Breach> {
        let run_tags = self.version.run_tags.as_ref()?;
        let run_id = self.run_id()?;
        let is_open = |kind| found.iter().any(|breach: &Breach| breach.kind == kind);
        let mut keys = self.right_origin_keys();
        for (kind, key) in [
            (BreachKind::Stage, key::PROMOTION_STAGE),
            (BreachKind::VersionType, key::VERSION_TYPE),
        ] {
            if !is_open(kind) {
                keys.insert(key);
            }
        }
        let mut tags = TagChanges::default();
        let mut differing = Vec::new();
        for key in keys {
            let (found, of_version) = (run_tags.get(key), self.version.tags.get(key));
            if found != of_version {
                differing.push(Difference::new(key, found.cloned(), of_version.cloned()));
                tags.set_or_remove(key, of_version.cloned());
            }
        }
        let first = differing.first()?;
        let (from, to) = (first.found.clone(), first.recorded.clone());
        let message =
            format!("run `{run_id}` differs from {}: {}", self.version.key, list(&differing));
        let fixes = vec![Fix::TagRun(run_id.clone(), tags)];
        let remedy = self.repair("the run gets the tags of the version".to_owned(), fixes);
        let breach = self.breach(BreachKind::RunTags, message, remedy);
        Some(breach.with_event(from.as_deref(), to.as_deref()))
    }

    fn set_on_both(&self, tags: TagChanges) -> Vec<Fix> {
        let on_run = self.run_id().map(|run_id| Fix::TagRun(run_id.clone(), tags.clone()));
        let on_version = Fix::TagVersion(self.version.key.clone(), tags);
        [on_version].into_iter().chain(on_run).collect()
    }

    fn repair(&self, outcome: String, fixes: Vec<Fix>) -> Remedy {
        let at = Some(self.log.time_for(&self.version.key.name));
        Remedy::Possible(Repair { outcome, at, fixes, events: Vec::new() })
    }

    fn breach(&self, kind: BreachKind, message: String, remedy: Remedy) -> Breach {
        let subject = Subject::of_version(&self.version.key, self.run_id());
        Breach { kind, subject, message, remedy }
    }
}
