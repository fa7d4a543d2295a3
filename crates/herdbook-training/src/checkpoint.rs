//! Checkpoints of a training, from which it goes on after a crash as if there had been none.
//!
//! A checkpoint is one file, so that it is there whole or not at all. Its first line is
//! `herdbook-resume <version> <SHA-256 of the rest>`, its second one the state as JSON; the model's zip follows.

use herdbook_domain::{RunId, Timeframe, hex_sha256};
use herdbook_ppo::Snapshot;
use herdbook_store::{Store, StoreError};
use serde::{Deserialize, Serialize};

use crate::enhancement::Coach;
use crate::env::EnvState;
use crate::journal::JournalState;
use crate::{Observer, TrainRequest, TrainingError};

/// Version of the file: raised with every change of what is in it.
const VERSION: u32 = 1;
const MAGIC: &str = "herdbook-resume";
const ENDING: &str = ".resume";
/// Older ones are removed: these are for a file that was damaged.
const N_KEPT: usize = 3;

/// A training between two iterations.
#[derive(Debug)]
pub(crate) struct Checkpoint {
    pub(crate) state: State,
    /// The zip of the model.
    pub(crate) model: Vec<u8>,
}

/// All of it but the model.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct State {
    /// What was asked for, the parent named by its run, without the bars themselves.
    pub(crate) request: TrainRequest,
    pub(crate) snapshot: Snapshot<EnvState>,
    pub(crate) coach: Coach,
    pub(crate) journal: JournalState,
}

impl Checkpoint {
    /// Stores the checkpoint durably beside the model to come and removes those that are no longer needed.
    pub(crate) fn store(&self, store: &Store, run_id: &RunId) -> Result<(), TrainingError> {
        let timeframe = self.state.request.timeframe;
        let trained = self.state.snapshot.trained_timesteps;
        let name = format!("checkpoint_{trained}{ENDING}");
        store.store_artifact(run_id, &artifact(timeframe, &name), &self.to_bytes())?;
        let all = names(store, run_id, timeframe)?;
        for (_, old) in all.iter().rev().skip(N_KEPT) {
            store.remove_artifact(run_id, &artifact(timeframe, old))?;
        }
        Ok(())
    }

    /// The newest checkpoint of a run that can be read. One that cannot is announced.
    pub(crate) fn newest(
        store: &Store,
        run_id: &RunId,
        timeframe: Timeframe,
        observer: &mut dyn Observer,
    ) -> Result<Option<Self>, TrainingError> {
        for (_, name) in names(store, run_id, timeframe)?.iter().rev() {
            let bytes = store.read_artifact(run_id, &artifact(timeframe, name))?;
            match Self::from_bytes(&bytes) {
                Ok(checkpoint) => return Ok(Some(checkpoint)),
                Err(problem) => observer.notice(&format!("the checkpoint `{name}` {problem}")),
            }
        }
        Ok(None)
    }

    fn to_bytes(&self) -> Vec<u8> {
        let state = serde_json::to_string(&self.state).expect("plain numbers and texts are JSON");
        let mut rest = state.into_bytes();
        rest.push(b'\n');
        rest.extend(&self.model);
        let mut bytes = format!("{MAGIC} {VERSION} {}\n", hex_sha256(&rest)).into_bytes();
        bytes.append(&mut rest);
        bytes
    }

    /// # Errors
    /// What is wrong with the bytes, as the end of a sentence.
    fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        let (head, rest) = split_line(bytes).ok_or("is no checkpoint")?;
        let head = std::str::from_utf8(head).unwrap_or_default();
        let mut words = head.split(' ');
        if words.next() != Some(MAGIC) {
            return Err("is no checkpoint".to_owned());
        }
        let version = words.next().unwrap_or_default();
        if version != VERSION.to_string() {
            return Err(format!("has version {version}; this herdbook reads version {VERSION}"));
        }
        if words.next() != Some(hex_sha256(rest).as_str()) {
            return Err("is damaged: its SHA-256 is not the one it names".to_owned());
        }
        let (state, model) = split_line(rest).ok_or("is damaged: it has no model")?;
        let state = serde_json::from_slice(state)
            .map_err(|error| format!("does not hold a training: {error}"))?;
        Ok(Self { state, model: model.to_owned() })
    }
}

/// Removes the checkpoints of a training that has come to its end, and what a process left behind that died over a file.
pub(crate) fn remove_all(
    store: &Store,
    run_id: &RunId,
    timeframe: Timeframe,
) -> Result<(), StoreError> {
    for (_, name) in names(store, run_id, timeframe)? {
        store.remove_artifact(run_id, &artifact(timeframe, &name))?;
    }
    for folder in [&format!("models/{timeframe}"), "pictures", "evaluation"] {
        store.remove_partial_artifacts(run_id, folder)?;
    }
    Ok(())
}

/// A file beside a run's model.
pub(crate) fn artifact(timeframe: Timeframe, name: &str) -> String {
    format!("models/{timeframe}/{name}")
}

/// The checkpoints of a run with their timesteps, oldest first.
fn names(
    store: &Store,
    run_id: &RunId,
    timeframe: Timeframe,
) -> Result<Vec<(u64, String)>, StoreError> {
    let all = store.artifact_names(run_id, &format!("models/{timeframe}"))?;
    let mut names: Vec<(u64, String)> = all
        .into_iter()
        .filter_map(|name| {
            let trained = name.strip_prefix("checkpoint_")?.strip_suffix(ENDING)?.parse().ok()?;
            Some((trained, name))
        })
        .collect();
    names.sort_unstable();
    Ok(names)
}

fn split_line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    Some((&bytes[..end], &bytes[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(bytes: &[u8]) -> String {
        Checkpoint::from_bytes(bytes).unwrap_err()
    }

    #[test]
    fn damaged_and_foreign_files_are_told_apart() {
        assert_eq!(problem(b""), "is no checkpoint");
        assert_eq!(problem(b"PK\x03\x04\n"), "is no checkpoint");
        let newer = b"herdbook-resume 99 00\n{}\n";
        assert_eq!(problem(newer), "has version 99; this herdbook reads version 1");
        let cut = format!("herdbook-resume 1 {}\n{{}}", hex_sha256(b"{}\nzip"));
        assert!(problem(cut.as_bytes()).starts_with("is damaged"));
        let strange = format!("herdbook-resume 1 {}\n{{}}\nzip", hex_sha256(b"{}\nzip"));
        assert!(problem(strange.as_bytes()).starts_with("does not hold a training"));
    }
}
