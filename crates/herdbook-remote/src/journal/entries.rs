//! The journal: which acts happened, in which order.
//!
//! MLflow has no transactions and no compare-and-set over REST, but it never changes the value of a param. So act *n* of a
//! server is the param `act.<n>` of one run: the first writer of `act.<n>` succeeds. Every other one is refused, reads the
//! new acts and decides again. There is no lock, and nothing expires. The value contains the act's id, so that writing it again
//! after a lost answer has no effect.
//!
//! The tag of the experiment `herdbook.journal` names the run. MLflow creates an experiment of a name only once, with its
//! tags: if several processes create the journal at once, one succeeds.

use std::collections::BTreeMap;

use herdbook_domain::{Event, EventKind, hex_sha256};
use herdbook_store::{StoreError, now};
use serde::{Deserialize, Serialize};

use crate::client::answer::ServerAnswer;
use crate::client::runs::RunToCreate;
use crate::client::wire::{Run, value_of};
use crate::client::{Client, Trying};
use crate::journal::changes::Changes;

/// The experiment whose tag names the journal's run.
const POINTER: &str = "herdbook.journal";
/// The experiment that contains the run. The run exists before the experiment above, so it cannot be in that one.
const HOLDER: &str = "herdbook.journal.runs";
/// The tag with the run's id.
const RUN_TAG: &str = "herdbook.journal.run";
/// The tag with the number of acts whose changes were all written to the server's records.
const APPLIED_TAG: &str = "herdbook.journal.applied";
/// MLflow truncates longer values at 6,000 characters without an error.
const LONGEST_VALUE: usize = 5_900;

/// One act: its changes and its events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Entry {
    v: u32,
    pub(crate) act: String,
    pub(crate) changes: Changes,
    pub(crate) events: Vec<Event>,
}

/// The value of an act that is too long for one param. Its JSON is in the params `part.<first half of the hash>.<i>`,
/// which are written before.
#[derive(Debug, Serialize, Deserialize)]
struct Parted {
    v: u32,
    act: String,
    parts: usize,
    sha256: String,
}

/// Whether an act was appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Appended {
    /// The act was appended.
    Ours,
    /// Another act was appended first.
    Lost,
}

/// The journal of a server: the acts read so far.
#[derive(Debug)]
pub(crate) struct Journal {
    run_id: String,
    /// The experiment of its run; `None` until the run is read.
    experiment_id: Option<String>,
    entries: Vec<Entry>,
    n_applied: usize,
}

impl Entry {
    /// An entry with the act id of its events.
    pub(crate) fn new(changes: Changes, events: Vec<Event>) -> Self {
        let act = events.first().map_or_else(String::new, |event| event.act_id.clone());
        Self { v: 1, act, changes, events }
    }
}

impl Journal {
    /// Finds the journal of a server, without reading it; `None` if there is none.
    ///
    /// # Errors
    /// [`StoreError::DeletedExperiment`], [`StoreError::BrokenRecord`], and those of reaching the server.
    pub(crate) fn find(client: &Client) -> Result<Option<Self>, StoreError> {
        let Some(pointer) = client.experiment(POINTER)? else { return Ok(None) };
        if pointer.lifecycle_stage == "deleted" {
            return Err(StoreError::DeletedExperiment {
                name: POINTER.to_owned(),
                id: pointer.id.parse().unwrap_or_default(),
            });
        }
        let run_id = value_of(&pointer.tags, RUN_TAG)
            .ok_or_else(|| broken("the experiment names no run"))?;
        Ok(Some(Self {
            run_id: run_id.to_owned(),
            experiment_id: None,
            entries: Vec::new(),
            n_applied: 0,
        }))
    }

    /// The journal of a server, read to its end. It is created if there is none.
    ///
    /// # Errors
    /// As [`Journal::find`] and [`Journal::read`].
    pub(crate) fn find_or_create(client: &Client, actor: &str) -> Result<Self, StoreError> {
        if let Some(mut journal) = Self::find(client)? {
            journal.read(client)?;
            return Ok(journal);
        }
        let experiment_id = holder(client)?;
        let tags = [("mlflow.runName".to_owned(), "journal".to_owned())];
        let start_time = now().millis();
        let new =
            RunToCreate { experiment_id: &experiment_id, user: actor, start_time, tags: &tags };
        let run_id = client.create_run(&new)?.info.run_id;
        match client.create_experiment(POINTER, &[(RUN_TAG, &run_id)]) {
            Ok(_) => {}
            // Another process created it, or this one did and the answer was lost.
            Err(error) if error.is_presence() => {}
            Err(error) => return Err(error),
        }
        let mut journal =
            Self::find(client)?.ok_or_else(|| broken("it was deleted right after its creation"))?;
        if journal.run_id != run_id {
            // Another process created the journal. Nothing refers to this run, so it may stay if this fails.
            let _ = client.delete_run(&run_id);
        }
        journal.read(client)?;
        Ok(journal)
    }

