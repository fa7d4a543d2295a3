//! `import --register-runs`: registers the imported runs that stored a model file and have no version.

use herdbook_domain::RunId;
use herdbook_domain::import::{Finding, FindingKind};
use herdbook_domain::tags::Tags;
use herdbook_import::{Count, ImportObserver, UnregisteredRecord};
use herdbook_store::{Effect, Session, StoreError};
use herdbook_training::{
    MissingParent, TrainingError, UnregisteredRun, model_timeframes, parents_first,
};

use crate::failure::Failure;

/// The runs that stored a model file, with their tags.
pub(crate) fn candidates(found: Vec<UnregisteredRecord>) -> Vec<(RunId, Tags)> {
    let has_model = |run: &UnregisteredRecord| {
        !model_timeframes(run.artifacts.iter().map(String::as_str)).is_empty()
    };
    found.into_iter().filter(has_model).map(|run| (run.run_id, run.tags)).collect()
}

/// The runs to register.
pub(crate) struct Runs<'a> {
    pub(crate) candidates: &'a [(RunId, Tags)],
    /// The end of the registered models' names, after the timeframe.
    pub(crate) family: &'a str,
    pub(crate) effect: Effect,
}

impl Runs<'_> {
    /// Registers the runs that have no version in the store, parents before their children, each in an act of its own. A
    /// run that cannot be registered becomes a finding. A dry run only counts.
    pub(crate) fn register(
        &self,
        store: Option<&Session>,
        observer: &mut dyn ImportObserver,
        audit: &mut Vec<Finding>,
    ) -> Result<Count, Failure> {
        let mut count = Count { found: self.candidates.len(), ..Count::default() };
        for (done, idx) in (1..).zip(parents_first(self.candidates)) {
            let run_id = &self.candidates[idx].0;
            observer.stage(&format!("registering run {done} of {}", self.candidates.len()));
            if is_registered(store, run_id)? {
                count.present += 1;
            } else if let (Some(store), Effect::Commit) = (store, self.effect) {
                count.added += usize::from(self.register_one(store, run_id, audit)?);
            } else {
                count.added += 1;
            }
        }
        Ok(count)
    }

    /// Registers one run. Returns whether that was possible.
    fn register_one(
        &self,
        store: &Session,
        run_id: &RunId,
        audit: &mut Vec<Finding>,
    ) -> Result<bool, Failure> {
        let request = UnregisteredRun {
            run_id: run_id.clone(),
            timeframe: None,
            family: self.family.to_owned(),
            missing_parent: MissingParent::Keep,
        };
        let mut find = |kind, message: String, action: &str| {
            audit.push(Finding::new(kind, message, action).of_run(run_id.as_str()));
        };
        match request.register(store) {
            Ok(done) => {
                let action = format!("registered as {}", done.registered.key);
                for note in done.notes {
                    find(FindingKind::Registered, note, &action);
                }
                Ok(true)
            }
            Err(error) if is_about_the_run(&error) => {
                let action = "imported without a version";
                find(FindingKind::NotRegistered, error.to_string(), action);
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }
}

fn is_registered(store: Option<&Session>, run_id: &RunId) -> Result<bool, StoreError> {
    match store.map(|store| store.version_of_run(run_id)) {
        None | Some(Err(StoreError::NoSuchRun { .. })) => Ok(false),
        Some(found) => Ok(found?.is_some()),
    }
}

/// Whether an error concerns this run alone, so that the others can be registered.
fn is_about_the_run(error: &TrainingError) -> bool {
    matches!(
        error,
        TrainingError::CannotRegister { .. }
            | TrainingError::ParentMismatch { .. }
            | TrainingError::NoParentNamed { .. }
            | TrainingError::Ppo(_)
            | TrainingError::Store(
                StoreError::RunNotRunning { .. }
                    | StoreError::RunNotFinished { .. }
                    | StoreError::AlreadyRegistered { .. }
                    | StoreError::Refused(_)
            )
    )
}
