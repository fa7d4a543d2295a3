//! Collecting experience: stepping the environments with the current policy for a fixed number of
//! timesteps, and estimating advantages. Nothing here changes the policy.

mod advantages;
pub(crate) mod buffer;
pub(crate) mod explained_variance;
pub(crate) mod timestep;
pub(crate) mod vec_env;
mod worker;
