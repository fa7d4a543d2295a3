//! The training loop: rollout, update, and again.

use std::num::NonZeroUsize;

use crate::config;
use crate::returns::Discount;
use crate::rollout::{Actors, Rollout};
use crate::side::Task;
use crate::update::Updater;
use crate::{Adam, Bounds, Env, IterationStats, Model, Policy, PpoConfig, PpoError, Rng};

/// One model in training.
///
/// Everything it does follows from the model it started with, its configuration, its environments
/// and its seed.
#[derive(Debug)]
pub struct Trainer<E> {
    pub(crate) config: PpoConfig,
    policy: Policy,
    adam: Adam,
    pub(crate) actors: Actors<E>,
    rollout: Rollout,
    updater: Updater,
    pub(crate) rng: Rng,
    pub(crate) parent_timesteps: u64,
    pub(crate) trained_timesteps: u64,
    n_updates: u64,
    extra: serde_json::Map<String, serde_json::Value>,
    bounds: Option<Bounds>,
    n_threads: NonZeroUsize,
}

impl<E: Env> Trainer<E> {
    /// A new model, with orthogonal weights drawn from the seed.
    pub fn new(config: PpoConfig, envs: Vec<E>, seed: u64) -> Result<Self, PpoError> {
        let (obs_len, n_actions) = check_envs(&config, &envs)?;
        let mut rng = Rng::new(seed);
        let (net_arch, activation) = (config.net_arch.clone(), config.activation);
        let policy = Policy::new(obs_len, n_actions, net_arch, activation, &mut rng)?;
        let adam = Adam::new(&policy.network);
        Ok(Self::assemble(Model::new(policy, adam, config), envs, rng))
    }

    /// Goes on with a model: its weights, Adam's moments and step count, and its counters. The
    /// environments start new episodes, and random numbers come from the new seed.
    pub fn resume(
        model: Model,
        config: PpoConfig,
        envs: Vec<E>,
        seed: u64,
    ) -> Result<Self, PpoError> {
        let (obs_len, n_actions) = check_envs(&config, &envs)?;
        let policy = &model.policy;
        let of_model = "the model";
        same("the observation length", &obs_len, of_model, &policy.obs_len())?;
        let dims = ActionDims(policy.action_dims());
        same("the number of actions", &ActionDims(&[n_actions]), of_model, &dims)?;
        let (net_arch, activation) = (policy.net_arch(), &policy.activation());
        same("`net_arch`", &config.net_arch, of_model, net_arch)?;
        same("`activation`", &config.activation, of_model, activation)?;
        Ok(Self::assemble(Model { config, ..model }, envs, Rng::new(seed)))
    }

    /// Plays one whole rollout and fits the policy to it.
    pub fn iterate(&mut self) -> IterationStats {
        let discount =
            Discount { gamma: self.config.gamma as f32, lambda: self.config.gae_lambda as f32 };
        let n_threads = self.n_threads.get();
        let episodes =
            self.actors.play(&self.policy, discount, &mut self.rng, &mut self.rollout, n_threads);
        self.trained_timesteps += self.rollout.len() as u64;
        let explained_variance = self.rollout.explained_variance();
        let mean_step_reward = self.rollout.mean_reward();
        let task = Task::new(self.policy.arch, &self.rollout, &self.config);
        let (policy, adam) = (&mut self.policy, &mut self.adam);
        let update = self.updater.update(policy, adam, &task, &mut self.rng, n_threads);
        self.n_updates += u64::from(update.n_epochs);
        IterationStats {
            num_timesteps: self.num_timesteps(),
            n_updates: self.n_updates,
            policy_loss: update.losses.policy,
            value_loss: update.losses.value,
            entropy: update.losses.entropy,
            loss: update.loss,
            approx_kl: update.losses.approx_kl,
            clip_fraction: update.losses.clip_fraction,
            explained_variance,
            learning_rate: self.config.learning_rate,
            n_epochs: update.n_epochs,
            mean_step_reward,
            episodes,
        }
    }

    /// Timesteps behind the model: those it came with and those trained here. This is what
    /// stable-baselines3 calls `num_timesteps` and goes on counting from.
    pub fn num_timesteps(&self) -> u64 {
        self.parent_timesteps + self.trained_timesteps
    }

