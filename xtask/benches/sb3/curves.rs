//! Learning curves of herdbook, and statistics of the curves of both libraries.

use herdbook_ppo::{Env, EpisodeEnd, Policy, PpoConfig, Rng, Trainer};

use crate::cart_pole::CartPole;
use crate::statistics;
use crate::tasks::Tasks;

/// The same values as in `stable_baselines3_side.py`.
const EVALUATE_EVERY: usize = 5;
const EVALUATION_EPISODES: u64 = 10;
/// The mean reward at which `CartPole-v1` counts as solved.
const SOLVED: f64 = 475.0;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Task {
    CartPole,
    Trading,
}

impl Task {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::CartPole => "cart_pole",
            Self::Trading => "trading",
        }
    }
}

/// The learning curve of one seed.
#[derive(Default)]
pub(crate) struct Curve {
    /// For each rollout, the timesteps and the mean reward of the episodes that ended in it.
    pub(crate) rollouts: Vec<(u64, Option<f64>)>,
    /// Timesteps and mean reward of the deterministic policy.
    pub(crate) evaluations: Vec<(u64, f64)>,
}

impl Curve {
    /// The mean height of the curve. A rollout in which no episode ended repeats the value before it.
    pub(crate) fn area(&self) -> f64 {
        let mut height = 0.0;
        let heights: Vec<f64> = self
            .rollouts
            .iter()
            .map(|(_, mean)| {
                height = mean.unwrap_or(height);
                height
            })
            .collect();
        statistics::mean(&heights)
    }

    fn solved_at(&self) -> Option<u64> {
        self.evaluations.iter().find(|(_, mean)| *mean >= SOLVED).map(|(timesteps, _)| *timesteps)
    }
}

pub(crate) fn ours(task: Task, tasks: &Tasks, seed: u64, timesteps: u64) -> anyhow::Result<Curve> {
    match task {
        Task::CartPole => learned(CartPole::default, seed, timesteps),
        Task::Trading => learned(|| tasks.trading(), seed, timesteps),
    }
}

fn learned<E: Env>(env: impl Fn() -> E, seed: u64, timesteps: u64) -> anyhow::Result<Curve> {
    let mut trainer = Trainer::new(PpoConfig::default(), vec![env()], seed)?;
    let mut curve = Curve::default();
    while trainer.num_timesteps() < timesteps {
        let stats = trainer.iterate();
        curve.rollouts.push((stats.num_timesteps, stats.mean_episode_reward()));
        let is_last = trainer.num_timesteps() >= timesteps;
        if is_last || curve.rollouts.len().is_multiple_of(EVALUATE_EVERY) {
            let mean = evaluate(trainer.policy(), &mut env());
            curve.evaluations.push((stats.num_timesteps, mean));
        }
    }
    Ok(curve)
}

fn evaluate<E: Env>(policy: &Policy, env: &mut E) -> f64 {
    let (mut scratch, mut obs) = (policy.scratch(), vec![0.0; env.obs_len()]);
    let mut sum = 0.0;
    for episode in 0..EVALUATION_EPISODES {
        env.reset(&mut Rng::new(1_000_000 + episode), &mut obs);
        loop {
            let step = env.step(policy.act_deterministic(&obs, &mut scratch), &mut obs);
            sum += f64::from(step.reward);
            if step.end != EpisodeEnd::Running {
                break;
            }
        }
    }
    sum / EVALUATION_EPISODES as f64
}

/// Prints start, middle and end of the curves of one library, and when its seeds had solved the task.
pub(crate) fn describe(curves: &[Curve], task: Task) -> String {
    let n_rollouts = curves.first().map_or(0, |curve| curve.rollouts.len());
    let mean_at = |rollout: usize| {
        let means = curves.iter().filter_map(|curve| curve.rollouts.get(rollout)?.1);
        statistics::mean(&means.collect::<Vec<_>>())
    };
    let places = [0, n_rollouts / 4, n_rollouts / 2, 3 * n_rollouts / 4, n_rollouts - 1];
    let heights: Vec<String> = places.map(|place| format!("{:.1}", mean_at(place))).into();
    let mut text = format!("mean reward from first to last rollout {}", heights.join(", "));
    if task == Task::CartPole {
        let mut solved: Vec<u64> = curves.iter().filter_map(Curve::solved_at).collect();
        solved.sort_unstable();
        let n_solved = solved.len();
        let median = solved.get(n_solved / 2).copied().unwrap_or_default();
        text += &format!("; solved by {n_solved} seeds, in the median after {median} timesteps");
    }
    text
}
