//! The training loop: rollout, update, rollout, update …

use std::num::NonZeroUsize;

use crate::adam::Adam;
use crate::config::{self, PpoConfig};
use crate::env::Env;
use crate::error::PpoError;
use crate::model::{Bounds, Model};
use crate::network::limits::MAX_SPACE;
use crate::network::policy::Policy;
use crate::rng::Rng;
use crate::rollout::buffer::RolloutBuffer;
use crate::rollout::vec_env::VecEnv;
use crate::stats::IterationStats;
use crate::update::ppo::Updater;

/// A model in training.
///
/// Training is deterministic: the result depends only on the initial model, the configuration, the
/// environments and the seed, not on the number of threads.
///
/// ```
/// use herdbook_ppo::{Env, EpisodeEnd, Model, PpoConfig, Rng, Step, Trainer};
/// # struct Coin;
/// # impl Env for Coin {
/// #     fn obs_len(&self) -> usize { 1 }
/// #     fn n_actions(&self) -> usize { 2 }
/// #     fn reset(&mut self, _rng: &mut Rng, obs: &mut [f32]) { obs.fill(0.0); }
/// #     fn step(&mut self, _action: usize, _obs: &mut [f32]) -> Step {
/// #         Step { reward: 0.0, end: EpisodeEnd::Terminated }
/// #     }
/// # }
///
/// // Two environments, so one rollout has 2 × 64 timesteps.
/// let config = PpoConfig { n_envs: 2, n_steps: 64, ..PpoConfig::default() };
/// let mut trainer = Trainer::new(config.clone(), vec![Coin, Coin], 1)?;
/// let stats = trainer.iterate();
/// assert_eq!(stats.num_timesteps, 128);
/// assert_eq!(stats.mean_episode_length(), Some(1.0));
///
/// // Store the model, and continue its training later.
/// let bytes = trainer.model().to_zip()?;
/// let model = Model::from_zip(&bytes, "model.zip")?;
/// let mut trainer = Trainer::resume(model, config, vec![Coin, Coin], 2)?;
/// assert_eq!(trainer.iterate().num_timesteps, 256);
/// # Ok::<(), herdbook_ppo::PpoError>(())
/// ```
#[derive(Debug)]
pub struct Trainer<E> {
    pub(crate) config: PpoConfig,
    policy: Policy,
    adam: Adam,
    pub(crate) envs: VecEnv<E>,
    rollout: RolloutBuffer,
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
    /// Starts the training of a new model, with orthogonal initial weights drawn from the seed.
    ///
    /// # Errors
    /// [`PpoError::Config`] if a hyperparameter is out of range or the networks are too large,
    /// [`PpoError::EnvironmentCount`] if the number of environments is not `n_envs`,
    /// [`PpoError::Mismatch`] if the environments differ in observation length or number of actions.
    pub fn new(config: PpoConfig, envs: Vec<E>, seed: u64) -> Result<Self, PpoError> {
        let (obs_len, n_actions) = check_envs(&config, &envs)?;
        let mut rng = Rng::new(seed);
        let (net_arch, activation) = (config.net_arch.clone(), config.activation);
        let policy = Policy::new(obs_len, n_actions, net_arch, activation, &mut rng)?;
        let adam = Adam::new(&policy.networks);
        Ok(Self::assemble(Model::new(policy, adam, config), envs, rng))
    }

    /// Continues the training of a model with its weights, optimizer state and counters. The
    /// environments start new episodes, and random numbers come from the new seed.
    ///
    /// # Errors
    /// Those of [`Trainer::new`], and [`PpoError::Mismatch`] if environments or configuration ask for
    /// other networks than the model has.
    pub fn resume(
        model: Model,
        config: PpoConfig,
        envs: Vec<E>,
        seed: u64,
    ) -> Result<Self, PpoError> {
        let (obs_len, n_actions) = check_envs(&config, &envs)?;
        let policy = &model.policy;
        let expected_by = "the model";
        check_equal("the observation length", &obs_len, expected_by, &policy.obs_len())?;
        let dims = ActionDims(policy.action_dims());
        check_equal("the number of actions", &ActionDims(&[n_actions]), expected_by, &dims)?;
        let (net_arch, activation) = (policy.net_arch(), &policy.activation());
        check_equal("`net_arch`", &config.net_arch, expected_by, net_arch)?;
        check_equal("`activation`", &config.activation, expected_by, activation)?;
        Ok(Self::assemble(Model { config, ..model }, envs, Rng::new(seed)))
    }