    /// Timesteps trained here.
    pub fn trained_timesteps(&self) -> u64 {
        self.trained_timesteps
    }

    /// The policy as it is now.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The model as it is now, for storing.
    pub fn model(&self) -> Model {
        Model {
            policy: self.policy.clone(),
            adam: self.adam.clone(),
            num_timesteps: self.num_timesteps(),
            n_updates: self.n_updates,
            config: self.config.clone(),
            extra: self.extra.clone(),
            bounds: self.bounds.clone(),
            notes: vec![],
        }
    }

    /// The configuration, with the changes made on the way.
    pub fn config(&self) -> &PpoConfig {
        &self.config
    }

    /// Sets how many threads the coming iterations may use; 1 at first. It changes how long they take, never what comes
    /// out. Environments are shared out among all threads, the update has work for two.
    pub fn set_threads(&mut self, n_threads: NonZeroUsize) {
        self.n_threads = n_threads;
    }

    /// The environments; changes count from their next timestep on.
    pub fn envs_mut(&mut self) -> &mut [E] {
        &mut self.actors.envs
    }

    /// Sets the step size of the coming iterations.
    pub fn set_learning_rate(&mut self, learning_rate: f64) -> Result<(), PpoError> {
        self.reconfigure(|config| config.learning_rate = learning_rate)
    }

    /// Sets the clip range of the coming iterations.
    pub fn set_clip_range(&mut self, clip_range: f64) -> Result<(), PpoError> {
        self.reconfigure(|config| config.clip_range = clip_range)
    }

    /// Sets the weight of the entropy bonus in the coming iterations.
    pub fn set_ent_coef(&mut self, ent_coef: f64) -> Result<(), PpoError> {
        self.reconfigure(|config| config.ent_coef = ent_coef)
    }

    fn reconfigure(&mut self, change: impl FnOnce(&mut PpoConfig)) -> Result<(), PpoError> {
        let mut config = self.config.clone();
        change(&mut config);
        config.validate()?;
        self.config = config;
        Ok(())
    }

    fn assemble(model: Model, envs: Vec<E>, mut rng: Rng) -> Self {
        let Model { policy, adam, num_timesteps, n_updates, config, extra, bounds, notes: _ } =
            model;
        Self {
            actors: Actors::new(envs, &policy, &mut rng),
            rollout: Rollout::new(&config, policy.obs_len()),
            updater: Updater::new(&policy, &config),
            config,
            policy,
            adam,
            rng,
            parent_timesteps: num_timesteps,
            trained_timesteps: 0,
            n_updates,
            extra,
            bounds,
            n_threads: NonZeroUsize::MIN,
        }
    }
}

/// Checks that the environments agree with the configuration and each other; gives their
/// observation length and number of actions.
fn check_envs<E: Env>(config: &PpoConfig, envs: &[E]) -> Result<(usize, usize), PpoError> {
    config.validate()?;
    let Some(first) = envs.first().filter(|_| envs.len() == config.n_envs) else {
        return Err(PpoError::EnvironmentCount { expected: config.n_envs, found: envs.len() });
    };
    let (obs_len, n_actions) = (first.obs_len(), first.n_actions());
    for (field, value) in [("obs_len", obs_len), ("n_actions", n_actions)] {
        let sound = (1..=Model::MAX_SPACE).contains(&value);
        config::check(field, value, sound, "a whole number from 1 to 65536")?;
    }
    config.check_rollout(obs_len)?;
    for env in envs {
        same("the observation length", &env.obs_len(), "the first environment", &obs_len)?;
        same("the number of actions", &env.n_actions(), "the first environment", &n_actions)?;
    }
    Ok((obs_len, n_actions))
}

/// `3`, or `3 × 2` where an action is several choices at once.
#[derive(PartialEq)]
struct ActionDims<'a>(&'a [usize]);

impl std::fmt::Display for ActionDims<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let dims: Vec<String> = self.0.iter().map(usize::to_string).collect();
        f.write_str(&dims.join(" × "))
    }
}

fn same<T: PartialEq + std::fmt::Display>(
    what: &'static str,
    found: &T,
    expected_by: &'static str,
    expected: &T,
) -> Result<(), PpoError> {
    if found == expected {
        return Ok(());
    }
    Err(PpoError::Mismatch {
        what,
        found: found.to_string(),
        expected_by,
        expected: expected.to_string(),
    })
}
