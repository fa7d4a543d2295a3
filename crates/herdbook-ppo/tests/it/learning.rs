//! Tasks with a known best policy are learned, and hyperparameters have their effect.

use std::num::NonZeroUsize;

use herdbook_ppo::{Env, EpisodeEnd, Policy, PpoConfig, Rng, Step, Trainer};

use crate::cart_pole::CartPole;

/// The reward is 1 if the action equals the observed number, one of four (stable-baselines3's
/// `IdentityEnv`).
#[derive(Default)]
pub(crate) struct Identity {
    shown: usize,
    length: u32,
    rng: Option<Rng>,
}

const N_NUMBERS: usize = 4;

impl Identity {
    fn observe(&mut self, obs: &mut [f32]) {
        self.shown = self.rng.as_mut().unwrap().below(N_NUMBERS);
        obs.fill(0.0);
        obs[self.shown] = 1.0;
    }
}

impl Env for Identity {
    fn obs_len(&self) -> usize {
        N_NUMBERS
    }

    fn n_actions(&self) -> usize {
        N_NUMBERS
    }

    fn reset(&mut self, rng: &mut Rng, obs: &mut [f32]) {
        self.rng = Some(rng.split());
        self.length = 0;
        self.observe(obs);
    }

    fn step(&mut self, action: usize, obs: &mut [f32]) -> Step {
        let reward = if action == self.shown { 1.0 } else { 0.0 };
        self.length += 1;
        self.observe(obs);
        let end = if self.length == 100 { EpisodeEnd::Truncated } else { EpisodeEnd::Running };
        Step { reward, end }
    }
}

pub(crate) fn envs<E: Env + Default>(n: usize) -> Vec<E> {
    (0..n).map(|_| E::default()).collect()
}

/// Mean reward per episode over 20 episodes of the most likely actions.
fn evaluate<E: Env + Default>(policy: &Policy, seed: u64) -> f64 {
    let (mut rng, mut scratch, mut sum) = (Rng::new(seed), policy.scratch(), 0.0);
    for _ in 0..20 {
        let mut env = E::default();
        let mut obs = vec![0.0; env.obs_len()];
        env.reset(&mut rng, &mut obs);
        loop {
            let step = env.step(policy.act_deterministic(&obs, &mut scratch), &mut obs);
            sum += f64::from(step.reward);
            if step.end != EpisodeEnd::Running {
                break;
            }
        }
    }
    sum / 20.0
}

#[test]
fn cart_pole_is_balanced_after_a_hundred_thousand_timesteps() {
    // The settings of rl-baselines3-zoo, without its schedules.
    let config = PpoConfig {
        n_envs: 8,
        n_steps: 32,
        batch_size: 256,
        n_epochs: 20,
        gamma: 0.98,
        gae_lambda: 0.8,
        learning_rate: 5e-4,
        ..PpoConfig::default()
    };
    let mut trainer = Trainer::new(config, envs::<CartPole>(8), 1).unwrap();
    while trainer.num_timesteps() < 100_000 {
        trainer.iterate();
    }
    let mean_length = evaluate::<CartPole>(trainer.policy(), 99);
    assert!(mean_length >= 475.0, "{mean_length}");
}

#[test]
fn cart_pole_is_balanced_with_the_defaults() {
    let mut trainer = Trainer::new(PpoConfig::default(), envs::<CartPole>(1), 3).unwrap();
    while trainer.num_timesteps() < 100_000 {
        trainer.iterate();
    }
    let mean_length = evaluate::<CartPole>(trainer.policy(), 99);
    assert!(mean_length >= 475.0, "{mean_length}");
}

#[test]
fn identity_is_learned() {
    let config = PpoConfig { n_envs: 2, n_steps: 256, ..PpoConfig::default() };
    let mut trainer = Trainer::new(config, envs::<Identity>(2), 1).unwrap();
    let first = trainer.iterate();
    assert!(first.entropy > 1.3, "{first:?}");
    while trainer.num_timesteps() < 10_000 {
        trainer.iterate();
    }
    assert!(evaluate::<Identity>(trainer.policy(), 5) > 99.0);
}

#[test]
fn statistics_describe_the_rollout() {
    let config = PpoConfig { n_envs: 2, n_steps: 250, ..PpoConfig::default() };
    let mut trainer = Trainer::new(config, envs::<Identity>(2), 1).unwrap();
    let stats = trainer.iterate();
    assert_eq!((stats.num_timesteps, stats.n_updates, stats.n_epochs), (500, 10, 10));
    assert_eq!(stats.episodes.len(), 4);
    assert!(stats.episodes.iter().all(|episode| episode.length == 100));
    assert_eq!(stats.mean_episode_length(), Some(100.0));
    let mean = stats.mean_episode_reward().unwrap();
    assert!((10.0..50.0).contains(&mean), "about one in four is right at first: {mean}");
    assert!(stats.approx_kl >= 0.0 && (0.0..=1.0).contains(&stats.clip_fraction));
}

