//! Ids of runs and numbers of versions: the server assigns them, so they are requested before the act.
//!
//! A run that was created for an act that never happened has a lease that expires. A version is marked as pending until
//! the journal registers it. Only the process that trains a run creates versions for it, so a pending version is used
//! instead of creating a second one.

use herdbook_domain::VersionNumber;
use herdbook_store::engine::backend::{NewRun, Reservation};
use herdbook_store::{Lease, StoreError, now};

use crate::client::answer::ServerAnswer;
use crate::client::registry::{NewVersion, name_filter};
use crate::client::runs::RunToCreate;
use crate::client::wire::{ModelVersion, TOKEN, value_of};
use crate::copy::{lease, tables};
use crate::remote::Remote;

impl Remote {
    /// Creates a run with its tags and a lease of this process. Returns its id.
    ///
    /// # Errors
    /// Those of `experiment_for_runs`, and of reaching the server.
    pub(crate) fn make_run(&self, run: &NewRun<'_>) -> Result<String, StoreError> {
        let NewRun { experiment, token, .. } = run;
        let experiment_id = self.experiment_for_runs(experiment.as_str())?;
        let mut tags: Vec<(String, String)> = run.tags.clone().into_iter().collect();
        tags.push((TOKEN.to_owned(), (*token).to_owned()));
        tags.push((lease::TAG.to_owned(), lease::of(&Lease::of_this_process())));
        let start_time = now().millis();
        let user = run.actor.as_str();
        let new = RunToCreate { experiment_id: &experiment_id, user, start_time, tags: &tags };
        let made = self.client.until_known(
            || self.client.create_run(&new),
            || {
                let filter = format!("tags.`{TOKEN}` = '{token}'");
                Ok(self.client.runs(std::slice::from_ref(&experiment_id), &filter)?.pop())
            },
        )?;
        if let Some(input) = run.input {
            self.client.log_input(&made.info.run_id, input)?;
        }
        Ok(made.info.run_id)
    }

    /// The id of an experiment whose artifacts can be reached. The experiment is created if it does not exist.
    ///
    /// # Errors
    /// [`StoreError::DeletedExperiment`], [`StoreError::ForeignArtifacts`].
    fn experiment_for_runs(&self, name: &str) -> Result<String, StoreError> {
        let mut found = self.client.experiment(name)?;
        if found.is_none() {
            // With this tag MLflow's UI shows the pages for training.
            let kind = [("mlflow.experimentKind", "custom_model_development")];
            match self.client.create_experiment(name, &kind) {
                Err(error) if error.is_presence() => {}
                outcome => drop(outcome?),
            }
            found = self.client.experiment(name)?;
        }
        let experiment = found.ok_or_else(|| StoreError::BrokenRecord {
            what: format!("experiment `{name}`"),
            problem: "it was deleted right after its creation".to_owned(),
        })?;
        if experiment.lifecycle_stage == "deleted" {
            let id = experiment.id.parse().unwrap_or_default();
            return Err(StoreError::DeletedExperiment { name: name.to_owned(), id });
        }
        self.place_of_artifacts(name, &experiment.artifact_location)?;
        Ok(experiment.id)
    }

    /// Creates a version for a run's model, or finds the pending one, and returns its number.
    ///
    /// # Errors
    /// [`StoreError::BrokenRecord`] if the run does not exist, and those of reaching the server.
    pub(crate) fn reserve(
        &self,
        reservation: &Reservation<'_>,
    ) -> Result<VersionNumber, StoreError> {
        let Reservation { folder, describe, .. } = *reservation;
        let (name, run_id) = (reservation.name.as_str(), reservation.run_id.as_str());
        let run = self.client.run(run_id)?.ok_or_else(|| StoreError::BrokenRecord {
            what: format!("run `{run_id}`"),
            problem: "the server has no such run".to_owned(),
        })?;
        let source = format!("{}/{folder}", run.info.artifact_uri);
        let description = describe()?;
        self.client.ensure_model(name)?;
        loop {
            let version = match self.pending_version(name, run_id)? {
                Some(version) => version,
                None => self.client.until_known(
                    || {
                        let pending = [(tables::PENDING, run_id)];
                        let new =
                            NewVersion { name, source: &source, run_id, description: &description };
                        self.client.create_version(&new, &pending)
                    },
                    || self.pending_version(name, run_id),
                )?,
            };
            let number: i64 = version.version.parse().unwrap_or_default();
            if let Some(given) = VersionNumber::new(number)
                && self.is_free_for(name, number, run_id)?
            {
                return Ok(given);
            }
            self.client.delete_version(name, number)?;
        }
    }

    /// Whether the journal gives a number to no other run. A number is never used twice, even if MLflow deleted the whole
    /// registered model.
    fn is_free_for(&self, name: &str, number: i64, run_id: &str) -> Result<bool, StoreError> {
        let mut state = self.lock();
        state.read_journal(&self.client)?;
        let is_known = state.fold.is_registered(name, number);
        Ok(!is_known || state.fold.run_of(name, number) == Some(run_id))
    }

    /// Deletes a version that was created for an act that was then refused.
    pub(crate) fn release(&self, name: &str, run_id: &str, number: VersionNumber) {
        let number = i64::from(number.get());
        let is_free = {
            let mut state = self.lock();
            state.read_journal(&self.client).is_ok()
                && !state.is_outcome_open
                && !state.fold.is_registered(name, number)
        };
        // If this fails, the version stays pending, and look-ups ignore it.
        if is_free && matches!(self.pending_version(name, run_id), Ok(Some(_))) {
            let _ = self.client.delete_version(name, number);
        }
    }

    fn pending_version(
        &self,
        name: &str,
        run_id: &str,
    ) -> Result<Option<ModelVersion>, StoreError> {
        let filter = format!("{} AND run_id = '{run_id}'", name_filter(name));
        let found = self.client.versions(&filter)?;
        Ok(found.into_iter().find(|version| value_of(&version.tags, tables::PENDING).is_some()))
    }
}
