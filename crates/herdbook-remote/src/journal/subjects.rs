//! The models, versions and runs that changes belong to.

use std::collections::BTreeSet;

use crate::journal::changes::Field;

/// Models, versions and runs by their names, numbers and ids.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Subjects {
    pub(crate) models: BTreeSet<String>,
    pub(crate) versions: BTreeSet<(String, i64)>,
    pub(crate) runs: BTreeSet<String>,
}

impl Subjects {
    /// The subjects of some fields.
    pub(crate) fn of<'a>(fields: impl IntoIterator<Item = &'a Field>) -> Self {
        let mut subjects = Self::default();
        for field in fields {
            match field {
                Field::Alias { name, .. } => {
                    subjects.models.insert(name.clone());
                }
                Field::RunTag { run, .. } | Field::RunStatus { run } => {
                    subjects.runs.insert(run.clone());
                }
                Field::VersionTag { name, version, .. } | Field::VersionStage { name, version } => {
                    subjects.versions.insert((name.clone(), *version));
                }
            }
        }
        subjects
    }

    pub(crate) fn len(&self) -> usize {
        self.models.len() + self.versions.len() + self.runs.len()
    }

    /// Whether the subject of a field is among these.
    pub(crate) fn holds(&self, field: &Field) -> bool {
        match field {
            Field::Alias { name, .. } => self.models.contains(name),
            Field::RunTag { run, .. } | Field::RunStatus { run } => self.runs.contains(run),
            Field::VersionTag { name, version, .. } | Field::VersionStage { name, version } => {
                self.versions.contains(&(name.clone(), *version))
            }
        }
    }

    /// Adds other subjects.
    pub(crate) fn extend(&mut self, other: Self) {
        self.models.extend(other.models);
        self.versions.extend(other.versions);
        self.runs.extend(other.runs);
    }

    /// Removes other subjects.
    pub(crate) fn subtract(&mut self, other: &Self) {
        self.models.retain(|name| !other.models.contains(name));
        self.versions.retain(|version| !other.versions.contains(version));
        self.runs.retain(|run| !other.runs.contains(run));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_are_collected_once_each_and_subtracted() {
        let fields = [
            Field::Alias { name: "m".into(), alias: "champion".into() },
            Field::VersionTag { name: "m".into(), version: 1, key: "a".into() },
            Field::VersionStage { name: "m".into(), version: 1 },
            Field::RunTag { run: "r".into(), key: "a".into() },
            Field::RunStatus { run: "s".into() },
        ];
        let mut subjects = Subjects::of(&fields);
        assert_eq!(subjects.len(), 4);
        subjects.subtract(&Subjects::of(&fields[1..4]));
        assert_eq!(subjects, Subjects::of([&fields[0], &fields[4]]));
    }
}