    /// Runs one iteration: collects a rollout and updates the policy with it.
    pub fn iterate(&mut self) -> IterationStats {
        let Self { config, policy, adam, envs, rollout, updater, rng, .. } = self;
        let n_threads = self.n_threads.get();
        let episodes = envs.collect_rollout(policy, config, rng, rollout, n_threads);
        let update = updater.update(policy, adam, rollout, config, rng, n_threads);
        self.trained_timesteps += self.rollout.len() as u64;
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
            explained_variance: self.rollout.explained_variance(),
            learning_rate: self.config.learning_rate,
            n_epochs: update.n_epochs,
            mean_step_reward: self.rollout.mean_reward(),
            episodes,
        }
    }

    /// Timesteps of the model, including those it had before this training: the `num_timesteps` of
    /// stable-baselines3.
    pub fn num_timesteps(&self) -> u64 {
        self.parent_timesteps + self.trained_timesteps
    }

    /// Timesteps of this training.
    pub fn trained_timesteps(&self) -> u64 {
        self.trained_timesteps
    }

    /// The current policy.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// A copy of the current model, for storing.
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

    /// The current configuration, including changes made during the training.
    pub fn config(&self) -> &PpoConfig {
        &self.config
    }

    /// Sets the number of threads for the next iterations; the default is 1. It affects their speed,
    /// never their result. Rollouts use up to one thread per environment, updates at most two.
    pub fn set_threads(&mut self, n_threads: NonZeroUsize) {
        self.n_threads = n_threads;
    }

    /// The environments. Changes take effect with their next timestep.
    pub fn envs_mut(&mut self) -> &mut [E] {
        &mut self.envs.envs
    }

    /// Sets the learning rate of the next iterations.
    ///
    /// # Errors
    /// [`PpoError::Config`] if it is negative or not finite.
    pub fn set_learning_rate(&mut self, learning_rate: f64) -> Result<(), PpoError> {
        self.reconfigure(|config| config.learning_rate = learning_rate)
    }

    /// Sets the clip range of the next iterations.
    ///
    /// # Errors
    /// [`PpoError::Config`] if it is not a finite number above 0.
    pub fn set_clip_range(&mut self, clip_range: f64) -> Result<(), PpoError> {
        self.reconfigure(|config| config.clip_range = clip_range)
    }

    /// Sets the weight of the entropy bonus in the next iterations.
    ///
    /// # Errors
    /// [`PpoError::Config`] if it is not finite.
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
            envs: VecEnv::new(envs, &policy, &mut rng),
            rollout: RolloutBuffer::new(&config, policy.obs_len()),
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

/// Checks the configuration, and that the environments fit it and each other. Returns their
/// observation length and number of actions.
fn check_envs<E: Env>(config: &PpoConfig, envs: &[E]) -> Result<(usize, usize), PpoError> {
    config.validate()?;
    let Some(first) = envs.first().filter(|_| envs.len() == config.n_envs) else {
        return Err(PpoError::EnvironmentCount { expected: config.n_envs, found: envs.len() });
    };
    let (obs_len, n_actions) = (first.obs_len(), first.n_actions());
    for (field, value) in [("obs_len", obs_len), ("n_actions", n_actions)] {
        let is_valid = (1..=MAX_SPACE).contains(&value);
        config::check(field, value, is_valid, "a whole number from 1 to 65536")?;
    }
    config.check_rollout(obs_len)?;
    for env in envs {
        let expected_by = "the first environment";
        check_equal("the observation length", &env.obs_len(), expected_by, &obs_len)?;
        check_equal("the number of actions", &env.n_actions(), expected_by, &n_actions)?;
    }
    Ok((obs_len, n_actions))
}

/// Displays as `3` for one choice, as `3 × 2` for several.
#[derive(PartialEq)]
struct ActionDims<'a>(&'a [usize]);

impl std::fmt::Display for ActionDims<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let dims: Vec<String> = self.0.iter().map(usize::to_string).collect();
        f.write_str(&dims.join(" × "))
    }
}

fn check_equal<T: PartialEq + std::fmt::Display>(
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
