//! The training loop: iterate, adjust the enhancement, evaluate, store checkpoints.

use std::sync::atomic::{AtomicBool, Ordering};

use herdbook_domain::{ParentSelector, RunId};
use herdbook_ppo::{Model, Policy, Trainer};
use herdbook_store::Session;

use crate::environment::trading_env::TradingEnv;
use crate::error::TrainingError;
use crate::models::artifact_paths::artifact_beside_model;
use crate::observer::Observer;
use crate::request::train_request::{RegisteredPolicy, TrainRequest};
use crate::run::checkpoint::{Checkpoint, CheckpointState};
use crate::run::enhancement::Enhancer;
use crate::run::metric_log::{MetricLog, Phase};
use crate::run::plan::TrainingPlan;

/// State of the training loop. Between two iterations, a checkpoint holds all of it.
pub(crate) struct TrainingLoop<'a> {
    store: &'a Session,
    plan: &'a TrainingPlan<'a>,
    run_id: &'a RunId,
    pub(crate) trainer: Trainer<TradingEnv>,
    enhancer: Enhancer,
    pub(crate) metric_log: MetricLog<'a>,
    /// The zip of the best model so far; `None` before the first evaluation of this process.
    best: Option<Vec<u8>>,
}

impl<'a> TrainingLoop<'a> {
    /// Starts with a new model, or with the parent's.
    pub(crate) fn begin(
        store: &'a Session,
        plan: &'a TrainingPlan<'a>,
        run_id: &'a RunId,
    ) -> Result<Self, TrainingError> {
        let mut envs = plan.envs();
        let enhancer = plan.enhancer(&mut envs);
        let (config, seed) = (plan.config.clone(), plan.request.seed);
        let mut trainer = match &plan.parent {
            Some(parent) => Trainer::resume(parent.model.clone(), config, envs, seed)?,
            None => Trainer::new(config, envs, seed)?,
        };
        trainer.set_threads(plan.n_threads);
        let metric_log = MetricLog::new(store, run_id, plan.previous_timesteps());
        Ok(Self { store, plan, run_id, trainer, enhancer, metric_log, best: None })
    }

    /// Continues from a checkpoint.
    pub(crate) fn restore(
        store: &'a Session,
        plan: &'a TrainingPlan<'a>,
        run_id: &'a RunId,
        checkpoint: Checkpoint,
    ) -> Result<Self, TrainingError> {
        let Checkpoint { state: CheckpointState { snapshot, enhancer, metric_log, .. }, model } =
            checkpoint;
        let model = Model::from_zip(&model, "the model of the checkpoint")?;
        let mut trainer = Trainer::restore(model, snapshot, plan.envs())?;
        trainer.set_threads(plan.n_threads);
        let logged = store.logged_steps(run_id)?;
        let metric_log = MetricLog::restore(store, run_id, metric_log, logged);
        Ok(Self { store, plan, run_id, trainer, enhancer, metric_log, best: None })
    }

    /// Trains until the requested timesteps are reached or the user cancels.
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
            self.enhancer.after_iteration(&mut self.trainer, &stats)?;
            let trained = self.trainer.trained_timesteps();
            self.metric_log.iteration(trained, &stats, &self.enhancer.metrics());
            if self.metric_log.evaluation_is_due(trained, target) {
                self.evaluate(trained, observer)?;
            }
            self.metric_log.flush_if_due(observer)?;
            observer.progress(&self.metric_log.progress(trained, target, &stats));
        }
        Ok(())
    }

    /// The current model as a zip file.
    pub(crate) fn model(&self) -> Result<Vec<u8>, TrainingError> {
        let mut model = self.trainer.model();
        self.plan.describe(&mut model);
        Ok(model.to_zip()?)
    }

    /// The model to register as a zip file, with its policy. It counts all timesteps of the training as its own, so that the
    /// timesteps of a lineage add up.
    pub(crate) fn model_to_register(&self) -> Result<(Vec<u8>, Policy), TrainingError> {
        let best = match self.plan.request.register {
            RegisteredPolicy::Best => self.metric_log.best_timesteps(),
            RegisteredPolicy::Last => None,
        };
        // The last policy, too, if its evaluation was the best.
        let Some(timesteps) = best.filter(|best| *best != self.trainer.num_timesteps()) else {
            return Ok((self.model()?, self.trainer.policy().clone()));
        };
        let stored = || {
            let artifact = artifact_beside_model(self.plan.timeframe(), &best_model(timesteps));
            self.store.read_artifact(self.run_id, &artifact)
        };
        let zip = self.best.clone().map_or_else(stored, Ok)?;
        let mut model = Model::from_zip(&zip, &best_model(timesteps))?;
        model.num_timesteps = self.trainer.num_timesteps();
        Ok((model.to_zip()?, model.policy))
    }

    fn evaluate(&mut self, trained: u64, observer: &mut dyn Observer) -> Result<(), TrainingError> {
        let TrainingPlan { market, costs, .. } = self.plan;
        let is_end = trained >= self.plan.request.timesteps;
        let phase = match self.plan.request.register {
            RegisteredPolicy::Best if is_end => Phase::EndOfBest,
            _ => Phase::Running,
        };
        let policy = self.trainer.policy();
        let is_best = self.metric_log.evaluate(trained, market, *costs, policy, phase);
        let model = self.model()?;
        if is_best {
            self.best = Some(model.clone());
        }
        let stored = self.store_best(is_best, &model).and_then(|()| self.store_checkpoint(model));
        // A training continues without a checkpoint if it cannot be stored.
        if let Err(error) = stored {
            observer
                .notice(&format!("no checkpoint was stored after {trained} timesteps: {error}"));
        }
        Ok(())
    }

    /// Stores the model under its own name if it is the best so far on the validation window.
    fn store_best(&self, is_best: bool, model: &[u8]) -> Result<(), TrainingError> {
        if is_best {
            let name = best_model(self.trainer.num_timesteps());
            let artifact = artifact_beside_model(self.plan.timeframe(), &name);
            self.store.store_artifact(self.run_id, &artifact, model)?;
        }
        Ok(())
    }

    fn store_checkpoint(&self, model: Vec<u8>) -> Result<(), TrainingError> {
        let state = CheckpointState {
            request: self.repeatable_request(),
            snapshot: self.trainer.snapshot(),
            enhancer: self.enhancer.clone(),
            metric_log: self.metric_log.state(),
        };
        Checkpoint { state, model }.store(self.store, self.run_id)
    }

    /// The request with the chosen parent selected by its run id, so that resuming selects the same one.
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
            && let Err(error) = self.model().and_then(|model| self.store_checkpoint(model))
        {
            observer
                .notice(&format!("no checkpoint was stored after {timesteps} timesteps: {error}"));
        }
        Err(TrainingError::Cancelled { run_id: self.run_id.clone(), timesteps })
    }
}

/// Name of the file of the best model of a training, by the timesteps behind it.
fn best_model(timesteps: u64) -> String {
    format!("best_model_{timesteps}.zip")
}
