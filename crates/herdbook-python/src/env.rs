//! The trainer's environment for Python, one or many at once.
//!
//! Every observation is a new NumPy array, which no later call changes.

use std::sync::Arc;

use herdbook_training::{Env as _, EnvFactory, EpisodeEnd, OBS_LEN, Position, Rng, TradingEnv};
use numpy::{PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray1, PyUntypedArrayMethods};
use pyo3::prelude::*;

use crate::error::invalid;

/// Whether an episode is running. None is before the first reset and after the end of an episode.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Playing,
    Waiting,
}

/// One environment with its own random generator.
#[pyclass(module = "herdbook._native")]
pub(crate) struct Env {
    inner: TradingEnv,
    rng: Rng,
    arena: Arc<EnvFactory>,
    phase: Phase,
}

impl Env {
    pub(crate) fn new(env: TradingEnv, rng: Rng, arena: Arc<EnvFactory>) -> Self {
        Self { inner: env, rng, arena, phase: Phase::Waiting }
    }
}

/// Observation, reward, terminated, truncated.
type Step<'py> = (Bound<'py, PyArray1<f32>>, f64, bool, bool);

#[pymethods]
impl Env {
    /// Starts an episode and returns its first observation, float32 of shape `[35]`. A seed restarts the random
    /// generator.
    fn reset<'py>(&mut self, py: Python<'py>, seed: Option<u64>) -> Bound<'py, PyArray1<f32>> {
        if let Some(seed) = seed {
            self.rng = Rng::new(seed);
        }
        let mut obs = vec![0.0; OBS_LEN];
        self.inner.reset(&mut self.rng, &mut obs);
        self.phase = Phase::Playing;
        PyArray1::from_vec(py, obs)
    }

    /// Takes an action: 0 short, 1 flat, 2 long.
    fn step<'py>(&mut self, py: Python<'py>, action: i64) -> PyResult<Step<'py>> {
        if self.phase == Phase::Waiting {
            return Err(invalid(py, "no episode is running: call `reset` first", None));
        }
        let action = checked(py, action)?;
        let mut obs = vec![0.0; OBS_LEN];
        let step = self.inner.step(action, &mut obs);
        let (terminated, truncated) =
            (step.end == EpisodeEnd::Terminated, step.end == EpisodeEnd::Truncated);
        if terminated || truncated {
            self.phase = Phase::Waiting;
        }
        Ok((PyArray1::from_vec(py, obs), f64::from(step.reward), terminated, truncated))
    }

    /// Equity of the account at the close of the last bar. An episode starts with 10,000.
    #[getter]
    fn equity(&self) -> f64 {
        self.inner.equity()
    }

    /// The position held: -1 short, 0 flat, 1 long.
    #[getter]
    fn position(&self) -> i64 {
        sign(self.inner.position())
    }

    /// Opening time of the last closed bar, in milliseconds since 1970 (UTC).
    #[getter]
    fn open_time_ms(&self) -> i64 {
        self.arena.open_time_ms(self.inner.bar_idx())
    }
}

/// Environments that are stepped together, each with its own random generator. When an episode ends, the environment
/// starts the next one in the same step.
#[pyclass(module = "herdbook._native")]
pub(crate) struct Envs {
    members: Vec<TradingEnv>,
    rngs: Vec<Rng>,
    phase: Phase,
}

impl Envs {
    pub(crate) fn new(envs: Vec<TradingEnv>) -> Self {
        let rngs = envs.iter().map(|_| Rng::new(0)).collect();
        Self { members: envs, rngs, phase: Phase::Waiting }
    }
}

/// The result of one step of all environments.
struct Outcome {
    obs: Vec<f32>,
    rewards: Vec<f32>,
    dones: Vec<bool>,
    equities: Vec<f64>,
    positions: Vec<i64>,
    /// The ended episodes: index of the environment, whether it was truncated, and the last observation.
    ended: Vec<(usize, bool, Vec<f32>)>,
}

/// [`Outcome`] in Python.
type Steps<'py> = (
    Bound<'py, PyArray2<f32>>,
    Bound<'py, PyArray1<f32>>,
    Bound<'py, PyArray1<bool>>,
    Vec<f64>,
    Vec<i64>,
    Vec<(usize, bool, Bound<'py, PyArray1<f32>>)>,
);

