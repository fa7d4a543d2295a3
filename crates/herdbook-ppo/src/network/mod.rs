//! The actor and the critic: two multilayer perceptrons that share nothing, and the policy made of
//! them. Nothing here knows environments, rollouts or losses.

pub(crate) mod actor_critic;
mod init;
pub(crate) mod limits;
pub(crate) mod mlp;
pub(crate) mod policy;
pub(crate) mod tensors;
