//! A scenario: a list of commands, each of which opens the store, acts, and closes it, like a process.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use herdbook_domain::{Breach, Event, EventKind, Reason, RollbackRequest, Stage};
use herdbook_store::{
    Effect, EventQuery, Location, Missing, Session, Store, StoreError, VersionQuery,
};

use super::recording::{RecordedDisk, Recording};
use crate::herd::{MODEL_FILE, finish, metric, model, number, options, promotion, session, start};

/// One command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Command {
    /// Trains a base model, which becomes this version.
    Train(i64),
    /// Trains a child: its version and that of its parent.
    Enhance(i64, i64),
    /// Promotes a version to a stage.
    Promote(i64, Stage),
    /// Rolls back to the last champion.
    Rollback,
}

/// The commands of the scenario. All tests of this folder run them.
pub(crate) const LIFE: [Command; 8] = [
    Command::Train(1),
    Command::Promote(1, Stage::Beta),
    Command::Promote(1, Stage::Champion),
    Command::Enhance(2, 1),
    Command::Promote(2, Stage::Beta),
    Command::Promote(2, Stage::Champion),
    Command::Rollback,
    Command::Enhance(3, 2),
];

/// A folder with a store that no process has open.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) folder: PathBuf,
}

/// The last hash of the history, and its length.
pub(crate) type Head = (usize, String);

impl Place {
    fn open(&self, recording: Option<&Arc<Recording>>) -> Result<Session, StoreError> {
        let location = Location::resolve(None, &self.folder).unwrap();
        let store = Store::open(location, &options(Missing::Create))?;
        Ok(session(&match recording {
            None => store,
            Some(recording) => store.on_disk(Arc::new(RecordedDisk(Arc::clone(recording)))),
        }))
    }

    /// Runs a command from opening the store to closing it.
    pub(crate) fn run(
        &self,
        command: Command,
        recording: Option<&Arc<Recording>>,
    ) -> Result<(), StoreError> {
        let store = self.open(recording)?;
        match command {
            Command::Train(_) => train(&store, None)?,
            Command::Enhance(_, parent) => train(&store, Some(parent))?,
            Command::Promote(version, stage) => {
                store.promote(&promotion(version, stage), Effect::Commit)?;
            }
            Command::Rollback => {
                let reason = Reason::parse("it lost money").unwrap();
                let request = RollbackRequest { name: model(), reason, force: false };
                store.rollback(&request, Effect::Commit)?;
            }
        }
        // Record this before the store is closed, since closing writes everything to the disk.
        if let Some(recording) = recording {
            recording.acknowledge();
        }
        Ok(())
    }

    /// The current history.
    pub(crate) fn head(&self) -> Result<Head, StoreError> {
        let events = self.open(None)?.events(&EventQuery::default())?;
        Ok((events.len(), events.last().map_or_else(String::new, |event| event.hash.clone())))
    }

    /// Checks that a command had its effect. Returns everything that is wrong with the records, and every acknowledged act
    /// that they lack.
    pub(crate) fn look(
        &self,
        command: Command,
        acknowledged: Option<&Head>,
    ) -> (bool, Vec<String>) {
        self.try_look(command, acknowledged).unwrap_or_else(|e| (false, vec![e.to_string()]))
    }

    fn try_look(
        &self,
        command: Command,
        acknowledged: Option<&Head>,
    ) -> Result<(bool, Vec<String>), StoreError> {
        let store = self.open(None)?;
        let mut breaches: Vec<String> = store.diagnose()?.iter().map(Breach::line).collect();
        let versions = store.versions(&VersionQuery::default())?.records;
        let champions = versions.iter().filter(|v| v.stage() == Some(Stage::Champion)).count();
        if champions > 1 {
            breaches.push(format!("{champions} champions"));
        }
        let events = store.events(&EventQuery::default())?;
        if let Some((len, hash)) = acknowledged
            && events.get(len - 1).map(|event| &event.hash) != Some(hash)
        {
            breaches.push(format!("of {len} acknowledged events {} are left", events.len()));
        }
        Ok((events.iter().any(|event| command.is_told_by(event)), breaches))
    }
}

impl Command {
    fn is_told_by(self, event: &Event) -> bool {
        let what = &event.what;
        let is_of = |version: i64| what.version == Some(number(version));
        match self {
            Self::Train(version) | Self::Enhance(version, _) => {
                what.kind == EventKind::Registered && is_of(version)
            }
            Self::Promote(version, stage) => {
                what.kind == EventKind::StageChanged
                    && is_of(version)
                    && what.to.as_deref() == Some(stage.as_str())
            }
            Self::Rollback => what.details.contains("rolled_back"),
        }
    }
}

fn train(store: &Session, parent: Option<i64>) -> Result<(), StoreError> {
    let parent = parent
        .map(|parent| store.version(&crate::herd::version(parent)))
        .transpose()?
        .map(|parent| parent.run_id.expect("a registered version has a run"));
    let start = start(parent.as_ref());
    let run_id = store.start_run(&start)?;
    store.log_metrics(&run_id, &[metric("training/policy_loss", 0.1, 1)])?;
    store.store_artifact(&run_id, "models/1H/model.zip", MODEL_FILE)?;
    let metrics = [("evaluation/best_mean_reward", 1.0)];
    store.finish_and_register(&finish(&run_id, start.origin, &metrics))?;
    Ok(())
}

/// A temporary folder, in memory if possible: syncs are recorded, so nothing has to reach a disk.
pub(crate) fn temporary() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap()
}
