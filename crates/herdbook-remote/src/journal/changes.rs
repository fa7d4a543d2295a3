//! The changes of an act in MLflow's records: the value of each changed field before and after.
//!
//! The journal contains them in the same form, so any process can write them, any number of times.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A field in MLflow's records: it has one value, or none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Field {
    /// The version that an alias of a registered model names.
    Alias {
        /// The registered model.
        name: String,
        /// The alias.
        alias: String,
    },
    /// A tag of a run.
    RunTag {
        /// The run.
        run: String,
        /// The tag.
        key: String,
    },
    /// A tag of a version.
    VersionTag {
        /// The registered model.
        name: String,
        /// Its version.
        version: i64,
        /// The tag.
        key: String,
    },
    /// MLflow's own stage of a version.
    VersionStage {
        /// The registered model.
        name: String,
        /// Its version.
        version: i64,
    },
    /// The status of a run, a space, and the time of its end in milliseconds.
    RunStatus {
        /// The run.
        run: String,
    },
}

/// The value before and after; `None` for no value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Step(pub(crate) Option<String>, pub(crate) Option<String>);

/// The changes of an act by field.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Wire", into = "Wire")]
pub(crate) struct Changes(pub(crate) BTreeMap<Field, Step>);

impl Field {
    /// Whether two values are equal. The end time in a run's status is ignored.
    pub(crate) fn is_same(&self, one: Option<&str>, other: Option<&str>) -> bool {
        match self {
            Self::RunStatus { .. } => one.map(status_of) == other.map(status_of),
            _ => one == other,
        }
    }
}

/// The status without the end time.
pub(crate) fn status_of(value: &str) -> &str {
    value.split(' ').next().unwrap_or_default()
}

impl Changes {
    /// Adds a change. If a field changes several times, the first value before and the last value after are kept.
    pub(crate) fn note(&mut self, place: Field, step: Step) {
        match self.0.get_mut(&place) {
            Some(known) => known.1 = step.1,
            None => {
                self.0.insert(place, step);
            }
        }
    }

    /// The changes without the fields whose values before and after are equal.
    pub(crate) fn net(mut self) -> Self {
        self.0.retain(|place, step| !place.is_same(step.0.as_deref(), step.1.as_deref()));
        self
    }
}

/// The changes in the form of the journal, grouped by run, version and model.
#[derive(Default, Serialize, Deserialize)]
struct Wire {
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    aliases: BTreeMap<String, BTreeMap<String, Step>>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    runs: BTreeMap<String, Subject>,
    /// By `<model>/<version>`; names of models contain no slash.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    versions: BTreeMap<String, Subject>,
}

#[derive(Default, Serialize, Deserialize)]
struct Subject {
    /// The status of a run or the stage of a version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    state: Option<Step>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    tags: BTreeMap<String, Step>,
}

impl From<Changes> for Wire {
    fn from(changes: Changes) -> Self {
        let mut wire = Self::default();
        for (place, step) in changes.0 {
            match place {
                Field::Alias { name, alias } => {
                    wire.aliases.entry(name).or_default().insert(alias, step);
                }
                Field::RunTag { run, key } => {
                    wire.runs.entry(run).or_default().tags.insert(key, step);
                }
                Field::RunStatus { run } => wire.runs.entry(run).or_default().state = Some(step),
                Field::VersionTag { name, version, key } => {
                    let versions = wire.versions.entry(format!("{name}/{version}"));
                    versions.or_default().tags.insert(key, step);
                }
                Field::VersionStage { name, version } => {
                    wire.versions.entry(format!("{name}/{version}")).or_default().state =
                        Some(step);
                }
            }
        }
        wire
    }
}

impl From<Wire> for Changes {
    fn from(wire: Wire) -> Self {
        let mut changes = BTreeMap::new();
        for (name, aliases) in wire.aliases {
            for (alias, step) in aliases {
                changes.insert(Field::Alias { name: name.clone(), alias }, step);
            }
        }
        for (run, subject) in wire.runs {
            for (key, step) in subject.tags {
                changes.insert(Field::RunTag { run: run.clone(), key }, step);
            }
            if let Some(step) = subject.state {
                changes.insert(Field::RunStatus { run }, step);
            }
        }
        for (of, subject) in wire.versions {
            let Some((name, version)) = of.rsplit_once('/') else { continue };
            let Ok(version) = version.parse() else { continue };
            for (key, step) in subject.tags {
                changes.insert(Field::VersionTag { name: name.to_owned(), version, key }, step);
            }
            if let Some(step) = subject.state {
                changes.insert(Field::VersionStage { name: name.to_owned(), version }, step);
            }
        }
        Self(changes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(before: &str, after: &str) -> Step {
        let value = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Step(value(before), value(after))
    }

    fn version_tag(key: &str) -> Field {
        Field::VersionTag { name: "1H_m".to_owned(), version: 2, key: key.to_owned() }
    }

    fn sample() -> Changes {
        let mut changes = Changes::default();
        let run = "r".to_owned();
        changes
            .note(Field::Alias { name: "1H_m".into(), alias: "champion".into() }, step("1", "2"));
        changes.note(Field::RunStatus { run: run.clone() }, step("RUNNING ", "FINISHED 7"));
        changes.note(Field::RunTag { run, key: "k".into() }, step("", "v"));
        changes
            .note(Field::VersionStage { name: "1H_m".into(), version: 2 }, step("None", "Staging"));
        changes.note(version_tag("a"), step("x", ""));
        changes
    }

    #[test]
    fn frozen_sample_of_the_journal_reads_back() {
        let text = serde_json::to_string(&sample()).unwrap();
        insta::assert_snapshot!(text, @r#"{"aliases":{"1H_m":{"champion":["1","2"]}},"runs":{"r":{"state":["RUNNING ","FINISHED 7"],"tags":{"k":[null,"v"]}}},"versions":{"1H_m/2":{"state":["None","Staging"],"tags":{"a":["x",null]}}}}"#);
        assert_eq!(serde_json::from_str::<Changes>(&text).unwrap(), sample());
    }

    #[test]
    fn field_that_returns_to_its_first_value_is_not_changed() {
        let mut changes = Changes::default();
        changes.note(version_tag("a"), step("x", ""));
        changes.note(version_tag("a"), step("", "x"));
        changes.note(version_tag("b"), step("x", "y"));
        changes.note(version_tag("b"), step("y", "z"));
        let net = changes.net().0;
        assert_eq!(net.into_iter().collect::<Vec<_>>(), [(version_tag("b"), step("x", "z"))]);
    }
}