#[test]
fn small_target_kl_ends_the_epochs_early() {
    let config = PpoConfig { n_steps: 512, target_kl: Some(1e-4), ..PpoConfig::default() };
    let mut trainer = Trainer::new(config, envs::<Identity>(1), 1).unwrap();
    let stats = trainer.iterate();
    assert!(stats.n_epochs < 10, "{stats:?}");
    assert_eq!(stats.n_updates, u64::from(stats.n_epochs));
    assert!(trainer.model().adam.step_count() < 10 * 8);
}

#[test]
fn minibatch_that_exceeds_target_kl_is_not_learned_from() {
    // The first minibatch has a KL of 0, since the policy is still that of the rollout.
    let config = PpoConfig { n_steps: 512, target_kl: Some(1e-12), ..PpoConfig::default() };
    for n_threads in [1, 2] {
        let mut trainer = Trainer::new(config.clone(), envs::<Identity>(1), 1).unwrap();
        trainer.set_threads(NonZeroUsize::new(n_threads).unwrap());
        let stats = trainer.iterate();
        assert_eq!((stats.n_epochs, trainer.model().adam.step_count()), (1, 1));
    }
}

#[test]
fn refused_change_leaves_the_configuration_unchanged() {
    let mut trainer = Trainer::new(PpoConfig::default(), envs::<Identity>(1), 1).unwrap();
    trainer.set_learning_rate(-1.0).unwrap_err();
    trainer.set_clip_range(0.0).unwrap_err();
    trainer.set_ent_coef(f64::NAN).unwrap_err();
    assert_eq!(trainer.config(), &PpoConfig::default());
    trainer.set_clip_range(0.1).unwrap();
    trainer.set_ent_coef(0.01).unwrap();
    let expected = PpoConfig { clip_range: 0.1, ent_coef: 0.01, ..PpoConfig::default() };
    assert_eq!(trainer.config(), &expected);
}

#[test]
fn last_minibatch_of_an_epoch_may_be_shorter() {
    let config = PpoConfig { n_steps: 100, n_epochs: 3, ..PpoConfig::default() };
    let mut trainer = Trainer::new(config, envs::<Identity>(1), 1).unwrap();
    trainer.iterate();
    assert_eq!(trainer.model().adam.step_count(), 3 * 2);
}

#[test]
fn zero_learning_rate_changes_no_weight() {
    let config = PpoConfig { n_steps: 128, ..PpoConfig::default() };
    let mut trainer = Trainer::new(config, envs::<Identity>(1), 1).unwrap();
    let before = trainer.policy().tensors();
    trainer.set_learning_rate(0.0).unwrap();
    let stats = trainer.iterate();
    assert_eq!(trainer.policy().tensors(), before);
    assert!(stats.approx_kl.abs() < 1e-12, "the probabilities have not changed: {stats:?}");
}

#[test]
fn environments_must_fit_the_configuration() {
    let error = Trainer::new(PpoConfig::default(), envs::<Identity>(2), 1).err().unwrap();
    assert_eq!(
        error.to_string(),
        "2 environments were given, but `n_envs` is 1: make the two equal"
    );
    let model = Trainer::new(PpoConfig::default(), envs::<CartPole>(1), 1).unwrap().model();
    let error = Trainer::resume(model, PpoConfig::default(), envs::<Identity>(1), 1).err().unwrap();
    assert_eq!(
        error.to_string(),
        "the number of actions is 4, but the model has 2: train a new model, or make them equal"
    );
}

/// An environment of the given observation length and number of actions.
struct Shape(usize, usize);

impl Env for Shape {
    fn obs_len(&self) -> usize {
        self.0
    }

    fn n_actions(&self) -> usize {
        self.1
    }

    fn reset(&mut self, _rng: &mut Rng, _obs: &mut [f32]) {}

    fn step(&mut self, _action: usize, _obs: &mut [f32]) -> Step {
        Step { reward: 0.0, end: EpisodeEnd::Terminated }
    }
}

#[test]
fn environments_must_have_one_valid_shape() {
    let refused = |first, second| {
        let config = PpoConfig { n_envs: 2, ..PpoConfig::default() };
        Trainer::new(config, vec![first, second], 1).err().unwrap().to_string()
    };
    assert_eq!(
        refused(Shape(3, 2), Shape(4, 2)),
        "the observation length is 4, but the first environment has 3: train a new model, or make \
         them equal"
    );
    assert_eq!(
        refused(Shape(3, 2), Shape(3, 5)),
        "the number of actions is 5, but the first environment has 2: train a new model, or make \
         them equal"
    );
    let range = "but must be a whole number from 1 to 65536";
    assert_eq!(refused(Shape(0, 2), Shape(0, 2)), format!("`obs_len` is `0`, {range}"));
    assert_eq!(refused(Shape(3, 0), Shape(3, 0)), format!("`n_actions` is `0`, {range}"));
}

#[test]
fn rollout_that_exceeds_the_memory_limit_is_refused() {
    let config = PpoConfig { n_steps: 1 << 24, n_envs: 1 << 10, ..PpoConfig::default() };
    let error = Trainer::new(config, envs::<Identity>(1 << 10), 1).err().unwrap();
    assert!(error.to_string().starts_with("`n_steps` is `16777216`, but must be"), "{error}");
}