#[pymethods]
impl Envs {
    /// Starts an episode in every environment and returns the first observations, float32 of shape `[n, 35]`. A seed
    /// restarts the random generator of its environment.
    fn reset<'py>(
        &mut self,
        py: Python<'py>,
        seeds: Vec<Option<u64>>,
    ) -> PyResult<Bound<'py, PyArray2<f32>>> {
        if seeds.len() != self.members.len() {
            let message = format!("{} seeds for {} environments", seeds.len(), self.members.len());
            return Err(invalid(py, &message, None));
        }
        for (rng, seed) in self.rngs.iter_mut().zip(seeds) {
            if let Some(seed) = seed {
                *rng = Rng::new(seed);
            }
        }
        let mut obs = vec![0.0; self.members.len() * OBS_LEN];
        let rows = obs.chunks_exact_mut(OBS_LEN);
        for ((env, rng), row) in self.members.iter_mut().zip(&mut self.rngs).zip(rows) {
            env.reset(rng, row);
        }
        self.phase = Phase::Playing;
        matrix(py, obs, self.members.len())
    }

    /// Takes one action in every environment. `actions` has the shape `[n]`.
    fn step<'py>(
        &mut self,
        py: Python<'py>,
        actions: PyReadonlyArray1<'py, i64>,
    ) -> PyResult<Steps<'py>> {
        if self.phase == Phase::Waiting {
            return Err(invalid(py, "no episode is running: call `reset` first", None));
        }
        if actions.len() != self.members.len() {
            let message =
                format!("{} actions for {} environments", actions.len(), self.members.len());
            return Err(invalid(py, &message, None));
        }
        let actions: Vec<usize> = actions
            .as_array()
            .iter()
            .map(|action| checked(py, *action))
            .collect::<PyResult<_>>()?;
        let Outcome { obs, rewards, dones, equities, positions, ended } =
            py.detach(|| self.step_all(&actions));
        let ended =
            ended.into_iter().map(|(idx, cut, obs)| (idx, cut, PyArray1::from_vec(py, obs)));
        Ok((
            matrix(py, obs, self.members.len())?,
            PyArray1::from_vec(py, rewards),
            PyArray1::from_vec(py, dones),
            equities,
            positions,
            ended.collect(),
        ))
    }
}

impl Envs {
    fn step_all(&mut self, actions: &[usize]) -> Outcome {
        let n_envs = self.members.len();
        let mut done = Outcome {
            obs: vec![0.0; n_envs * OBS_LEN],
            rewards: Vec::with_capacity(n_envs),
            dones: Vec::with_capacity(n_envs),
            equities: Vec::with_capacity(n_envs),
            positions: Vec::with_capacity(n_envs),
            ended: Vec::new(),
        };
        let rows = done.obs.chunks_exact_mut(OBS_LEN);
        for (idx, (env, obs)) in self.members.iter_mut().zip(rows).enumerate() {
            let step = env.step(actions[idx], obs);
            done.rewards.push(step.reward);
            done.dones.push(step.end != EpisodeEnd::Running);
            done.equities.push(env.equity());
            done.positions.push(sign(env.position()));
            if step.end != EpisodeEnd::Running {
                done.ended.push((idx, step.end == EpisodeEnd::Truncated, obs.to_vec()));
                env.reset(&mut self.rngs[idx], obs);
            }
        }
        done
    }
}

fn matrix(py: Python<'_>, rows: Vec<f32>, n_rows: usize) -> PyResult<Bound<'_, PyArray2<f32>>> {
    PyArray1::from_vec(py, rows).reshape([n_rows, OBS_LEN])
}

fn checked(py: Python<'_>, action: i64) -> PyResult<usize> {
    usize::try_from(action).ok().filter(|action| *action < Position::ALL.len()).ok_or_else(|| {
        let message = format!("`{action}` is not an action: give 0 (short), 1 (flat) or 2 (long)");
        invalid(py, &message, None)
    })
}

fn sign(position: Position) -> i64 {
    position.sign() as i64
}
