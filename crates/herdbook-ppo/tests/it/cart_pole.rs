//! Gymnasium's `CartPole-v1`: balancing a pole on a cart for at most 500 timesteps.

use herdbook_ppo::{Env, EpisodeEnd, ResumableEnv, Rng, Step};

const GRAVITY: f64 = 9.8;
const POLE_MASS: f64 = 0.1;
const TOTAL_MASS: f64 = 1.1;
const HALF_LENGTH: f64 = 0.5;
const POLE_MASS_LENGTH: f64 = POLE_MASS * HALF_LENGTH;
const FORCE: f64 = 10.0;
const TIMESTEP_S: f64 = 0.02;
const MAX_ANGLE: f64 = 12.0 * std::f64::consts::TAU / 360.0;
const MAX_POSITION: f64 = 2.4;
const MAX_LENGTH: u32 = 500;

/// Position, velocity, angle, angular velocity.
#[derive(Default)]
pub(crate) struct CartPole {
    state: [f64; 4],
    length: u32,
}

impl CartPole {
    fn observe(&self, obs: &mut [f32]) {
        obs.iter_mut().zip(self.state).for_each(|(obs, x)| *obs = x as f32);
    }
}

impl Env for CartPole {
    fn obs_len(&self) -> usize {
        4
    }

    fn n_actions(&self) -> usize {
        2
    }

    fn reset(&mut self, rng: &mut Rng, obs: &mut [f32]) {
        self.state = std::array::from_fn(|_| 0.1 * rng.uniform() - 0.05);
        self.length = 0;
        self.observe(obs);
    }

    fn step(&mut self, action: usize, obs: &mut [f32]) -> Step {
        let [x, speed, angle, turn] = self.state;
        let force = if action == 1 { FORCE } else { -FORCE };
        let (sin, cos) = angle.sin_cos();
        let push = (force + POLE_MASS_LENGTH * turn * turn * sin) / TOTAL_MASS;
        let turn_change = (GRAVITY * sin - cos * push)
            / (HALF_LENGTH * (4.0 / 3.0 - POLE_MASS * cos * cos / TOTAL_MASS));
        let speed_change = push - POLE_MASS_LENGTH * turn_change * cos / TOTAL_MASS;
        self.state = [
            x + TIMESTEP_S * speed,
            speed + TIMESTEP_S * speed_change,
            angle + TIMESTEP_S * turn,
            turn + TIMESTEP_S * turn_change,
        ];
        self.length += 1;
        self.observe(obs);
        let fallen = self.state[0].abs() > MAX_POSITION || self.state[2].abs() > MAX_ANGLE;
        let end = match (fallen, self.length) {
            (true, _) => EpisodeEnd::Terminated,
            (false, MAX_LENGTH..) => EpisodeEnd::Truncated,
            (false, _) => EpisodeEnd::Running,
        };
        Step { reward: 1.0, end }
    }
}

impl ResumableEnv for CartPole {
    type State = ([f64; 4], u32);

    fn state(&self) -> Self::State {
        (self.state, self.length)
    }

    fn restore(&mut self, (state, length): Self::State) -> Result<(), String> {
        (self.state, self.length) = (state, length);
        Ok(())
    }
}