    /// The id of the journal's run.
    pub(crate) fn id(&self) -> &str {
        &self.run_id
    }

    /// The acts that were read, in order.
    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Whether an experiment of this name belongs to the journal.
    pub(crate) fn is_its_experiment(name: &str) -> bool {
        name == POINTER || name == HOLDER
    }

    /// Reads the acts that were appended since the last reading. If the journal has a next act, MLflow sends
    /// all acts; otherwise the answer is small.
    ///
    /// # Errors
    /// [`StoreError::BrokenRecord`] if the journal's run is deleted or an act cannot be read, and those of reaching the
    /// server.
    pub(crate) fn read(&mut self, client: &Client) -> Result<(), StoreError> {
        let Some(experiment_id) = &self.experiment_id else {
            let run = self.run(client)?;
            self.experiment_id = Some(run.info.experiment_id.clone());
            return self.read_on(&run);
        };
        let next = self.entries.len() + 1;
        let filter =
            format!("attributes.run_id = '{}' AND params.`act.{next}` IS NOT NULL", self.run_id);
        let experiments = std::slice::from_ref(experiment_id);
        match client.runs(experiments, &filter)?.first() {
            Some(run) => self.read_on(run),
            None => Ok(()),
        }
    }

    /// Whether the acts were read before.
    pub(crate) fn is_read(&self) -> bool {
        self.experiment_id.is_some()
    }

    /// The number of acts whose changes are known to be all written to the server's records.
    pub(crate) fn n_applied(&self) -> usize {
        self.n_applied
    }

    /// As [`Journal::n_applied`], but asks the server.
    ///
    /// # Errors
    /// Those of reaching the server.
    pub(crate) fn read_n_applied(&self, client: &Client) -> Result<usize, StoreError> {
        Ok(n_applied(&self.run(client)?))
    }

    /// Records that all changes of the first `n` acts were written to the server's records.
    ///
    /// # Errors
    /// Those of reaching the server.
    pub(crate) fn note_applied(&mut self, client: &Client, n: usize) -> Result<(), StoreError> {
        client.set_run_tag(&self.run_id, APPLIED_TAG, &n.to_string(), Trying::Patiently)?;
        self.n_applied = self.n_applied.max(n);
        Ok(())
    }

    fn run(&self, client: &Client) -> Result<Run, StoreError> {
        client.run(&self.run_id)?.ok_or_else(|| broken("the run does not exist"))
    }

    /// Appends an act after the last one that was read, unless another act was appended first.
    ///
    /// # Errors
    /// [`StoreError::OutcomeUnknown`] if no answer came, and those of reaching the server.
    pub(crate) fn append(&mut self, client: &Client, entry: Entry) -> Result<Appended, StoreError> {
        let key = format!("act.{}", self.entries.len() + 1);
        let text = json(&entry);
        let value = match parts_of(&text, &entry.act) {
            None => text,
            Some((header, parts)) => {
                client.log_params(&self.run_id, &parts)?;
                header
            }
        };
        match client.log_param(&self.run_id, &key, &value) {
            Ok(()) => {}
            // The param has the value of another act, or of this one if an earlier try succeeded and its answer was lost.
            Err(error) if error.is_invalid() => {
                let known = self.entries.len();
                self.read(client)?;
                let Some(first) = self.entries.get(known) else { return Err(error) };
                let appended = if first.act == entry.act { Appended::Ours } else { Appended::Lost };
                return Ok(appended);
            }
            Err(error) if error.leaves_outcome_open() => {
                return Err(StoreError::OutcomeUnknown { store: client.uri().to_owned() });
            }
            Err(error) => return Err(error),
        }
        self.entries.push(entry);
        Ok(Appended::Ours)
    }

    fn read_on(&mut self, run: &Run) -> Result<(), StoreError> {
        if run.info.lifecycle_stage == "deleted" {
            return Err(broken(&format!(
                "the run is deleted: restore it with `mlflow runs restore --run-id {}`",
                self.run_id
            )));
        }
        self.n_applied = self.n_applied.max(n_applied(run));
        let params: BTreeMap<&str, &str> =
            run.data.params.iter().map(|pair| (pair.key.as_str(), pair.value.as_str())).collect();
        loop {
            let next = self.entries.len() + 1;
            let Some(value) = params.get(format!("act.{next}").as_str()) else { return Ok(()) };
            let entry = read(value, &params)
                .map_err(|problem| broken(&format!("act {next} cannot be read: {problem}")))?;
            self.entries.push(entry);
        }
    }
}

