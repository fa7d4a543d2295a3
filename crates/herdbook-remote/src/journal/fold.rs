//! For each field the value that the journal requires, and the earlier ones.

use std::collections::BTreeMap;

use crate::journal::changes::{Changes, Field};
use crate::journal::entries::{Entry, registrations};
use crate::journal::subjects::Subjects;

/// The fields after all entries of a journal.
#[derive(Debug, Default)]
pub(crate) struct Fold {
    fields: BTreeMap<Field, Course>,
    /// Registered and adopted versions, each with its run and the number of the act.
    versions: BTreeMap<(String, i64), (Option<String>, usize)>,
    /// For each run and number, the registered model in the newest event of that version. MLflow can rename models.
    newest_names: BTreeMap<(String, i64), String>,
    n_entries: usize,
}

/// The values of a field in the journal.
#[derive(Debug, Default)]
struct Course {
    /// Oldest first; the last one is required.
    values: Vec<Option<String>>,
    /// The number of the act that changed it last.
    act: usize,
}

/// How the server's value of a field relates to the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict<'a> {
    /// It is the required value.
    Right,
    /// It is an earlier value of the journal: an act was not written completely, or a writer was delayed.
    Stale {
        /// The required value.
        right: Option<&'a str>,
    },
    /// It is not in the journal: another program wrote it. The doctor reports it.
    Foreign,
}

impl Fold {
    /// Adds the entries that were not added before.
    pub(crate) fn extend(&mut self, entries: &[Entry]) {
        for entry in &entries[self.n_entries.min(entries.len())..] {
            self.n_entries += 1;
            self.add(&entry.changes);
            for event in &entry.events {
                let what = &event.what;
                if let (Some(run), Some(version), Some(name)) =
                    (&what.run_id, what.version, &what.name)
                {
                    let version = i64::from(version.get());
                    self.newest_names.insert((run.to_string(), version), name.to_string());
                }
            }
            for (version, run) in registrations(&entry.events) {
                self.versions.entry(version).or_insert((run, self.n_entries));
            }
        }
    }

    fn add(&mut self, changes: &Changes) {
        for (place, step) in &changes.0 {
            let course = self.fields.entry(place.clone()).or_default();
            course.act = self.n_entries;
            for value in [&step.0, &step.1] {
                course.values.retain(|known| known != value);
                course.values.push(value.clone());
            }
        }
    }

    /// The number of entries added so far.
    pub(crate) fn n_entries(&self) -> usize {
        self.n_entries
    }

    /// Every field.
    pub(crate) fn fields(&self) -> impl Iterator<Item = &Field> {
        self.fields.keys()
    }

