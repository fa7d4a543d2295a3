//! Checkpoints, from which an interrupted training is resumed with the same result as without interruption.
//!
//! A checkpoint is a single file, so that it is written completely or not at all. The first line is
//! `herdbook-resume <version> <SHA-256 of the rest>`, the second the state as JSON; the zip of the model follows.

use herdbook_domain::{RunId, Timeframe, hex_sha256};
use herdbook_ppo::Snapshot;
use herdbook_store::{CHECKPOINT_ENDING as ENDING, Store, StoreError};
use serde::{Deserialize, Serialize};

use crate::environment::trading_env::EnvState;
use crate::error::TrainingError;
use crate::models::artifact_paths::artifact_beside_model;
use crate::observer::Observer;
use crate::request::train_request::TrainRequest;
use crate::run::enhancement::Enhancer;
use crate::run::metric_log::MetricLogState;

/// Version of the file format: increased with every change after which an older herdbook would resume the training wrongly.
/// Version 2 names the policy to register; version 1, which registers the last one, is read too.
const VERSION: u32 = 2;
const FIRST_VERSION: u32 = 1;
const MAGIC: &str = "herdbook-resume";
/// Number of checkpoints kept, in case the newest is damaged.
const N_KEPT: usize = 3;

/// State of a training between two iterations.
#[derive(Debug)]
pub(crate) struct Checkpoint {
    pub(crate) state: CheckpointState,
    /// The zip of the model.
    pub(crate) model: Vec<u8>,
}

/// The state without the model. Serialized names are part of the file format.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct CheckpointState {
    /// The request, with the parent selected by its run id, and without the bars.
    pub(crate) request: TrainRequest,
    pub(crate) snapshot: Snapshot<EnvState>,
    #[serde(rename = "coach")]
    pub(crate) enhancer: Enhancer,
    #[serde(rename = "journal")]
    pub(crate) metric_log: MetricLogState,
}

impl Checkpoint {
    /// Stores the checkpoint durably in the folder of the model and removes old ones.
    pub(crate) fn store(&self, store: &Store, run_id: &RunId) -> Result<(), TrainingError> {
        let timeframe = self.state.request.timeframe;
        let trained = self.state.snapshot.trained_timesteps;
        let name = format!("checkpoint_{trained}{ENDING}");
        store.store_artifact(run_id, &artifact_beside_model(timeframe, &name), &self.to_bytes())?;
        let all = names(store, run_id, timeframe)?;
        for (_, old) in all.iter().rev().skip(N_KEPT) {
            store.remove_artifact(run_id, &artifact_beside_model(timeframe, old))?;
        }
        Ok(())
    }

    /// The newest checkpoint of a run that can be read. Damaged ones are reported to the observer.
    pub(crate) fn newest(
        store: &Store,
        run_id: &RunId,
        timeframe: Timeframe,
        observer: &mut dyn Observer,
    ) -> Result<Option<Self>, TrainingError> {
        for (_, name) in names(store, run_id, timeframe)?.iter().rev() {
            let bytes = store.read_artifact(run_id, &artifact_beside_model(timeframe, name))?;
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
    /// The problem, as the end of a sentence that starts with the file.
    fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        let (head, rest) = split_line(bytes).ok_or("is not a checkpoint")?;
        let head = std::str::from_utf8(head).unwrap_or_default();
        let mut words = head.split(' ');
        if words.next() != Some(MAGIC) {
            return Err("is not a checkpoint".to_owned());
        }
        let version = words.next().unwrap_or_default();
        if !(FIRST_VERSION..=VERSION).any(|known| version == known.to_string()) {
            return Err(format!(
                "has format version {version}, but this herdbook reads versions {FIRST_VERSION} to {VERSION}"
            ));
        }
        if words.next() != Some(hex_sha256(rest).as_str()) {
            return Err("is damaged: its SHA-256 differs from the recorded one".to_owned());
        }
        let (state, model) = split_line(rest).ok_or("is damaged: it contains no model")?;
        let state = serde_json::from_slice(state)
            .map_err(|error| format!("does not contain the state of a training: {error}"))?;
        Ok(Self { state, model: model.to_owned() })
    }
}

/// Removes the checkpoints of a finished training, and temporary files of writes that were interrupted.
pub(crate) fn remove_all(
    store: &Store,
    run_id: &RunId,
    timeframe: Timeframe,
) -> Result<(), StoreError> {
    for (_, name) in names(store, run_id, timeframe)? {
        store.remove_artifact(run_id, &artifact_beside_model(timeframe, &name))?;
    }
    for folder in [&format!("models/{timeframe}"), "pictures", "evaluation"] {
        store.remove_partial_artifacts(run_id, folder)?;
    }
    Ok(())
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
        assert_eq!(problem(b""), "is not a checkpoint");
        assert_eq!(problem(b"PK\x03\x04\n"), "is not a checkpoint");
        let newer = b"herdbook-resume 99 00\n{}\n";
        assert_eq!(
            problem(newer),
            "has format version 99, but this herdbook reads versions 1 to 2"
        );
        let cut = format!("herdbook-resume 1 {}\n{{}}", hex_sha256(b"{}\nzip"));
        assert!(problem(cut.as_bytes()).starts_with("is damaged"));
        let strange = format!("herdbook-resume 1 {}\n{{}}\nzip", hex_sha256(b"{}\nzip"));
        assert!(
            problem(strange.as_bytes()).starts_with("does not contain the state of a training")
        );
    }
}