/// The number of applied acts, by the tag of the journal's run.
fn n_applied(run: &Run) -> usize {
    value_of(&run.data.tags, APPLIED_TAG).and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// The experiment that contains the journal's run. It is created if there is none.
fn holder(client: &Client) -> Result<String, StoreError> {
    if let Some(experiment) = client.experiment(HOLDER)? {
        return Ok(experiment.id);
    }
    match client.create_experiment(HOLDER, &[]) {
        Err(error) if error.is_presence() => {
            let experiment = client.experiment(HOLDER)?.ok_or_else(|| {
                broken("the experiment of the run was deleted right after its creation")
            })?;
            Ok(experiment.id)
        }
        outcome => outcome,
    }
}

fn json(entry: &Entry) -> String {
    serde_json::to_string(entry).expect("an entry has text keys only")
}

/// Header and parts of a text that is too long for one param.
fn parts_of(text: &str, act: &str) -> Option<(String, Vec<(String, String)>)> {
    let chars: Vec<char> = text.chars().collect();
    if chars.len() <= LONGEST_VALUE {
        return None;
    }
    let sha256 = hex_sha256(text.as_bytes());
    let parts: Vec<(String, String)> = chars
        .chunks(LONGEST_VALUE)
        .enumerate()
        .map(|(idx, chunk)| (part_key(&sha256, idx), chunk.iter().collect()))
        .collect();
    let header = Parted { v: 1, act: act.to_owned(), parts: parts.len(), sha256 };
    Some((serde_json::to_string(&header).expect("a header is plain data"), parts))
}

fn part_key(sha256: &str, idx: usize) -> String {
    format!("part.{}.{idx}", &sha256[..32])
}

fn read(value: &str, params: &BTreeMap<&str, &str>) -> Result<Entry, String> {
    let invalid = |error: serde_json::Error| format!("it was not written by herdbook ({error})");
    let Ok(header) = serde_json::from_str::<Parted>(value) else {
        return serde_json::from_str(value).map_err(invalid).and_then(known);
    };
    let mut text = String::new();
    for idx in 0..header.parts {
        let key = part_key(header.sha256.get(..32).map_or("", |_| &header.sha256), idx);
        text.push_str(params.get(key.as_str()).ok_or("a part is missing")?);
    }
    if hex_sha256(text.as_bytes()) != header.sha256 {
        return Err("it does not match its hash".to_owned());
    }
    serde_json::from_str(&text).map_err(invalid).and_then(known)
}

fn known(entry: Entry) -> Result<Entry, String> {
    if entry.v == 1 {
        Ok(entry)
    } else {
        Err(format!("it has format version {}, which needs a newer herdbook", entry.v))
    }
}

fn broken(problem: &str) -> StoreError {
    StoreError::BrokenRecord {
        what: format!("the journal (the run named by experiment `{POINTER}`)"),
        problem: problem.to_owned(),
    }
}

/// The versions that events register or adopt, with their runs.
pub(crate) fn registrations(events: &[Event]) -> BTreeMap<(String, i64), Option<String>> {
    let kinds = [EventKind::Registered, EventKind::Adopted];
    events
        .iter()
        .filter(|event| kinds.contains(&event.what.kind))
        .filter_map(|event| {
            let (name, version) = (event.what.name.as_ref()?, event.what.version?);
            let run = event.what.run_id.as_ref().map(ToString::to_string);
            Some(((name.to_string(), i64::from(version.get())), run))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_act_is_written_in_parts_and_reads_back() {
        let mut changes = Changes::default();
        for idx in 0..400 {
            let place =
                super::super::changes::Field::RunTag { run: "r".into(), key: format!("k{idx}") };
            changes.note(place, super::super::changes::Step(None, Some("ä\"".repeat(10))));
        }
        let entry = Entry::new(changes, Vec::new());
        let text = json(&entry);
        let (header, parts) = parts_of(&text, "a").unwrap();
        assert!(
            parts.len() > 1 && parts.iter().all(|(_, part)| part.chars().count() <= LONGEST_VALUE)
        );
        let mut params: BTreeMap<&str, &str> =
            parts.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        assert_eq!(read(&header, &params).unwrap(), entry);
        params.remove(parts[1].0.as_str());
        assert_eq!(read(&header, &params).unwrap_err(), "a part is missing");
    }
}