    /// The fields of some subjects.
    pub(crate) fn fields_of<'a>(
        &'a self,
        subjects: &'a Subjects,
    ) -> impl Iterator<Item = &'a Field> {
        let of_models = subjects.models.iter().flat_map(|name| {
            let first = Field::Alias { name: name.clone(), alias: String::new() };
            self.from(first).take_while(
                move |field| matches!(field, Field::Alias { name: of, .. } if of == name),
            )
        });
        let of_runs = subjects.runs.iter().flat_map(|run| {
            let first = Field::RunTag { run: run.clone(), key: String::new() };
            let tags = self.from(first).take_while(
                move |field| matches!(field, Field::RunTag { run: of, .. } if of == run),
            );
            tags.chain(self.known(&Field::RunStatus { run: run.clone() }))
        });
        let of_versions = subjects.versions.iter().flat_map(|(name, version)| {
            let (name, version) = (name.clone(), *version);
            let first = Field::VersionTag { name: name.clone(), version, key: String::new() };
            let stage = Field::VersionStage { name: name.clone(), version };
            let tags = self.from(first).take_while(move |field| {
                matches!(field, Field::VersionTag { name: of, version: number, .. }
                    if *of == name && *number == version)
            });
            tags.chain(self.known(&stage))
        });
        of_models.chain(of_runs).chain(of_versions)
    }

    fn from(&self, first: Field) -> impl Iterator<Item = &Field> {
        self.fields.range(first..).map(|(field, _)| field)
    }

    fn known(&self, field: &Field) -> Option<&Field> {
        self.fields.get_key_value(field).map(|(field, _)| field)
    }

    /// The number of the act that changed a field last; 0 if none did.
    pub(crate) fn last_act(&self, field: &Field) -> usize {
        self.fields.get(field).map_or(0, |course| course.act)
    }

    /// The value that the journal requires of a field; `None` if it requires no value or does not contain the field.
    pub(crate) fn required(&self, field: &Field) -> Option<&str> {
        self.fields.get(field)?.values.last()?.as_deref()
    }

    /// Compares the server's value of a field with the journal.
    pub(crate) fn verdict(&self, place: &Field, found: Option<&str>) -> Verdict<'_> {
        let Some((right, earlier)) =
            self.fields.get(place).and_then(|course| course.values.split_last())
        else {
            return Verdict::Foreign;
        };
        if place.is_same(right.as_deref(), found) {
            Verdict::Right
        } else if earlier.iter().any(|value| place.is_same(value.as_deref(), found)) {
            Verdict::Stale { right: right.as_deref() }
        } else {
            Verdict::Foreign
        }
    }

    /// Whether the journal registers a version.
    pub(crate) fn is_registered(&self, name: &str, version: i64) -> bool {
        self.versions.contains_key(&(name.to_owned(), version))
    }

    /// The run of a version by the journal; `None` if the journal does not contain the version or its run.
    pub(crate) fn run_of(&self, name: &str, version: i64) -> Option<&str> {
        self.versions.get(&(name.to_owned(), version))?.0.as_deref()
    }

    /// Whether acts changed the version of a field, or a version of its model, under another name of the model since. Then the
    /// value that the journal has under this name is outdated.
    pub(crate) fn was_renamed_since(&self, field: &Field) -> bool {
        let moved = |name: &str, version: i64| {
            let run = self.run_of(name, version).map(ToOwned::to_owned);
            let newest = run.and_then(|run| self.newest_names.get(&(run, version)));
            newest.is_some_and(|newest| newest != name)
        };
        match field {
            Field::VersionTag { name, version, .. } | Field::VersionStage { name, version } => {
                moved(name, *version)
            }
            Field::Alias { name, .. } => {
                let first = (name.clone(), i64::MIN);
                let of_model = self.versions.range(first..).take_while(|((of, _), _)| of == name);
                of_model.into_iter().any(|((_, version), _)| moved(name, *version))
            }
            Field::RunTag { .. } | Field::RunStatus { .. } => false,
        }
    }

    /// Versions registered by one of the first `n` acts.
    pub(crate) fn registered_within(&self, n: usize) -> impl Iterator<Item = (&str, i64)> {
        self.versions
            .iter()
            .filter(move |(_, (_, act))| *act <= n)
            .map(|((name, version), _)| (name.as_str(), *version))
    }

    /// Versions registered after the first `n` acts.
    pub(crate) fn registered_since(&self, n: usize) -> impl Iterator<Item = (&str, i64)> {
        self.versions
            .iter()
            .filter(move |(_, (_, act))| *act > n)
            .map(|((name, version), _)| (name.as_str(), *version))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::changes::Step;

    fn step(before: Option<&str>, after: Option<&str>) -> Step {
        Step(before.map(ToOwned::to_owned), after.map(ToOwned::to_owned))
    }

    #[test]
    fn earlier_value_is_stale_and_any_other_is_foreign() {
        let place =
            Field::VersionTag { name: "m".into(), version: 1, key: "promotion_stage".into() };
        let steps = [
            step(None, Some("development")),
            step(Some("development"), Some("beta")),
            step(Some("beta"), Some("development")),
        ];
        let entries: Vec<Entry> = steps
            .into_iter()
            .map(|step| {
                let mut changes = Changes::default();
                changes.note(place.clone(), step);
                Entry::new(changes, Vec::new())
            })
            .collect();
        let mut fold = Fold::default();
        fold.extend(&entries[..2]);
        fold.extend(&entries);
        let stale = Verdict::Stale { right: Some("development") };
        assert_eq!(fold.verdict(&place, Some("development")), Verdict::Right);
        assert_eq!(fold.verdict(&place, Some("beta")), stale);
        assert_eq!(fold.verdict(&place, None), stale);
        assert_eq!(fold.verdict(&place, Some("champion")), Verdict::Foreign);
    }

    #[test]
    fn fields_of_subjects_are_found_without_those_of_their_neighbours() {
        let version = |version| Field::VersionStage { name: "m".into(), version };
        let version_tag =
            |version| Field::VersionTag { name: "m".into(), version, key: "k".into() };
        let run_tag = |run: &str| Field::RunTag { run: run.into(), key: "k".into() };
        let status = |run: &str| Field::RunStatus { run: run.into() };
        let alias = |name: &str| Field::Alias { name: name.into(), alias: "champion".into() };
        let mut changes = Changes::default();
        for number in [1, 2, 12] {
            changes.note(version(number), step(None, Some("Staging")));
            changes.note(version_tag(number), step(None, Some("v")));
        }
        for text in ["a", "ab", "b"] {
            changes.note(run_tag(text), step(None, Some("v")));
            changes.note(status(text), step(None, Some("FINISHED 1")));
            changes.note(alias(text), step(None, Some("1")));
        }
        let mut fold = Fold::default();
        fold.extend(&[Entry::new(changes, Vec::new())]);
        let wanted = [alias("a"), run_tag("a"), status("a"), version_tag(2), version(2)];
        let subjects = Subjects::of(&wanted);
        let found: Vec<Field> = fold.fields_of(&subjects).cloned().collect();
        assert_eq!(found, wanted);
        assert_eq!(fold.required(&alias("a")), Some("1"));
        assert_eq!(fold.required(&alias("c")), None);
    }
}
