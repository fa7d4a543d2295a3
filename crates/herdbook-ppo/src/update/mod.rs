//! Fitting the policy to a rollout. [`ppo`] is the algorithm, read from top to bottom; the other
//! modules are its parts.

mod exchange;
mod learner;
pub(crate) mod loss;
mod minibatch;
pub(crate) mod ppo;
pub(crate) mod statistics;
