//! The loop of one training: iterate, steer, evaluate, keep a checkpoint.

use std::sync::atomic::{AtomicBool, Ordering};

use herdbook_domain::{ParentSelector, RunId};
use herdbook_ppo::{Model, Trainer};
use herdbook_store::Session;

use crate::checkpoint::{Checkpoint, State, artifact};
use crate::enhancement::Coach;
use crate::env::TradingEnv;
use crate::journal::Journal;
use crate::plan::Plan;
use crate::{Observer, TrainRequest, TrainingError};

/// A training on its way.
pub(crate) struct Learning<'a> {
    store: &'a Session,
    plan: &'a Plan<'a>,
    run_id: &'a RunId,
    pub(crate) trainer: Trainer<TradingEnv>,
    coach: Coach,
    pub(crate) journal: Journal<'a>,
}

impl<'a> Learning<'a> {
    /// Begins with a new model, or with the parent's.
    pub(crate) fn begin(
        store: &'a Session,
        plan: &'a Plan<'a>,
        run_id: &'a RunId,
    ) -> Result<Self, TrainingError> {
        let mut envs = plan.envs();
        let coach = plan.coach(&mut envs);
        let (config, seed) = (plan.config.clone(), plan.request.seed);
        let mut trainer = match &plan.parent {
            Some(parent) => Trainer::resume(parent.model.clone(), config, envs, seed)?,
            None => Trainer::new(config, envs, seed)?,
        };
        trainer.set_threads(plan.n_threads);
        let journal = Journal::new(store, run_id, plan.previous_timesteps());
        Ok(Self { store, plan, run_id, trainer, coach, journal })
    }

    /// Goes on from a checkpoint.
    pub(crate) fn restore(
        store: &'a Session,
        plan: &'a Plan<'a>,
        run_id: &'a RunId,
        checkpoint: Checkpoint,
    ) -> Result<Self, TrainingError> {
        let Checkpoint { state: State { snapshot, coach, journal, .. }, model } = checkpoint;
        let model = Model::from_zip(&model, "the checkpoint's model")?;
        let mut trainer = Trainer::restore(model, snapshot, plan.envs())?;
        trainer.set_threads(plan.n_threads);
        let logged = store.logged_steps(run_id)?;
        let journal = Journal::restore(store, run_id, journal, logged);
        Ok(Self { store, plan, run_id, trainer, coach, journal })
    }

    /// Trains until the timesteps asked for are reached, or the user cancels.
    pub(crate) fn run_to_end(
        &mut self,
        observer: &mut dyn Observer,
        cancelled: &AtomicBool,
    ) -> Result<(), TrainingError> {
        let target = self.plan.request.timesteps;
        while self.trainer.trained_timesteps() < target {
            if cancelled.load(Ordering::Relaxed) {
                return self.cancel(observer);
            }
            self.plan.request.schedules.apply(&mut self.trainer, &self.plan.config, target)?;
            let stats = self.trainer.iterate();
            self.coach.after_iteration(&mut self.trainer, &stats)?;
            let trained = self.trainer.trained_timesteps();
            self.journal.iteration(trained, &stats, &self.coach.metrics());
            if self.journal.evaluation_is_due(trained, target) {
                self.evaluate(trained, observer)?;
            }
            self.journal.flush_if_due(observer)?;
            observer.progress(&self.journal.progress(trained, target, &stats));
        }
        Ok(())
    }

    /// The model as it is stored.
    pub(crate) fn model(&self) -> Result<Vec<u8>, TrainingError> {
        let mut model = self.trainer.model();
        self.plan.describe(&mut model);
        Ok(model.to_zip()?)
    }

    fn evaluate(&mut self, trained: u64, observer: &mut dyn Observer) -> Result<(), TrainingError> {
        let Plan { market, costs, .. } = self.plan;
        let is_best = self.journal.evaluate(trained, market, *costs, self.trainer.policy());
        let model = self.model()?;
        let stored = self.store_best(is_best, &model).and_then(|()| self.keep(model));
        // A training of hours does not end because it could not be secured.
        if let Err(error) = stored {
            observer.notice(&format!("no checkpoint after {trained} timesteps: {error}"));
        }
        Ok(())
    }

    /// Stores the model as the best so far on the validation window.
    fn store_best(&self, is_best: bool, model: &[u8]) -> Result<(), TrainingError> {
        if is_best {
            let name = format!("best_model_{}.zip", self.trainer.num_timesteps());
            let artifact = artifact(self.plan.timeframe(), &name);
            self.store.store_artifact(self.run_id, &artifact, model)?;
        }
        Ok(())
    }

    fn keep(&self, model: Vec<u8>) -> Result<(), TrainingError> {
        let state = State {
            request: self.repeatable_request(),
            snapshot: self.trainer.snapshot(),
            coach: self.coach.clone(),
            journal: self.journal.state(),
        };
        Checkpoint { state, model }.store(self.store, self.run_id)
    }

    /// The request with the parent that was chosen, however it was named.
    fn repeatable_request(&self) -> TrainRequest {
        let mut request = self.plan.request.clone();
        if let (Some(enhance), Some(parent)) = (&mut request.enhance, &self.plan.parent) {
            enhance.selector = ParentSelector::Run(parent.run.run_id.clone());
        }
        request
    }

    fn cancel(&self, observer: &mut dyn Observer) -> Result<(), TrainingError> {
        let timesteps = self.trainer.trained_timesteps();
        if timesteps > 0
            && let Err(error) = self.model().and_then(|model| self.keep(model))
        {
            observer.notice(&format!("no checkpoint after {timesteps} timesteps: {error}"));
        }
        Err(TrainingError::Cancelled { run_id: self.run_id.clone(), timesteps })
    }
}
